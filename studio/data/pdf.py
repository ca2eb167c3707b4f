"""PDF as a document, in a process of its own: ``python -m studio.data.pdf FILE`` prints it as JSON.

A PDF says where letters stand, not what they are: lines, paragraphs and headings are found from places, sizes and
bookmarks. PDFium, which reads the file, is a large program in C++ that meets files from anywhere, so it runs beside the
studio, with limits on time and memory; a file that breaks it costs that file.
"""

import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.data.outline import Document, Outline, plain
from studio.errors import DataError

MAX_PAGES = 2_000
TIME_S = 120
MEMORY_MB = 2_000
LARGER = 1.12
"""Times the usual size of letters from which a line is a heading."""
MAX_HEADING_WORDS = 16
RUNNING = 3
"""Pages on which a first or last line stands to be a running header or footer."""
MARGIN_LINES = 2
"""Lines at the top and at the bottom of a page that may be running ones."""
GAP = 1.35
"""Times the usual distance of lines from which a paragraph ends."""
DOTS = re.compile(r"(?:\.\s?){4,}|(?:…\s?){2,}")
"""Of a table of contents."""
BULLET = re.compile(r"[•●◦▪–·*]\s+")
NUMBER = re.compile(
    r"^(?:chapter|appendix|part|section)?\s*(?:[ivxlc]+|[a-z]|\d{1,3})?(?:\.\d{1,3})*[.:)]?\s+(?=\S)", re.I
)
NO_TITLE = re.compile(
    r"^(untitled|microsoft word|microsoft powerpoint|document\d*|slide \d|.*\.(docx?|tex|dvi|indd|xml|odt|pdf))\b", re.I
)
PARTED = "\xad"
"""At the end of a line: the word goes on in the next one."""
BROKEN = "is broken or no PDF"
LOCKED = "is locked with a password"
SCANNED = "has no text in it: probably pictures of pages (a scan), which would need text recognition first"


def read_pdf(path: Path, name: str) -> Document:
    """Raises DataError, in the middle of a sentence after the file's name: locked, broken, a scan, too large for the limits."""
    command = [sys.executable, "-m", "studio.data.pdf", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIME_S, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise DataError(f"takes longer than {TIME_S} seconds to read") from None
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise DataError(BROKEN) from None
    if "error" in found:
        raise DataError(found["error"])
    return replace(Document.from_json(found), name=name)


@dataclass(frozen=True)
class Line:
    text: str
    page: int
    size: float
    """Height of its letters in points."""
    bold: bool
    left: float
    right: float
    top: float
    """Distance from the page's bottom."""


def main(arguments: list[str]) -> int:
    """Exit status 0 whenever something was printed."""
    _limit()
    try:
        found: dict[str, Any] = _read(Path(arguments[0])).to_json()
    except DataError as error:
        found = {"error": error.message}
    print(json.dumps(found))
    return 0


def _limit() -> None:
    import resource

    for what, most in ((resource.RLIMIT_AS, MEMORY_MB * 1_000_000), (resource.RLIMIT_CPU, TIME_S)):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):
            continue  # some systems have no such limit; the one on time holds everywhere


def _read(path: Path) -> Document:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise DataError(LOCKED if "assword" in str(error) else BROKEN) from None
    if len(pdf) > MAX_PAGES:
        raise DataError(f"has {len(pdf):,} pages; at most {MAX_PAGES:,} are read")
    pages = []
    for number in range(len(pdf)):
        try:
            pages.append(list(_lines(pdf[number].get_textpage(), number + 1)))
        except pypdfium2.PdfiumError:
            pages.append([])
    if not any(pages):
        raise DataError(SCANNED)
    stated = plain(pdf.get_metadata_dict().get("Title", ""))
    return arrange(pages, _bookmarks(pdf), "" if NO_TITLE.match(stated) else stated)


def _bookmarks(pdf: Any) -> dict[int, dict[str, int]]:
    """Page -> what is marked there, spelt as :func:`_key`, and how deep."""
    import pypdfium2

    found: dict[int, dict[str, int]] = {}
    try:
        for mark in pdf.get_toc(max_depth=6):
            target = mark.get_dest()
            page = target.get_index() if target is not None else None
            key = _key(mark.get_title())
            if page is not None and key:
                found.setdefault(page + 1, {})[key] = mark.level + 1
    except pypdfium2.PdfiumError:
        pass
    return found if sum(map(len, found.values())) > 2 else {}


