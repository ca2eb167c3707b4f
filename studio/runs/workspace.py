"""The one folder that holds everything: what lies where, who uses it, what is swept away."""

import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from studio.errors import HostError
from studio.files import read_json, write_json

STALE_S = 24 * 3600
"""Uploads and temporary files older than this are swept."""
BROKEN_OFF_S = 600
"""An upload that has not grown for so long is one that was broken off."""
SPARE_MB = 200
"""Room that is always left on the disk."""


class Workspace:
    """studio.db, datasets/<id>, drafts/<dataset>.json, uploads/<id>, makings/<id>, runs/<id>, corpora/<id>,
    indexes/<corpus>/<model key>, tmp."""

    def __init__(self, path: Path):
        self.path = path.absolute()
        self.datasets = self.path / "datasets"
        self.drafts = self.path / "drafts"
        self.uploads = self.path / "uploads"
        self.makings = self.path / "makings"
        self.runs = self.path / "runs"
        self.corpora = self.path / "corpora"
        self.indexes = self.path / "indexes"
        self.sweeps = self.path / "sweeps"
        self.tmp = self.path / "tmp"
        self.page_tmp = self.tmp / "gradio"
        """Where files that the page takes in arrive (GRADIO_TEMP_DIR)."""
        self.speeds = self.path / "speeds.json"
        """What trainings took on this machine; see studio.training.speeds."""
        self.secret = self.path / "secret.key"
        """What sessions of accounts are signed with."""
        self.check_quota: Callable[[str], None] = lambda owner: None
        """Raises HostError when an owner's things take all the room that they may; the server says how (quotas.py)."""
        self._server = self.path / "server.json"
        self._lock = None

    def open(self, address: str) -> None:
        """Make the folders and lock them for this server, known to others by its address.

        Raises:
            HostError: not writable, or another server uses it.
        """
        try:
            parts = (
                self.datasets,
                self.drafts,
                self.uploads,
                self.makings,
                self.runs,
                self.corpora,
                self.indexes,
                self.sweeps,
                self.page_tmp,
            )
            for folder in parts:
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "server.lock").open("a")
            probe = self.tmp / f"probe.{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            self.close()
            raise HostError(
                f"The workspace {self.path} cannot be written: {error.strerror}.",
                hint="Choose another folder with --workspace or STUDIO_WORKSPACE.",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            first = read_json(self._server, {})
            raise HostError(
                f"Another studio uses the workspace {self.path} already: process {first.get('pid', 'unknown')} on "
                f"{first.get('host', 'an unknown machine')}, at {first.get('address', 'an unknown address')}.",
                hint="Use that one, stop it, or choose another folder with --workspace.",
            ) from None
        self.announce(address)

    def announce(self, address: str) -> None:
        write_json(self._server, {"pid": os.getpid(), "host": socket.gethostname(), "address": address})

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def sweep(self, *, older_than_s: float = STALE_S) -> None:
        """Remove temporary files that nobody can be using any more."""
        before = time.time() - older_than_s
        for path in (*self.tmp.iterdir(), *self.page_tmp.iterdir()):
            if path != self.page_tmp and path.lstat().st_mtime < before:
                remove(path)
        # Whatever arrived whole lies in a folder; a file is an upload that goes on, or one that was broken off.
        for path in self.page_tmp.glob("tmp*"):
            if path.is_file() and path.stat().st_mtime < time.time() - BROKEN_OFF_S:
                path.unlink(missing_ok=True)

    def discard(self, path: Path) -> None:
        """Remove a folder: it is gone under its name at once, even when the process dies meanwhile."""
        aside = self.tmp / f"{path.name}.{time.monotonic_ns()}"
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        remove(aside)

    def may_come_in(self, path: Path) -> bool:
        """Whether a path is a file that may be brought in: none of the workspace's own, except what arrived in its tmp."""
        path = path.resolve()
        ours = path.is_relative_to(self.path.resolve()) and not path.is_relative_to(self.tmp.resolve())
        return path.is_file() and not ours

    def check_room(self, needed_mb: float, what: str) -> None:
        """Raises HostError when the disk has not this much room and some to spare."""
        free_mb = shutil.disk_usage(self.path).free / 1e6
        if free_mb < needed_mb + SPARE_MB:
            raise HostError(
                f"The disk is too full for {what}: about {needed_mb + SPARE_MB:,.0f} MB are needed, "
                f"{free_mb:,.0f} MB are free in {self.path}.",
                hint="Delete runs that are not needed any more and remove them for good ('Deleted runs' on the Runs tab), or make "
                "room on the disk.",
            )


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def link_tree(source: Path, target: Path) -> None:
    """Copy a folder without using room where the disk can do that (hard links); both are never changed afterwards."""
    shutil.copytree(source, target, copy_function=link_or_copy)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def size_mb(paths: Iterable[Path]) -> float:
    return sum(path.stat().st_size for path in paths) / 1e6
