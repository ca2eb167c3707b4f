"""Columns of a table that no text, score or label stands in, but that sort its rows: a source, a year, a department.

They are kept beside a dataset, so that a verdict can say where a model is better and where it is worse.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.labels import NUMBER
from studio.data.prepare import NO_CLASS
from studio.data.table import Roles, Table

MOST_COLUMNS = 8
MOST_VALUES = 30
"""A column with more different values sorts nothing, unless they are numbers: those are put into BANDS bands."""
LONGEST = 60
"""Characters of a value; longer ones are texts."""
LEAST_FILLED = 0.5
BANDS = 4
ALL_DIFFERENT = 0.95
"""Share of different values from which a column of numbers counts rows rather than says something of them."""


def extra_columns(table: Table, roles: Roles, rows: pa.Array | pa.ChunkedArray) -> pa.Table | None:
    """``row`` and the columns that sort the rows, as strings; None where there are none.

    ``rows``: numbers of the rows that the dataset keeps. A retrieval set's tables have none.
    """
    if table.retrieval is not None:
        return None
    used = set(roles.columns.values())
    kept = pc.is_in(table.rows, value_set=rows.combine_chunks() if isinstance(rows, pa.ChunkedArray) else rows)
    found: dict[str, pa.Array] = {}
    for name in table.data.column_names:
        column = table.data[name]
        if name in used or not pa.types.is_string(column.type) or len(found) == MOST_COLUMNS:
            continue
        values = _sorting(pc.utf8_trim_whitespace(column.filter(kept)))
        if values is not None:
            found[name] = values
    return pa.table({"row": table.rows.filter(kept), **found}) if found else None


def _sorting(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The column's values, or their bands; None when it does not sort the rows."""
    values = pc.if_else(pc.is_in(pc.utf8_lower(column), value_set=pa.array(NO_CLASS)), None, column)
    filled = values.drop_null()
    if len(filled) < max(2, LEAST_FILLED * len(values)):
        return None
    different = pc.count_distinct(filled).as_py()
    if 2 <= different <= min(MOST_VALUES, len(filled) - 1):
        return values if pc.max(pc.utf8_length(filled)).as_py() <= LONGEST else None
    if different < 2 or not pc.all(pc.match_substring_regex(filled, NUMBER)).as_py():
        return None
    return None if different > ALL_DIFFERENT * len(filled) else _bands(values)


def _bands(values: pa.ChunkedArray) -> pa.Array:
    """Numbers as bands of about as many rows each, named by the numbers that they reach from and to."""
    numbers = pc.cast(pc.replace_substring(values, ",", "."), pa.float64()).to_numpy()
    known = np.sort(numbers[np.isfinite(numbers)])
    edges = np.unique(known[(len(known) * np.arange(1, BANDS) // BANDS)])
    band = np.searchsorted(edges, numbers, side="right")
    place = np.searchsorted(edges, known, side="right")
    parts = [known[place == number] for number in range(len(edges) + 1)]
    names = [f"{part.min():g} to {part.max():g}" if len(part) else "" for part in parts]
    return pa.array([names[at] if np.isfinite(value) else None for at, value in zip(band, numbers, strict=True)])
