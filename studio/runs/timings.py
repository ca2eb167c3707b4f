"""A few timed steps, made in the background before somebody presses the button, so that the estimate is of this machine.

Nothing is timed while a training goes on here: both would be told wrong times.
"""

import math
import threading

from studio.runs.makings import Makings
from studio.runs.queue import Lane
from studio.runs.records import ENDED, MakingRecord
from studio.runs.store import MAKINGS, Store
from studio.training.config import TrainConfig
from studio.training.speeds import SAME, Kind, Speeds, Work

KIND = "timing"
MOST_TRIED = 500


class Timings:
    def __init__(self, store: Store, makings: Makings, training: Lane, speeds: Speeds, allowed: bool = True):
        """``allowed``: False: nothing is timed, runs that end are learnt from alone."""
        self._allowed = allowed
        self._store = store
        self._makings = makings
        self._training = training
        self._lock = threading.Lock()
        self._tried: set[tuple[Kind, int, int]] = set()
        self.speeds = speeds

    def want(self, owner: str, dataset_id: str, config: TrainConfig, work: Work) -> bool:
        """Time a few steps of ``config`` (models as the training layer knows them). Whether that is going on now.

        Each is tried once while the server runs, one at a time for an owner: the last one that was wanted.
        """
        if not self._allowed or self.speeds.knows(work):
            return False
        with self._lock:
            what = (work.kind, work.batch_size, round(math.log(work.step) / math.log(SAME)))
            if what in self._tried:
                return bool(self._going_on(owner))
            if self._training.at_work() or self._store.in_states(self._training.table, "queued"):
                return False
            self._end(owner)
            if len(self._tried) > MOST_TRIED:
                self._tried.clear()
            self._tried.add(what)
            task = {"config": config.model_dump(mode="json")}
            self._makings.create(owner, KIND, "Timed steps", task, dataset_id=dataset_id)
            return True

    def going_on(self, owner: str) -> bool:
        """Whether steps are being timed; those that are done are remembered."""
        with self._lock:
            return bool(self._going_on(owner))

    def end(self, owner: str) -> None:
        """A training begins: what is being timed would be wrong, and in its way."""
        with self._lock:
            self._end(owner)

    def _end(self, owner: str) -> None:
        for making in self._going_on(owner):
            self._makings.delete(owner, making.id)
            self._tried.clear()  # what was cut off may be wanted again

    def _going_on(self, owner: str) -> list[MakingRecord]:
        mine = [row for row in self._store.all_of(MAKINGS, owner) if row["kind"] == KIND]
        alive = []
        for making in (self._makings.get(owner, row["id"]) for row in mine):
            if making.state not in ENDED:
                alive.append(making)
                continue
            if making.result and making.result.get("speed"):
                self.speeds.keep(making.result["speed"])
            self._makings.delete(owner, making.id)
        return alive
