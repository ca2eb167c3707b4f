"""Tables written for people: CSV that a spreadsheet opens without running anything."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.codes import picked_rows
from studio.data.prepare import Prepared
from studio.data.table import Notes, Table

FORMULA = r"^[=+\-@\t\r]"
"""Beginnings that make a spreadsheet take a cell for a formula. Source: OWASP, CSV Injection."""
BATCH = 10_000


def write_csv(path: Path, data: pa.Table | Iterable[pa.Table]) -> None:
    """UTF-8, commas, one header. Texts that begin with = + - @ get an apostrophe in front; numbers stay as they are.

    Lists are joined, one item a line. ``data``: a table, or parts of one with the same columns.
    """
    parts = [data] if isinstance(data, pa.Table) else data
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        for number, part in enumerate(parts):
            if number == 0:
                out.writerow(_safe(pa.array(part.column_names, pa.string())).to_pylist())
            for batch in part.to_batches(max_chunksize=BATCH):
                out.writerows(zip(*(_safe(column).to_pylist() for column in batch.columns), strict=True))


def left_out(table: Table, prepared: Prepared | None = None) -> Iterator[pa.Table]:
    """Every row of the file that was skipped, mended or is not trained on, with the reason and its cells where it has any.

    In parts of some thousands, the first of which may be empty. Columns: ``row``, ``what`` (skipped, mended, left out),
    ``reason``, then those of the table.
    """
    dropped = [] if prepared is None else [("left out", notes) for notes in prepared.dropped.values()]
    told = [("skipped", table.skipped), ("mended", table.repaired), *dropped]
    numbers = [
        notes.rows if isinstance(notes, Notes) else np.array([note.row for note in notes], np.int64)
        for _, notes in told
    ]
    rows = np.concatenate(numbers)
    source = np.repeat(np.arange(len(told)), [*map(len, numbers)])
    place = np.concatenate([np.arange(len(part)) for part in numbers])
    order = np.argsort(rows, kind="stable")
    known = table.rows.to_numpy(zero_copy_only=False)
    sorter = np.argsort(known, kind="stable")
    for start in range(0, max(len(order), 1), BATCH):
        part = order[start : start + BATCH]
        at = np.searchsorted(known, rows[part], sorter=sorter)
        found = sorter[np.minimum(at, len(known) - 1)]
        there = known[found] == rows[part]
        positions, cells_of = np.unique(found[there], return_inverse=True)
        where = np.zeros(len(part), np.int64)
        where[there] = cells_of
        cells = picked_rows(table.data, positions).take(pa.array(where, mask=~there))
        notes = [told[source[one]][1][int(place[one])] for one in part]
        columns = {
            "row": pa.array(rows[part], pa.int64()),
            "what": pa.array([told[source[one]][0] for one in part], pa.string()),
            "reason": pa.array([note.message for note in notes], pa.string()),
        }
        names = [f"{name} (column)" if name in columns else name for name in cells.column_names]
        yield pa.table([*columns.values(), *cells.columns], names=[*columns, *names])


def _safe(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_list(column.type):
        column = pc.binary_join(column, "\n")
    if not pa.types.is_string(column.type):
        return column
    return pc.if_else(pc.match_substring_regex(column, FORMULA), pc.binary_join_element_wise("'", column, ""), column)
