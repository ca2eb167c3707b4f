"""Any table in: delimited text, JSON, Parquet or Excel becomes a Table of strings with numbered rows.

A zip or gzip with a table in it is read as that table.
"""

import codecs
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studio.data import archive, retrieval, workbook
from studio.data.blocks import opened
from studio.data.cells import as_lists, string_column
from studio.data.encoding import TABLE_HINT, Encoding, detect_encoding
from studio.data.json_rows import read_json_rows, read_jsonl
from studio.data.names import clean_names, refuse_too_many, without_empty
from studio.data.separated import read_delimited
from studio.data.several import ALL, MAX_FILES, append, difference, together_name
from studio.data.spool import BATCH, Spool
from studio.data.table import CUT_OFF, Dialect, Table
from studio.data.way import Report, Way
from studio.errors import DataError

KINDS = ("csv", "jsonl", "json", "parquet", "excel")
START_CHARACTERS = 1 << 20
LARGE_MB = 20
"""Files above are shown by their first rows before all of them is read."""
FIRST_ROWS = 2_000
AGREEING = 20
"""Most tables of one file whose columns are looked at, to offer them all together."""


def read_table(
    path: Path,
    *,
    name: str | None = None,
    dialect: Dialect | None = None,
    limit: int | None = None,
    report: Report | None = None,
) -> Table:
    """Read a file. Fields of ``dialect`` that are not None override what is guessed.

    Args:
        limit: end after so many rows (or some more): a look at the beginning, which does not wait for the rest.
        report: hears of bytes done and to do.

    Raises:
        DataError: missing, empty, binary or broken file; a header without rows; more than 5,000 columns; an archive that
            holds no table, another archive, or more than can be unpacked; more than can be read.
    """
    return _read(Path(path), name or Path(path).name, dialect or Dialect(""), Way(limit, report))


def read_tables(
    paths: Sequence[Path],
    *,
    names: Sequence[str] = (),
    dialect: Dialect | None = None,
    limit: int | None = None,
    report: Report | None = None,
) -> Table:
    """Several files as one table, one after the other, or the files of a retrieval set; as :func:`read_table` where there is one.

    Raises:
        DataError: as :func:`read_table`, with the file's name; or their columns differ, or too many files.
    """
    names = [*names] or [Path(path).name for path in paths]
    if len(paths) == 1:
        return read_table(paths[0], name=names[0], dialect=dialect, limit=limit, report=report)
    if not paths or len(paths) > MAX_FILES:
        raise DataError(f"{len(paths)} files: at most {MAX_FILES} are read together.", hint="Choose fewer files.")
    if retrieval.find_files(names) is not None:
        return retrieval.read_files([Path(path) for path in paths], names)
    sizes = [Path(path).stat().st_size if Path(path).is_file() else 0 for path in paths]
    tables: list[Table] = []
    for at, (path, name) in enumerate(zip(paths, names, strict=True)):
        told = Way(report=report).between(sum(sizes[:at]), sizes[at], sum(sizes), name)
        try:
            tables.append(read_table(path, name=name, dialect=dialect, limit=limit, report=told))
        except DataError as error:
            raise DataError(f"{name}: {error.message}", hint=error.hint) from error
    return append(tables, together_name(names))


def _read(path: Path, name: str, given: Dialect, way: Way) -> Table:
    if not path.is_file():
        raise DataError(f"There is no file {path}.", hint="Check the path.")
    if path.stat().st_size == 0:
        raise DataError("The file is empty.", hint=TABLE_HINT)
    if given.kind and given.kind not in KINDS:
        raise DataError(f"There is no kind of file '{given.kind}'.", hint=f"Kinds are: {', '.join(KINDS)}.")
    if _is_archive(path):
        several = None if given.sheet else retrieval.read_zip(path, name)
        return several or _read_archive(path, name, given, way)
    kind = given.kind or _binary_kind(path)
    if kind == "parquet":
        table = _read_parquet(path, name, way)
    elif kind == "excel":
        table = workbook.read_excel(path, name, given, way)
    else:
        table = _read_text(path, name, kind, given, way)
    if way.limit is not None:
        table = replace(table, skipped=tuple(note for note in table.skipped if note.message != CUT_OFF))
        table = replace(table, partial=len(table.data) >= way.limit)
    if not len(table.data):
        if table.skipped:
            first = table.skipped[0]
            raise DataError(f"No row of the file can be read. Row {first.row}: {first.message}.", hint=TABLE_HINT)
        raise DataError("The table has no rows below its header.", hint="Add rows, or choose another file.")
    return table


def is_large(paths: Sequence[Path]) -> bool:
    """Whether reading all of these takes longer than people wait for a page. Archives count by what they unpack to."""
    paths = [path for path in paths if path.is_file()]  # what is none is told by the reader
    sizes = (archive.unpacked_bytes(path) if _is_archive(path) else path.stat().st_size for path in paths)
    return sum(sizes) > LARGE_MB * 1_000_000


