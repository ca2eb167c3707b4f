"""Tables of delimited text: dialect, header and rows; regular stretches fast, all else record by record, with one result."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from studio.data.blocks import Text, Told, can_be_regular, cells_of, opened, stretches
from studio.data.cells import empty_to_null
from studio.data.delimited import Lines, Record, Style, records
from studio.data.dialect import (
    DELIMITERS,
    Measure,
    Measuring,
    check_delimiter,
    guess_delimiter,
    guess_header,
    guess_style,
    measure,
)
from studio.data.encoding import Encoding
from studio.data.names import MAX_COLUMNS, clean_names, refuse_too_many, without_empty
from studio.data.spool import Spool
from studio.data.table import CUT_OFF, Dialect, RowNote, Table
from studio.data.way import Way
from studio.errors import DataError

SAMPLE_CHARACTERS = 256 * 1024
BATCH = 20_000
FAR_TOO_MANY = 20
CAREFUL_ROWS = 64
"""Rows that are read one by one where a row was not regular, before regular ones are looked for again."""
WORTH = 256
"""Regular rows in a row that make the look for them worth its time."""


@dataclass(frozen=True)
class _Below:
    """The lines of a file, without ``skip`` at its top; may be gone through any number of times."""

    path: Path
    encoding: Encoding
    skip: int

    def opened(self, report: Told | None = None) -> Text:
        text = opened(self.path, self.encoding, report)
        for _ in range(self.skip):
            next(text, None)
        return text

    def __iter__(self) -> Iterator[str]:
        with self.opened() as text:
            yield from text


def read_delimited(path: Path, name: str, encoding: Encoding, given: Dialect, way: Way) -> Table:
    """Fields of ``given`` that are not None override what is guessed.

    Raises:
        DataError: nothing that can be read, or too many columns.
    """
    with opened(path, encoding) as text:
        sample, whole = _sample(text)
    announced = re.fullmatch(r"\ufeff?\"?sep=(.)\"?\s*", sample[0].rstrip("\r\n"), re.IGNORECASE)
    lines = sample[1:] if announced else sample
    most = max(map(lines[0].count, (*DELIMITERS, given.delimiter or ","))) if lines else 0
    if most > FAR_TOO_MANY * MAX_COLUMNS:  # more than all the commas of a long text: not even guessed at
        refuse_too_many(most + 1)
    if given.delimiter is not None:
        delimiter = check_delimiter(given.delimiter) if given.delimiter else ""
    else:
        delimiter = announced[1] if announced else guess_delimiter(lines)
    below = _Below(path, encoding, 1 if announced else 0)
    if given.quote is not None:
        quote = given.quote or None
        if quote and (len(quote) != 1 or quote == delimiter):
            raise DataError(
                f"The quote character cannot be {given.quote!r}.", hint='It is one character, for example ".'
            )
        style = Style(delimiter, quote)
        found = measure(lines, style)
    else:
        style, found = guess_style(lines, delimiter)
        if not whole and way.limit is None and _measure_file(below, style, found.mode, way).trouble:
            # What went wrong below the sample may call for another choice.
            style, found = guess_style(below, delimiter)
    refuse_too_many(found.first)

    firsts = list(islice(records(below, style, found.usual), 500))
    readable = [record for record in firsts if record.cells is not None]
    if not readable:
        raise DataError(
            "No row of the file can be read: its quotes do not match or it is cut off.",
            hint="Save or upload the file again, or choose another quote character.",
        )
    top = readable[0]
    header = given.header if given.header is not None else guess_header(top.cells, [r.cells for r in readable[1:]])
    names, width = _names(top.cells, header, found.usual, found.mode, readable)
    widths = frozenset({width}) if header else found.usual
    reading = _Reading(width, frozenset() if header else found.usual, Spool())
    with below.opened(way.part(0.25, 1.0, "reading")) as text:
        ended = _read_all(text, style, widths, reading, top.row, header, way.limit)
    data, rows = reading.finish(names, torn=encoding.torn and ended)
    dialect = Dialect("csv", encoding.name, delimiter or None, style.quote, header)
    return Table(name, without_empty(data, top.cells if header else []), rows, dialect, *reading.notes())


def _sample(text: Text) -> tuple[list[str], bool]:
    """Lines from the beginning, and whether they are the whole file."""
    lines, size = [], 0
    for line in text:
        lines.append(line.replace("\0", ""))
        size += len(line)
        if size > SAMPLE_CHARACTERS:
            return lines, next(text, None) is None
    return lines, True


def _measure_file(below: _Below, style: Style, width: int, way: Way) -> Measure:
    """What :func:`measure` finds in the whole file; regular stretches are counted, not parsed."""
    measuring = Measuring(style)
    with below.opened(way.part(0.0, 0.25, "looking through the file")) as text:
        source, careful = Lines(text), CAREFUL_ROWS
        while measuring.take(source, careful):
            if can_be_regular(style, width):
                found = 0
                for stretch, rows in stretches(text, style, width, None):
                    measuring.add(width, rows, stretch)
                    found += rows
                careful = CAREFUL_ROWS if found >= WORTH else min(2 * careful, BATCH)
    return measuring.result()


def _read_all(
    text: Text, style: Style, widths: frozenset[int], reading: "_Reading", top: int, header: bool, limit: int | None
) -> bool:
    """All rows (or some more than ``limit``) into ``reading``; whether that was the end. ``top``: number of the first row."""
    fast = can_be_regular(style, reading.width) and reading.width in widths
    source, row, careful = Lines(text), 0, CAREFUL_ROWS
    while True:
        for count, record in enumerate(records(source, style, widths, row), 1):
            row = record.row
            if not (header and row == top):
                reading.add(record)
            if limit is not None and reading.count >= limit:
                return False
            if fast and row >= top and count >= careful and not source.at_hand:
                break
        else:
            return True
        found = 0
        for stretch, rows in stretches(text, style, reading.width, widths):
            reading.add_regular(stretch, style, row, rows)
            row += rows
            found += rows
            if limit is not None and reading.count >= limit:
                return False
        careful = CAREFUL_ROWS if found >= WORTH else min(2 * careful, BATCH)


def _names(first: list[str], header: bool, usual: frozenset[int], mode: int, readable: list[Record]):
    """Column names and the number of columns."""
    if not header:
        width = max(usual | {len(first)}) if len(readable) < 20 else max(usual)
        return clean_names([""] * width), width
    while len(first) > max(mode, 1) and not first[-1].strip():
        first = first[:-1]
    if mode > len(first):
        # Rows are wider than the header. R leaves out the name of a first column of row names.
        beginnings = Counter(record.cells[0] for record in readable[1:])
        extra = [""] * (mode - len(first))
        first = extra + first if len(extra) == 1 and beginnings and max(beginnings.values()) == 1 else first + extra
    return clean_names(first), len(first)


class _Reading:
    """Collects records of ``width`` cells into Arrow, a batch at a time, with notes on those that did not fit."""

    def __init__(self, width: int, usual: frozenset[int], spool: Spool):
        self.width = width
        self.usual = usual
        self.spool = spool
        self.cells: list[list[str]] = []
        self.rows: list[int] = []
        self.numbers: list[np.ndarray] = []
        self.skipped: list[RowNote] = []
        self.repaired: list[RowNote] = []
        self.last: Record | None = None

    @property
    def count(self) -> int:
        return self.spool.rows + len(self.cells)

    def add(self, record: Record) -> None:
        if len(self.cells) >= BATCH:
            self._store()
        self.last = record
        cells, note = record.cells, record.note
        if record.torn or cells is None:
            self.skipped.append(RowNote(record.row, CUT_OFF if record.torn else note))
            return
        if len(cells) != self.width:
            count = f"has {_cells(len(cells))} instead of {self.width}"
            if any(cell.strip() for cell in cells[self.width :]):
                self.skipped.append(RowNote(record.row, f"{count}; is a delimiter inside a text not quoted?"))
                return
            if len(cells) < self.width and len(cells) not in self.usual:
                note = f"{count}; the missing ones were taken as empty"
            cells = (cells + [""] * (self.width - len(cells)))[: self.width]
        if any("\0" in cell for cell in cells):
            cells = [cell.replace("\0", "") for cell in cells]
            note = "NUL characters were removed"
        if note:
            self.repaired.append(RowNote(record.row, note))
        self.cells.append(cells)
        self.rows.append(record.row)

    def add_regular(self, stretch: bytes, style: Style, row: int, rows: int) -> None:
        """``rows`` regular records that come after record number ``row``."""
        columns = cells_of(stretch, style, self.width)
        if columns is None or len(columns[0]) != rows:
            for record in records(_split(stretch), style, frozenset({self.width}), row):
                self.add(record)
            return
        self._store()
        self._keep(columns, np.arange(row + 1, row + rows + 1))

    def _store(self) -> None:
        if self.cells:
            columns = [pa.array(column, pa.string()) for column in zip(*self.cells, strict=True)]
            self._keep(columns, np.array(self.rows, np.int64))
            self.cells, self.rows = [], []

    def _keep(self, columns: list[pa.Array], numbers: np.ndarray) -> None:
        self.spool.add({str(n): empty_to_null(column) for n, column in enumerate(columns)})
        self.numbers.append(numbers)

    def finish(self, names: list[str], torn: bool) -> tuple[pa.Table, pa.Array]:
        """``torn``: the file ends inside a character, so its last row is not whole."""
        # A row that ends without a line's end is never regular: the last one waits in ``cells``.
        if torn and self.rows and self.last is not None and self.last.row == self.rows[-1]:
            self.skipped.append(RowNote(self.rows.pop(), CUT_OFF))
            self.cells.pop()
        self._store()
        if not self.spool.rows:
            return pa.table({name: pa.array([], pa.string()) for name in names}), pa.array([], pa.int64())
        return self.spool.finish().rename_columns(names), pa.array(np.concatenate(self.numbers))

    def notes(self) -> tuple[tuple[RowNote, ...], tuple[RowNote, ...]]:
        return tuple(self.skipped), tuple(self.repaired)


def _split(stretch: bytes) -> Iterator[str]:
    """Lines of a stretch that has bytes which are no UTF-8."""
    for line in stretch.split(b"\n")[:-1]:
        yield (line + b"\n").decode("utf-8", "replace")


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
