"""How much one account may take: room on the disk, runs that wait, hours of a GPU. 0 means as much as there is."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from studio.errors import HostError, RunError
from studio.recent import Recent
from studio.runs.store import CORPORA, DATASETS, MAKINGS, RUNS, SWEEPS, UPLOADS, Store
from studio.runs.workspace import Workspace

KEPT_S = 30.0
"""Folders are measured at most so often."""
GPU_DAYS = 30
"""Hours are counted over so many days that end now."""


class Quotas:
    def __init__(self, store: Store, workspace: Workspace, *, disk_gb: float, queued: int, gpu_hours: float):
        self._store = store
        self._workspace = workspace
        self.disk_gb, self.queued, self.gpu_hours = disk_gb, queued, gpu_hours
        self._used: Recent[tuple[str, int], float] = Recent(1000)

    def disk_mb(self, owner: str) -> float:
        """What the things of an owner take, as it was half a minute ago at most. Files that several things share count once."""
        return self._used.get((owner, int(time.monotonic() / KEPT_S)), lambda: size_mb_of(self._folders(owner)))

    def gpu_hours_used(self, owner: str) -> float:
        return self._store.gpu_seconds(owner, time.time() - GPU_DAYS * 24 * 3600) / 3600

    def check_disk(self, owner: str) -> None:
        """Raises HostError: the owner's things take all the room that one account may have."""
        if self.disk_gb and (used := self.disk_mb(owner) / 1000) >= self.disk_gb:
            raise HostError(
                f"Your things take {used:,.1f} GB; an account may have {self.disk_gb:g} GB.",
                hint="Delete runs and datasets that you do not need any more and empty the trash, or ask an admin.",
            )

    def check_run(self, owner: str, *, queued: bool = True) -> None:
        """Whether an owner may have one more run. ``queued``: without it those that wait are not counted.

        Raises:
            RunError: too many wait already, or the hours of GPU are used up.
            HostError: as :meth:`check_disk`.
        """
        self.check_disk(owner)
        if queued and self.queued:
            waiting = sum(row["owner"] == owner for row in self._store.in_states(RUNS, "queued"))
            if waiting >= self.queued:
                raise RunError(
                    f"{waiting} of your runs wait already; {self.queued} may.",
                    hint="Wait until one has started, or stop one that you do not need any more.",
                )
        if self.gpu_hours and (used := self.gpu_hours_used(owner)) >= self.gpu_hours:
            raise RunError(
                f"Your runs have used {used:,.1f} hours of GPU in {GPU_DAYS} days; an account may have {self.gpu_hours:g}.",
                hint="Hours come back as they grow older than that; or ask an admin.",
            )

    def _folders(self, owner: str) -> Iterable[Path]:
        places = {
            DATASETS: "datasets", RUNS: "runs", CORPORA: "corpora", UPLOADS: "uploads", MAKINGS: "makings", SWEEPS: "sweeps",
        }  # fmt: skip
        for table, place in places.items():
            for id in self._store.ids_of(table, owner):
                yield self._workspace.path / place / id
                if table is CORPORA:
                    yield self._workspace.indexes / id


def size_mb_of(folders: Iterable[Path]) -> float:
    """What files below these folders take on the disk; each counts once, however many names it has."""
    seen: set[tuple[int, int]] = set()
    total = 0
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                        continue
                    stat = entry.stat(follow_symlinks=False)
                    if (stat.st_dev, stat.st_ino) not in seen:
                        seen.add((stat.st_dev, stat.st_ino))
                        total += stat.st_blocks * 512
        except FileNotFoundError:  # it went meanwhile
            continue
    return total / 1e6
