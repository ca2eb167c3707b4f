"""The process that builds an index: ``python -m studio.search.indexer FOLDER``.

It knows one folder. Written by whoever starts it:

    task.json        texts (a corpus as data/corpus.py writes it; relative paths start at the folder), column (default
                     "text"), model (or "keyword"), version (of the corpus), known (folders of other indexes of the same model)
    stop.json        stop at the next chunk; what is done is kept

Written by it: the files of an index (see index.py, keyword.py) and

    progress.json    done, total (passages), words, per_s, eta_s (null at first); at most twice a second
    outcome.json     written last: state (succeeded, failed or cancelled), message, hint, error_id, entries, seconds
"""

import signal
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from studio.data import corpus
from studio.errors import SearchError, StudioError
from studio.files import read_json, write_json
from studio.process import is_disk_full, is_out_of_memory, prepare_process, reporter
from studio.search import keyword
from studio.search.encode import Stopped
from studio.search.keyword import KEY


def run(folder: Path, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Build the index that task.json asks for; returns what outcome.json says."""
    started = time.monotonic()

    def ended(state: str, message: str = "", hint: str = "", error_id: str = "", entries: int = 0) -> dict[str, Any]:
        seconds = round(time.monotonic() - started, 3)
        return {"state": state, "message": message, "hint": hint, "error_id": error_id, "entries": entries, "seconds": seconds}  # fmt: skip

    try:
        task = read_json(folder / "task.json")
        if task is None:
            raise SearchError("There is no task.json in the folder.", hint="Ask for the index again.")
        entries = _build(folder, task, stopped, reporter(folder / "progress.json"))
    except Stopped as stop:
        return ended("cancelled", stop.message, stop.hint)
    except StudioError as error:
        return ended("failed", error.message, error.hint)
    except Exception as error:
        traceback.print_exc()
        if is_out_of_memory(error):
            return ended("failed", "The machine ran out of memory.", "Use a smaller corpus or a smaller model.")
        if is_disk_full(error, folder):
            return ended("failed", "The disk is full.", "Make room on the disk; indexing then goes on where it was.")
        error_id = uuid.uuid4().hex[:8]
        print(f"error {error_id}", file=sys.stderr)
        return ended("failed", f"Indexing failed for a reason that was not foreseen (error {error_id}).", "The log of the index has the details.", error_id)  # fmt: skip
    return ended("succeeded", entries=entries)


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when outcome.json says succeeded or cancelled, 1 when it says failed, 2 for a wrong call."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m studio.search.indexer FOLDER", file=sys.stderr)
        return 2
    prepare_process()
    folder = Path(arguments[0]).absolute()
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, frame: asked.append(got))
    outcome = run(folder, lambda: bool(asked) or (folder / "stop.json").exists())
    write_json(folder / "outcome.json", outcome)
    return int(outcome["state"] == "failed")


def _build(folder: Path, task: dict[str, Any], stopped: Callable[[], bool], report: Callable[..., None]) -> int:
    """Entries of the index that is there afterwards."""
    column, version = task.get("column", "text"), task.get("version", "")
    place = folder / task["texts"]
    if not place.is_file() or column not in pq.read_schema(place).names:
        raise SearchError("The texts of the corpus cannot be read.", hint="Import the corpus again.")
    if task.get("version") is not None and corpus.load_info(place).version != version:
        raise SearchError("The corpus has changed meanwhile.", hint="Index it again.")
    names = [column, *(["title"] if "title" in pq.read_schema(place).names else [])]
    data = corpus.load(place, names)
    titles = data["title"] if "title" in names else None
    if task["model"] == KEY:
        words = lambda done, total: report(done, total, "reading the words")  # noqa: E731
        return keyword.build(folder, data[column], titles, version, stopped, words).rows

    from studio.search.cut import cut
    from studio.search.encode import quicken
    from studio.search.index import build_entries
    from studio.search.warm import load

    model = quicken(load(task["model"]))
    report(0, len(data), "cutting long texts")
    entries = cut(data[column], titles, model)
    known = [folder / place for place in task.get("known", ())]
    words = lambda done, total: report(done, total, "reading the texts")  # noqa: E731
    return build_entries(
        folder, entries, task["model"], model, version=version, known=known, stop=stopped, progress=words
    ).entries


if __name__ == "__main__":
    sys.exit(main())
