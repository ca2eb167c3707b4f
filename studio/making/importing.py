"""An uploaded table, or several as one, becomes a dataset: what a page does at once with small files, with progress."""

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.data.dataset import import_dataset
from studio.data.read import read_tables
from studio.data.table import Dialect, Roles, Table
from studio.making.kinds import Report
from studio.making.maker import Stopped
from studio.training.estimate import row_lengths

MB = 1_000_000


def task_of(files: list[tuple[str, str]], file_name: str, roles: Roles, dialect: Dialect | None) -> dict[str, Any]:
    """What task.json says. ``files``: place in the folder and name for people of each; ``file_name``: of all of them."""
    how = None if dialect is None else asdict(dialect)
    return {"files": files, "file_name": file_name, "roles": asdict(roles), "dialect": how}


def make(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """See :func:`task_of`. Raises DataError as reading and importing do."""
    shutil.rmtree(folder / "dataset", ignore_errors=True)  # of a process that was killed

    def told(done: int, total: int, words: str) -> None:
        if stopped():
            raise Stopped
        words = words[:1].upper() + words[1:]  # a file's name keeps its spelling
        if "reading" in words.lower():
            report(done // MB, max(total // MB, 1), f"{words}, MB")
        else:
            report(0, 0, words)  # how long that takes is not known

    table, roles = read(folder, task, told)
    size = sum((folder / place).stat().st_size for place, _ in task["files"])
    info = import_dataset(
        folder / "dataset", table, roles, task["name"], row_lengths, lambda words: told(size, size, words)
    )
    return {"message": f"{info.rows:,} rows were imported.", "rows": info.rows}


def read(folder: Path, task: dict[str, Any], report: Report | None = None) -> tuple[Table, Roles]:
    """The files that lie in the folder as one table, and what its columns are for. Raises DataError."""
    places, names = zip(*task["files"], strict=True)
    dialect = None if task["dialect"] is None else Dialect(**task["dialect"])
    table = read_tables([folder / place for place in places], names=names, dialect=dialect, report=report)
    return table, Roles(**{**task["roles"], "negatives": tuple(task["roles"]["negatives"])})
