"""What a teacher says of a dataset's rows: asked once, kept in the run's folder, so that a training that goes on has it.

Labels are rows of one array: for ``teacher_scores`` (rows, texts but the first) cosine of the first text to each other;
for ``teacher_vectors`` (rows, dimensions) or, with several texts, (rows, texts, dimensions); for ``teacher_vector`` (rows,
dimensions), the embedding of the first text.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from studio.catalog.losses import LOSS
from studio.data.rows import text_columns
from studio.files import read_json, write_json
from studio.training.bases import resolve_base
from studio.training.config import TrainConfig
from studio.training.fetch import download
from studio.training.model import load_base

TEXTS_A_STEP = 1024
BATCH_SIZE = 64


def has_teacher(config: TrainConfig) -> bool:
    """Whether the loss learns from a teacher."""
    return LOSS[config.loss].feeding.startswith("teacher")


def teach(
    folder: Path,
    fingerprint: str,
    data: pa.Table,
    config: TrainConfig,
    device: torch.device,
    tick: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """The teacher's labels for the rows of ``data``, from ``folder`` when it has them for this ``fingerprint``.

    ``tick`` is called between portions of the work and may raise to stop it.

    Raises:
        ModelError: the teacher cannot be had.
    """
    array, note = folder / "labels.npy", folder / "labels.json"
    known = read_json(note)
    if known is not None and known["fingerprint"] == fingerprint and array.is_file():
        return np.load(array, mmap_mode="r")
    note.unlink(missing_ok=True)
    labels = ask(data, config, device, tick)
    folder.mkdir(exist_ok=True)
    with array.open("wb") as file:
        np.save(file, labels)
        file.flush()
        os.fsync(file.fileno())
    write_json(note, {"fingerprint": fingerprint, "teacher": config.of_loss("teacher_model")})
    return labels


def ask(data: pa.Table, config: TrainConfig, device: torch.device, tick: Callable[[], None]) -> np.ndarray:
    """The labels, computed. Every different text is embedded once."""
    feeding = LOSS[config.loss].feeding
    columns = text_columns(data)
    if feeding == "teacher_vector":
        columns = columns[:1]
    teacher = load_base(download(resolve_base(config.of_loss("teacher_model"))), str(device)).eval()
    texts = pa.chunked_array([chunk for name in columns for chunk in data[name].chunks], data[columns[0]].type).unique()
    vectors = []
    for start in range(0, len(texts), TEXTS_A_STEP):
        tick()
        portion = texts[start : start + TEXTS_A_STEP].to_pylist()
        vectors.append(teacher.encode(portion, batch_size=BATCH_SIZE, show_progress_bar=False).astype(np.float32))
    embedded = np.concatenate(vectors)
    of = [embedded[pc.index_in(data[name], value_set=texts).to_numpy()] for name in columns]
    if feeding == "teacher_scores":
        first, *others = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12) for v in of)
        return np.stack([(first * other).sum(axis=1) for other in others], axis=1)
    return of[0] if len(of) == 1 else np.stack(of, axis=1)
