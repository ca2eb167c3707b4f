"""What trainings took on this machine: measured by a few timed steps, and by every run that ended. No torch.

A speed is re-used for any training of the same kind (architecture, loss, engine, what is trained). What differs (length,
batch) is reckoned with the cost model of estimate.py: a measured second counts for as many as the model says. The newest
speed that is nearest in batch and length is taken.
"""

import math
import os
import platform
import threading
import time
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

from studio.files import read_json, write_json

MOST = 400
OF_ONE = 3
"""So many of the newest speeds of the same batch and length are looked at: their median counts."""
SAME = 1.5
"""Steps whose work differs by less need not be timed for themselves."""
NEAR = 8.0
"""A step of this many times the work, or less, is reckoned from a measured one."""


@dataclass(frozen=True)
class Kind:
    """What makes trainings comparable."""

    machine: str
    model: str
    """Layers, width and size: the weights do not change the time."""
    objective: str
    """The loss, what is put on top of it, what reads along."""
    engine: str
    trained: str


@dataclass(frozen=True)
class Work:
    """What the cost model says of a training, in seconds of a machine that there is not."""

    kind: Kind
    batch_size: int
    step: float
    """One step."""
    judging: float
    """All looks at the held-out rows."""
    memory_mb: float


@dataclass(frozen=True)
class Speed:
    work: Work
    step_s: float
    judging_s: float
    startup_s: float
    """Loading and saving."""
    memory_mb: float
    when: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Prediction:
    step_s: float
    judging_s: float
    startup_s: float
    memory_mb: float


class Speeds:
    """The speeds that are known, in one file. Thread-safe."""

    def __init__(self, path: Path):
        self._path = path
        self._lock = threading.Lock()

    def keep(self, values: dict[str, Any]) -> None:
        """``values``: a Speed as plain data, as a process wrote it; anything else is left."""
        try:
            speed = _speed(values)
        except (KeyError, TypeError, ValueError):
            return
        with self._lock:
            known = [asdict(speed), *(read_json(self._path) or [])]
            write_json(self._path, known[:MOST])

    def predict(self, work: Work) -> Prediction | None:
        """What a training of this work takes here; None: nothing like it was measured yet."""
        alike = [speed for speed in self._all() if speed.work.kind == work.kind and distance(speed.work, work) <= NEAR]
        if not alike:
            return None
        least = min(distance(speed.work, work) for speed in alike)
        nearest = [speed for speed in alike if distance(speed.work, work) <= 1.02 * least][:OF_ONE]

        def of(name: str) -> float:
            return median(getattr(_scaled(speed, work), name) for speed in nearest)

        return Prediction(of("step_s"), of("judging_s"), of("startup_s"), of("memory_mb"))

    def knows(self, work: Work) -> bool:
        """Whether something was measured that needs little reckoning: about this batch and this length."""
        return any(speed.work.kind == work.kind and distance(speed.work, work) <= SAME for speed in self._all())

    def _all(self) -> list[Speed]:
        with self._lock:
            found = read_json(self._path) or []
        speeds = []
        for values in found:
            try:
                speeds.append(_speed(values))
            except (KeyError, TypeError, ValueError):  # of an older studio
                continue
        return speeds


def distance(one: Work, other: Work) -> float:
    """How many times more work the larger of two steps is; another batch counts a little more."""
    apart = abs(math.log(one.step / other.step)) + 0.1 * abs(math.log(one.batch_size / other.batch_size))
    return math.exp(apart)


def _scaled(speed: Speed, work: Work) -> Prediction:
    return Prediction(
        speed.step_s * work.step / speed.work.step,
        speed.judging_s * work.judging / speed.work.judging if speed.work.judging else 0.0,
        speed.startup_s,
        max(0.5 * speed.memory_mb, speed.memory_mb + work.memory_mb - speed.work.memory_mb),
    )


def _speed(values: dict[str, Any]) -> Speed:
    work = values["work"]
    speed = Speed(**{**values, "work": Work(**{**work, "kind": Kind(**work["kind"])})})
    numbers = (speed.step_s, speed.work.step, speed.memory_mb)
    if not all(isinstance(n, int | float) and math.isfinite(n) and n > 0 for n in numbers):
        raise ValueError("no speed")
    return speed


def as_values(speed: Speed) -> dict[str, Any]:
    """Plain data, for :meth:`Speeds.keep`."""
    return asdict(speed)


@lru_cache(maxsize=1)
def machine() -> str:
    """This machine, as far as it matters."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores"
