"""Tables written for people: CSV that a spreadsheet opens without running anything."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from studio.data.prepare import Prepared
from studio.data.table import Table

FORMULA = r"^[=+\-@\t\r]"
"""Beginnings that make a spreadsheet take a cell for a formula. Source: OWASP, CSV Injection."""
BATCH = 10_000


def write_csv(path: Path, data: pa.Table) -> None:
    """UTF-8, commas, one header. Texts that begin with = + - @ get an apostrophe in front; numbers stay as they are.

    Lists are joined, one item a line.
    """
    columns = [_safe(data[name]) for name in data.column_names]
    plain = pa.table(columns, names=_safe(pa.array(data.column_names, pa.string())).to_pylist())
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(plain.column_names)
        for batch in plain.to_batches(max_chunksize=BATCH):
            out.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def left_out(table: Table, prepared: Prepared | None = None) -> pa.Table:
    """Every row of the file that was skipped, mended or is not trained on, with the reason and its cells where it has any.

    Columns: ``row``, ``what`` (skipped, mended, left out), ``reason``, then those of the table.
    """
    dropped = [] if prepared is None else [note for notes in prepared.dropped.values() for note in notes]
    notes = [
        *((note, "skipped") for note in table.skipped),
        *((note, "mended") for note in table.repaired),
        *((note, "left out") for note in dropped),
    ]
    notes.sort(key=lambda item: item[0].row)
    numbers = pa.array([note.row for note, _ in notes], pa.int64())
    cells = table.data.take(pc.index_in(numbers, value_set=table.rows))
    columns = {
        "row": numbers,
        "what": pa.array([what for _, what in notes], pa.string()),
        "reason": pa.array([note.message for note, _ in notes], pa.string()),
    }
    names = [f"{name} (column)" if name in columns else name for name in cells.column_names]
    return pa.table([*columns.values(), *cells.columns], names=[*columns, *names])


def _safe(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_list(column.type):
        column = pc.binary_join(column, "\n")
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.match_substring_regex(column, FORMULA), pc.binary_join_element_wise("'", column, ""), column)
