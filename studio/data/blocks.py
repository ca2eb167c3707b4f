"""The text of a file, a line or a block of lines at a time, and which records at a block's beginning are regular.

A stretch is regular when every quote in it opens a cell, closes one or is doubled, and every record has the usual
number of cells: then any reader of CSV makes the same of it, and the fastest may.
"""

import codecs
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import csv

from studio.data.delimited import GLUED_SHARE, Style
from studio.data.encoding import TABLE_HINT, Encoding
from studio.errors import DataError

Told = Callable[[int, int], None]
"""Called with bytes read and bytes in all, now and then. May raise to stop."""
BLOCK = 1 << 20
MAX_LINE_MB = 64
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")


class Text:
    """Lines of a file as UTF-8, from where the last taking ended. Ends of lines are kept as they are."""

    def __init__(self, file: BinaryIO, encoding: Encoding, report: Told | None = None, size: int = 0):
        self._file, self._report, self._size = file, report, size
        plain = encoding.name in ("utf-8", "utf-8-sig")
        self._decoder = None if plain else codecs.getincrementaldecoder(encoding.name)("replace")
        self._block, self._at = b"", 0
        self._rest = b""
        self._read = 0
        self._bom = encoding.name == "utf-8-sig"
        self._ended = False

    def __enter__(self) -> "Text":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> "Text":
        return self

    def __next__(self) -> str:
        if self._at >= len(self._block) and not self._more():
            raise StopIteration
        line = _LINE.match(self._block, self._at)[0]
        self._at += len(line)
        return line.decode("utf-8", "replace")

    def block(self) -> bytes:
        """All lines that are at hand, at least one; empty at the end."""
        if self._at >= len(self._block) and not self._more():
            return b""
        taken = self._block[self._at :]
        self._block, self._at = b"", 0
        return taken

    def give_back(self, lines: bytes) -> None:
        """Lines of the last block that were not used."""
        self._block, self._at = lines, 0

    def _more(self) -> bool:
        """Reads on until there is a whole line."""
        parts = [self._rest]
        self._rest = b""
        while not self._ended:
            raw = self._file.read(BLOCK)
            self._ended = not raw
            self._read += len(raw)
            if self._report is not None:
                self._report(self._read, self._size)
            data = self._utf8(raw)
            # A line ends at \n; at \r only when the next character is known and no \n.
            end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, max(len(data) - 1, 0))) + 1
            if end and not self._ended:
                self._block, self._at = b"".join([*parts, data[:end]]), 0
                self._rest = data[end:]
                return True
            parts.append(data)
            if sum(map(len, parts)) > MAX_LINE_MB * 1_000_000:
                raise DataError(f"A line of the file has more than {MAX_LINE_MB} MB: it is no table.", hint=TABLE_HINT)
        self._block, self._at = b"".join(parts), 0
        return bool(self._block)

    def _utf8(self, raw: bytes) -> bytes:
        if self._decoder is not None:
            return self._decoder.decode(raw, final=not raw).encode("utf-8", "replace")
        if self._bom and self._read == len(raw):
            return raw.removeprefix(codecs.BOM_UTF8)
        return raw


def opened(path: Path, encoding: Encoding, report: Told | None = None) -> Text:
    return Text(path.open("rb"), encoding, report, path.stat().st_size)


def can_be_regular(style: Style, width: int) -> bool:
    """Whether a table of this style has records that :func:`regular` can tell."""
    plain = [style.delimiter, *([style.quote] if style.quote else [])]
    return width > 1 and not style.spaced and all(len(c) == 1 and c.isascii() for c in plain)


def stretches(text: Text, style: Style, width: int, widths: frozenset[int] | None) -> Iterator[tuple[bytes, int]]:
    """Regular records and their number, until one is not regular: there the text stands then. Arguments of :func:`regular`."""
    while block := text.block():
        used, rows, unclosed = regular(block, style, width, widths)
        if rows:
            yield block[:used], rows
        rest = block[used:]
        if unclosed and len(rest) < 2 * BLOCK and (more := text.block()):
            text.give_back(rest + more)
        elif rest:
            text.give_back(rest)
            return


