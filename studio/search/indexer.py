"""The process that builds an index: ``python -m studio.search.indexer FOLDER``.

It knows one folder. Written by whoever starts it:

    task.json        texts (a Parquet file; relative paths start at the folder), column (default "text"), model
    stop.json        stop at the next chunk; what is done is kept

Written by it: the files of an index (see index.py) and

    progress.json    done, total (distinct texts), words, per_s, eta_s (null at first); at most twice a second
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

import pyarrow as pa
import pyarrow.parquet as pq

from studio.errors import SearchError, StudioError
from studio.files import read_json, write_json
from studio.process import is_out_of_memory, reporter
from studio.search.encode import Stopped
from studio.search.index import build_index


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
        texts = _read_texts(folder / task["texts"], task.get("column", "text"))
        meta = build_index(folder, texts, task["model"], stop=stopped, progress=reporter(folder / "progress.json"))
    except Stopped as stop:
        return ended("cancelled", stop.message, stop.hint)
    except StudioError as error:
        return ended("failed", error.message, error.hint)
    except Exception as error:
        traceback.print_exc()
        if is_out_of_memory(error):
            return ended("failed", "The machine ran out of memory.", "Use a smaller corpus or a smaller model.")
        error_id = uuid.uuid4().hex[:8]
        print(f"error {error_id}", file=sys.stderr)
        return ended("failed", f"Indexing failed for a reason that was not foreseen (error {error_id}).", "The log of the index has the details.", error_id)  # fmt: skip
    return ended("succeeded", entries=meta.entries)


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 when outcome.json says succeeded or cancelled, 1 when it says failed, 2 for a wrong call."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m studio.search.indexer FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0]).absolute()
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, frame: asked.append(got))
    outcome = run(folder, lambda: bool(asked) or (folder / "stop.json").exists())
    write_json(folder / "outcome.json", outcome)
    return int(outcome["state"] == "failed")


def _read_texts(path: Path, column: str) -> pa.ChunkedArray:
    try:
        return pq.read_table(path, columns=[column], memory_map=True).column(column)
    except (OSError, pa.ArrowException, KeyError):
        raise SearchError("The texts of the corpus cannot be read.", hint="Import the corpus again.") from None


if __name__ == "__main__":
    sys.exit(main())
