"""Base against tuned on parts of the held-out rows: short and long texts, languages, values of the table's columns. No torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from studio.catalog.languages import LANGUAGE
from studio.evaluation.intervals import figure, interval
from studio.evaluation.task import Task

LEAST = 5
"""Rows of a value below which it is put with other small ones."""
FEW = 30
"""Rows below which an interval says that a part is small rather than how it went."""
MOST_VALUES = 20
"""Of a column; the rarest of more are put together."""
BAND_ROWS = 20
"""Rows that a band of lengths has at least."""
BANDS = 4
PLAIN = "accuracy@1"
"""Shown beside the primary metric where something is searched: it is easier to picture."""


@dataclass(frozen=True)
class Part:
    """Some of the rows, and how both models did on them."""

    value: str
    rows: int
    metrics: dict[str, tuple[float, float, float, float]]
    """Metric -> (base, tuned, low, high); a metric that these rows do not define is left out."""

    @property
    def few(self) -> bool:
        return self.rows < FEW


@dataclass(frozen=True)
class Slices:
    """All rows by one property."""

    by: str
    """``length``, ``language``, or the column."""
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class _Some:
    """The part of a Measurement that an interval is made of."""

    values: dict[str, np.ndarray] = field(default_factory=dict)
    similarity: np.ndarray | None = None


def make_slices(
    task: Task, models: Mapping[str, Any], columns: Mapping[str, list[str | None]], queries: np.ndarray | None
) -> tuple[Slices, ...]:
    """``columns``: name -> value of each row of rows.parquet, with ``length`` (int) and ``language``.

    ``queries``: number of each row's query, where several rows may ask the same; metrics of searching count it once.
    """
    made = []
    for name, values in columns.items():
        named = spoken(name, values)
        parts = []
        for value, rows in _grouped(named):
            parts.append(Part(value, len(rows), _compared(task, models, rows, queries)))
        if len(parts) > 1:
            made.append(Slices(name, tuple(parts)))
    return tuple(made)


def spoken(by: str, values: list[Any]) -> list[str]:
    """The part that each row is in, for people. ``values``: of rows.parquet."""
    if by == "length":
        return bands(values)
    if by == "language":
        return [LANGUAGE.get(code, code) if code else "too short to tell" for code in values]
    return ["no value" if value is None else value for value in values]


def bands(lengths: list[int]) -> list[str]:
    """Each text's band of lengths in characters, of about as many texts each."""
    known = np.sort(np.asarray(lengths))
    many = max(1, min(BANDS, len(known) // BAND_ROWS))
    edges = np.unique(known[len(known) * np.arange(1, many) // many])
    place = np.searchsorted(edges, lengths, side="right")
    names = {}
    for number in range(len(edges) + 1):
        inside = known[np.searchsorted(edges, known, side="right") == number]
        if len(inside):
            low, high = int(inside[0]), int(inside[-1])
            first, last = number == 0, number == len(edges)
            between = f"{low:,} to {high:,} characters"
            names[number] = between if first == last else f"up to {high:,} characters" if first else (
                f"{low:,} characters and more" if last else between
            )  # fmt: skip
    return [names[int(one)] for one in place]


def _grouped(values: list[str]) -> list[tuple[str, np.ndarray]]:
    """(value, rows): small values together at the end, numbers in their order, others by their rows."""
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(value, []).append(row)
    found = [(value, np.array(members)) for value, members in rows.items()]
    found.sort(key=lambda one: (-len(one[1]), one[0]))
    small = [one for at, one in enumerate(found) if at >= MOST_VALUES or len(one[1]) < LEAST]
    if len(small) > 1:
        together = np.sort(np.concatenate([members for _, members in small]))
        kept = [one for one in found if not any(one is other for other in small)]
        return [*_in_order(kept), (f"{len(small):,} others", together)]
    return _in_order(found)


def _in_order(found: list[tuple[str, np.ndarray]]) -> list[tuple[str, np.ndarray]]:
    """Years, stars and bands in their order, where all values but 'no value' begin with a number."""
    numbers = {value: _number(value) for value, _ in found}
    if any(number is None for number in numbers.values()):
        return found
    return sorted(found, key=lambda one: numbers[one[0]])


def _number(value: str) -> float | None:
    if value == "no value":
        return np.inf
    begins = re.match(r"up to|-?\d[\d,]*(\.\d+)?", value)
    return None if begins is None else -np.inf if begins[0] == "up to" else float(begins[0].replace(",", ""))


def _compared(
    task: Task, models: Mapping[str, Any], rows: np.ndarray, queries: np.ndarray | None
) -> dict[str, tuple[float, float, float, float]]:
    found = {}
    for metric in dict.fromkeys((task.primary, *([PLAIN] if task.retrieval is not None else []))):
        by_row = queries is None or metric == "triplet_accuracy"
        at = rows if by_row else np.unique(queries[rows])
        part = task
        if task.targets is not None:
            some = {name: tuple(getattr(task, name)[i] for i in at) for name in ("anchors", "positives")}
            part = replace(task, **some, targets=task.targets[at])
        base, tuned = (_some(models[name], at) for name in ("base", "tuned"))
        values = [figure(part, metric, one) for one in (base, tuned)]
        if np.isfinite(values).all():
            found[metric] = (*values, *interval(part, metric, base, tuned))
    return found


def _some(measured: Any, at: np.ndarray) -> _Some:
    values = {name: value[at] for name, value in measured.values.items() if len(value) > at.max()}
    return _Some(values, None if measured.similarity is None else measured.similarity[at])
