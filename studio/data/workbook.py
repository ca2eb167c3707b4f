"""Excel workbooks (.xlsx). Rows are numbered as Excel does."""

import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openpyxl
import pyarrow as pa

from studio.data.archive import refuse_bomb
from studio.data.cells import cell_text
from studio.data.dialect import guess_header
from studio.data.names import clean_names, refuse_too_many, without_empty
from studio.data.table import Dialect, Table
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


def read_excel(path: Path, name: str, given: Dialect) -> Table:
    """The sheet that ``given`` names, or the first that is not empty.

    Raises:
        DataError: broken workbook, no such sheet, nothing in it.
    """
    with _opened(path) as book:
        sheets = book.worksheets
        if given.sheet is not None:
            sheets = [sheet for sheet in sheets if sheet.title == given.sheet]
            if not sheets:
                titles = ", ".join(sheet.title for sheet in book.worksheets)
                raise DataError(f"There is no sheet '{given.sheet}'.", hint=f"Sheets are: {titles}.")
        for sheet in sheets:
            rows = _rows(sheet)
            if rows:
                return _table(rows, name, sheet.title, given.header)
    raise DataError("The workbook has no rows.", hint="Choose a sheet with a table on it.")


def _rows(sheet) -> list[tuple[int, list[str | None]]]:
    """Rows that are not blank, with their numbers."""
    sheet.reset_dimensions()
    rows = []
    for number, values in enumerate(sheet.iter_rows(values_only=True), 1):
        cells = [None if value in ERRORS else cell_text(value) for value in values]
        while cells and cells[-1] is None:
            cells.pop()
        refuse_too_many(len(cells))
        if cells:
            rows.append((number, cells))
    return rows


def _table(rows: list[tuple[int, list[str | None]]], name: str, sheet: str, header: bool | None) -> Table:
    width = max(len(cells) for _, cells in rows)
    cells = [[*cells, *[None] * (width - len(cells))] for _, cells in rows]
    numbers = [number for number, _ in rows]
    if header is None:
        header = guess_header([cell or "" for cell in cells[0]], cells[1:500])
    top = cells[0] if header else [None] * width
    body = cells[1:] if header else cells
    names = clean_names(top)
    columns = zip(*body, strict=True) if body else ([] for _ in names)
    data = pa.table([pa.array(column, pa.string()) for column in columns], names=names)
    dialect = Dialect("excel", header=header, sheet=sheet)
    return Table(name, without_empty(data, top), pa.array(numbers[1:] if header else numbers, pa.int64()), dialect)