def regular(block: bytes, style: Style, width: int, widths: frozenset[int] | None) -> tuple[int, int, bool]:
    """Bytes and number of the regular records that ``block`` begins with, and whether the next one may only be cut off.

    ``block`` consists of whole lines. Blank lines, characters that need mending and cells over several lines which could
    be rows of one of ``widths`` that an open quote has swallowed are not regular. ``widths`` None: nothing is swallowed.
    """
    data = np.frombuffer(block, np.uint8)
    wrong = len(data)
    unclosed = False
    if block.startswith(codecs.BOM_UTF8):
        return 0, 0, False
    if b"\0" in block:
        wrong = block.index(b"\0")
    if b"\r" in block and (alone := re.search(rb"\r(?!\n)", block)):
        wrong = min(wrong, alone.start())
    lines = np.flatnonzero(data == 10)
    cuts = np.flatnonzero(data == ord(style.delimiter))
    ends, between = lines, cuts
    quotes = np.flatnonzero(data == ord(style.quote)) if style.quote else ()
    if len(quotes):
        opening, closing = quotes[0::2], quotes[1::2]
        unclosed = len(quotes) % 2 == 1
        allowed = np.zeros(256, dtype=bool)
        allowed[[ord(style.delimiter), ord(style.quote), 10]] = True
        fine = allowed[data[opening - 1]] | (opening == 0)
        allowed[13] = True
        closed = allowed[data[np.minimum(closing + 1, len(data) - 1)]]
        bad = [*opening[~fine][:1], *closing[~closed][:1]]
        unclosed = unclosed and min([wrong, *bad]) > opening[-1]
        if unclosed:
            bad.append(opening[-1])
        wrong = min([wrong, *map(int, bad)])
        ends = lines[np.searchsorted(quotes, lines) % 2 == 0]
        between = cuts[np.searchsorted(quotes, cuts) % 2 == 0]
    ends = ends[ends < wrong]
    cells = np.diff(np.searchsorted(between, ends), prepend=0) + 1
    misfits = np.flatnonzero(cells != width)
    if len(misfits):
        ends, unclosed = ends[: misfits[0]], False
    if len(quotes) and widths and max(widths) > 2 and len(ends) and len(glued := _glued(lines, cuts, ends, widths)):
        ends, unclosed = ends[: glued[0]], False
    return (int(ends[-1]) + 1 if len(ends) else 0), len(ends), unclosed


def _glued(lines: np.ndarray, cuts: np.ndarray, ends: np.ndarray, widths: frozenset[int]) -> np.ndarray:
    """Numbers of the records of three and more lines that look like rows swallowed by a quote; see delimited._is_glued."""
    lines = lines[lines <= ends[-1]]
    if len(lines) == len(ends):
        return lines[:0]
    fits = np.isin(np.diff(np.searchsorted(cuts, lines), prepend=0) + 1, list(widths))
    record = np.searchsorted(ends, lines)
    count = np.bincount(record, minlength=len(ends))
    return np.flatnonzero((count > 2) & (np.bincount(record, weights=fits, minlength=len(ends)) >= GLUED_SHARE * count))


def cells_of(records: bytes, style: Style, width: int) -> list[pa.Array] | None:
    """Columns of regular records; None when a byte in them is no UTF-8."""
    try:
        table = csv.read_csv(
            pa.BufferReader(records),
            csv.ReadOptions(
                use_threads=False, block_size=len(records) + 1, column_names=[str(n) for n in range(width)]
            ),
            csv.ParseOptions(
                delimiter=style.delimiter,
                quote_char=style.quote or False,
                double_quote=True,
                escape_char=False,
                newlines_in_values=True,
                ignore_empty_lines=False,
            ),
            csv.ConvertOptions(
                column_types={str(n): pa.string() for n in range(width)},
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
                check_utf8=True,
            ),
        )
    except pa.ArrowInvalid:
        return None
    return [column.combine_chunks() for column in table.columns]