def _lines(text: Any, page: int) -> Iterator[Line]:
    """PDFium's lines of a page, in its reading order."""
    from pypdfium2 import raw

    count = text.count_chars()
    start = 0
    letters: list[str] = []
    for position in range(count + 1):
        code = raw.FPDFText_GetUnicode(text, position) if position < count else 10
        # PDFium lays the two halves of a word that is parted at the end of a line together, with this sign between them.
        parted = position < count and raw.FPDFText_IsHyphen(text, position) == 1
        if code not in (10, 13) and not parted:
            letters.append(chr(code) if code < 0x110000 else "")
            continue
        if "".join(letters).strip():
            yield _line(text, "".join(letters), start, position, page, parted)
        letters, start = [], position + 1


def _line(text: Any, letters: str, start: int, end: int, page: int, parted: bool) -> Line:
    from pypdfium2 import raw

    shown = [start + i for i, c in enumerate(letters) if not c.isspace() and start + i < end]
    probes = shown[:: max(1, len(shown) // 5)][:6]
    sizes = sorted(_height(text, position) for position in probes)
    weights = [raw.FPDFText_GetFontWeight(text, position) for position in probes]
    left, _, _, top = text.get_charbox(shown[0], loose=True)
    right = text.get_charbox(shown[-1], loose=True)[2]
    bold = sum(weight >= 600 for weight in weights) > len(weights) / 2 or all(
        "bold" in _font(text, p) for p in probes[:2]
    )
    return Line(letters.strip() + PARTED * parted, page, sizes[len(sizes) // 2], bold, left, right, top)


def _height(text: Any, position: int) -> float:
    _, bottom, _, top = text.get_charbox(position, loose=True)
    return round(2 * abs(top - bottom)) / 2


def _font(text: Any, position: int) -> str:
    import ctypes

    from pypdfium2 import raw

    name = ctypes.create_string_buffer(128)
    raw.FPDFText_GetFontInfo(text, position, name, 128, None)
    return name.value.decode("utf-8", "replace").lower()


def arrange(pages: list[list[Line]], marks: dict[int, dict[str, int]], title: str) -> Document:
    """Lines of pages as a document.

    Args:
        marks: Page -> bookmarks there and their level; where a document has them, they alone say what a heading is.
        title: What the file says of itself; empty: it says nothing of use.
    """
    running = _running(pages)
    lines = [
        line
        for page in pages
        for at, line in enumerate(page)
        if not DOTS.search(line.text) and not (_at_margin(at, len(page)) and _is_running(line, running))
    ]
    body = Counter[float]()
    for line in lines:
        body[line.size] += len(line.text)
    usual = body.most_common(1)[0][0] if body else 0.0
    sizes = _steps({line.size for line in lines if line.size >= LARGER * usual})
    pitch = _pitch(lines)
    outline = Outline()
    paragraph: list[Line] = []
    position = 0

    def flush() -> None:
        if paragraph:
            outline.paragraph(BULLET.sub("", _joined([line.text for line in paragraph])), paragraph[0].page)
            paragraph.clear()

    while position < len(lines):
        level, taken = _heading(lines, position, marks, usual, sizes)
        if level:
            flush()
            heading = lines[position : position + taken]
            outline.heading(level, _joined([line.text for line in heading]), heading[0].page)
            position += taken
            continue
        line = lines[position]
        if paragraph and _parts(paragraph, line, pitch):
            flush()
        paragraph.append(line)
        position += 1
    flush()
    return outline.document("", "pdf", title or _largest(pages))


def _running(pages: list[list[Line]]) -> set[str]:
    """Lines at the margin of several pages, without their numbers."""
    seen = Counter[str]()
    for page in pages:
        seen.update({_shape(line.text) for at, line in enumerate(page) if _at_margin(at, len(page))})
    return {shape for shape, often in seen.items() if often >= RUNNING}


def _at_margin(at: int, count: int) -> bool:
    return at < MARGIN_LINES or at >= count - MARGIN_LINES


def _is_running(line: Line, running: set[str]) -> bool:
    shape = _shape(line.text)
    return shape in running or re.fullmatch(r"#|[ivxlc]{1,6}", shape) is not None


def _shape(text: str) -> str:
    return re.sub(r"\d+", "#", plain(text).casefold())


def _pitch(lines: list[Line]) -> float:
    """The usual distance from one line to the next, in heights of a line."""
    steps = Counter[float]()
    for before, line in itertools.pairwise(lines):
        step = (before.top - line.top) / (line.size or 1)
        if before.page == line.page and 0.5 < step < 3:
            steps[round(step, 1)] += 1
    return steps.most_common(1)[0][0] if steps else 1.2


def _heading(
    lines: list[Line], at: int, marks: dict[int, dict[str, int]], usual: float, sizes: dict[float, int]
) -> tuple[int, int]:
    """(level, lines that it takes); level 0: no heading stands here."""
    line = lines[at]
    if marks:
        here = marks.get(line.page, {})
        for taken in (1, 2, 3):
            part = lines[at : at + taken]
            if len(part) == taken and part[-1].page == line.page and part[-1].size == line.size:
                level = here.get(_key(_joined([each.text for each in part])))
                if level:
                    return level, taken
        return 0, 0
    if line.size in sizes:
        level = sizes[line.size]
    elif line.bold and line.size >= 0.95 * usual and not line.text.endswith((".", ",", ";", ":")):
        level = max(sizes.values(), default=0) + 1
    else:
        return 0, 0
    taken = 1
    while at + taken < len(lines) and _goes_on(line, lines[at + taken], taken):
        taken += 1
    text = _joined([each.text for each in lines[at : at + taken]])
    words = text.split()
    letters = sum(map(str.isalpha, text))
    return (
        (level, taken)
        if letters >= 3 and len(words) <= MAX_HEADING_WORDS and letters > 0.5 * len(text.replace(" ", ""))
        else (0, 0)
    )


def _steps(sizes: set[float]) -> dict[float, int]:
    """Size -> level of a heading, 1 for the largest; sizes that nearly agree are of one level."""
    found: dict[float, int] = {}
    level, top = 0, 0.0
    for size in sorted(sizes, reverse=True):
        if size < 0.94 * top or not top:
            level, top = level + 1, size
        found[size] = level
    return found


def _goes_on(first: Line, line: Line, taken: int) -> bool:
    """Whether a heading has this line too."""
    step = first.top - line.top
    return (line.page, line.size, line.bold) == (first.page, first.size, first.bold) and 0 < step < (
        taken + 0.6
    ) * 1.4 * line.size


def _parts(paragraph: list[Line], line: Line, pitch: float) -> bool:
    """Whether a paragraph ends before ``line``."""
    last = paragraph[-1]
    if abs(last.size - line.size) > 0.6:
        return True
    whole = last.text.rstrip("\"')]”’").endswith((".", "!", "?", ":", "。", "！", "？"))
    if last.page != line.page or line.top > last.top + line.size:
        return whole or line.text[:1].isupper()  # another page or column: a sentence may go on there
    step = (last.top - line.top) / (line.size or 1)
    if step > GAP * pitch or BULLET.match(line.text):
        return True
    indented = line.left > paragraph[0].left + 0.8 * line.size if len(paragraph) > 1 else False
    widest = max(each.right for each in paragraph)
    short = last.right < paragraph[0].left + 0.75 * (widest - paragraph[0].left) if len(paragraph) > 1 else False
    return whole and (indented or short)


def _joined(texts: list[str]) -> str:
    """Lines as one text; words that were parted at the end of a line are whole again."""
    found = ""
    for text in texts:
        if found.endswith(PARTED) or (re.search(r"[a-zà-ÿ]-$", found) and text[:1].islower()):
            found = found[:-1] + text
        else:
            found = f"{found} {text}" if found else text
    return found.replace(PARTED, "")


def _key(text: str) -> str:
    """A heading without number, case and signs."""
    text = plain(text)
    return "".join(filter(str.isalnum, (NUMBER.sub("", text, count=1) or text).casefold()))


def _largest(pages: list[list[Line]]) -> str:
    """The largest line of the first page that has text, if it is larger than the others."""
    first = next((page for page in pages if page), [])
    if not first:
        return ""
    size = max(line.size for line in first)
    largest = [line.text for line in first if line.size == size and len(line.text) > 2]
    title = _joined(largest[:3])
    return title if len(first) > len(largest) and len(title.split()) <= MAX_HEADING_WORDS else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
