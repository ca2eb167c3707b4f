"""PDFs: lines, paragraphs and headings are found from places and sizes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studio.data import pdf
from studio.data.pdf import PARTED, Line, arrange, read_pdf
from studio.errors import DataError
from tests.data.files import make_pdf

HANDBOOK = [
    [
        ("Handbook of the house, page 1", 8.0), ("House rules", 22.0), ("\nVisitors", 15.0),
        ("Visitors sign in at the desk. They wear a badge and are", 11.0), ("fetched by the person whom they visit.", 11.0),
        ("\nA second paragraph begins here, after a gap, and goes", 11.0), ("on to the next line.", 11.0), ("\nOpening hours", -11.0),
        ("We open at eight, on Fridays at nine. The last visitors have to", 11.0), ("1", 8.0),
    ],
    [("Handbook of the house, page 2", 8.0), ("leave at six.", 11.0), ("\nFire", 15.0), ("Leave by the stairs.", 11.0), ("2", 8.0)],
    [("Handbook of the house, page 3", 8.0), ("\nWho pays?", 15.0), ("The house pays.", 11.0), ("3", 8.0)],
]  # fmt: skip


def outline(document):
    return [(section.page, section.path, section.paragraphs) for section in document.sections]


def test_headings_paragraphs_and_pages_are_found(tmp_path):
    document = read_pdf(make_pdf(tmp_path / "handbook.pdf", HANDBOOK), "handbook.pdf")
    assert (document.name, document.kind, document.title) == ("handbook.pdf", "pdf", "House rules")
    assert outline(document) == [
        (1, ("Visitors",), (
            "Visitors sign in at the desk. They wear a badge and are fetched by the person whom they visit.",
            "A second paragraph begins here, after a gap, and goes on to the next line.",
        )),
        (1, ("Visitors", "Opening hours"), ("We open at eight, on Fridays at nine. The last visitors have to leave at six.",)),
        (2, ("Fire",), ("Leave by the stairs.",)),
        (3, ("Who pays?",), ("The house pays.",)),
    ]  # fmt: skip


def lines(*texts: str, page: int = 1, size: float = 10.0, top: float = 700.0) -> list[Line]:
    return [Line(text, page, size, False, 50, 50 + 5 * len(text), top - 13 * at) for at, text in enumerate(texts)]


def test_words_that_are_parted_at_the_end_of_a_line_are_whole_again():
    document = arrange([lines(f"The com{PARTED}", "puter counts and re-", "counts well-", "Known things.")], {}, "T")
    assert document.sections[0].paragraphs == ("The computer counts and recounts well- Known things.",)


def test_bookmarks_say_what_is_a_heading_where_there_are_any():
    page = [*lines("1. Purpose", "This is what it is for."), *lines("Not a heading", size=20, top=600), *lines("2. Scope of the", "rules", "It ends here.", top=500)]  # fmt: skip
    document = arrange([page], {1: {"purpose": 1, "scopeoftherules": 2, "elsewhere": 1}}, "T")
    assert [section.path for section in document.sections] == [("1. Purpose",), ("1. Purpose", "2. Scope of the rules")]
    assert "Not a heading" in document.sections[0].paragraphs


def test_tables_of_contents_are_left_out():
    document = arrange([lines("1 Purpose . . . . . . . 3", "2 Scope ........ 5", "Real words stand here.")], {}, "T")
    assert [text for section in document.sections for text in section.paragraphs] == ["Real words stand here."]


def test_a_file_that_takes_too_long_or_breaks_the_reader_costs_that_file(tmp_path, monkeypatch):
    path = make_pdf(tmp_path / "a.pdf", HANDBOOK)
    monkeypatch.setattr(pdf, "TIME_S", 0.001)
    with pytest.raises(DataError, match="takes longer than"):
        read_pdf(path, "a.pdf")
    monkeypatch.undo()
    monkeypatch.setattr(sys, "executable", shutil.which("false"))  # ends without a word, as a crash does
    with pytest.raises(DataError, match="is broken or no PDF"):
        read_pdf(path, "a.pdf")


def test_the_reader_has_a_limit_on_memory(tmp_path):
    code = "from studio.data import pdf; pdf.MEMORY_MB = 600; pdf._limit(); bytearray(900_000_000)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MemoryError" in done.stderr


def test_a_real_manual(tmp_path):
    """Set by DocBook and TeX: bookmarks, running headers, parted words."""
    path = Path("/usr/share/doc/shared-mime-info/shared-mime-info-spec.pdf")
    if not path.exists():
        pytest.skip("Debian's shared-mime-info is not installed")
    document = read_pdf(path, path.name)
    assert document.title == "Shared MIME-info Database"
    paths = [section.path for section in document.sections]
    assert ("1. Introduction", "1.2. What is this spec?") in paths
    assert len(paths) > 15
    texts = [text for section in document.sections for text in section.paragraphs]
    assert any(text.startswith("Many programs and desktops use the MIME system") for text in texts)
    assert sum(len(text.split()) > 20 for text in texts) > 50
