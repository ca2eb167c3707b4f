"""Sweeps as a person deals with them: several settings tried in turn as ordinary runs of the owner.

A thread asks once a second what to try next and puts it into the queue, where it waits its turn like any run. All that
is known of a sweep is in the database, in its folder and in its runs: a new server goes on where the last one was.
"""

import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from studio.data.dataset import load_rows
from studio.errors import RunError, StudioError
from studio.runs.accounts import check_may_start
from studio.runs.datasets import Datasets
from studio.runs.names import display_name
from studio.runs.queue import TrainingLane
from studio.runs.records import ENDED, when
from studio.runs.store import SWEEPS, Row, Store, new_id
from studio.runs.training_runs import Runs
from studio.runs.workspace import Workspace, remove
from studio.training import sweep
from studio.training.config import TrainConfig
from studio.training.sweep import SweepPlan, Trial

TICK_S = 1.0
MOST_FAILURES = 3
"""So many trials that fail at the beginning, none having worked, end a sweep."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepTrial:
    trial: Trial
    run_id: str | None
    """None: the run was deleted, or never made."""
    state: str
    """Of the run; empty where there is none."""


@dataclass(frozen=True)
class SweepRecord:
    id: str
    owner: str
    name: str
    dataset_id: str
    dataset_name: str
    state: str
    """running, stopping, succeeded, failed or cancelled."""
    message: str
    created: datetime
    ended: datetime | None
    plan: SweepPlan
    trials: tuple[SweepTrial, ...]
    best: Trial | None
    metric: str
    """Id of the metric that trials are compared by."""
    folder: Path

    @property
    def is_over(self) -> bool:
        return self.state in ENDED


class Sweeps:
    def __init__(self, store: Store, workspace: Workspace, datasets: Datasets, runs: Runs, lane: TrainingLane):
        self._store = store
        self._workspace = workspace
        self._datasets = datasets
        self._runs = runs
        self._lane = lane
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._loop, name="sweeps", daemon=True)

    def create(self, owner: str, dataset_id: str, plan: SweepPlan, name: str = "") -> SweepRecord:
        """Begin a sweep. Raises ConfigError, ModelError, DataError (before anything is started) and NotFound."""
        check_may_start(self._store, owner)
        dataset = self._datasets.see(owner, dataset_id)
        id = new_id()
        aside = self._workspace.tmp / id
        try:
            sweep.begin(aside, plan, dataset.info, load_rows(dataset.folder), lambda b: self._runs.location(owner, b))
            aside.rename(self._workspace.sweeps / id)
        except BaseException:
            remove(aside)
            raise
        row = self._store.add(
            SWEEPS, id=id, owner=owner, name=display_name(name, f"Sweep of {dataset.name}"), dataset_id=dataset.id,
            dataset_name=dataset.name, state="running", message="", created=time.time(), ended=None,
        )  # fmt: skip
        self._wake.set()
        return self._record(row)

    def list(self, owner: str) -> list[SweepRecord]:
        """Newest first."""
        return [self._record(row) for row in self._store.all_of(SWEEPS, owner)]

    def get(self, owner: str, sweep_id: str) -> SweepRecord:
        return self._record(self._store.get(SWEEPS, owner, sweep_id))

    def importance(self, owner: str, sweep_id: str) -> dict[str, float]:
        """What mattered: field -> share; empty while there are few trials."""
        with self._lock:
            return sweep.importance(self.get(owner, sweep_id).folder)

    def winner(self, owner: str, sweep_id: str) -> TrainConfig:
        """Settings of the best trial, to be trained on the whole dataset. Raises RunError when none has worked."""
        record = self.get(owner, sweep_id)
        if record.best is None:
            raise RunError("No trial of this sweep has worked yet.", hint="Wait for the first one, or look at its log.")
        return sweep.config_of(record.plan, record.best)

    def stop(self, owner: str, sweep_id: str) -> None:
        """End a sweep and the run that it has under way; trials that are done stay. Raises RunError when it has ended."""
        self._store.get(SWEEPS, owner, sweep_id)
        if (
            not self._store.move(SWEEPS, {"id": sweep_id}, to="stopping", of=("running",))
            and self.get(owner, sweep_id).is_over
        ):
            raise RunError("This sweep has ended already.")
        self._wake.set()

    def delete(self, owner: str, sweep_id: str) -> None:
        """Forget a sweep; its runs stay. Raises RunError while it is going on."""
        self._store.get(SWEEPS, owner, sweep_id)
        with self._lock:
            if not self._store.remove(SWEEPS, owner, sweep_id, states=ENDED):
                raise RunError("This sweep is going on.", hint="Stop it first.")
            self._workspace.discard(self._workspace.sweeps / sweep_id)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while not self._closing:
            self._wake.clear()
            try:
                self.tick()
            except Exception:  # a locked database, a full disk: next time may be better
                _log.exception("The sweeps stumbled and go on.")
            self._wake.wait(TICK_S)

    def tick(self) -> None:
        for row in self._store.running_sweeps():
            with self._lock:
                self._advance(row)

    def _advance(self, row: Row) -> None:
        owner, folder = row["owner"], self._workspace.sweeps / row["id"]
        runs = {run["trial"]: run for run in self._store.runs_of_sweep(row["id"])}
        for trial in sweep.trials(folder):
            run = runs.get(trial.number)
            if trial.state == "running" and run is None:
                sweep.lose(folder, trial.number)
            elif trial.state == "running" and run["state"] in ENDED:
                sweep.tell(folder, trial.number, self._value(owner, run))
        active = [run for run in runs.values() if run["state"] not in ENDED]
        if row["state"] == "stopping":
            for run in active:
                if run["state"] != "stopping":
                    self._runs.stop(owner, run["id"], keep=False)
            if not active:
                self._end(row, "cancelled", "Stopped.")
            return
        plan, found = sweep.load_plan(folder), sweep.trials(folder)
        if len(found) >= MOST_FAILURES and all(trial.state == "failed" for trial in found):
            self._end(row, "failed", "Its first trials failed: look at their runs.")
        elif len(found) >= plan.trials or (plan.minutes and time.time() - row["created"] > 60 * plan.minutes):
            if not active:
                self._end(
                    row, "succeeded" if sweep.best(found) else "failed", "" if sweep.best(found) else "No trial worked."
                )
        elif len(active) < self._lane.slots and self._lane.state == "open":
            self._begin_trial(row, folder)

    def _begin_trial(self, row: Row, folder: Path) -> None:
        owner = row["owner"]
        number, config = sweep.ask(folder, lambda base: self._runs.location(owner, base))
        name = f"{row['name']}: trial {number + 1}"
        try:
            self._runs.create(
                owner, row["dataset_id"], config, name, rows=folder / "dataset", trial=(row["id"], number)
            )
        except StudioError as error:
            sweep.tell(folder, number, None)
            _log.info("A trial of the sweep %s could not begin: %s", row["id"], error)

    def _value(self, owner: str, run: Row) -> float | None:
        """The primary metric of a trial's tuned model, on the rows that it held out."""
        verdict = self._runs.verdict(owner, run["id"]) if run["state"] == "succeeded" else None
        if verdict is None:
            return None
        return next((metric.tuned for metric in verdict.metrics if metric.id == verdict.primary), None)

    def _end(self, row: Row, state: str, message: str) -> None:
        self._store.move(
            SWEEPS, {"id": row["id"]}, to=state, of=("running", "stopping") if state != "succeeded" else ("running",),
            message=message, ended=time.time(),
        )  # fmt: skip

    def _record(self, row: Row) -> SweepRecord:
        folder = self._workspace.sweeps / row["id"]
        runs = {run["trial"]: run for run in self._store.runs_of_sweep(row["id"])}
        with self._lock:
            found = sweep.trials(folder)
        trials = tuple(
            SweepTrial(t, runs[t.number]["id"], runs[t.number]["state"])
            if t.number in runs
            else SweepTrial(t, None, "")
            for t in found
        )
        return SweepRecord(
            **{name: row[name] for name in ("id", "owner", "name", "dataset_id", "dataset_name", "state", "message")},
            created=when(row["created"]), ended=when(row["ended"]), plan=sweep.load_plan(folder), trials=trials,
            best=sweep.best(found), metric=sweep.metric_of(folder), folder=folder,
        )  # fmt: skip
