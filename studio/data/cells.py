"""Values of a file's own types (numbers, dates, lists) as the text that a person sees."""

import ast
import json
import math
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def cell_text(value: Any) -> str | None:
    """Text of one value; None for nothing: null, NaN, the empty string. Whole numbers have no ``.0``."""
    if isinstance(value, str):
        return sound(value) or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") or None
    if isinstance(value, dict | list | tuple):
        return sound(json.dumps(value, ensure_ascii=False, default=str))
    return str(value)


def sound(text: str) -> str:
    """Without lone surrogates, which JSON can spell but no file can hold, and without NUL."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def column_of(values: Sequence[Any], listed: bool = False) -> pa.Array:
    """A string column; a list<string> column where any value is a list, or ``listed``."""
    if not (listed or any(isinstance(value, list | tuple) for value in values)):
        return pa.array([cell_text(value) for value in values], pa.string())
    lists = []
    for value in values:
        items = value if isinstance(value, list | tuple) else [value]
        texts = [text for text in map(cell_text, items) if text is not None]
        lists.append(texts or None)
    return pa.array(lists, pa.list_(pa.string()))


def spelt_lists(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of texts such as ``["one", "two"]`` as the lists that they spell; any other column as it is."""
    if not pa.types.is_string(column.type) or column.null_count == len(column):
        return column
    if not all(pc.all(pc.match_substring_regex(part, r"(?s)^\s*\[.*\]\s*$")).as_py() for part in column.chunks):
        return column
    lists = [None if text is None else _spelt_list(text) for text in column.to_pylist()]
    if any(items is False for items in lists):
        return column
    return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])


def _spelt_list(text: str) -> list[str] | bool:
    """The list of texts that JSON, or Python's own way of writing, spells; False when it is none."""
    for read in (json.loads, ast.literal_eval):  # which reads literals and runs nothing
        try:
            items = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(items, list) and all(isinstance(item, str) for item in items):
            return items
    return False


def as_lists(texts: pa.Array) -> pa.Array:
    """Each text as a list of it alone; null stays null."""
    offsets = pa.array(np.arange(len(texts) + 1, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, texts, mask=texts.is_null())


def string_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same for a column of Arrow's own types."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return string_column(column.cast(kind.value_type))
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    ):
        return empty_to_null(column.cast(pa.string()))
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, pa.string()), column.cast(pa.string()))
    return pa.chunked_array([column_of(column.to_pylist())])


def empty_to_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
