"""Excel workbooks (.xlsx). Rows are numbered as Excel does."""

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice, zip_longest
from pathlib import Path

import openpyxl
import pyarrow as pa

from studio.data.archive import refuse_bomb
from studio.data.cells import cell_text
from studio.data.dialect import guess_header
from studio.data.names import clean_names, refuse_too_many, without_empty
from studio.data.several import ALL, append
from studio.data.spool import BATCH, Spool
from studio.data.table import Dialect, Table
from studio.data.way import Way
from studio.errors import DataError

ERRORS = {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"}
"""What a cell shows when its formula failed: as good as empty."""


def is_workbook(path: Path) -> bool:
    """Whether a file that begins like a zip is a workbook (or the cut-off beginning of one)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except zipfile.BadZipFile:
        return path.suffix.lower() in (".xlsx", ".xlsm")


@contextmanager
def _opened(path: Path) -> Iterator[openpyxl.Workbook]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about styles and validation, which are not read
        try:
            with zipfile.ZipFile(path) as archive:
                refuse_bomb(archive, path, whole=True)
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                yield book
            finally:
                book.close()
        except DataError:
            raise
        except Exception as error:  # damaged archives make zip, XML and openpyxl raise nearly anything
            raise DataError("The Excel file is broken or cut off.", hint="Save or upload it again.") from error


def sheet_names(path: Path) -> list[str]:
    """Raises DataError when the workbook cannot be opened."""
    with _opened(path) as book:
        return [sheet.title for sheet in book.worksheets]


def read_excel(path: Path, name: str, given: Dialect, way: Way) -> Table:
    """The sheet that ``given`` names, or the first that is not empty.

    Raises:
        DataError: broken workbook, no such sheet, nothing in it.
    """
    with _opened(path) as book:
        sheets = book.worksheets
        if given.sheet == ALL and len(sheets) > 1:
            tables = [replace(_read_sheet(s, s.title, given, way), name=s.title) for s in sheets if not _is_empty(s)]
            table = append(tables, name) if tables else None
            if table is not None:
                return replace(table, dialect=replace(table.dialect, sheet=ALL))
        elif given.sheet is not None:
            sheets = [sheet for sheet in sheets if sheet.title == given.sheet]
            if not sheets:
                titles = ", ".join(sheet.title for sheet in book.worksheets)
                raise DataError(f"There is no sheet '{given.sheet}'.", hint=f"Sheets are: {titles}.")
        for sheet in sheets:
            if not _is_empty(sheet):
                return _read_sheet(sheet, name, given, way)
    raise DataError("The workbook has no rows.", hint="Choose a sheet with a table on it.")


def _is_empty(sheet) -> bool:
    return next(_rows(sheet), None) is None


def _read_sheet(sheet, name: str, given: Dialect, way: Way) -> Table:
    return _table(_rows(sheet), name, sheet.title, given.header, way, sheet.max_row or 0)


def _rows(sheet) -> Iterator[tuple[int, list[str | None]]]:
    """Rows that are not blank, with their numbers."""
    sheet.reset_dimensions()
    for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
        cells = [None if value in ERRORS else cell_text(value) for value in values]
        while cells and cells[-1] is None:
            cells.pop()
        refuse_too_many(len(cells))
        if cells:
            yield number, cells


def _table(
    rows: Iterator[tuple[int, list[str | None]]], name: str, sheet: str, header: bool | None, way: Way, total: int
) -> Table:
    firsts = list(islice(rows, 500))
    top = firsts[0][1]
    if header is None:
        header = guess_header([cell or "" for cell in top], [cells for _, cells in firsts[1:]])
    spool, told, width = Spool(), way.part(0, 1, "reading"), len(top)
    numbers: list[int] = []
    rows = chain(firsts[1:] if header else firsts, rows)
    while batch := list(islice(rows, BATCH)):
        width = max(width, *(len(cells) for _, cells in batch))
        columns = zip_longest(*(cells for _, cells in batch))
        columns = [pa.array(column, pa.string()) for column in columns]
        columns += [pa.nulls(len(batch), pa.string())] * (width - len(columns))
        spool.add({str(n): column for n, column in enumerate(columns)})
        numbers += [number for number, _ in batch]
        if told is not None:
            told(numbers[-1], max(total, numbers[-1]))
        if way.limit is not None and spool.rows >= way.limit:
            break
    top = [*top, *[None] * (width - len(top))] if header else [None] * width
    names = clean_names(top)
    data = (
        spool.finish().rename_columns(names) if spool.rows else pa.table({n: pa.nulls(0, pa.string()) for n in names})
    )
    dialect = Dialect("excel", header=header, sheet=sheet)
    return Table(name, without_empty(data, top), pa.array(numbers, pa.int64()), dialect)
