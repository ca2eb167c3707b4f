"""Compares, every second, what the database says is going on with what processes and folders say, and mends it.

One thread. What a run's outcome.json says is believed first, then how its process ended. It keeps nothing that matters
in memory: a new server's supervisor goes on where the last one's was.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from studio.errors import StudioError
from studio.files import read_json, write_json
from studio.runs.executors.local import LocalExecutor, Look
from studio.runs.queue import Lane
from studio.runs.store import Row

TICK_S = 1.0
TERM_AFTER_S = 2.0
"""So long a worker may end by itself after it was asked to, before a signal asks it again."""

_log = logging.getLogger(__name__)


class Supervisor:
    def __init__(
        self,
        lanes: Sequence[Lane],
        executor: LocalExecutor,
        *,
        max_attempts: int,
        stop_grace_s: float,
        housekeeping: Callable[[], None] = lambda: None,
    ):
        self.lock = threading.RLock()
        """Held while anything is started, ended or mended; take it to keep the supervisor off a folder."""
        self._lanes = lanes
        self._executor = executor
        self._max_attempts = max_attempts
        self._stop_grace_s = stop_grace_s
        self._housekeeping = housekeeping
        self._asked: dict[Path, float] = {}
        """Folder -> when its process was first seen overdue (monotonic: the clock of the day may be set)."""
        self._told: set[Path] = set()
        """Those that were sent TERM: once is enough, a second one could cut short what the first began."""
        self._looked = time.monotonic()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._loop, name="supervisor", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look now instead of within a second."""
        self._wake.set()

    @property
    def looked_s_ago(self) -> float:
        """Since everything was last looked at, in seconds; grows when it stumbles again and again."""
        return time.monotonic() - self._looked

    def close(self) -> None:
        self._closing = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join()

    def _loop(self) -> None:
        while not self._closing:
            self._wake.clear()
            try:
                self.tick()
            except Exception:  # a locked database, a full disk: next time may be better
                _log.exception("The supervisor stumbled and goes on.")
            self._wake.wait(TICK_S)

    def tick(self) -> None:
        with self.lock:
            for lane in self._lanes:
                for row in lane.at_work():
                    self._reconcile(lane, row)
                at_work = lane.at_work()
                for row in lane.ready(at_work):
                    self._launch(lane, row)
            self._housekeeping()
        self._looked = time.monotonic()

    def _launch(self, lane: Lane, row: Row) -> None:
        folder = lane.folder(row)
        try:
            if self._executor.look(folder).alive:
                return  # left over; it is waited for
            self._executor.prepare(folder)
            lane.prepare(row)
            if lane.claim(row):
                self._executor.start(folder, lane.module)
        except (StudioError, OSError) as error:
            _log.exception("A process could not be started in %s.", folder)
            lane.claim(row)
            hint = error.hint if isinstance(error, StudioError) else "The server's log says more."
            lane.end(row, "failed", f"It could not be started: {error}", hint)

    def _reconcile(self, lane: Lane, row: Row) -> None:
        folder = lane.folder(row)
        look = self._executor.look(folder)
        if look.alive:
            self._watch(row, folder)
            return
        if look.orphan:
            # Nobody would note how it ends. It goes on from its checkpoint, under supervision, once it is gone.
            self._executor.signal(folder, signal.SIGKILL)
            return
        self._asked.pop(folder, None)
        self._told.discard(folder)
        outcome = read_json(folder / "outcome.json")
        if outcome is not None and not (outcome["state"] == "cancelled" and row["state"] != "stopping"):
            lane.end(row, outcome["state"], outcome.get("message", ""), outcome.get("hint", ""))
        elif row["state"] == "stopping":
            lane.end(row, "cancelled", "Stopped.")
        elif look.exit is not None and look.exit.out_of_memory and lane.with_less_memory(row):
            lane.again(
                row,
                "The machine ran out of memory and ended the process. It goes on from its last checkpoint and computes "
                "its batches in smaller portions: slower, and it comes to the same.",
                counts=True,
            )
        elif look.exit is not None and look.exit.out_of_memory:
            lane.end(row, "failed", "The machine ran out of memory and ended the process.", lane.memory_hint)
        else:
            self._died(lane, row, look, _cause(look) if outcome is None else "Something else than the studio ended it.")

    def _died(self, lane: Lane, row: Row, look: Look, cause: str) -> None:
        """A process that ended before its work was done: try again, but not for ever."""
        if look.rebooted:
            lane.again(row, f"{cause} It starts again{lane.again_from}.", counts=False)
        elif row["attempt"] < self._max_attempts:
            lane.again(
                row,
                f"{cause} It starts again{lane.again_from} (attempt {row['attempt'] + 1} of {self._max_attempts}).",
                counts=True,
            )
        else:
            times = f"This was attempt {row['attempt']} of {self._max_attempts}."
            last = _last_line(lane.folder(row) / "log.txt")
            lane.end(row, "failed", f"{cause} {times}", f"The log's last line: {last}" if last else "Its log is empty.")

    def _watch(self, row: Row, folder: Path) -> None:
        """What a living process is owed: a request to stop that was made, and an end to waiting."""
        if row["state"] == "stopping":
            asked = {"keep": _keeps(row)}
            if read_json(folder / "stop.json") != asked:
                write_json(folder / "stop.json", asked)
        overdue = (folder / "outcome.json").exists() or (row["state"] == "stopping" and not _keeps(row))
        if not overdue:
            self._asked.pop(folder, None)
            return
        waited_s = time.monotonic() - self._asked.setdefault(folder, time.monotonic())
        if waited_s >= self._stop_grace_s:
            self._executor.signal(folder, signal.SIGKILL)
        elif waited_s >= min(TERM_AFTER_S, self._stop_grace_s / 2) and folder not in self._told:
            self._told.add(folder)
            self._executor.signal(folder, signal.SIGTERM)


def _keeps(row: Row) -> bool:
    """Whether what is stopped is to be kept; only runs can be."""
    return row.get("keep", False)


def _cause(look: Look) -> str:
    if look.rebooted:
        return "The machine was restarted while this was going on."
    if look.exit is None:
        return "The process was lost."
    if look.exit.signal is not None:
        return f"The process was killed (signal {look.exit.signal})."
    return f"The process ended (exit status {look.exit.code}) without saying why."


def _last_line(log: Path, limit: int = 300) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 4096))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except FileNotFoundError:
        return ""
    return next((line.strip()[:limit] for line in reversed(lines) if line.strip()), "")
