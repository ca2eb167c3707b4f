"""Edits by hand: rows changed, left out and added, kept as what was done in order until they are saved as a new version.

A step of a draft is plain JSON: ``{"do": "change", "row": key, "values": {column: value}}``, ``{"do": "drop", "row": key}``,
``{"do": "keep", "row": key}`` (takes a drop back) or ``{"do": "add", "values": {...}}``. The key of a row of the dataset is its
position from 0, that of the n-th row that was added is -n. Scores are on the scale that they were given on.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.check import Measure
from studio.data.dataset import DatasetInfo, load_corpus, load_extra, load_info, load_rows
from studio.data.prepare import PART, prepare
from studio.data.rows import count
from studio.data.table import Dialect, RetrievalSet, Roles, Table
from studio.data.version import write_version
from studio.errors import DataError

MAX_STEPS = 20_000
MAX_CHARACTERS = 100_000
"""Of one text."""

Step = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """One column of a dataset as it can be edited."""

    name: str
    kind: str
    """``text``, ``score`` or ``label``."""
    low: float = 0.0
    high: float = 1.0
    """Scale of a score."""


@dataclass
class Edits:
    """What the steps of a draft come to."""

    changed: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Key -> the values that differ, of rows of the dataset and of added ones."""
    dropped: set[int] = field(default_factory=set)
    added: list[dict[str, Any]] = field(default_factory=list)
    """Values as they are now."""

    @property
    def keys(self) -> set[int]:
        """Rows of the dataset that are changed or dropped."""
        return {key for key in (*self.changed, *self.dropped) if key >= 0}


@dataclass(frozen=True)
class EditRow:
    key: int
    number: str
    """In the file; ``new 1`` for a row that was added."""
    values: dict[str, Any]
    changed: tuple[str, ...]
    """Columns that differ from the dataset; all of an added row."""
    dropped: bool


@dataclass(frozen=True)
class Counts:
    changed: int = 0
    dropped: int = 0
    added: int = 0

    def __bool__(self) -> bool:
        return bool(self.changed or self.dropped or self.added)

    def __str__(self) -> str:
        """``3 rows changed, 1 left out, 2 added``."""
        parts = ((self.changed, "changed"), (self.dropped, "left out"), (self.added, "added"))
        said = [(number, what) for number, what in parts if number]
        first, *rest = said or [(0, "changed")]
        return ", ".join([f"{count(first[0])} {first[1]}", *(f"{number:,} {what}" for number, what in rest)])


def columns_of(info: DatasetInfo, data: pa.Table) -> tuple[Column, ...]:
    low, high = info.score_scale or (0.0, 1.0)
    kinds = {"score": Column("score", "score", low, high), "label": Column("label", "label")}
    return tuple(kinds.get(name, Column(name, "text")) for name in data.column_names if name not in (PART, "row"))


def check_step(step: Step, columns: Sequence[Column], rows: int, steps: Sequence[Step]) -> Step:
    """A step as it is kept, with clean values. ``rows``: of the dataset; ``steps``: what the draft holds already.

    Raises:
        DataError: no such row, an empty text, a score off the scale, a label other than 0 and 1, too many steps.
    """
    if len(steps) >= MAX_STEPS:
        raise DataError(f"A draft holds at most {MAX_STEPS:,} steps.", hint="Save what you have as a new version.")
    do, key = step.get("do"), step.get("row")
    added = sum(one["do"] == "add" for one in steps)
    if do in ("change", "drop", "keep") and not (isinstance(key, int) and -added <= key < rows):
        raise DataError("There is no such row to edit.", hint="Load the page again.")
    if do in ("drop", "keep"):
        return {"do": do, "row": key}
    values = step.get("values")
    known = {column.name: column for column in columns}
    if do not in ("change", "add") or not isinstance(values, dict) or not values or not set(values) <= set(known):
        raise DataError("This edit cannot be made.", hint="Load the page again.")
    where = "new row" if do == "add" else None
    missing = next((name for name in known if name not in values), None) if do == "add" else None
    if missing:
        raise DataError(f"The new row has no {_spoken(missing)}.", hint="Fill in every field.")
    clean = {name: _clean(value, known[name], where) for name, value in values.items()}
    return {"do": do, "values": clean} if do == "add" else {"do": do, "row": key, "values": clean}


