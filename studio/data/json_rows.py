"""Rows out of JSON: one object (or list) a line, or a list of objects."""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from studio.data.cells import column_of
from studio.data.names import clean_names, nameless, refuse_too_many
from studio.data.table import CUT_OFF, Dialect, RowNote, Table
from studio.errors import DataError

ROWS_HINT = 'Rows are objects such as {"anchor": "...", "positive": "..."}.'


def read_jsonl(lines: Iterable[str], name: str, encoding: str) -> Table:
    """One JSON object, or one list of values, a line. Rows are numbered by line.

    Raises:
        DataError: more than half of the lines are no JSON.
    """
    values: list[tuple[int, Any]] = []
    skipped: list[RowNote] = []
    for number, line in enumerate(lines, 1):
        text = line.strip("\ufeff \t\r\n\0")
        if not text:
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            skipped.append(RowNote(number, "is not JSON" if line.endswith(("\n", "\r")) else CUT_OFF))
            continue
        if isinstance(value, dict | list):
            values.append((number, value))
        else:
            skipped.append(RowNote(number, "is neither an object nor a list"))
    if len(skipped) > len(values):
        first = skipped[0]
        raise DataError(f"The file is not JSONL. Line {first.row}: {first.message}.", hint=ROWS_HINT)
    return _table(values, skipped, name, Dialect("jsonl", encoding))


def read_json_rows(text: str, name: str, encoding: str) -> Table:
    """A list of objects; or one object with such a list in it. Rows are numbered from 1.

    Raises:
        DataError: no JSON, or no list of objects.
    """
    text = text.strip("\ufeff \t\r\n\0")
    skipped: list[RowNote] = []
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        value = _whole_items(text)
        if not value:
            raise DataError(f"The file is not JSON: {error}.", hint=ROWS_HINT) from None
        skipped.append(RowNote(len(value) + 1, CUT_OFF))
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
        value = lists[0] if len(lists) == 1 else [value]
    if not isinstance(value, list):
        raise DataError("The JSON file holds no list of rows.", hint=ROWS_HINT)
    values = []
    for number, item in enumerate(value, 1):
        if isinstance(item, dict | list):
            values.append((number, item))
        else:
            skipped.append(RowNote(number, "is neither an object nor a list"))
    return _table(values, skipped, name, Dialect("json", encoding))


def _whole_items(text: str) -> list[Any]:
    """The items of a list before the point where the text is cut off or broken."""
    if not text.startswith("["):
        return []
    decoder, items, position = json.JSONDecoder(), [], 1
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        try:
            item, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            # Broken in the middle is not cut off: later items would be lost in silence.
            return [] if '{"' in text[position + 1 :].replace(" ", "") else items
        items.append(item)


def _table(values: list[tuple[int, Any]], skipped: list[RowNote], name: str, dialect: Dialect) -> Table:
    rows = [({nameless(i): v for i, v in enumerate(row, 1)} if isinstance(row, list) else row) for _, row in values]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    refuse_too_many(len(keys))
    columns = [column_of([row.get(key) for row in rows]) for key in keys]
    data = pa.table(columns, names=clean_names(keys)) if keys else pa.table({})
    return Table(name, data, pa.array([number for number, _ in values], pa.int64()), dialect, tuple(skipped))
