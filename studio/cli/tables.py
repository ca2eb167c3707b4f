"""Files that commands are given, read as the page reads them."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from studio.cli.base import now_and_then, report_words, say
from studio.errors import DataError
from studio.making.hub import FILE, PREFIX, bring, hub_name
from studio.training.folder import RunFolder

if TYPE_CHECKING:
    from studio.data.table import Dialect, Roles, Table

SLOW_BYTES = 20_000_000
"""Smaller files are read before anybody asks how far it is."""


def read_table(files: list[str], given: "Roles", dialect: "Dialect | None" = None) -> "tuple[Table, Roles]":
    """The table and its roles: those that were named, the others guessed."""
    table = open_table(files, dialect)
    return table, complete(table, given)


def open_table(files: list[str], dialect: "Dialect | None" = None) -> "Table":
    """Several files as one table. Says how far it is where that takes time."""
    from studio.data.read import read_tables
    from studio.data.retrieval import read_folder

    if any(file.startswith(PREFIX) for file in files):
        if len(files) > 1:
            raise DataError("A dataset of the hub is read alone.", hint="Name one, or files only.")
        return _from_hub(files[0])
    if len(files) == 1 and Path(files[0]).is_dir():
        return read_folder(Path(files[0]))
    due = now_and_then()

    def report(done: int, total: int, words: str) -> None:
        if total > SLOW_BYTES and due():
            say(f"{words}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")

    return read_tables([Path(file) for file in files], dialect=dialect, report=report)


def _from_hub(text: str) -> "Table":
    """A dataset of the hub as a table; how many of its rows is said."""
    from studio.data.read import read_table
    from studio.settings import Settings

    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = os.environ["TQDM_DISABLE"] = "1"
    settings = Settings()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / FILE
        brought = bring(hub_name(text), path, settings.max_hub_rows, settings.max_upload_mb, report_words())
        say(brought.words)
        return read_table(path, name=brought.name.file_name)


def complete(table: "Table", given: "Roles") -> "Roles":
    """What was named, and what can be guessed beside it.

    Once both anchor and positive are named, or the text, nothing else is guessed: the table is taken for what was said. A
    named negative, score or label replaces every guessed one, for a dataset has one of the three.
    """
    from studio.data.roles import guess_roles

    if given.text is not None:
        return given
    if given.class_ is not None and given.anchor is None and given.positive is None:
        return replace(given, text=_text_beside(table, given.class_))
    if given.anchor is not None and given.positive is not None:
        return given
    guess = guess_roles(table, 2 if given.columns or given.as_triplets else None)
    if guess.text is not None:
        return guess
    anchor, positive = given.anchor, given.positive
    extras = replace(given, anchor=None, positive=None)
    named = set(given.columns.values())
    free = [column for column in (guess.anchor, guess.positive) if column not in named]
    if anchor is None:
        anchor = free.pop(0) if free else None
    if positive is None:
        positive = free.pop(0) if free else None
    if not extras.columns:
        extras = replace(
            extras,
            negatives=tuple(column for column in guess.negatives if column not in named),
            score=guess.score if guess.score not in named else None,
            label=guess.label if guess.label not in named else None,
        )
    if extras.as_triplets and extras.label is None:
        raise DataError(
            "Triplets are made of labelled pairs; no column of labels was found.",
            hint="Name it with --label: 1 (entailment) says that two texts belong together, 0 (contradiction) that they do not.",
        )
    return replace(extras, anchor=anchor, positive=positive)


def _text_beside(table: "Table", class_: str) -> str | None:
    """The column that holds the texts of a named class."""
    from studio.data.roles import guess_roles

    kept = [name for name in table.columns if name != class_]
    return guess_roles(replace(table, data=table.data.select(kept)), 1).text if kept else None


def model_of(name: str) -> str:
    """A model's name; of a run's folder, the model in it."""
    run = RunFolder(Path(name))
    return str(run.model) if run.run.is_file() else name


def source_of(folder: Path, table: "Table", roles: "Roles") -> Path:
    """The folder, with the table as the dataset that a making works on."""
    from studio.data.dataset import import_dataset

    os.environ["TQDM_DISABLE"] = "1"  # the library's bars would run through ours
    import_dataset(folder / "source", table, roles, table.name)
    return folder


def write_texts(folder: Path, file: Path, column: str | None) -> str:
    """Write one column of a table as a making reads a corpus; the file's name in the folder."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = texts_of(*column_of(file, column))
    pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), folder / "corpus.parquet")
    return "corpus.parquet"


def column_of(file: Path, column: str | None) -> "tuple[Table, str]":
    """A table and its column of texts: the one that is named, or the longest."""
    from studio.data.read import read_table

    table = read_table(file)
    name = column if column is not None else longest_column(table)
    if name not in table.columns:
        raise DataError(f"There is no column '{name}'.", hint=f"Columns are: {', '.join(table.columns)}.")
    return table, name


def texts_of(table: "Table", column: str) -> list[str | None]:
    texts = table.data.column(column).to_pylist()
    if not all(value is None or isinstance(value, str) for value in texts):
        raise DataError(f"Column '{column}' holds lists.", hint="Choose a column of texts.")
    return texts


def longest_column(table: "Table") -> str:
    """The column that holds the most characters."""
    return max(table.columns, key=lambda name: sum(len(str(v or "")) for v in table.data.column(name).to_pylist()))
