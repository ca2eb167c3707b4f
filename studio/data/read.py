"""Any table in: delimited text, JSON, Parquet or Excel becomes a Table of strings with numbered rows.

A zip or gzip with a table in it is read as that table.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from studio.data import archive, retrieval, workbook
from studio.data.cells import empty_to_null, string_column
from studio.data.delimited import Record, Style, records
from studio.data.dialect import check_delimiter, guess_delimiter, guess_header, guess_style, measure
from studio.data.encoding import TABLE_HINT, Encoding, detect_encoding
from studio.data.json_rows import read_json_rows, read_jsonl
from studio.data.names import clean_names, refuse_too_many, without_empty
from studio.data.table import CUT_OFF, Dialect, RowNote, Table
from studio.errors import DataError

SAMPLE_CHARACTERS = 256 * 1024
BATCH = 20_000
KINDS = ("csv", "jsonl", "json", "parquet", "excel")


def read_table(path: Path, *, name: str | None = None, dialect: Dialect | None = None) -> Table:
    """Read a file. Fields of ``dialect`` that are not None override what is guessed.

    Raises:
        DataError: missing, empty, binary or broken file; a header without rows; more than 5,000 columns; an archive that
            holds no table, another archive, or more than can be unpacked.
    """
    path = Path(path)
    name = name or path.name
    if not path.is_file():
        raise DataError(f"There is no file {path}.", hint="Check the path.")
    if path.stat().st_size == 0:
        raise DataError("The file is empty.", hint=TABLE_HINT)
    given = dialect or Dialect("")
    if given.kind and given.kind not in KINDS:
        raise DataError(f"There is no kind of file '{given.kind}'.", hint=f"Kinds are: {', '.join(KINDS)}.")
    if _is_archive(path):
        several = None if given.sheet else retrieval.read_zip(path, name)
        return several or _read_archive(path, name, given)
    kind = given.kind or _binary_kind(path)
    if kind == "parquet":
        table = _read_parquet(path, name)
    elif kind == "excel":
        table = workbook.read_excel(path, name, given)
    else:
        table = _read_text(path, name, kind, given)
    if not len(table.data):
        if table.skipped:
            first = table.skipped[0]
            raise DataError(f"No row of the file can be read. Row {first.row}: {first.message}.", hint=TABLE_HINT)
        raise DataError("The table has no rows below its header.", hint="Add rows, or choose another file.")
    return table


def sheet_names(path: Path) -> list[str]:
    """What can be chosen as ``Dialect.sheet``: sheets of an Excel file, or the tables of a zip that holds several."""
    if not _is_archive(path):
        return workbook.sheet_names(path) if _binary_kind(path) == "excel" else []
    tables = archive.tables_in(path)
    if len(tables) > 1:
        return tables
    with archive.unpacked(path, path.name, None) as (inner, _, _):
        return workbook.sheet_names(inner) if _binary_kind(inner) == "excel" else []


def _is_archive(path: Path) -> bool:
    return archive.is_gzip(path) or (archive.is_zip(path) and not workbook.is_workbook(path))


def _read_archive(path: Path, name: str, given: Dialect) -> Table:
    """The table in an archive, under the archive's name. Of several tables the first is read unless another is given."""
    with archive.unpacked(path, name, given.sheet) as (inner, inner_name, member):
        table = read_table(inner, name=inner_name, dialect=replace(given, sheet=None if member else given.sheet))
    dialect = replace(table.dialect, sheet=member or table.dialect.sheet, member=inner_name)
    return replace(table, name=name, dialect=dialect)