def agreeing(path: Path, names: Sequence[str], dialect: Dialect | None = None) -> bool:
    """Whether the first rows of these sheets or members of an archive have the same columns."""
    given = dialect or Dialect("")
    try:
        tables = [read_table(path, dialect=replace(given, sheet=name), limit=100) for name in names[:AGREEING]]
    except DataError:
        return False
    return 1 < len(names) <= AGREEING and not any(difference(tables[0], table) for table in tables[1:])


def sheet_names(path: Path) -> list[str]:
    """What can be chosen as ``Dialect.sheet``: sheets of an Excel file, or the tables of a zip that holds several."""
    if not _is_archive(path):
        return workbook.sheet_names(path) if _binary_kind(path) == "excel" else []
    tables = archive.tables_in(path)
    if len(tables) > 1:
        return tables
    with archive.unpacked(path, path.name, None, Way()) as (inner, _, _):
        return workbook.sheet_names(inner) if _binary_kind(inner) == "excel" else []


def _is_archive(path: Path) -> bool:
    return archive.is_gzip(path) or (archive.is_zip(path) and not workbook.is_workbook(path))


def _read_archive(path: Path, name: str, given: Dialect, way: Way) -> Table:
    """The table in an archive, under the archive's name. Of several tables the first is read unless another is given."""
    if given.sheet == ALL and len(tables := archive.tables_in(path)) > 1:
        if len(tables) > MAX_FILES:
            raise DataError(f"The archive holds {len(tables):,} tables; at most {MAX_FILES} are read together.")
        parts = [replace(_read_archive(path, name, replace(given, sheet=one), way), name=one) for one in tables]
        table = append(parts, name)
        return replace(table, dialect=replace(table.dialect, sheet=ALL, member=None))
    with archive.unpacked(path, name, given.sheet, way) as (inner, inner_name, member):
        table = _read(inner, inner_name, replace(given, sheet=None if member else given.sheet), way)
    dialect = replace(table.dialect, sheet=member or table.dialect.sheet, member=inner_name)
    return replace(table, name=name, dialect=dialect)


def _binary_kind(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(4)
    if head == b"PAR1":
        return "parquet"
    return "excel" if head == b"PK\x03\x04" and workbook.is_workbook(path) else ""


def _read_parquet(path: Path, name: str, way: Way) -> Table:
    spool = Spool()
    told = way.part(0, 1, "reading")
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            refuse_too_many(len(schema.names))
            names = clean_names(schema.names)
            total = file.metadata.num_rows
            for batch in file.iter_batches(batch_size=BATCH):
                columns = {}
                for column_name, column in zip(names, batch.columns, strict=True):
                    texts = string_column(pa.chunked_array([column])).combine_chunks()
                    listed = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
                    columns[column_name] = as_lists(texts) if listed and not pa.types.is_list(texts.type) else texts
                if columns:
                    spool.add(columns)
                if told is not None:
                    told(spool.rows, total)
                if way.limit is not None and spool.rows >= way.limit:
                    break
    except (pa.ArrowException, OSError) as error:
        raise DataError("The Parquet file is broken or cut off.", hint="Save or upload it again.") from error
    data = spool.finish() if spool.rows else pa.table({name: pa.array([], pa.string()) for name in names})
    rows = pa.array(np.arange(1, len(data) + 1))
    return Table(name, without_empty(data, schema.names), rows, Dialect("parquet"))


def _read_text(path: Path, name: str, kind: str, given: Dialect, way: Way) -> Table:
    encoding = detect_encoding(path, given.encoding, head_only=way.limit is not None)
    start = _start(path, encoding)
    if not start:
        raise DataError("The file holds nothing but white space.", hint=TABLE_HINT)
    kind = kind or _text_kind(path, start)
    if kind == "jsonl":
        with opened(path, encoding, way.part(0, 1, "reading")) as lines:
            return read_jsonl(lines, name, encoding.name, way)
    if kind == "json":
        with path.open(encoding=encoding.name, errors="replace", newline="") as file:
            return read_json_rows(file, path.stat().st_size, name, encoding.name, way)
    return read_delimited(path, name, encoding, given, way)


def _start(path: Path, encoding: Encoding) -> str:
    """The first line that is not blank; of a very long one its beginning."""
    blank = "\ufeff \t\r\n\0"
    with path.open("rb") as file:
        decoder = codecs.getincrementaldecoder(encoding.name)("replace")
        text = ""
        while not text and (raw := file.read(START_CHARACTERS)):
            text = decoder.decode(raw).lstrip(blank)
    return re.split(r"[\r\n]", text, maxsplit=1)[0].rstrip(blank)


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
