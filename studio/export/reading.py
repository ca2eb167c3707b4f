"""Texts to vectors with an exported file and nothing else: ``python -m studio.export.reading FILE TEXTS.json OUT.npy``.

FILE is one of studio.catalog.exports, with tokenizer.json in the folder above. Needs tokenizers, numpy and ONNX Runtime or
OpenVINO; no torch. Run as a process of its own, so that an export is checked as others will find it.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 32

Run = Callable[[np.ndarray, np.ndarray], np.ndarray]


def read(file: Path, texts: Sequence[str], tick: Callable[[int], None] = lambda done: None) -> np.ndarray:
    """Vectors of the texts, shape (n, dimension) float32. ``tick`` is told how many are done."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file.parent.parent / "tokenizer.json"))
    run = _onnx(file) if file.suffix == ".onnx" else _openvino(file)
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    vectors: np.ndarray | None = None
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        found = tokenizer.encode_batch([texts[i] for i in rows])
        ids, mask = (np.array([getattr(one, name) for one in found], np.int64) for name in ("ids", "attention_mask"))
        part = run(ids.reshape(len(rows), -1), mask.reshape(len(rows), -1))
        if vectors is None:
            vectors = np.empty((len(texts), part.shape[1]), np.float32)
        vectors[rows] = part
        tick(start + len(rows))
    return np.empty((0, 0), np.float32) if vectors is None else vectors


def _onnx(file: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = _threads()
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(["sentence_embedding"], {"input_ids": ids, "attention_mask": mask})[0]


def _openvino(file: Path) -> Run:
    openvino = openvino_alone()
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": _threads()}
    compiled = openvino.Core().compile_model(str(file), "CPU", hints)
    output = compiled.output("sentence_embedding")
    return lambda ids, mask: compiled({"input_ids": ids, "attention_mask": mask})[output]


def openvino_alone() -> Any:
    """The package without its telemetry, which would tell its maker of every import."""
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    return openvino


def _threads() -> int:
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1


def main(arguments: list[str] | None = None) -> int:
    file, texts, out = map(Path, sys.argv[1:] if arguments is None else arguments)
    np.save(out, read(file, json.loads(texts.read_text(encoding="utf-8"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
