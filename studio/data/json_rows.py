"""Rows out of JSON: one object (or list) a line, or a list of objects."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import pyarrow as pa

from studio.data.cells import column_of, sound
from studio.data.names import clean_names, nameless, refuse_too_many
from studio.data.spool import BATCH, Spool
from studio.data.table import CUT_OFF, Dialect, RowNote, Table
from studio.data.way import Way
from studio.errors import DataError

ROWS_HINT = 'Rows are objects such as {"anchor": "...", "positive": "..."}.'
BLANK = "\ufeff \t\r\n\0"
STREAMED_MB = 20
"""Longer lists are read item by item."""
MAX_OBJECT_MB = 150
"""A file that is one object has to be held in memory, where it takes several times this."""
MAX_ITEM_MB = 64
BLOCK = 1 << 20


def read_jsonl(lines: Iterable[str], name: str, encoding: str, way: Way) -> Table:
    """One JSON object, or one list of values, a line. Rows are numbered by line.

    Raises:
        DataError: more than half of the lines are no JSON.
    """
    rows = _Rows(way)
    for number, line in enumerate(lines, 1):
        text = line.strip(BLANK)
        if not text:
            continue
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            rows.skip(number, "is not JSON" if line.endswith(("\n", "\r")) else CUT_OFF)
            if len(rows.skipped) > max(rows.count, 1_000):
                break
            continue
        rows.add(number, value)
        if way.limit is not None and rows.count >= way.limit:
            break
    if len(rows.skipped) > rows.count:
        first = rows.skipped[0]
        raise DataError(f"The file is not JSONL. Line {first.row}: {first.message}.", hint=ROWS_HINT)
    return rows.table(name, Dialect("jsonl", encoding))


def read_json_rows(file: TextIO, size: int, name: str, encoding: str, way: Way) -> Table:
    """A list of objects; or one object with such a list in it. Rows are numbered from 1. ``size``: bytes of the file.

    Raises:
        DataError: no JSON, or no list of objects.
    """
    rows = _Rows(way)
    values = _long_list(file, size, rows, way) if size > STREAMED_MB * 1_000_000 else None
    for number, item in enumerate(_whole(file, size, rows) if values is None else values, 1):
        rows.add(number, item)
        if way.limit is not None and rows.count >= way.limit:
            break
    return rows.table(name, Dialect("json", encoding))


class _Rows:
    """Collects values into Arrow, a batch at a time. Keys may come and go from row to row."""

    def __init__(self, way: Way):
        self._spool = Spool()
        self._keys: dict[str, bool] = {}
        """Key -> whether its values are lists."""
        self._values: list[dict[str, Any]] = []
        self._numbers: list[int] = []
        self.skipped: list[RowNote] = []

    @property
    def count(self) -> int:
        return len(self._numbers)

    def skip(self, number: int, message: str) -> None:
        self.skipped.append(RowNote(number, message))

    def add(self, number: int, value: Any) -> None:
        if isinstance(value, list):
            value = {nameless(i): item for i, item in enumerate(value, 1)}
        if not isinstance(value, dict):
            self.skip(number, "is neither an object nor a list")
            return
        self._values.append(value)
        self._numbers.append(number)
        if len(self._values) == BATCH:
            self._store()

    def table(self, name: str, dialect: Dialect) -> Table:
        self._store()
        data = pa.table({})
        if self._spool.rows:
            data = self._spool.finish()
            data = data.rename_columns(clean_names(sound(key) for key in self._keys))
        return Table(name, data, pa.array(self._numbers, pa.int64()), dialect, tuple(self.skipped))

    def _store(self) -> None:
        columns = {}
        keys = dict.fromkeys((*self._keys, *(key for row in self._values for key in row)))
        refuse_too_many(len(keys))
        for key in keys:
            column = column_of([row.get(key) for row in self._values], self._keys.get(key, False))
            self._keys[key] = pa.types.is_list(column.type)
            columns[str(len(columns))] = column
        if columns and self._values:
            self._spool.add(columns)
        self._values = []


def _whole(file: TextIO, size: int, rows: _Rows) -> list[Any]:
    if size > MAX_OBJECT_MB * 1_000_000:
        raise DataError(
            f"The JSON file is one object of {size / 1e6:,.0f} MB; at most {MAX_OBJECT_MB} MB of that form can be read.",
            hint="Save the rows as JSON Lines (one object a line), or as one list.",
        )
    text = file.read().strip(BLANK)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        value = _whole_items(text)
        if not value:
            raise DataError(f"The file is not JSON: {error}.", hint=ROWS_HINT) from None
        rows.skip(len(value) + 1, CUT_OFF)
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
        value = lists[0] if len(lists) == 1 else [value]
    if not isinstance(value, list):
        raise DataError("The JSON file holds no list of rows.", hint=ROWS_HINT)
    return value


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


def _long_list(file: TextIO, size: int, rows: _Rows, way: Way) -> Iterator[Any] | None:
    """The items of a list, one at a time; None where the file is no list (it is then at its beginning again)."""
    text = file.read(BLOCK).lstrip(BLANK)
    if not text.startswith("["):
        file.seek(0)
        return None
    return _items(file, text[1:], rows, way.part(0, 1, "reading"), size)


def _items(file: TextIO, text: str, rows: _Rows, told: Any, size: int) -> Iterator[Any]:
    decoder, position, number = json.JSONDecoder(), 0, 0
    ended = False
    while True:
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if text.startswith("]", position):
            return
        try:
            # An item that ends where the text at hand does may go on: 1 of 12.
            item, behind = decoder.raw_decode(text, position)
            whole = behind < len(text) or ended
        except (ValueError, RecursionError):
            whole = False
        if whole:
            yield item
            position, number = behind, number + 1
            continue
        more = "" if ended else file.read(BLOCK)
        ended = not more
        if told is not None:
            told(min(file.buffer.tell(), size), size)
        if (ended and position >= len(text)) or (ended and '{"' not in text[position + 1 :].replace(" ", "")):
            rows.skip(number + 1, CUT_OFF)
            return
        if ended or len(text) - position > MAX_ITEM_MB * 1_000_000:
            raise DataError(f"The file is not JSON: it is broken after row {number:,}.", hint=ROWS_HINT)
        text, position = text[position:] + more, 0
