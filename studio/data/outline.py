"""A document as its structure: title, sections under their headings, paragraphs. Readers of every kind of file build it here."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Section:
    path: tuple[str, ...]
    """Headings that it stands under, outermost first, without the document's title; empty: text before any heading."""
    paragraphs: tuple[str, ...]
    page: int = 0
    """Page that it begins on, from 1; 0: the document has no pages."""


@dataclass(frozen=True)
class Document:
    name: str
    """File name, with folders inside a zip or below the folder that was given."""
    kind: str
    """One of studio.data.documents.KINDS."""
    title: str
    """As the document says; empty: it says none."""
    sections: tuple[Section, ...]

    @property
    def words(self) -> int:
        return sum(len(text.split()) for section in self.sections for text in section.paragraphs)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Document":
        sections = tuple(
            Section(tuple(section["path"]), tuple(section["paragraphs"]), section["page"])
            for section in value["sections"]
        )
        return cls(value["name"], value["kind"], value["title"], sections)


class Outline:
    """Takes headings and paragraphs in reading order."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []
        self._sections: list[tuple[tuple[tuple[int, str], ...], list[str], int]] = []

    def heading(self, level: int, text: str, page: int = 0) -> None:
        """``level``: 1 is the outermost. A heading ends all sections of its level and below."""
        text = plain(text)
        if not text:
            return
        self._open = [*(entry for entry in self._open if entry[0] < level), (level, text)]
        self._sections.append((tuple(self._open), [], page))

    def paragraph(self, text: str, page: int = 0) -> None:
        text = plain(text)
        if not text:
            return
        if not self._sections:
            self._sections.append(((), [], page))
        self._sections[-1][1].append(text)

    def close(self, above: int) -> None:
        """End the sections of a level deeper than ``above``: what follows belongs to what was open before them."""
        rest = [entry for entry in self._open if entry[0] <= above]
        if rest != self._open:
            self._open = rest
            self._sections.append((tuple(rest), [], self._sections[-1][2]))

    def document(self, name: str, kind: str, title: str = "") -> Document:
        """What was taken in. Without ``title`` a single outermost heading, where there is one, is the title.

        A heading that repeats the title is left out of the sections' paths.
        """
        title = plain(title)
        outermost = min((path[0][0] for path, _, _ in self._sections if path), default=0)
        tops = {path[0] for path, _, _ in self._sections if path and path[0][0] == outermost}
        if not title and len(tops) == 1:
            title = next(iter(tops))[1]
        sections = []
        for path, paragraphs, page in self._sections:
            if paragraphs:
                headings = tuple(text for _, text in path)
                if headings and title and _key(headings[0]) == _key(title):
                    headings = headings[1:]
                sections.append(Section(headings, tuple(paragraphs), page))
        return Document(name, kind, title, tuple(sections))


def plain(text: str) -> str:
    """White space as single blanks, without NUL and other control characters."""
    return " ".join(text.translate(_CONTROLS).split())


_CONTROLS = {
    **dict.fromkeys((*range(32), 127, 8232, 8233), " "),
    **dict.fromkeys((0xAD, 0x200B, 0x2060, 0xFEFF)),
    **dict.fromkeys(range(55296, 57344), "�"),
}


def _key(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))
