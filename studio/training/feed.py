"""What a run's events.jsonl says, kept in memory and read on by byte offset: many viewers cost what one does."""

import json
import math
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

MAX_POINTS = 2000
TRAIN_FIELDS = ("loss", "learning_rate", "rows_per_s")


class Series:
    """Points by step, ascending. A step that comes again (a run went back to a checkpoint) replaces what was after it."""

    def __init__(self, *fields: str):
        self.steps = array("q")
        self.events = array("q")
        """Number of the event that each point came with."""
        self.values = {field: array("d") for field in fields}

    def add(self, event: int, step: int, values: dict[str, Any]) -> bool:
        """Whether points that were there had to go."""
        keep = bisect_left(self.steps, step)
        went_back = keep < len(self.steps)
        if went_back:
            for column in (self.steps, self.events, *self.values.values()):
                del column[keep:]
        for field in values:
            if field not in self.values:
                self.values[field] = array("d", [math.nan] * len(self.steps))
        self.steps.append(step)
        self.events.append(event)
        for field, column in self.values.items():
            column.append(_number(values.get(field)))
        return went_back

    def since(self, event: int) -> dict[str, list]:
        """Points of this event and later ones, at most MAX_POINTS: of every stretch its lowest and highest first field."""
        first = bisect_left(self.events, event)
        steps = np.frombuffer(self.steps, dtype=np.int64)[first:].copy()
        columns = {field: np.frombuffer(column)[first:].copy() for field, column in self.values.items()}
        if len(steps) > MAX_POINTS:
            chosen = extremes(next(iter(columns.values())), MAX_POINTS)
            steps = steps[chosen]
            columns = {field: column[chosen] for field, column in columns.items()}
        lists = {
            field: [value if math.isfinite(value) else None for value in column.tolist()]
            for field, column in columns.items()
        }
        return {"step": steps.tolist(), **lists}


def extremes(values: np.ndarray, points: int) -> np.ndarray:
    """Positions, ascending, of at most ``points`` values that show the curve: lowest and highest of every stretch, both ends."""
    stretches = (points - 2) // 2
    edges = np.linspace(0, len(values), stretches + 1).astype(np.int64)
    low = np.where(np.isfinite(values), values, np.inf)
    high = np.where(np.isfinite(values), values, -np.inf)
    chosen = [0, len(values) - 1]
    for start, end in pairwise(edges):
        chosen += (start + low[start:end].argmin(), start + high[start:end].argmax())
    return np.unique(chosen)


class Feed:
    """One run's events."""

    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._offset = 0
        self._count = 0
        self._went_back_at = -1
        self._train = Series(*TRAIN_FIELDS)
        self._eval = Series("loss")
        self._notes: list[tuple[int, dict[str, Any]]] = []
        self._plan: dict[str, Any] = {}
        self._last: dict[str, Any] = {}
        self._phase = ""
        self._download: dict[str, int] | None = None

    def read(self, since: int) -> dict[str, Any]:
        """All but the database's part of the feed dict (see studio.py)."""
        with self._lock:
            self._read_on()
            reset = not 0 < since <= self._count or self._went_back_at >= since
            start = 0 if reset else since
            return {
                **self._progress(),
                "reset": reset,
                "next": self._count,
                "train": self._train.since(start),
                "eval": self._eval.since(start),
                "metrics": [field for field in self._eval.values if field != "loss"],
                "primary": self._plan.get("primary"),
                "rows_per_s": _finite(self._last.get("rows_per_s")),
                "notes": [note for event, note in self._notes if event >= start],
                "device": self._plan.get("device"),
                "precision": self._plan.get("precision"),
                "download": self._download,
                "base": {name: _finite(value) for name, value in (self._plan.get("base") or {}).items()},
            }

    def progress(self) -> dict[str, Any]:
        """phase, step, steps, eta_s."""
        with self._lock:
            self._read_on()
            return self._progress()

    def _progress(self) -> dict[str, Any]:
        return {
            "phase": self._phase,
            "step": int(self._last.get("step") or 0),
            "steps": int(self._plan.get("steps") or 0),
            "eta_s": _finite(self._last.get("eta_s")) if self._phase == "training" else None,
        }

    def _read_on(self) -> None:
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, 2)
                if size == self._offset:
                    return
                if size < self._offset:  # another file under the same name
                    self._clear()
                file.seek(self._offset)
                new = file.read(size - self._offset)
        except FileNotFoundError:
            return
        whole = new.rfind(b"\n") + 1  # the rest is a line that is still being written
        self._offset += whole
        for line in new[:whole].splitlines():
            try:
                event = json.loads(line)
                self._take(event)
            except (ValueError, KeyError, TypeError):
                continue  # torn by a crash: what came after it stands on lines of its own

    def _take(self, event: dict[str, Any]) -> None:
        number, kind = self._count, event["event"]
        went_back = False
        if kind == "train":
            went_back = self._train.add(number, int(event["step"]), {field: event.get(field) for field in TRAIN_FIELDS})
            self._last = event
        elif kind == "eval":
            values = {"loss": event.get("loss"), **(event.get("metrics") or {})}
            went_back = self._eval.add(number, int(event["step"]), values)
        elif kind == "note":
            note = {key: event.get(key) for key in ("t", "severity", "message")}
            self._notes.append((number, note))
        elif kind == "phase":
            self._phase = event["phase"]
        elif kind == "plan":
            self._plan = event
        elif kind == "download":
            self._download = {key: int(event[key]) for key in ("done", "total")}
        if went_back:
            self._went_back_at = number
        self._count += 1


class Feeds:
    """The feeds of the runs that were looked at last."""

    def __init__(self, capacity: int = 64):
        self._capacity = capacity
        self._lock = threading.Lock()
        self._feeds: OrderedDict[Path, Feed] = OrderedDict()

    def of(self, path: Path) -> Feed:
        """``path``: the run's events.jsonl, which need not exist yet."""
        with self._lock:
            feed = self._feeds.pop(path, None) or Feed(path)
            self._feeds[path] = feed
            while len(self._feeds) > self._capacity:
                self._feeds.popitem(last=False)
            return feed


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _finite(value: Any) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) else None
