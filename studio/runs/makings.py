"""Makings as a person deals with them: asked for, looked at, stopped. Made by studio.making.maker in processes of their own."""

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.errors import HostError, NotFound, RunError
from studio.files import read_json, write_json
from studio.making.kinds import KINDS
from studio.runs.accounts import check_may_start
from studio.runs.datasets import Datasets
from studio.runs.executors.local import LocalExecutor
from studio.runs.names import display_name
from studio.runs.records import ENDED, MakingRecord, when
from studio.runs.store import MAKINGS, Row, Store, new_id
from studio.runs.supervisor import Supervisor
from studio.runs.workspace import Workspace, link_or_copy, link_tree, remove

KEPT_S = 30 * 24 * 3600
"""So long a making that has ended is kept; datasets that it made stay."""


class Makings:
    def __init__(
        self,
        store: Store,
        workspace: Workspace,
        datasets: Datasets,
        executor: LocalExecutor,
        supervisor: Supervisor,
    ):
        self._store = store
        self._workspace = workspace
        self._datasets = datasets
        self._executor = executor
        self._supervisor = supervisor

    def create(
        self,
        owner: str,
        kind: str,
        name: str,
        task: Mapping[str, Any],
        *,
        dataset_id: str = "",
        files: Mapping[str, Path] | None = None,
    ) -> MakingRecord:
        """Put a making into the queue.

        Args:
            kind: One of studio.making.kinds.
            name: What it is called, and the dataset that it makes.
            task: What the kind asks for.
            dataset_id: A dataset of the owner's that it works on; it lies in the folder as ``source``, whatever becomes of it.
            files: Name in the folder -> file or folder that is needed there. The caller has checked that the owner may.

        Raises:
            HostError: the folder could not be made.
            NotFound: no such dataset, or no such kind.
        """
        check_may_start(self._store, owner)
        self._workspace.check_quota(owner)
        if kind not in KINDS:
            raise NotFound(f"Nothing of the kind '{kind}' can be made.")
        needed = dict(files or {})
        if dataset_id:
            needed["source"] = self._datasets.get(owner, dataset_id).folder
        id = new_id()
        aside = self._workspace.tmp / id
        try:
            aside.mkdir()
            for place, path in needed.items():
                (aside / place).parent.mkdir(parents=True, exist_ok=True)
                (link_tree if path.is_dir() else link_or_copy)(path, aside / place)
            write_json(aside / "task.json", {**task, "kind": kind, "name": name})
            aside.rename(self._workspace.makings / id)
        except OSError as error:
            remove(aside)
            raise HostError(f"The folder could not be made: {error.strerror}.") from error
        now = time.time()
        row = self._store.add(
            MAKINGS, id=id, owner=owner, kind=kind, name=display_name(name, kind), dataset_id=dataset_id, state="queued",
            message="", hint="", attempt=0, created=now, queued=now, started=None, ended=None,
        )  # fmt: skip
        self._supervisor.wake()
        return self._record(row)

    def get(self, owner: str, making_id: str) -> MakingRecord:
        return self._record(self._store.get(MAKINGS, owner, making_id))

    def of_kinds(self, *kinds: str) -> list[MakingRecord]:
        """Those that have ended, of all owners; for housekeeping."""
        return [self._record(row) for row in self._store.in_states(MAKINGS, *ENDED) if row["kind"] in kinds]

    def list(self, owner: str) -> list[MakingRecord]:
        """Newest first."""
        return [self._record(row) for row in self._store.all_of(MAKINGS, owner)]

    def latest(self, owner: str, kind: str, dataset_id: str) -> MakingRecord | None:
        """The last one of this kind for a dataset; None: there was none."""
        rows = self._store.all_of(MAKINGS, owner)
        row = next((row for row in rows if (row["kind"], row["dataset_id"]) == (kind, dataset_id)), None)
        return None if row is None else self._record(row)

    def stop(self, owner: str, making_id: str) -> None:
        """End a making; nothing of it is kept. Raises RunError when it has ended already."""
        key = {"id": self._store.get(MAKINGS, owner, making_id)["id"]}
        cancelled = {"message": "Cancelled while it waited.", "hint": "", "ended": time.time()}
        with self._supervisor.lock:
            done = self._store.move(MAKINGS, key, to="cancelled", of=("queued",), **cancelled) or self._store.move(
                MAKINGS, key, to="stopping", of=("running",), message=""
            )
            state = self._store.get(MAKINGS, owner, making_id)["state"]
        if not done and state != "stopping":
            raise RunError("This has ended already.")
        self._supervisor.wake()

    def delete(self, owner: str, making_id: str) -> None:
        """Remove a making; one that is going on is ended. A dataset that it made stays."""
        self._store.get(MAKINGS, owner, making_id)
        with self._supervisor.lock:
            folder = self._workspace.makings / making_id
            self._executor.signal(folder, signal.SIGKILL)
            if self._store.remove(MAKINGS, owner, making_id):
                self._workspace.discard(folder)

    def sweep(self) -> None:
        """Forget those that ended long ago."""
        for row in self._store.in_states(MAKINGS, *ENDED):
            if row["ended"] is not None and row["ended"] < time.time() - KEPT_S:
                self.delete(row["owner"], row["id"])

    def _record(self, row: Row) -> MakingRecord:
        folder = self._workspace.makings / row["id"]
        progress = read_json(folder / "progress.json", {})
        outcome = read_json(folder / "outcome.json", {}) if row["state"] in ENDED else {}
        made = (self._workspace.datasets / row["id"]).is_dir()
        return MakingRecord(
            **{name: row[name] for name in ("id", "owner", "kind", "name", "dataset_id", "state", "message", "hint")},
            done=progress.get("done", 0),
            total=progress.get("total", 0),
            words=progress.get("words", ""),
            eta_s=progress.get("eta_s") if row["state"] == "running" else None,
            made_dataset_id=row["id"] if made and row["state"] == "succeeded" else "",
            result=outcome.get("result"),
            created=when(row["created"]),
            ended=when(row["ended"]),
            folder=folder,
        )
