"""Delimiter, quote and header of delimited text, guessed by comparing what each choice would make of it."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from studio.data.delimited import Lines, Style, make_reader
from studio.data.vocabulary import names_a_role
from studio.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
USUAL_SHARE = 0.05
"""A number of cells that at least this share of the rows have is usual in a table."""


@dataclass(frozen=True)
class Measure:
    """What one choice of delimiter and quote makes of a text."""

    cells: Counter
    """Number of cells -> rows that have it; blank lines left out."""
    first: int
    """Cells of the first row."""
    trouble: int
    """Rows that do not fit: broken quotes, unusual width, quotes left around cells."""

    @property
    def rows(self) -> int:
        return self.cells.total()

    @property
    def usual(self) -> frozenset[int]:
        return usual_widths(self.cells)

    @property
    def mode(self) -> int:
        return max(self.cells, key=lambda n: (self.cells[n], n), default=0)


def usual_widths(cells: Counter) -> frozenset[int]:
    return frozenset(n for n, rows in cells.items() if rows >= USUAL_SHARE * cells.total())


class Measuring:
    """Counts while lines come in."""

    def __init__(self, style: Style):
        self._style = style
        self._cells: Counter = Counter()
        self._first = self._trouble = 0
        self._around = _quoted_cell(style.delimiter) if style.quote is None else None

    def take(self, source: Lines, most: int | None = None) -> bool:
        """Reads the lines to their end, or until ``most`` records are read and none is at hand; whether more may come."""
        count = 0
        while True:
            try:
                for row in make_reader(source, self._style):
                    if row:
                        self._cells[len(row)] += 1
                        self._first = self._first or len(row)
                        self._trouble += _is_misread(row, source.last, self._style, self._around)
                    source.taken.clear()
                    count += 1
                    if most is not None and count >= most and not source.at_hand:
                        return True
                return False
            except csv.Error:
                self._trouble += 1
                source.keep(1)

    def add(self, width: int, rows: int, text: bytes) -> None:
        """``rows`` regular rows of this width, as blocks.py tells them."""
        self._cells[width] += rows
        if self._around is not None and b'"' in text:
            self._trouble += sum(
                self._around.search(line) is not None for line in text.decode().split("\n") if '"' in line
            )

    def result(self) -> Measure:
        usual = usual_widths(self._cells)
        unusual = sum(rows for n, rows in self._cells.items() if n not in usual)
        return Measure(self._cells, self._first, self._trouble + unusual)


def measure(lines: Iterable[str], style: Style) -> Measure:
    """Reads the whole text once."""
    measuring = Measuring(style)
    measuring.take(Lines(lines))
    return measuring.result()


def _is_misread(row: list[str], line: str, style: Style, around: re.Pattern | None) -> bool:
    """Quotes were left around a cell."""
    if '"' not in line:
        return False
    if around is not None:
        return around.search(line) is not None
    return not style.spaced and ' "' in line and any(cell.startswith(' "') for cell in row)


def _quoted_cell(delimiter: str) -> re.Pattern:
    d = re.escape(delimiter or "\x1f")
    return re.compile(rf'(?:^|{d})"(?:[^"]|"")*"(?={d}|[\r\n]|$)')


def guess_style(lines: Iterable[str], delimiter: str) -> tuple[Style, Measure]:
    """The quote character that leaves the least trouble; double quotes when nothing speaks against them.

    ``lines`` are gone through several times.
    """
    styles = [Style(delimiter, '"')]
    found = [measure(lines, styles[0])]
    if found[0].trouble:
        others = [Style(delimiter, '"', spaced=True)] if delimiter in (",", ";", "|") else []
        styles += [*others, Style(delimiter, None)]
    single = [line.startswith("'") and line.rstrip("\r\n").endswith("'") for line in lines]
    if sum(single) > 0.5 * len(single):
        styles.insert(0, Style(delimiter, "'"))
        found.insert(0, measure(lines, styles[0]))
    found += [measure(lines, style) for style in styles[len(found) :]]
    best = min(range(len(styles)), key=lambda i: found[i].trouble)
    return styles[best], found[best]


def guess_delimiter(lines: Sequence[str]) -> str:
    """The delimiter under which the lines look most like a table; ``""`` when they are one column."""
    best, delimiter = (0.6, 0), ""
    text = "".join(lines)
    for candidate in DELIMITERS:
        if candidate not in text:
            continue
        found = guess_style(lines, candidate)[1]
        score = round(_tableness(found), 2)
        if _is_prose(text, candidate) and score < 1.1:
            continue
        if (score, found.mode) > best:
            best, delimiter = (score, found.mode), candidate
    return delimiter


def _tableness(found: Measure) -> float:
    """0 to 1.2: the share of rows of the most common width, a little less for other usual ones; and whether the first row agrees."""
    if found.mode < 2:
        return 0.0
    usual = sum(found.cells[n] for n in found.usual if n > 1) - found.cells[found.mode]
    rows = found.rows + found.trouble
    return (found.cells[found.mode] + 0.7 * usual) / rows + 0.2 * (found.first in found.usual)


def _is_prose(text: str, delimiter: str) -> bool:
    """Commas followed by a space nearly everywhere are those of sentences."""
    return delimiter in ",;" and text.count(delimiter + " ") > 0.9 * text.count(delimiter)


def check_delimiter(given: str) -> str:
    """A delimiter that a person gave. Raises DataError unless it is one character."""
    delimiter = {"\\t": "\t", "tab": "\t"}.get(given, given)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise DataError(f"The delimiter cannot be {given!r}.", hint="It is one character, for example , or ; or a tab.")
    return delimiter


NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?%?")


def guess_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns. ``others``: some of the rows below it."""
    cells = [(cell or "").strip() for cell in first]
    named = [(position, cell) for position, cell in enumerate(cells) if cell]
    if not named:
        return False
    if [cell for cell in cells if cell] == [str(n) for n in range(len(named))] and len(named) > 1:
        return True  # pandas writes the positions of nameless columns
    if any(NUMBER.fullmatch(cell) for _, cell in named):
        return False
    below = [
        [(row[position] or "").strip() for row in others if position < len(row) and row[position]]
        for position in range(len(cells))
    ]
    again = any(cell in below[position] for position, cell in named)
    if any(names_a_role(cell) for _, cell in named) and not (again and len(others) > 3):
        return True
    if again:
        return False
    if any(_share_of_numbers(below[position]) > 0.9 for position, _ in named):
        return True
    if any(_is_sentence(cell) for _, cell in named):
        return False
    if not others:
        return True
    lengths = [median(map(len, texts)) if texts else 0 for texts in below]
    if any(lengths[position] > 2 * len(cell) for position, cell in named):
        return True
    spaced = [sum(" " in text for text in texts) > 0.5 * len(texts) for texts in below]
    return any(spaced[position] and " " not in cell for position, cell in named) or all(
        re.fullmatch(r"[A-Za-z]+[_A-Z0-9][A-Za-z0-9_]*", cell) for _, cell in named
    )


def _share_of_numbers(texts: Sequence[str]) -> float:
    return sum(NUMBER.fullmatch(text) is not None for text in texts) / len(texts) if texts else 0.0


def _is_sentence(cell: str) -> bool:
    return len(cell) > 60 or cell.endswith((".", "?", "!", "。", "？", "！")) or cell.count(" ") > 5
