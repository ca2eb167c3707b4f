"""A table as it was read, with what had to be repaired or skipped."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Dialect:
    """How a file was read. Fields that do not apply to a kind of file are None."""

    kind: str
    """``csv`` (any delimited text), ``jsonl``, ``json``, ``parquet``, ``excel`` or ``retrieval`` (several files)."""
    encoding: str | None = None
    """Python codec name, e.g. ``utf-8``, ``utf-8-sig``, ``utf-16``, ``cp1252``."""
    delimiter: str | None = None
    quote: str | None = None
    """Quote character; None: quotes are plain characters. Given to the reader, None means guess and ``""`` means none."""
    header: bool | None = None
    sheet: str | None = None
    """Sheet of a workbook, or the file in a zip that holds several tables."""
    member: str | None = None
    """File name of the table inside a zip or gzip."""


CUT_OFF = "the file ends in the middle of this row"
"""Message of the RowNote on the torn last row of a file that was cut off."""


@dataclass(frozen=True)
class RowNote:
    """Something about one row. Rows are numbered as a spreadsheet does: a header is row 1, the first row below it row 2."""

    row: int
    message: str


class Notes(Sequence[RowNote]):
    """Any number of notes that say the same; those of a million rows take a few megabytes."""

    def __init__(self, rows: np.ndarray, message: str, others: np.ndarray | None = None):
        """``others``: for each row the number that stands in ``message`` as ``{}``."""
        self.rows, self._message, self._others = rows, message, others

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at):
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        message = self._message if self._others is None else self._message.format(self._others[at])
        return RowNote(int(self.rows[at]), message)


@dataclass(frozen=True)
class RetrievalSet:
    """What a retrieval set holds besides its pairs; see retrieval.py."""

    corpus: pa.Array
    """Texts of the documents, each once."""
    note: str
    """What it holds and how it is used, in sentences."""


@dataclass(frozen=True)
class Table:
    """``data``: every column is a string or a list of strings; ``rows``: the number of each row in the file."""

    name: str
    """File name without folders, for people."""
    data: pa.Table
    rows: pa.Array
    dialect: Dialect
    skipped: tuple[RowNote, ...] = ()
    repaired: tuple[RowNote, ...] = ()
    retrieval: RetrievalSet | None = None
    """None: a table of its own. Else its columns are query, document and, where the set divides them, part."""
    partial: bool = False
    """Only the first rows of the file were read."""
    files: "tuple[FilePart, ...]" = ()
    """Where rows came from, when several tables were put together."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.data.column_names)


@dataclass(frozen=True)
class FilePart:
    """One of several tables that were put together."""

    name: str
    behind: int
    """What was added to its row numbers."""
    rows: int


@dataclass(frozen=True)
class Roles:
    """Which column is for what. Names are column names of the table."""

    anchor: str | None = None
    positive: str | None = None
    negatives: tuple[str, ...] = ()
    score: str | None = None
    label: str | None = None
    text: str | None = None
    class_: str | None = None
    as_triplets: bool = False
    """Make triplets of pairs and labels: an anchor with a text labelled 1 and one labelled 0. For entailment tables."""

    @property
    def columns(self) -> dict[str, str]:
        """Role -> column, several negatives as ``negative_1``, ``negative_2`` ...; only what is set."""
        many = len(self.negatives) > 1
        negatives = {f"negative_{i}" if many else "negative": name for i, name in enumerate(self.negatives, 1)}
        pairs = {
            "anchor": self.anchor,
            "positive": self.positive,
            **negatives,
            "score": self.score,
            "label": self.label,
            "text": self.text,
            "class": self.class_,
        }
        return {role: column for role, column in pairs.items() if column is not None}

    @property
    def format(self) -> str | None:
        """Id of the format (catalog/formats.py) that these roles make; None while they make none."""
        labelled = "triplet" if self.as_triplets else "labelled_pair"
        extras = [
            name
            for name, value in (("triplet", self.negatives), ("scored_pair", self.score), (labelled, self.label))
            if value
        ]
        if self.text is not None:
            alone = self.anchor is None and self.positive is None and not extras
            return None if not alone else "texts" if self.class_ is None else "classed_text"
        if self.anchor is None or self.positive is None:
            return None
        if self.class_ is not None:
            return None if extras else "classed_pair"
        return extras[0] if len(extras) == 1 else "pair" if not extras else None


@dataclass(frozen=True)
class Finding:
    """One thing that the data check says."""

    code: str
    """Short and stable, e.g. ``empty_text``."""
    severity: str
    """``error`` (training is refused), ``warning`` or ``info``."""
    message: str
    """What is so, for people; says what it does to training and what to do."""
    count: int = 0
    """How many rows."""
    rows: tuple[int, ...] = field(default=())
    """Numbers of the first 100 such rows."""
