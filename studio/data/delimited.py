"""Rows out of delimited text. What is broken is mended or skipped, and said by row number."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

QUOTES_BROKEN = "its quotes do not match"
QUOTE_MENDED = "a quote inside a cell was not doubled; it was read as text"
GLUED_SHARE = 0.8
MAX_RECORD_LINES = 100_000
"""A record of more lines has a quote that nothing closes."""


@dataclass(frozen=True)
class Style:
    """How cells are told apart."""

    delimiter: str
    """Empty: one column."""
    quote: str | None
    """None: quotes are plain characters."""
    spaced: bool = False
    """Spaces stand between delimiter and quote."""


@dataclass(frozen=True, slots=True)
class Record:
    row: int
    """Number as in a spreadsheet; blank lines count."""
    cells: list[str] | None
    """None: could not be read, ``note`` says why."""
    note: str = ""
    torn: bool = False
    """The text ends inside this record."""


class Lines:
    """Lines that can be given back. ``taken``: what was taken since the last record."""

    def __init__(self, lines: Iterable[str]):
        self._lines = iter(lines)
        self._back: list[str] = []
        self.taken: list[str] = []
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MAX_RECORD_LINES:
            raise csv.Error("too many lines")
        line = self._back.pop() if self._back else next(self._lines)
        self.taken.append(line)
        self.last = line
        return line

    @property
    def at_hand(self) -> bool:
        """Whether lines were given back that are not yet taken again."""
        return bool(self._back)

    def keep(self, used: int) -> None:
        """The first ``used`` of the taken lines made a record; the others are given back."""
        self._back.extend(reversed(self.taken[used:]))
        self.taken.clear()


def make_reader(lines: Iterable[str], style: Style):
    """csv's reader, strict and without its limit on the length of a cell."""
    csv.field_size_limit(2**31 - 1)
    return csv.reader(
        lines,
        delimiter=style.delimiter or "\x1f",
        quotechar=style.quote or '"',
        quoting=csv.QUOTE_NONE if style.quote is None else csv.QUOTE_MINIMAL,
        skipinitialspace=style.spaced,
        strict=True,
    )


def records(lines: Iterable[str], style: Style, widths: frozenset[int], row: int = 0) -> Iterator[Record]:
    """All records that are not blank. ``widths``: numbers of cells that a row of this table usually has.

    ``row``: number of the record before these. Nothing is taken from ``lines`` beyond a record that was handed out,
    except what :class:`Lines` has at hand.
    """
    source = lines if isinstance(lines, Lines) else Lines(lines)
    while True:
        try:
            for cells in make_reader(source, style):
                if len(source.taken) > 1 and _is_glued(source.taken, cells, style.delimiter, widths):
                    raise _Glued
                source.taken.clear()
                row += 1
                if len(cells) > 1 or (cells and cells[0].strip()):
                    torn = bool(widths) and len(cells) < min(widths) and not source.last.endswith(("\n", "\r"))
                    yield Record(row, cells, torn=torn)
            return
        except (_Glued, csv.Error) as problem:
            row += 1
            record, used = _mend(row, source.taken, str(problem), style, widths)
            source.keep(used)
            yield record


class _Glued(Exception):
    """An unclosed quote has swallowed rows."""


def _is_glued(lines: list[str], cells: list[str], delimiter: str, widths: frozenset[int]) -> bool:
    """Whether a record of several lines is several rows: read without quotes they are rows of the usual width."""
    if len(cells) in widths and (len(lines) < 3 or max(widths) < 3):
        return False
    if not delimiter or max(widths, default=1) < 2:
        return False
    fits = sum(line.count(delimiter) + 1 in widths for line in lines)
    return fits >= GLUED_SHARE * len(lines)


def _mend(row: int, taken: list[str], problem: str, style: Style, widths: frozenset[int]) -> tuple[Record, int]:
    """A record out of lines that csv could not read, and how many of the lines it is made of."""
    delimiter, quote = style.delimiter, style.quote or '"'
    whole = taken[-1].endswith(("\n", "\r"))
    at_end = "unexpected end" in problem
    if at_end and (len(taken) < 5 or not _is_glued(taken[1:-1], [], delimiter, widths)):
        first = lenient_cells(taken[0], delimiter, quote)
        if len(taken) == 1 and whole and len(first) in widths:
            return Record(row, first, QUOTE_MENDED), 1
        return Record(row, None, QUOTES_BROKEN, torn=True), len(taken)
    for used in dict.fromkeys((1, len(taken))):
        cells = lenient_cells("".join(taken[:used]), delimiter, quote)
        if len(cells) in widths:
            return Record(row, cells, QUOTE_MENDED), used
    return Record(row, None, QUOTES_BROKEN), 1


def lenient_cells(text: str, delimiter: str, quote: str) -> list[str]:
    """Cells of one record whose inner quotes were not doubled: a quote ends a cell only before a delimiter or the end."""
    text = text.rstrip("\r\n")
    if not delimiter:
        return [text.removeprefix(quote).removesuffix(quote)]
    q, d = re.escape(quote), re.escape(delimiter)
    if len(text) > 1 and text.startswith(quote) and text.endswith(quote) and f"{quote}{delimiter}{quote}" in text:
        cells = text[1:-1].split(f"{quote}{delimiter}{quote}")
        if all(quote + delimiter not in cell and delimiter + quote not in cell for cell in cells):
            return [cell.replace(quote * 2, quote) for cell in cells]
    pattern = re.compile(rf"{q}(.*?){q}(?={d}|\Z)|[^{d}]*", re.DOTALL)
    cells, position = [], 0
    while True:
        found = pattern.match(text, position)
        cells.append(found[0] if found[1] is None else found[1].replace(quote * 2, quote))
        position = found.end() + 1
        if position > len(text):
            return cells
