"""Documents in: text, Markdown, HTML, PDF and Word files, or a zip or folder of them, become titles, sections, paragraphs.

Nothing is fetched and nothing is run: pictures, links and scripts stay what they are. A file that cannot be read is
named with the reason and costs nothing else.
"""

import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from studio.data.archive import ARCHIVES, DAMAGED, copy_out, is_zip, refuse_bomb
from studio.data.encoding import MAGIC, detect_encoding
from studio.data.html_text import declared_encoding, read_html
from studio.data.markdown_text import read_markdown
from studio.data.outline import Document
from studio.data.plain_text import read_text
from studio.errors import DataError

KINDS = {
    ".txt": "text", ".text": "text", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html", ".xhtml": "html",
    ".pdf": "pdf", ".docx": "docx",
}  # fmt: skip
"""Ending of a file -> what it is read as."""
MAX_FILES = 5_000
MAX_FILE_MB = {"text": 20, "markdown": 20, "html": 20, "pdf": 200, "docx": 50}
EFFORT = {"text": (0.001, 0.6), "markdown": (0.002, 2.5), "html": (0.003, 0.3), "pdf": (0.3, 2.0), "docx": (0.05, 1.0)}
"""Seconds a file, and a megabyte of it: measured on two cores of an EPYC."""
MAX_WORDS = 20_000_000
"""All documents together; what comes after is named and left out."""
TAIL = re.compile(r"(?<=\S)\s+[-–—|·:]{1,2}\s+[^-–—|·]+$")
OTHER = "is of a kind that is not read"
HINT = "Documents are text (.txt), Markdown (.md), HTML, PDF and Word (.docx) files, or a zip of them."

Report = Callable[[int, int, str], None]
"""Told how many files are done, of how many, and the name of the next."""


@dataclass(frozen=True)
class Unread:
    """A file that gave no document."""

    name: str
    reason: str
    """Goes on after the name: ``is locked with a password``."""


