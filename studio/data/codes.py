"""Texts as numbers: equal ones get the same. Memory grows with the rows, not with the texts."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

Plain = Callable[[pa.Array], pa.Array]


def numbers(column: pa.ChunkedArray | pa.Array, plain: Plain | None = None) -> np.ndarray:
    """(n_rows,) int64: 0, 1, 2 ... in the order in which values first appear; nothing counts as a value.

    Texts are told apart by a keyed hash of 64 bits, which takes two of a million for one in one of 37 million tables.

    Args:
        plain: what is compared instead of the texts; gets some thousands at a time.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    hashes = [np.zeros(0, np.int64)]
    for chunk in chunks:
        values = (plain(chunk) if plain is not None else chunk).to_pylist()
        hashes.append(np.fromiter(map(hash, values), np.int64, len(values)))
    _, first, inverse = np.unique(np.concatenate(hashes), return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def row_numbers(columns: list[np.ndarray]) -> np.ndarray:
    """(n_rows,) the same for rows: equal where all columns are."""
    code = columns[0]
    for part in columns[1:]:
        # Codes stay below the number of rows squared, so that they never overflow.
        code = np.unique(code * (int(part.max(initial=0)) + 1) + part, return_inverse=True)[1]
    return code


def picked(column: pa.ChunkedArray, positions: np.ndarray) -> pa.Array:
    """The values at ``positions`` (ascending), without touching the others."""
    parts, start = [], 0
    for chunk in column.chunks:
        here = positions[np.searchsorted(positions, start) : np.searchsorted(positions, start + len(chunk))]
        if len(here):
            parts.append(chunk.take(pa.array(here - start)))
        start += len(chunk)
    return pa.concat_arrays(parts) if parts else pa.array([], column.type)


def picked_rows(table: pa.Table, positions: np.ndarray) -> pa.Table:
    """The rows at ``positions`` (ascending)."""
    return pa.table({name: picked(table[name], positions) for name in table.column_names})