def _clean(value: Any, column: Column, where: str | None) -> Any:
    what = f"The {_spoken(column.name)}" + (f" of the {where}" if where else "")
    if column.kind == "text":
        text = value.strip() if isinstance(value, str) else ""
        if not text:
            hint = "Write something, or leave the row out." if where is None else "Fill in every field."
            raise DataError(f"{what} cannot be empty.", hint=hint)
        if len(text) > MAX_CHARACTERS:
            raise DataError(f"{what} has {len(text):,} characters; at most {MAX_CHARACTERS:,} can be kept.")
        return text.encode("utf-8", "replace").decode()  # half of a surrogate pair cannot be stored
    number = _number(value)
    if column.kind == "label":
        if number not in (0, 1):
            raise DataError(f"{what} must be 1 (the texts belong together) or 0 (they do not).")
        return int(number)
    if number is None or not column.low <= number <= column.high:
        raise DataError(f"{what} must be a number from {column.low:g} to {column.high:g}, the scale of this dataset.")
    return number


def _number(value: Any) -> float | None:
    try:
        number = float(value.strip().replace(",", ".") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def fold(steps: Iterable[Step]) -> Edits:
    """What the steps come to."""
    edits = Edits()
    for step in steps:
        if step["do"] == "add":
            edits.added.append(dict(step["values"]))
        elif step["do"] == "change":
            key = step["row"]
            (edits.added[-key - 1] if key < 0 else edits.changed.setdefault(key, {})).update(step["values"])
        elif step["do"] == "drop":
            edits.dropped.add(step["row"])
        else:
            edits.dropped.discard(step["row"])
    return edits


def counts(data: pa.Table, edits: Edits, columns: Sequence[Column]) -> Counts:
    """What a person has done by now; changes that were changed back do not count."""
    changed = sum(bool(_differing(data, key, edits, columns)) for key in edits.changed if key not in edits.dropped)
    added = sum(-n not in edits.dropped for n in range(1, len(edits.added) + 1))
    return Counts(changed, sum(key >= 0 for key in edits.dropped), added)


def read_row(data: pa.Table, key: int, edits: Edits, columns: Sequence[Column]) -> EditRow:
    """One row as the draft has it."""
    if key < 0:
        values = edits.added[-key - 1]
        return EditRow(key, f"new {-key}", values, tuple(c.name for c in columns), key in edits.dropped)
    values = {**_original(data, key, columns), **edits.changed.get(key, {})}
    number = f"{data['row'][key].as_py():,}"
    return EditRow(key, number, values, _differing(data, key, edits, columns), key in edits.dropped)


def find_rows(data: pa.Table, edits: Edits, columns: Sequence[Column], query: str, edited: bool) -> list[int] | range:
    """Keys of the rows to show, added ones first (the newest first), then those of the dataset in order.

    Args:
        query: Only rows that have this in a text (case does not matter), or as their number; ``#7``: row 7 alone; empty: all.
        edited: Only rows that the draft has touched.
    """
    added = range(-len(edits.added), 0)
    query = query.strip().lower()
    if not query:
        return [*added, *sorted(edits.keys)] if edited else [*added, *range(len(data))] if added else range(len(data))
    if query.startswith("#") and query[1:].isdecimal():
        return np.flatnonzero(data["row"].to_numpy() == int(query[1:])).tolist()
    texts = [column.name for column in columns if column.kind == "text"]
    found = np.zeros(len(data), dtype=bool)
    for name in texts:
        found |= pc.match_substring(pc.utf8_lower(data[name]), query).to_numpy().astype(bool)
    if query.isdecimal():
        found |= data["row"].to_numpy() == int(query)
    keys = set(np.flatnonzero(found).tolist())
    for key in (*added, *edits.changed):
        values = read_row(data, key, edits, columns).values
        (keys.add if any(query in values[name].lower() for name in texts) else keys.discard)(key)
    return sorted(keys & (edits.keys | set(added)) if edited else keys)


def save_edits(
    source: Path,
    target: Path,
    steps: Sequence[Step],
    name: str = "",
    measure: Measure | None = None,
    parent: str = "",
) -> DatasetInfo:
    """Write the dataset in ``source`` as the draft has it into ``target``; its history says what was done.

    ``parent``: id of the dataset in ``source``, where it has one.

    Rows go the way of an imported table once more: those that became equal to another are left out, and the history says so.

    Raises:
        DataError: nothing was edited, or the rows cannot be trained on; nothing is written then.
    """
    info, data = load_info(source), load_rows(source)
    columns, edits = columns_of(info, data), fold(steps)
    done = counts(data, edits, columns)
    if not done:
        raise DataError("Nothing was changed.", hint="Edit, leave out or add rows first.")
    prepared = prepare(*_as_table(info, edited_rows(data, edits, columns)))
    again = sum(map(len, prepared.dropped.values()))
    more = f"; {count(again)} left out: the same as another then" if again else ""
    return write_version(
        info, prepared.data, target, done=f"By hand: {done}{more}", after="these edits", name=name, measure=measure,
        parent=parent, corpus=load_corpus(source), extra=load_extra(source),
    )  # fmt: skip


def edited_rows(data: pa.Table, edits: Edits, columns: Sequence[Column]) -> pa.Table:
    """The rows of a dataset as the draft has them, with its columns; added rows come last, numbered on."""
    keep = np.ones(len(data), dtype=bool)
    keep[[key for key in edits.dropped if key >= 0]] = False
    added = [row for n, row in enumerate(edits.added, 1) if -n not in edits.dropped]
    made = {}
    for column in columns:
        values = data[column.name].combine_chunks()
        changed = {key: row[column.name] for key, row in edits.changed.items() if column.name in row}
        if changed:
            mask = np.zeros(len(data), dtype=bool)
            mask[list(changed)] = True
            new = [_stored(changed[key], column) for key in sorted(changed)]
            values = pc.replace_with_mask(values, pa.array(mask), pa.array(new, values.type))
        more = pa.array([_stored(row[column.name], column) for row in added], values.type)
        made[column.name] = pa.concat_arrays([values.filter(pa.array(keep)), more])
    first = (pc.max(data["row"]).as_py() or 0) + 1
    numbers = pa.array(range(first, first + len(added)), pa.int64())
    if PART in data.column_names:
        part = data[PART].combine_chunks().filter(pa.array(keep))
        made[PART] = pa.concat_arrays([part, pa.array(["train"] * len(added), part.type)])
    made["row"] = pa.concat_arrays([data["row"].combine_chunks().filter(pa.array(keep)), numbers])
    return pa.table(made)


def _as_table(info: DatasetInfo, rows: pa.Table) -> tuple[Table, Roles]:
    """Rows of a dataset as a table that can be prepared again."""
    cells = rows.drop_columns("row")
    plain = pa.table([column.cast(pa.string()) for column in cells.columns], names=cells.column_names)
    names = cells.column_names
    have = {name: name for name in names}
    roles = Roles(
        anchor=have.get("anchor"),
        positive=have.get("positive"),
        negatives=tuple(name for name in names if name.startswith("negative")),
        score=have.get("score"),
        label=have.get("label"),
        text=have.get("text"),
        class_=have.get("class"),
    )
    divided = RetrievalSet(pa.array([], pa.string()), "") if PART in names else None  # its corpus stays where it is
    return Table(info.file_name, plain, rows["row"].combine_chunks(), Dialect("csv"), retrieval=divided), roles


def _original(data: pa.Table, key: int, columns: Sequence[Column]) -> dict[str, Any]:
    return {column.name: shown(data[column.name][key].as_py(), column) for column in columns}


def _differing(data: pa.Table, key: int, edits: Edits, columns: Sequence[Column]) -> tuple[str, ...]:
    if key not in edits.changed:
        return ()
    original, now = _original(data, key, columns), edits.changed[key]
    return tuple(name for name, value in original.items() if name in now and now[name] != value)


def shown(value: Any, column: Column) -> Any:
    """A value as people see it: a score on the scale that it was given on, without the crumbs of a division."""
    return round(column.low + value * (column.high - column.low), 6) if column.kind == "score" else value


def _stored(value: Any, column: Column) -> Any:
    return (value - column.low) / ((column.high - column.low) or 1.0) if column.kind == "score" else value
