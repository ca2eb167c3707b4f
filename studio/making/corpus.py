"""A large table becomes a corpus in the background: ``corpus/texts.parquet`` in the folder."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.data import corpus
from studio.data.read import read_tables
from studio.data.table import Dialect
from studio.making.kinds import Report
from studio.making.maker import Stopped

MB = 1_000_000


def make(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Task: ``files`` ([place in the folder, name for people]), ``dialect``, ``text``, ``title``, ``fields``, ``most_rows``,
    and ``update``, the id of the corpus that is replaced (see runs/queue.py). Raises DataError, SearchError."""
    shutil.rmtree(folder / "corpus", ignore_errors=True)  # of a process that was killed

    def told(done: int, total: int, words: str) -> None:
        if stopped():
            raise Stopped
        report(done // MB, max(total // MB, 1), f"{words[:1].upper()}{words[1:]}, MB")

    places, names = zip(*task["files"], strict=True)
    dialect = None if task["dialect"] is None else Dialect(**task["dialect"])
    table = read_tables([folder / place for place in places], names=names, dialect=dialect, report=told)
    found = corpus.of_table(table, task["text"], task["title"], task["fields"])
    corpus.check_size(found, task["most_rows"])
    if stopped():
        raise Stopped
    report(0, 0, "Writing the corpus")
    (folder / "corpus.part").mkdir(exist_ok=True)
    corpus.save(folder / "corpus.part" / "texts.parquet", found)
    (folder / "corpus.part").rename(folder / "corpus")
    note = corpus.note_of(f"The column '{task['text']}' of {table.name}.", found)
    return {"message": f"{found.info.rows:,} texts can be searched.", "rows": found.info.rows, "note": note}