@dataclass(frozen=True)
class Library:
    """What some files hold."""

    documents: tuple[Document, ...]
    unread: tuple[Unread, ...] = ()

    @property
    def words(self) -> int:
        return sum(document.words for document in self.documents)

    def to_json(self) -> dict[str, Any]:
        return {
            "documents": [each.to_json() for each in self.documents],
            "unread": [asdict(each) for each in self.unread],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Library":
        documents = tuple(map(Document.from_json, value["documents"]))
        return cls(documents, tuple(Unread(**each) for each in value["unread"]))


def files_of(places: Sequence[Path]) -> list[tuple[Path, str]]:
    """Files and, sorted, all files in folders, each with its name for people. Hidden ones and links are passed over.

    Raises:
        DataError: a place that does not exist.
    """
    found = []
    for place in places:
        if place.is_dir():
            inside = sorted(path for path in place.rglob("*") if path.is_file() and not path.is_symlink())
            names = [(path, path.relative_to(place).as_posix()) for path in inside]
            found += [(path, name) for path, name in names if not _is_hidden(name)]
        elif place.is_file():
            found.append((place, place.name))
        else:
            raise DataError(f"There is no file or folder {place}.", hint="Check the path.")
    return found


def read_documents(
    files: Sequence[tuple[Path, str]], report: Report | None = None, stopped: Callable[[], bool] = lambda: False
) -> Library:
    """Every document in ``files`` (path, name for people), those inside of zips too.

    Args:
        report: Told after each file.
        stopped: Asked before each file; once it says yes, what was read so far is returned.

    Raises:
        DataError: no file could be read, or more than 5,000 files.
    """
    total = sum(len(_sizes(path)) or 1 if _is_archive(path, name) else 1 for path, name in files)
    if total > MAX_FILES:
        raise DataError(
            f"These are {total:,} files; at most {MAX_FILES:,} are read at a time.", hint="Bring fewer, or in parts."
        )
    documents: list[Document] = []
    unread: list[Unread] = []
    words = 0
    for done, (name, path) in enumerate(_each(files)):
        if report:
            report(done, total, name)
        if stopped():
            return Library(tuple(documents), tuple(unread))
        try:
            if isinstance(path, DataError):
                raise path
            document = read_document(path, name)
            if words + document.words > MAX_WORDS:
                raise DataError(f"is left out: together the documents have more than {MAX_WORDS:,} words")
        except DataError as error:
            unread.append(Unread(name, error.message))
            continue
        words += document.words
        documents.append(document)
    if report:
        report(len(documents) + len(unread), total, "")
    if not documents:
        raise none_read(unread)
    return Library(_without_site(documents), tuple(unread))


def _without_site(documents: Sequence[Document]) -> tuple[Document, ...]:
    """Web pages often end their titles with the site's name: what most titles of a set have in common behind a dash goes."""
    ends = Counter(TAIL.search(each.title)[0] for each in documents if each.kind == "html" and TAIL.search(each.title))
    pages = sum(each.kind == "html" for each in documents)
    site = {end for end, often in ends.items() if often >= 3 and often > pages / 3}
    return tuple(
        replace(each, title=TAIL.sub("", each.title))
        if each.kind == "html" and (found := TAIL.search(each.title)) and found[0] in site
        else each
        for each in documents
    )


def effort_s(files: Sequence[tuple[Path, str]]) -> float:
    """About how long :func:`read_documents` will take on one usual core, by number, kind and size of the files."""
    seconds = 0.0
    for path, name in files:
        sizes = _sizes(path) if _is_archive(path, name) else [(name, path.stat().st_size)]
        for each, size in sizes:
            fixed, a_mb = EFFORT.get(KINDS.get(PurePosixPath(each).suffix.lower(), ""), (0.0, 0.0))
            seconds += fixed + a_mb * size / 1e6
    return seconds


def told(unread: Sequence[Unread]) -> list[tuple[str, str]]:
    """(name, what is so with it), each a line: files of kinds that are not read, such as a site's scripts, in one."""
    others = Counter(
        PurePosixPath(each.name).suffix.lower() or "no ending" for each in unread if each.reason.startswith(OTHER)
    )
    lines = [(each.name, each.reason) for each in unread if not each.reason.startswith(OTHER)]
    if others:
        kinds = ", ".join(f"{many:,} {kind}" for kind, many in others.most_common(8))
        number = sum(others.values())
        lines.append(("1 file" if number == 1 else f"{number:,} files", f"of kinds that are not read: {kinds}"))
    return lines


def none_read(unread: Sequence[Unread]) -> DataError:
    if not unread:
        return DataError("There are no documents.", hint=HINT)
    first = unread[0]
    what = f"{first.name} {first.reason}."
    return DataError(
        what if len(unread) == 1 else f"None of the {len(unread):,} files could be read. {what}", hint=HINT
    )


def read_document(path: Path, name: str) -> Document:
    """One document. Raises DataError whose message goes on after the file's name."""
    kind = _kind(path, name)
    if path.stat().st_size > MAX_FILE_MB[kind] * 1_000_000:
        raise DataError(f"is larger than {MAX_FILE_MB[kind]} MB")
    if kind == "pdf":
        from studio.data.pdf import read_pdf

        document = read_pdf(path, name)
    elif kind == "docx":
        from studio.data.docx_text import read_docx

        document = read_docx(path, name)
    else:
        document = {"text": read_text, "markdown": read_markdown, "html": read_html}[kind](_text(path, kind), name)
    if not document.words:
        raise DataError("has no text in it")
    return document


def _kind(path: Path, name: str) -> str:
    """What the bytes are, where they say so; else what the name says."""
    with path.open("rb") as file:
        head = file.read(1024)
    if not head.strip():
        raise DataError("is empty")
    suffix = PurePosixPath(name).suffix.lower()
    kind = KINDS.get(suffix, "")
    if head.startswith(b"%PDF"):
        return "pdf"
    if kind == "pdf":
        return kind if b"%PDF" in head else _refuse("is broken or no PDF")
    if is_zip(path):
        return "docx" if kind == "docx" else _refuse("is an archive in the archive, which is not opened")
    if kind == "docx":
        _refuse(
            "is locked with a password or no Word document"
            if head.startswith(b"\xd0\xcf\x11\xe0")
            else "is no Word document"
        )
    for start, what in MAGIC:
        if head.startswith(start):
            _refuse(f"is {what}, not a document")
    return kind or _refuse(f"{OTHER} ({suffix or 'no ending'})")


def _refuse(reason: str) -> Any:
    raise DataError(reason)


def _text(path: Path, kind: str) -> str:
    content = path.read_bytes()
    declared = declared_encoding(content[:4096]) if kind == "html" else None
    try:
        found = detect_encoding(path).name
        if declared and not found.startswith("utf"):
            found = detect_encoding(path, declared).name
    except DataError as error:
        if declared is None or "no encoding" not in error.message:
            raise DataError("is a binary file, not a text") from None
    return content.decode(found, "replace").replace("\0", "")


def _each(files: Sequence[tuple[Path, str]]) -> Iterator[tuple[str, Path | DataError]]:
    """Name and path of each file, or why it cannot be had. Those of a zip are unpacked one by one and removed again."""
    for path, name in files:
        if not _is_archive(path, name):
            yield name, path
            continue
        try:
            with (
                _told(),
                zipfile.ZipFile(path) as archive,
                tempfile.TemporaryDirectory(prefix="sentence-studio-") as folder,
            ):
                refuse_bomb(archive, path, whole=True)
                target = Path(folder) / "document"  # never under the name that the archive gives
                for info in _members(archive):
                    yield info.filename, _unpacked(archive, info, target)
                    target.unlink(missing_ok=True)
        except DataError as error:
            yield name, DataError(f"was not opened: {error.message[:1].lower()}{error.message[1:].rstrip('.')}")


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> Path | DataError:
    kind = KINDS.get(PurePosixPath(info.filename).suffix.lower())
    if info.flag_bits & 1:
        return DataError("is locked with a password")
    if kind is None:
        suffix = PurePosixPath(info.filename).suffix.lower()
        archived = suffix in ARCHIVES
        return DataError(
            "is an archive in the archive, which is not opened" if archived else f"{OTHER} ({suffix or 'no ending'})"
        )
    if not info.file_size:
        return DataError("is empty")
    if info.file_size > MAX_FILE_MB[kind] * 1_000_000:
        return DataError(f"is larger than {MAX_FILE_MB[kind]} MB")
    try:
        with archive.open(info) as source:
            copy_out(source, target, max(info.compress_size, 1))
    except DataError as error:
        return DataError(f"was not unpacked: {error.message}")
    except DAMAGED:
        return DataError("is broken in the archive")
    return target


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DAMAGED as error:
        raise DataError("The zip archive is broken or cut off.", hint="Pack or upload it again.") from error


def _is_archive(path: Path, name: str) -> bool:
    """A zip of documents; a Word file is a zip too, and is not opened as one."""
    return (
        is_zip(path)
        and not name.lower().endswith(".docx")
        and not any(each == "word/document.xml" for each, _ in _sizes(path))
    )


def _sizes(path: Path) -> list[tuple[str, int]]:
    """Name and size of each file in a zip that counts; none when it is broken."""
    try:
        with _told(), zipfile.ZipFile(path) as archive:
            return [(info.filename, info.file_size) for info in _members(archive)]
    except DataError:
        return []


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [info for info in archive.infolist() if not info.is_dir() and not _is_hidden(info.filename)]


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in PurePosixPath(name).parts)