def _binary_kind(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PAR1":
        return "parquet"
    return "excel" if head == b"PK\x03\x04" and workbook.is_workbook(path) else ""


def _read_parquet(path: Path, name: str) -> Table:
    try:
        schema = pq.read_schema(path)
        refuse_too_many(len(schema.names))
        raw = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError("The Parquet file is broken or cut off.", hint="Save or upload it again.") from error
    names = clean_names(schema.names)
    data = pa.table([string_column(column) for column in raw.columns], names=names)
    rows = pa.array(range(1, len(data) + 1), pa.int64())
    return Table(name, without_empty(data, schema.names), rows, Dialect("parquet"))


def _read_text(path: Path, name: str, kind: str, given: Dialect) -> Table:
    encoding = detect_encoding(path, given.encoding)
    with _open(path, encoding) as file:
        start = next((line for line in file if line.strip("\ufeff \t\r\n\0")), "").strip("\ufeff \t\r\n\0")
    if not start:
        raise DataError("The file holds nothing but white space.", hint=TABLE_HINT)
    kind = kind or _text_kind(path, start)
    if kind == "jsonl":
        with _open(path, encoding) as file:
            return read_jsonl(file, name, encoding.name)
    if kind == "json":
        with _open(path, encoding) as file:
            return read_json_rows(file.read(), name, encoding.name)
    return _read_delimited(path, name, encoding, given)


def _text_kind(path: Path, start: str) -> str:
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson") or (suffix != ".json" and _is_json_row(start)):
        return "jsonl"
    if suffix == ".json":
        return "jsonl" if _is_json_row(start) and not _is_one_value(path) else "json"
    return "json" if re.match(r"\[\s*(\{\s*\"|$)", start) else "csv"


def _is_json_row(line: str) -> bool:
    if not line.startswith("{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _is_one_value(path: Path) -> bool:
    """A .json file of one line: an object that holds the rows, not one row."""
    with path.open("rb") as file:
        return len(list(islice((line for line in file if line.strip()), 2))) == 1


def _open(path: Path, encoding: Encoding):
    # Detection has gone through the whole file: what is replaced is a torn end or a few bytes known to be wrong.
    return path.open(encoding=encoding.name, errors="replace", newline="")


def _read_delimited(path: Path, name: str, encoding: Encoding, given: Dialect) -> Table:
    with _open(path, encoding) as file:
        sample, whole = _sample(file)
    announced = re.fullmatch(r"\ufeff?\"?sep=(.)\"?\s*", sample[0].rstrip("\r\n"), re.IGNORECASE)
    lines = sample[1:] if announced else sample
    if given.delimiter is not None:
        delimiter = check_delimiter(given.delimiter) if given.delimiter else ""
    else:
        delimiter = announced[1] if announced else guess_delimiter(lines)
    skip = 1 if announced else 0
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
        if not whole and _measure_file(path, encoding, style, skip).trouble:
            # What went wrong below the sample may call for another choice.
            with _open(path, encoding) as file:
                style, found = guess_style(list(islice(file, skip, None)), delimiter)
    refuse_too_many(found.first)

    firsts = list(islice(_records(path, encoding, style, found.usual, skip), 500))
    readable = [record for record in firsts if record.cells is not None]
    if not readable:
        raise DataError(
            "No row of the file can be read: its quotes do not match or it is cut off.",
            hint="Save or upload the file again, or choose another quote character.",
        )
    top = readable[0]
    header = given.header if given.header is not None else guess_header(top.cells, [r.cells for r in readable[1:]])
    names, width = _names(top.cells, header, found.usual, found.mode, readable)
    reading = _Reading(width, frozenset() if header else found.usual)
    widths = frozenset({width}) if header else found.usual
    for record in _records(path, encoding, style, widths, skip):
        if not (header and record.row == top.row):
            reading.add(record)
    data, rows = reading.finish(names, encoding.torn)
    dialect = Dialect("csv", encoding.name, delimiter or None, style.quote, header)
    return Table(name, without_empty(data, top.cells if header else []), rows, dialect, *reading.notes())


def _sample(file) -> tuple[list[str], bool]:
    """Lines from the beginning, and whether they are the whole file."""
    lines, size = [], 0
    for line in file:
        lines.append(line.replace("\0", ""))
        size += len(line)
        if size > SAMPLE_CHARACTERS:
            return lines, next(file, None) is None
    return lines, True


def _measure_file(path: Path, encoding: Encoding, style: Style, skip: int):
    with _open(path, encoding) as file:
        return measure(islice(file, skip, None), style)


def _records(path: Path, encoding: Encoding, style: Style, widths: frozenset[int], skip: int) -> Iterator[Record]:
    with _open(path, encoding) as file:
        yield from records(islice(file, skip, None), style, widths)


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

    def __init__(self, width: int, usual: frozenset[int]):
        self.width = width
        self.usual = usual
        self.batches: list[list[pa.Array]] = []
        self.cells: list[list[str]] = []
        self.rows: list[int] = []
        self.skipped: list[RowNote] = []
        self.repaired: list[RowNote] = []
        self.last: Record | None = None

    def add(self, record: Record) -> None:
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
        if len(self.cells) == BATCH:
            self._store()

    def _store(self) -> None:
        columns = zip(*self.cells, strict=True) if self.cells else ([] for _ in range(self.width))
        self.batches.append([pa.array(column, pa.string()) for column in columns])
        self.cells = []

    def finish(self, names: list[str], torn: bool) -> tuple[pa.Table, pa.Array]:
        """``torn``: the file ends inside a character, so its last row is not whole."""
        if torn and self.rows and self.last is not None and self.last.row == self.rows[-1]:
            self.skipped.append(RowNote(self.rows.pop(), CUT_OFF))
            if not self.cells:
                self.batches[-1] = [column[:-1] for column in self.batches[-1]]
            else:
                self.cells.pop()
        self._store()
        columns = [pa.chunked_array(parts, pa.string()) for parts in zip(*self.batches, strict=True)]
        return pa.table([empty_to_null(column) for column in columns], names=names), pa.array(self.rows, pa.int64())

    def notes(self) -> tuple[tuple[RowNote, ...], tuple[RowNote, ...]]:
        return tuple(self.skipped), tuple(self.repaired)


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
