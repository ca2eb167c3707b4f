"""Documents read, and pairs made from them, in the background: for sets that take longer than people like to wait.

In the folder lie ``documents`` (see runs/documents.py) or ``library.json``, what was read from them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.data.documents import Library, read_documents
from studio.data.pairs import PairConfig, make_pairs, save_pairs
from studio.data.rows import count
from studio.errors import DataError
from studio.files import read_json, write_json
from studio.making.kinds import Report
from studio.making.maker import Stopped


def read(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """``documents`` -> ``library.json``."""
    library = read_documents(
        files_in(folder / "documents"), lambda done, total, name: report(done, total, f"Reading {name}"), stopped
    )
    if stopped():
        raise Stopped
    write_json(folder / "library.json", library.to_json())
    read = count(len(library.documents), "document was read", "documents were read")
    return {"message": f"{read}.", "documents": len(library.documents), "unread": len(library.unread)}


def pair(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """``library.json`` -> ``dataset``. Task: ``recipes`` (ids), ``config`` (fields of PairConfig)."""
    from studio.training.estimate import row_lengths

    library = load_library(folder / "library.json")
    config = PairConfig(**task["config"])
    found = make_pairs(
        library,
        task["recipes"],
        config,
        lambda done, total, name: report(done, total, f"Making pairs of {name}"),
        stopped,
    )
    if stopped():
        raise Stopped
    save_pairs(folder / "dataset", found, library, config, task["name"], row_lengths)
    return {"message": f"{count(len(found), 'pair', 'pairs')} made.", "pairs": len(found)}


def files_in(folder: Path) -> list[tuple[Path, str]]:
    """Files as they were brought: ``names.json`` says what they are called, in the order of their numbers."""
    names = read_json(folder / "names.json", [])
    return [(folder / f"{number:05}", name) for number, name in enumerate(names)]


def load_library(path: Path) -> Library:
    value = read_json(path)
    if value is None:
        raise DataError("The documents are not there any more.", hint="Bring them again.")
    return Library.from_json(value)
