"""A few timed steps of a training, for the estimate before the button."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.files import write_json
from studio.making.kinds import Report
from studio.making.maker import Stopped


def make(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """``task``: config. Leaves a Speed as plain data, null where the model's files are not here."""
    from studio.training.folder import RunFolder
    from studio.training.speeds import as_values
    from studio.training.timing import time_steps

    def look() -> None:
        if stopped():
            raise Stopped

    run = RunFolder(folder / "run")
    run.path.mkdir(exist_ok=True)
    if not run.dataset.exists():
        run.dataset.symlink_to(folder / "source")
    write_json(run.config, task["config"])
    speed = time_steps(run, look)
    return {"speed": None if speed is None else as_values(speed)}
