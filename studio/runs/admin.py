"""What only an admin sees and does: everybody's accounts, disk and runs, the machine, the queue's switch, old checkpoints."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from studio.errors import AccessError, NotFound
from studio.runs import gpus
from studio.runs.accounts import LOCAL, AccountRecord, Accounts
from studio.runs.queue import QUEUE_STATES, TrainingLane
from studio.runs.quotas import Quotas, size_mb_of
from studio.runs.records import ENDED, when
from studio.runs.store import RUNS, Row, Store
from studio.runs.supervisor import Supervisor
from studio.runs.workspace import Workspace, remove
from studio.training.folder import RunFolder


@dataclass(frozen=True)
class Use:
    """What one owner takes."""

    owner: str
    disk_mb: float
    runs: int
    gpu_hours: float


@dataclass(frozen=True)
class Waiting:
    """A run in the queue, or at work."""

    id: str
    owner: str
    name: str
    state: str
    position: int | None
    starts_in_s: float | None
    device: str | None
    memory_mb: float | None
    message: str


@dataclass(frozen=True)
class OldCheckpoints:
    """Checkpoints of one run that the policy removes."""

    run_id: str
    owner: str
    name: str
    state: str
    ended: datetime
    mb: float


class Admin:
    def __init__(
        self,
        store: Store,
        workspace: Workspace,
        accounts: Accounts,
        lane: TrainingLane,
        supervisor: Supervisor,
        quotas: Quotas,
        *,
        needs_accounts: bool,
    ):
        self._store = store
        self._workspace = workspace
        self._accounts = accounts
        self._lane = lane
        self._supervisor = supervisor
        self._quotas = quotas
        self._needs_accounts = needs_accounts

    def is_one(self, owner: str) -> bool:
        """Whether somebody may do what is here: an admin, or whoever uses a server that nobody signs in to."""
        if not self._needs_accounts:
            return owner == LOCAL
        row = self._store.account(owner)
        return row is not None and row["role"] == "admin" and not row["disabled"]

    def _check(self, owner: str) -> None:
        if not self.is_one(owner):
            raise AccessError("Only an admin may do this.", hint="Ask whoever hosts the studio.")

    # accounts: not to be had where nobody signs in, or everybody who reaches an open server could let themselves in later

    def accounts(self, owner: str) -> list[AccountRecord]:
        """By name; empty on a server that nobody signs in to."""
        self._check(owner)
        return self._accounts.list() if self._needs_accounts else []

    def add_account(self, owner: str, name: str, password: str, role: str) -> AccountRecord:
        self._check_accounts(owner)
        return self._accounts.add(name, password, role)

    def reset(self, owner: str, name: str, password: str) -> None:
        self._check_accounts(owner)
        self._accounts.reset(name, password)

    def disable(self, owner: str, name: str) -> None:
        self._check_accounts(owner)
        self._accounts.disable(name)

    def enable(self, owner: str, name: str) -> None:
        self._check_accounts(owner)
        self._accounts.enable(name)

    def set_role(self, owner: str, name: str, role: str) -> None:
        self._check_accounts(owner)
        self._accounts.set_role(name, role)

    def _check_accounts(self, owner: str) -> None:
        self._check(owner)
        if not self._needs_accounts:
            raise AccessError("Nobody signs in to this server.", hint="Start it with --accounts first.")

    # the machine

    def gpus(self, owner: str) -> gpus.Gpus:
        self._check(owner)
        return gpus.look()

    def use(self, owner: str) -> list[Use]:
        """Who takes how much, the most first."""
        self._check(owner)
        found = [
            Use(
                name, self._quotas.disk_mb(name), len(self._store.ids_of(RUNS, name)), self._quotas.gpu_hours_used(name)
            )
            for name in self._store.owners()
        ]
        return sorted(found, key=lambda use: -use.disk_mb)

    # the queue

    def queue_state(self, owner: str) -> tuple[str, str, datetime | None]:
        """One of QUEUE_STATES, who switched it, and when."""
        self._check(owner)
        row = self._lane.switched()
        return ("open", "", None) if row is None else (row["value"], row["who"], when(row["since"]))

    def set_queue(self, owner: str, state: str) -> None:
        """Open the queue, pause it (nothing more starts), or let it run empty (nothing new is taken)."""
        self._check(owner)
        if state not in QUEUE_STATES:
            raise NotFound("A queue cannot be switched to that.")
        self._lane.set_state(state, owner)
        self._supervisor.wake()

    def queue(self, owner: str) -> list[Waiting]:
        """Everybody's runs that are at work or wait, in the order in which they start."""
        self._check(owner)
        waiting = self._lane.waiting()
        rows = self._store.in_states(RUNS, "queued")
        rows.sort(key=lambda row: waiting.get(row["id"], (len(waiting) + 1, None))[0])
        return [_waiting(row, waiting) for row in (*self._lane.at_work(), *rows)]

    # old checkpoints

    def old_checkpoints(self, owner: str, days: float, unfinished: bool) -> list[OldCheckpoints]:
        """What a policy removes: checkpoints of runs that ended at least so many days ago.

        ``unfinished``: of failed and cancelled runs, too, which cannot go on afterwards; models are never touched.
        """
        self._check(owner)
        before = time.time() - days * 24 * 3600
        states = ENDED if unfinished else ("succeeded",)
        found = []
        for row in self._store.in_states(RUNS, *states):
            if row["ended"] is None or row["ended"] > before:
                continue
            mb = size_mb_of([RunFolder(self._workspace.runs / row["id"]).checkpoints])
            if mb:
                ended = when(row["ended"])
                found.append(OldCheckpoints(row["id"], row["owner"], row["name"], row["state"], ended, mb))
        return sorted(found, key=lambda old: -old.mb)

    def remove_checkpoints(self, owner: str, days: float, unfinished: bool, run_ids: Sequence[str]) -> float:
        """Remove those of :meth:`old_checkpoints` that were seen in the preview (``run_ids``), for good; megabytes freed."""
        self._check(owner)
        freed = 0.0
        with self._supervisor.lock:  # a run that is resumed meanwhile is no longer among them
            for old in self.old_checkpoints(owner, days, unfinished):
                if old.run_id in run_ids:
                    remove(RunFolder(self._workspace.runs / old.run_id).checkpoints)
                    freed += old.mb
        return freed


def _waiting(row: Row, waiting: dict[str, tuple[int, float | None]]) -> Waiting:
    position, starts_in_s = waiting.get(row["id"], (None, None))
    named = {name: row[name] for name in ("id", "owner", "name", "state", "device", "memory_mb", "message")}
    return Waiting(**named, position=position, starts_in_s=starts_in_s)
