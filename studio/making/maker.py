"""The process that makes something: ``python -m studio.making.maker FOLDER``. It knows one folder.

Written by whoever starts it:

    task.json        kind (see kinds.py), and what that kind asks for; paths start at the folder
    stop.json        end at the next look

Written by it: what the kind makes (a dataset in ``dataset``), and

    progress.json    done, total, words, per_s, eta_s (null at first); at most twice a second
    outcome.json     written last: state (succeeded, failed or cancelled), message, hint, error_id, seconds, result
"""

import logging
import signal
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.errors import RunError, StudioError
from studio.files import read_json, write_json
from studio.making.kinds import KINDS, maker_of
from studio.process import is_disk_full, is_out_of_memory, prepare_process, reporter

log = logging.getLogger("studio.making")


class Stopped(StudioError):
    """Somebody asked to stop."""

    def __init__(self) -> None:
        super().__init__("Stopped before it was done.")


def make(folder: Path, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Make what task.json asks for; returns what outcome.json says."""
    started = time.monotonic()

    def ended(state: str, message: str = "", hint: str = "", error_id: str = "", result: dict | None = None) -> dict:
        seconds = round(time.monotonic() - started, 3)
        return {"state": state, "message": message, "hint": hint, "error_id": error_id, "seconds": seconds, "result": result}  # fmt: skip

    try:
        task = read_json(folder / "task.json")
        if task is None or task.get("kind") not in KINDS:
            raise RunError("The folder does not say what to make.", hint="Ask for it again.")
        result = maker_of(task["kind"])(folder, task, reporter(folder / "progress.json"), stopped)
    except Stopped as stop:
        return ended("cancelled", stop.message, stop.hint)
    except StudioError as error:
        return ended("failed", error.message, error.hint)
    except Exception as error:
        log.exception("A making failed")
        if is_out_of_memory(error):
            return ended("failed", "The machine ran out of memory.", "Use fewer rows or a smaller model.")
        if is_disk_full(error, folder):
            return ended("failed", "The disk is full.", "Make room on the disk, then start it again.")
        error_id = uuid.uuid4().hex[:8]
        log.error("error id %s", error_id)
        message = f"This failed for a reason that was not foreseen (error id {error_id})."
        return ended("failed", message, "The server's host finds the details in its log.", error_id)
    return ended("succeeded", result.get("message", ""), result=result)


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when outcome.json says succeeded or cancelled, 1 when it says failed, 2 for a wrong call."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m studio.making.maker FOLDER", file=sys.stderr)
        return 2
    prepare_process()
    folder = Path(arguments[0]).absolute()
    (folder / "outcome.json").unlink(missing_ok=True)
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, frame: asked.append(got))
    outcome = make(folder, lambda: bool(asked) or (folder / "stop.json").exists())
    write_json(folder / "outcome.json", outcome)
    return int(outcome["state"] == "failed")


if __name__ == "__main__":
    # Under its own name, so that a kind which imports Stopped from here raises the one that is caught here.
    from studio.making.maker import main as run

    sys.exit(run())
