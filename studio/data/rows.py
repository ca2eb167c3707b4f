"""Rows picked out by a mask, and findings about them."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.table import Finding

MAX_ROWS_NAMED = 100


def finding(code: str, severity: str, message: str, rows: Sequence[int] | np.ndarray) -> Finding:
    """A finding about ``rows``, which are row numbers of the file."""
    named = np.sort(np.asarray(rows, dtype=np.int64))[:MAX_ROWS_NAMED]
    return Finding(code, severity, message, len(rows), tuple(named.tolist()))


def count(rows: int, one: str = "row", many: str = "rows") -> str:
    return f"1 {one}" if rows == 1 else f"{rows:,} {many}"


def text_columns(data: pa.Table) -> list[str]:
    """anchor, positive and the negatives, or text."""
    return [name for name in data.column_names if name not in ("score", "label", "class", "part", "row")]


def class_numbers(data: pa.Table) -> np.ndarray:
    """0 to C - 1 for each row, by the class's place in alphabetical order."""
    coded = data["class"].combine_chunks().dictionary_encode()
    spelt = np.array(coded.dictionary.to_pylist(), dtype=object)
    return np.argsort(np.argsort(spelt)).astype(np.int64)[coded.indices.to_numpy()]


def label_count(data: pa.Table) -> int:
    """How many labels the pairs of ``data`` (all rows of a dataset) are told apart by."""
    return int(class_numbers(data).max()) + 1 if {"anchor", "class"} <= set(data.column_names) else 2


def where(data: pa.Table, mask: pa.Array | pa.ChunkedArray | np.ndarray) -> np.ndarray:
    """Numbers of the rows under a mask."""
    return data["row"].filter(pa.array(mask) if isinstance(mask, np.ndarray) else mask).to_numpy()


def rows_numbered(data: pa.Table, numbers: Sequence[int], column: str = "row") -> pa.Table:
    """The first row with each of these numbers of the file, in their order; numbers that are not there are passed over."""
    at = pc.index_in(pa.array(numbers, pa.int64()), value_set=data[column])
    return data.take(at.drop_null())


def digest(*columns: pa.Array | pa.ChunkedArray) -> bytes:
    """Of all values, to know a column again by."""
    found = hashlib.blake2b(digest_size=16)
    for column in columns:
        for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
            # A slice has the buffers of the whole: concatenating copies only what is seen.
            for buffer in pa.concat_arrays([chunk]).buffers() if chunk.offset else chunk.buffers():
                found.update(buffer or b"")
    return found.digest()


def plain_mask(mask: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """As an array of bool."""
    if isinstance(mask, pa.ChunkedArray):
        mask = mask.combine_chunks()
    return mask.to_numpy(zero_copy_only=False).astype(bool)


def plain_text(text: str) -> str:
    """The text as it counts when texts are compared: upper and lower case and white space do not matter."""
    return " ".join(text.casefold().split())
