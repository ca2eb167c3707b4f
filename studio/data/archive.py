"""Tables inside zip and gzip files, unpacked with care: nothing is trusted that the archive says about itself."""

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from studio.data.encoding import TABLE_HINT
from studio.data.way import Way
from studio.errors import DataError, HostError

MAX_UNPACKED_MB = 2_048
MAX_RATIO = 250
"""Unpacked over packed size. Real tables reach 50; archives that are made to do harm reach 1,000 and more."""
SMALL_MB = 20
"""Below this any ratio is harmless."""
MAX_MEMBERS = 10_000
TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".parquet", ".xlsx", ".xlsm")
PLAIN = (".txt", "")
"""Taken for tables where there is no file of a clearer kind."""
ARCHIVES = (".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".zst")
WHOLE_ONLY = (".json", ".parquet", ".xlsx", ".xlsm")
"""Kinds whose beginning alone says nothing."""
HEAD_BYTES = 8 << 20
BLOCK = 1 << 20
DAMAGED = (EOFError, OSError, RuntimeError, NotImplementedError, ValueError, zipfile.BadZipFile, zlib.error)
"""What unpacking a damaged, locked or unusually packed archive raises."""
HINT = "Unpack it and upload the table itself."


@contextmanager
def unpacked(path: Path, name: str, member: str | None, way: Way) -> Iterator[tuple[Path, str, str | None]]:
    """The table in an archive as a file of its own, removed afterwards: (path, its name, member where there was a choice).

    Args:
        member: the file to take out of a zip that holds several tables; None takes the first.
        way: of a table of text whose beginning is all that is asked for, no more is unpacked.

    Raises:
        DataError: broken or locked archive, no table in it, an archive in the archive, or more than can be unpacked.
    """
    with tempfile.TemporaryDirectory(prefix="sentence-studio-") as folder:
        if is_gzip(path):
            inner = PurePosixPath(name).name
            inner = inner[:-3] if inner.lower().endswith(".gz") else inner
            target = Path(folder) / ("table" + _suffix(inner))
            with _told("gzip"), gzip.open(path) as source:
                copy_out(source, target, path.stat().st_size, _most(inner, way))
            chosen = None
        else:
            with _told("zip"), zipfile.ZipFile(path) as archive:
                refuse_bomb(archive, path)
                found = _tables(archive)
                if member is not None and len(found) > 1 and member not in found:
                    raise DataError(f"There is no table '{member}' in the archive.", hint=f"It holds: {_list(found)}.")
                inner = member if member is not None and member in found else found[0]
                chosen = inner if len(found) > 1 else None
                target = Path(folder) / ("table" + _suffix(inner))
                info = archive.getinfo(inner)
                if info.flag_bits & 1:
                    raise DataError("The zip archive is locked with a password.", hint=HINT)
                with archive.open(info) as source:
                    copy_out(source, target, max(info.compress_size, 1), _most(inner, way))
        _refuse_nested(target)
        yield target, PurePosixPath(inner).name, chosen


@contextmanager
def unpacked_several(path: Path, members: Sequence[str]) -> Iterator[dict[str, Path]]:
    """Several files of a zip: member -> a file of its own, removed afterwards. Raises DataError as :func:`unpacked`."""
    with tempfile.TemporaryDirectory(prefix="sentence-studio-") as folder:
        places = {}
        with _told("zip"), zipfile.ZipFile(path) as archive:
            refuse_bomb(archive, path, whole=True)
            for number, member in enumerate(members):
                info = archive.getinfo(member)
                if info.flag_bits & 1:
                    raise DataError("The zip archive is locked with a password.", hint=HINT)
                places[member] = Path(folder) / f"{number}{_suffix(member)}"
                with archive.open(info) as source:
                    copy_out(source, places[member], max(info.compress_size, 1))
        for place in places.values():
            _refuse_nested(place)
        yield places


def tables_in(path: Path) -> list[str]:
    """Names of the tables in a zip, as it lists them; empty for a gzip. Raises DataError as :func:`unpacked`."""
    if is_gzip(path):
        return []
    with _told("zip"), zipfile.ZipFile(path) as archive:
        return _tables(archive)


def is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def refuse_bomb(archive: zipfile.ZipFile, path: Path, *, whole: bool = False) -> None:
    """Raises DataError when the sizes that a zip states would do harm. Python never unpacks more than is stated.

    ``whole``: all files in it will be read, as those of a workbook are, not one.
    """
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise DataError(f"The archive holds {len(members):,} files; at most {MAX_MEMBERS:,} are looked at.", hint=HINT)
    sizes = [member.file_size for member in members]
    _refuse_size(sum(sizes) if whole else max(sizes, default=0), path.stat().st_size)


def _refuse_size(size: int, packed: int) -> None:
    if size > MAX_UNPACKED_MB * 1_000_000:
        raise DataError(
            f"Unpacked it has more than {MAX_UNPACKED_MB:,} MB, which is more than can be read.",
            hint="Split it, or keep only what matters.",
        )
    if size > SMALL_MB * 1_000_000 and size > MAX_RATIO * packed:
        raise DataError(
            f"The archive unpacks to more than {MAX_RATIO} times its size: files like that are made to fill disks, so it was not read.",
            hint=HINT,
        )


def unpacked_bytes(path: Path) -> int:
    """Size of the largest file in an archive, as it states it. Good for a guess only; 0 where it is broken."""
    try:
        if is_gzip(path):
            with path.open("rb") as file:
                file.seek(-4, 2)
                return max(int.from_bytes(file.read(), "little"), path.stat().st_size)
        with zipfile.ZipFile(path) as archive:
            return max((member.file_size for member in archive.infolist()), default=0)
    except (OSError, zipfile.BadZipFile):
        return 0


def _most(name: str, way: Way) -> int | None:
    """Bytes that are enough for the beginning of a table of text."""
    return None if way.limit is None or _suffix(name) in WHOLE_ONLY else HEAD_BYTES


def copy_out(source: BinaryIO, target: Path, packed: int, most: int | None = None) -> None:
    """Unpack one file, of ``packed`` bytes in the archive, into ``target``.

    Writes until the end or until it is too much (or ``most``), whichever is first.
    """
    size = 0
    with target.open("wb") as out:
        while (most is None or size < most) and (block := source.read(BLOCK)):
            size += len(block)
            _refuse_size(size, packed)
            if shutil.disk_usage(target.parent).free < 4 * len(block):
                raise HostError("The disk is too full to unpack the archive.", hint="Make room on the disk.")
            out.write(block)
    if not size:
        raise DataError("The archive holds an empty file.", hint="Save or upload it again.")


@contextmanager
def _told(kind: str) -> Iterator[None]:
    """Damaged archives raise many things; people are told one."""
    try:
        yield
    except DAMAGED as error:
        raise DataError(
            f"The {kind} archive is broken, cut off or packed in an unusual way.",
            hint=f"Pack or upload it again. {TABLE_HINT}",
        ) from error


def _tables(archive: zipfile.ZipFile) -> list[str]:
    """Files that may be tables: those of a clear kind, or else plain text."""
    names = [
        info.filename
        for info in archive.infolist()
        if not info.is_dir() and not any(p.startswith((".", "__MACOSX")) for p in PurePosixPath(info.filename).parts)
    ]
    for kinds in (TABLES, PLAIN):
        found = [name for name in names if _suffix(name) in kinds]
        if found:
            return found
    if any(_suffix(name) in ARCHIVES for name in names):
        raise DataError(
            f"The archive holds another archive ({_list(names)}); archives in archives are not read.", hint=HINT
        )
    raise DataError(
        f"The zip archive holds no table{f' ({_list(names)})' if names else ''}.",
        hint="Pack a CSV, TSV, JSON Lines, JSON, Parquet or Excel file.",
    )


def _refuse_nested(path: Path) -> None:
    """Whatever its name, an archive is not unpacked twice. Workbooks are zips too, and are read."""
    with path.open("rb") as file:
        head = file.read(262)
    nested = head[:2] == b"\x1f\x8b" or head[257:262] == b"ustar"
    if head[:4] == b"PK\x03\x04":
        with _told("zip"), zipfile.ZipFile(path) as archive:
            nested = "xl/workbook.xml" not in archive.namelist()
    if nested:
        raise DataError("The archive holds another archive; archives in archives are not read.", hint=HINT)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _list(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8:,} more" if len(names) > 8 else "")
