"""What was deleted: it stays on the disk for some days, can be brought back meanwhile, and is nobody's model until then.

A thing in the trash is its row with a time in ``deleted``; its folder stays where it is. Bringing back and giving up are
one statement each, so that of two who try at the same time one wins. What was given up is marked before its folder goes
and forgotten afterwards: a server that dies in between goes on with it.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from studio.errors import NotFound
from studio.recent import Recent
from studio.runs.indexes import Indexes, tuned_key
from studio.runs.records import when
from studio.runs.store import DATASETS, RUNS, Row, Store
from studio.runs.supervisor import Supervisor
from studio.runs.workspace import Workspace, size_mb

DAY_S = 24 * 3600

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deleted:
    """One thing that can be brought back."""

    kind: str
    """``run`` or ``dataset``."""
    id: str
    name: str
    about: str
    """What a run was trained on; empty for a dataset."""
    size_mb: float
    deleted: datetime
    until: datetime
    """When it will be removed for good."""


class Trash:
    def __init__(self, store: Store, workspace: Workspace, indexes: Indexes, supervisor: Supervisor, days: float):
        self._store = store
        self._workspace = workspace
        self._indexes = indexes
        self._supervisor = supervisor
        self.days = days
        self._sizes: Recent[str, float] = Recent(1000)
        self._kinds = {"run": (RUNS, workspace.runs), "dataset": (DATASETS, workspace.datasets)}
        self._and_remove: dict[str, Callable[[Row], None]] = {"run": self._of_run, "dataset": self._of_dataset}

    def list(self, owner: str) -> list[Deleted]:
        """Deleted last first."""
        found = [
            Deleted(
                kind, row["id"], row["name"], row.get("dataset_name", ""), self._size(folder / row["id"]),
                when(row["deleted"]), when(row["deleted"] + self.days * DAY_S),
            )
            for kind, (table, folder) in self._kinds.items()
            for row in self._store.deleted(table, owner)
        ]  # fmt: skip
        return sorted(found, key=lambda one: one.deleted, reverse=True)

    def bring_back(self, owner: str, kind: str, id: str) -> None:
        """Undo a deletion: a run is in its old state again, one that waited at its old place. Raises NotFound."""
        table, _ = self._known(kind)
        self._sizes.forget(lambda known: known == id)
        if not self._store.bring_back(table, owner, id):
            self._store.get(table, owner, id)  # it is there: somebody else was quicker
        self._supervisor.wake()

    def remove(self, owner: str, kind: str, id: str) -> None:
        """Remove for good, now. Raises NotFound."""
        table, _ = self._known(kind)
        rows = self._store.give_up(table, before=time.time() + 1, owner=owner, id=id)
        if not rows:
            raise NotFound(f"There is no such deleted {kind}.", hint="It may have been removed already.")
        self._remove(kind, rows)

    def empty(self, owner: str) -> None:
        """Remove for good all that this owner has deleted."""
        for kind, (table, _) in self._kinds.items():
            self._remove(kind, self._store.give_up(table, before=time.time() + 1, owner=owner))

    def sweep(self) -> None:
        """Remove what was deleted long enough ago, and what was given up and is still there."""
        for kind, (table, _) in self._kinds.items():
            self._remove(kind, self._store.give_up(table, before=time.time() - self.days * DAY_S))

    def _size(self, folder: Path) -> float:
        """Looked at once: what was deleted does not change."""
        return self._sizes.get(folder.name, lambda: size_mb(path for path in folder.rglob("*") if path.is_file()))

    def _remove(self, kind: str, rows: Sequence[Row]) -> None:
        table, folder = self._kinds[kind]
        for row in rows:
            try:
                with self._supervisor.lock:  # not while anything is being started
                    self._and_remove[kind](row)
                    self._workspace.discard(folder / row["id"])
            except OSError:  # the next sweep tries again
                _log.exception("The folder of the deleted %s %s could not be removed.", kind, row["id"])
                continue
            self._store.forget_deleted(table, row["id"])

    def _of_run(self, row: Row) -> None:
        self._indexes.drop(model_key=tuned_key(row["id"]))

    def _of_dataset(self, row: Row) -> None:
        (self._workspace.drafts / f"{row['id']}.json").unlink(missing_ok=True)

    def _known(self, kind: str) -> tuple:
        if kind not in self._kinds:
            raise NotFound("There is no such thing that could have been deleted.")
        return self._kinds[kind]
