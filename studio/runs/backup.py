"""A whole workspace as one file, taken while its server works; and a workspace out of such a file.

The database is copied first, as of one moment. Of the folders only those come along that it knows, and of its rows only
those whose folder could be copied: what was made or deleted meanwhile is in the backup wholly or not at all. Files that
grow (a run's events, its log) are taken as long as they are then. A run that trains comes back as one whose process was
lost, and goes on from its last whole checkpoint. Indexes are left out: they are built again when somebody searches.
"""

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from studio import __version__
from studio.errors import HostError
from studio.runs.executors.local import LEFT_BY_SHIM
from studio.runs.store import FOLDER_OF, Store, copy_sqlite
from studio.runs.workspace import Workspace
from studio.settings import Settings

MANIFEST = "backup.json"
DATABASE = "studio.db"
LEFT_OUT = {"tmp", "indexes", "server.json", "server.lock", DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"}
OF_PROCESSES = {*LEFT_BY_SHIM, "alive.lock"}
"""A process of the machine that was backed up must not be taken for one of the machine that it comes back on."""

Report = Callable[[str, int], None]
"""Told the part of the workspace that comes next, and bytes so far."""


@dataclass(frozen=True)
class Backed:
    """What a backup holds."""

    files: int
    bytes: int
    made: str
    """When, UTC."""


def back_up(settings: Settings, out: Path, report: Report = lambda part, done: None) -> Backed:
    """Write the workspace to the file ``out``, which nobody else may read: it holds people's texts and the secret key.

    Raises:
        HostError: there is no workspace, its database is not SQLite, ``out`` exists or cannot be written, the disk is full.
    """
    place = Workspace(settings.workspace)
    if not (place.path / DATABASE).is_file():
        raise HostError(
            f"There is no workspace with a database in {place.path}.",
            hint="Name the folder with --workspace. A database of its own (STUDIO_DATABASE_URL) is backed up by its own tools.",
        )
    if out.exists():
        raise HostError(f"{out} is there already.", hint="Choose another name for the backup.")
    out = out.absolute()
    if out.is_relative_to(place.path):
        raise HostError("A backup cannot lie in the workspace that it is of.", hint="Choose another folder.")
    aside = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as room:
            snapshot = Path(room) / DATABASE
            copy_sqlite(place.path / DATABASE, snapshot)
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                backed = _write(file, place.path, snapshot, report)
                file.flush()
                os.fsync(file.fileno())
        aside.rename(out)
    except OSError as error:
        raise HostError(f"The backup {out} cannot be written: {error.strerror or error}.") from error
    finally:
        aside.unlink(missing_ok=True)
    return backed


def _write(file: BinaryIO, root: Path, snapshot: Path, report: Report) -> Backed:
    store = Store(f"sqlite:///{snapshot}")
    try:
        store.open()  # brings the copy up to date
        store.drop_indexes()
        known = {folder: set(store.ids(table)) for folder, table in FOLDER_OF.items()}
        had = {(folder, id) for folder, ids in known.items() for id in ids if (root / folder / id).exists()}
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            packing = _Packing(archive, snapshot.parent)
            for part in sorted(root.iterdir()):
                if part.name in LEFT_OUT or part.name.startswith("."):
                    continue
                report(part.name, packing.bytes)
                for one in [part] if part.is_file() else sorted(part.iterdir()):
                    if one == part or part.name not in known or one.name in known[part.name]:
                        for path in _files(one):
                            packing.take(path, path.relative_to(root).as_posix())
            for folder, id in had:
                if not (root / folder / id).exists():
                    store.strike(FOLDER_OF[folder], id)
            store.close()
            packing.take(snapshot, DATABASE)
            return packing.close()
    finally:
        store.close()


class _Packing:
    """Files on their way into an archive, with a list of them and their hashes at its end."""

    def __init__(self, archive: tarfile.TarFile, room: Path):
        self._archive = archive
        self._room = room
        self._hashes: dict[str, tuple[int, str]] = {}
        self.bytes = 0

    def take(self, path: Path, name: str) -> None:
        """One file as long as it is now; nothing when it has gone."""
        with suppress(FileNotFoundError):
            if path.suffix == ".db" and path.parent != self._room:
                path = self._copy(path)
            with path.open("rb") as source:
                counted = _Counted(source)
                # The name only: hard links become files, so that nothing of this disk is needed where it is unpacked.
                info = tarfile.TarInfo(name)
                status = os.fstat(source.fileno())
                info.size, info.mtime = status.st_size, int(status.st_mtime)
                self._archive.addfile(info, counted)
            self._hashes[name] = (info.size, counted.hash.hexdigest())
            self.bytes += info.size

    def _copy(self, database: Path) -> Path:
        """A database (a sweep's) as of one moment; one that somebody writes to cannot be copied as a file."""
        copy = self._room / "copy.db"
        copy.unlink(missing_ok=True)
        copy_sqlite(database, copy)
        return copy

    def close(self) -> Backed:
        made = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        body = json.dumps({"version": __version__, "made": made, "files": self._hashes}).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mtime = len(body), int(time.time())
        self._archive.addfile(info, io.BytesIO(body))
        return Backed(len(self._hashes), self.bytes, made)


def restore(backup: Path, workspace: Path, report: Report = lambda part, done: None) -> Backed:
    """Make the workspace that a backup is of, in a folder that is new or empty. Nothing appears there before all is checked.

    Raises:
        HostError: the file is no backup, is damaged, or the folder has something in it or cannot be written.
    """
    workspace = workspace.absolute()
    if workspace.exists() and (not workspace.is_dir() or any(workspace.iterdir())):
        raise HostError(
            f"{workspace} is not empty.", hint="Name a new folder with --workspace; nothing is overwritten."
        )
    aside = workspace.with_name(f".{workspace.name}.restore.{os.getpid()}")
    try:
        workspace.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir(mode=0o700)
        with tarfile.open(backup, "r:") as archive:
            found = _unpack(archive, aside, report)
        if workspace.exists():
            workspace.rmdir()
        aside.rename(workspace)
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise HostError(
            f"{backup} is not a whole backup: {error}.", hint="Take another one; nothing was restored."
        ) from error
    except OSError as error:
        raise HostError(f"{backup} cannot be restored: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return found


def _unpack(archive: tarfile.TarFile, target: Path, report: Report) -> Backed:
    hashes: dict[str, tuple[int, str]] = {}
    manifest = None
    total, part = 0, ""
    for member in archive:
        if not member.isreg():
            raise ValueError(f"'{member.name}' is no plain file")
        source = archive.extractfile(member)
        if member.name == MANIFEST:
            manifest = json.loads(source.read())
            continue
        checked = tarfile.data_filter(member, str(target))
        path = target / checked.name
        path.parent.mkdir(parents=True, exist_ok=True)
        counted = _Counted(source)
        with path.open("xb") as file:
            shutil.copyfileobj(counted, file, 1 << 20)
        path.chmod(0o600 if checked.name == "secret.key" else 0o644)
        os.utime(path, (member.mtime, member.mtime))
        hashes[checked.name] = (member.size, counted.hash.hexdigest())
        total += member.size
        if (first := checked.name.partition("/")[0]) != part:
            part = first
            report(part, total)
    if manifest is None:
        raise ValueError("it has no end")
    for name, expected in manifest["files"].items():
        if hashes.get(name) != tuple(expected):
            raise ValueError(f"'{name}' is missing or damaged")
    if DATABASE not in hashes or len(hashes) != len(manifest["files"]):
        raise ValueError("it holds other files than it says")
    return Backed(len(hashes), total, manifest["made"])


class _Counted:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.hash.update(data)
        return data


def _files(path: Path) -> Iterator[Path]:
    """All files of a folder that are not a process's own and not half written, in a fixed order."""
    if path.is_file():
        yield path
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            half = name.startswith(".") and name.endswith(".tmp")
            beside = name.endswith((".db-wal", ".db-shm", ".db-journal"))
            if name not in OF_PROCESSES and not half and not beside and not Path(folder, name).is_symlink():
                yield Path(folder, name)
