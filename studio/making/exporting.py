"""A tuned model in another form (ONNX, OpenVINO), checked; and what shorter and rounder vectors of it would cost.

The folder holds what is needed of the run as ``run``: config.json, dataset, split.json, model. What is made lies in
``made``: a folder of files, or ``sizes.json``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.catalog.exports import EXPORT
from studio.catalog.losses import MODIFIER
from studio.export.archive import fingerprint
from studio.files import write_json
from studio.making.kinds import Report
from studio.making.maker import Stopped
from studio.training.folder import RunFolder

RUN = "run"
MADE = "made"
SIZES = "sizes.json"


def make(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Task: ``form`` (see studio.catalog.exports)."""
    from studio.export.forms import make_form

    record = make_form(RunFolder(folder / RUN), task["form"], folder / MADE, report, _looker(stopped))
    return {"message": f"{EXPORT[task['form']].label} is ready.", "record": record}


def weigh(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Size against quality, as made/sizes.json."""
    found = weigh_run(RunFolder(folder / RUN), report, _looker(stopped))
    write_json(folder / MADE / SIZES, {**found, "model": fingerprint(RunFolder(folder / RUN).model)})
    return {"message": found["sentence"]}


def weigh_run(run: RunFolder, report: Report, look: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """studio.evaluation.sizes of a run's model on its held-out rows, as plain data.

    Raises:
        RunError: the run has no model, or does not say what was held out.
    """
    from studio.errors import RunError
    from studio.evaluation.sizes import size_against_quality
    from studio.export.forms import embedded
    from studio.export.heldout import heldout_task
    from studio.files import read_json
    from studio.search.warm import load
    from studio.training.config import make_config
    from studio.training.fit import trained_lengths

    if not (run.model / "modules.json").is_file():
        raise RunError(
            "There is no model in this run.", hint="Only runs that succeeded or were stopped and kept have one."
        )
    report(0, 0, "reading the held-out texts")
    task, of_rows = heldout_task(run)
    model = load(str(run.model))
    texts, vectors = embedded(model, task, look)
    config = make_config(read_json(run.config))
    lengths = trained_lengths(MODIFIER[config.modifier], config.dims, vectors.shape[1])

    def tick(done: int, total: int) -> None:
        look()
        report(done, total, "judging sizes")

    return size_against_quality(model, task, texts, vectors, lengths, of_rows, tick).to_json()


def _looker(stopped: Callable[[], bool]) -> Callable[[], None]:
    def look() -> None:
        if stopped():
            raise Stopped

    return look
