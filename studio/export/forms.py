"""A tuned model in another form, with the loss of quality that was measured: a folder that others can use."""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from studio import __version__
from studio.catalog.exports import EXPORT, EXPORT_FILE, cannot_be_made
from studio.catalog.metrics import METRIC
from studio.errors import HostError, RunError
from studio.evaluation.measure import measure
from studio.evaluation.vectors import Vectors, asked_texts
from studio.export.archive import RECORD, fingerprint
from studio.export.checked import Check, check
from studio.export.heldout import heldout_task
from studio.export.sections import with_section
from studio.export.snippets import usage
from studio.files import write_json
from studio.training.folder import RunFolder

BATCH = 64
PORTION = 1024
Report = Callable[[int, int, str], None]


def make_form(
    run: RunFolder, form: str, out: Path, report: Report = lambda *_: None, look: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Write ``out``, whole or not at all: the files of this form, tokenizer, card, and export.json, which is returned.

    ``look`` is called between portions of the work and may raise to stop it.

    Raises:
        HostError: what makes this form is not installed.
        RunError: there is no model.
        ModelError: this model has no such form, or the file is not what the model is.
    """
    reason = cannot_be_made(form)
    if reason:
        raise HostError(f"{EXPORT[form].label} cannot be made here.", hint=reason)
    if not (run.model / "modules.json").is_file():
        raise RunError(
            "There is no model in this run.", hint="Only runs that succeeded or were stopped and kept have one."
        )
    from studio.export.pipeline import example_of, pipeline_of, write_tokenizer
    from studio.training.bases import resolve_base
    from studio.training.model import load_base

    aside = out.with_name(f".{out.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    steps = len(EXPORT[form].files) + 3
    try:
        report(0, steps, "loading the model")
        model = load_base(resolve_base(str(run.model))).eval()
        task, of_rows = heldout_task(run)
        look()
        report(1, steps, "reading the held-out texts with the model")
        pipeline = pipeline_of(model)
        texts, vectors = embedded(model, task, look)
        before = measure(Vectors(model, texts, vectors), task).metrics.get(task.primary)
        report(2, steps, f"writing {EXPORT[form].label}")
        write_tokenizer(model, aside)
        example = example_of(model, aside)
        look()
        if form == "onnx":
            from studio.export.onnx import write_onnx, write_onnx_int8

            write_onnx(pipeline, example, aside)
            look()
            write_onnx_int8(aside)
        else:
            from studio.export.openvino import write_openvino

            write_openvino(pipeline, example, aside)
        checks = []
        for done, file in enumerate(EXPORT[form].files, 3):
            look()
            report(done, steps, f"checking {file.label} in a process of its own")
            size = sum((aside / path).stat().st_size for path in file.paths)
            checks.append(check(aside / file.path, file.id, size, model, task, texts, vectors, before, look))
        prompts = {name: words for name, words in model.prompts.items() if words}
        weights = sum(p.stat().st_size for p in run.model.rglob("*.safetensors"))
        record = {
            "form": form,
            "studio": __version__,
            "packages": {name: version(name) for name in EXPORT[form].packages},
            "metric": task.primary,
            "rows": task.rows,
            "of_rows": of_rows,
            "model_bytes": weights,
            "model": fingerprint(run.model),
            "prompts": prompts,
            "files": [
                {**asdict(one), "keeps": one.keeps, "words": in_words(one, task.primary, weights)} for one in checks
            ],
        }
        _write_card(run.model / "README.md", aside / "README.md", form, record)
        write_json(aside / RECORD, record)
        shutil.rmtree(out, ignore_errors=True)
        aside.rename(out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    report(steps, steps, "done")
    return record


def embedded(model: Any, task: Any, look: Callable[[], None]) -> tuple[list[str], np.ndarray]:
    """What the model reads for a task, and its vectors: of length 1 where it compares by cosine."""
    texts = list(dict.fromkeys(text for side in asked_texts(model, task) for text in side))
    order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    vectors: np.ndarray | None = None
    for start in range(0, len(order), PORTION):
        look()
        rows = order[start : start + PORTION]
        # The prompt stands in the text already.
        part = model.encode([texts[i] for i in rows], prompt="", batch_size=BATCH, show_progress_bar=False)
        if vectors is None:
            vectors = np.empty((len(texts), part.shape[1]), np.float32)
        vectors[rows] = part
    if model.similarity_fn_name == "cosine":
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = vectors / np.where(length > 0, length, 1)
    return texts, vectors


def in_words(one: Check, metric: str, weights: int) -> str:
    """What one reads before the download."""
    size = f"{megabytes(one.bytes)} instead of {megabytes(weights)}"
    alike = f"vectors {one.cosine_mean:.4f} alike (cosine)"
    if one.keeps is None:
        return f"{size}; {alike}."
    share = "100 %" if abs(one.keeps - 1) < 5e-5 else f"{100 * one.keeps:.1f} %"
    return f"keeps {share}: {METRIC[metric].label} {one.before:.3f} \u2192 {one.after:.3f}, {size}; {alike}."


def megabytes(size: int) -> str:
    return (
        f"{size / 1e6:,.0f} MB" if size >= 9.95e6 else f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"
    )


def _write_card(source: Path, out: Path, form: str, record: dict[str, Any]) -> None:
    card = source.read_text(encoding="utf-8") if source.is_file() else ""
    some = f" (drawn by chance from {record['of_rows']:,})" if record["rows"] < record["of_rows"] else ""
    lines = [
        f"## {EXPORT[form].label}",
        "",
        "From the numbers of tokens to the vector in one file, made of this model and compared with it:",
        "",
    ]
    lines += [f"- `{EXPORT_FILE[one['file']].path}`: {one['words']}" for one in record["files"]]
    lines += ["", f"Judged on {record['rows']:,} held-out rows{some}.", "", *usage(form, record["prompts"])]
    out.write_text(with_section(card, lines), encoding="utf-8")
