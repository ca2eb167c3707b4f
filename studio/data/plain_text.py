"""Plain text as a document: blank lines part paragraphs, underlined, numbered and capital lines are headings."""

import re

from studio.data.outline import Document, Outline

UNDERLINE = re.compile(r"^([=\-~*^#])\1{2,}$")
NUMBERED = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s+(?=\S)")
ITEM = re.compile(r"^\s*(?:[-*+•o]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s+")
MAX_HEADING_WORDS = 12
SENTENCE_END = (".", ",", ";", ":", "!")
LEVELS = "=-~*^#"


def read_text(text: str, name: str) -> Document:
    """The first heading, or a short first line that stands alone, is the title."""
    outline = Outline()
    title = ""
    for position, block in enumerate(re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n"))):
        lines = [line.rstrip() for line in block.split("\n") if line.strip()]
        if not lines:
            continue
        if len(lines) >= 2 and UNDERLINE.match(lines[1].strip()) and _short(lines[0]):
            outline.heading(1 + LEVELS.index(lines[1].strip()[0]), lines[0])
            lines = lines[2:]
        elif len(lines) == 1 and (level := _heading_level(lines[0].strip())):
            outline.heading(level, lines[0])
            continue
        elif len(lines) == 1 and not position and _short(lines[0]):
            title = lines[0]
            continue
        for paragraph in _paragraphs(lines):
            outline.paragraph(paragraph)
    document = outline.document(name, "text", title)
    if not document.sections and title:
        outline.paragraph(title)  # a file of one line is no title without a text
        document = outline.document(name, "text")
    return document


def _short(line: str) -> bool:
    words = line.split()
    return len(words) <= MAX_HEADING_WORDS and any(map(str.isalpha, line)) and not line.endswith(SENTENCE_END)


def _heading_level(line: str) -> int:
    """0: not a heading. A short line in capitals, or with a number such as 2.1, or a question that stands alone."""
    if not _short(line):
        return 0
    numbered = NUMBERED.match(line)
    if numbered:
        return 11 + numbered[1].count(".")
    if line.endswith("?"):
        return 20
    letters = [c for c in line if c.isalpha()]
    return 10 if len(letters) >= 4 and all(c == c.upper() != c.lower() for c in letters) else 0


def _paragraphs(lines: list[str]) -> list[str]:
    """Items of a list are paragraphs of their own; lines of figures, rulers and tables are left out."""
    found: list[list[str]] = []
    for line in lines:
        if sum(c.isalpha() for c in line) < 0.4 * len(line.strip().replace(" ", "")):
            continue
        item = ITEM.match(line)
        if item or not found:
            found.append([])
        found[-1].append(line[item.end() :] if item else line.strip())
    return [" ".join(part) for part in found]
