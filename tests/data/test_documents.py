"""Files of every kind become titles, sections and paragraphs; files that cannot are named, and nothing else happens."""

import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from studio.data import documents, docx_text
from studio.data.documents import Library, files_of, read_document, read_documents, told
from studio.data.html_text import read_html
from studio.data.markdown_text import read_markdown
from studio.data.plain_text import read_text
from studio.errors import DataError
from tests.data.files import locked_pdf, make_docx, make_pdf

PAGE = """<!DOCTYPE html><html><head><title>Cards - Example Bank</title><style>p {color: red}</style></head><body>
<header role="banner">Example Bank</header><nav><ul><li>Home</li><li>Cards</li></ul></nav>
<div class="breadcrumbs">Home / Help / Cards</div>
<main><h1>Cards</h1><p>A card is <b>yours</b> alone,<br>and so is its PIN.<br>
<br />Keep it.</p>
<script>document.write("<p>never run</p>")</script>
<h2 id="lost">Lost cards<a class="headerlink" href="#lost">#</a></h2><p>Call us at once. <img src="x.png" alt="a phone"></p>
<ul><li>By day: the branch</li><li>By night: the <i>hotline</i></li></ul>
<pre>card --block 4711</pre><p hidden>Hidden words</p><ul><li><a href="/a">Loans</a></li><li><a href="/b">Savings</a></li></ul>
<table><thead><tr><th>Card</th><th>Fee</th></tr></thead><tr><td>Gold</td><td>12 a year</td></tr></table>
<h2>Questions</h2><dl><dt>Is there a fee?</dt><dd>No, not for the first card.</dd><dt>How long is it valid?</dt><dd>Four years.</dd></dl>
<details><summary>Can I choose my PIN?</summary><p>Yes, at any cash machine.</p></details><p>Ask us for more.</p></main>
<footer>Imprint, all rights reserved</footer></body></html>"""


def outline(document) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(section.path, section.paragraphs) for section in document.sections]


def test_a_page_is_what_people_read_of_it():
    document = read_html(PAGE, "cards.html")
    assert document.title == "Cards"
    assert outline(document) == [
        ((), ("A card is yours alone, and so is its PIN.", "Keep it.")),
        (("Lost cards",), ("Call us at once.", "By day: the branch", "By night: the hotline", "Gold, 12 a year")),
        (("Questions", "Is there a fee?"), ("No, not for the first card.",)),
        (("Questions", "How long is it valid?"), ("Four years.",)),
        (("Questions", "Can I choose my PIN?"), ("Yes, at any cash machine.",)),
        (("Questions",), ("Ask us for more.",)),
    ]


@pytest.mark.parametrize(
    "page",
    ["<p>Only a paragraph without an end", "<div>" * 3000 + "<p>Deep down.</p>", "<h1>A</h2><p>B</i></p></div></body><p>after the end</p>", "<html></html>", "<!-- -->", "<table><tr><td>"],
)  # fmt: skip
def test_broken_pages_are_read_as_far_as_they_go(page):
    words = [text for _, texts in outline(read_html(page, "a.html")) for text in texts]
    assert all(words)
    assert ("after the end" in words) == ("after the end" in page)


def test_a_page_inside_of_a_form_or_a_frame_with_a_menu_s_name_is_not_lost():
    words = "Words that matter, and more of them. " * 9
    page = f'<form><div class="content-with-sidebar"><div class="sidebar">Home</div><p>{words}</p><input value="x"></div></form>'
    assert outline(read_html(page, "a.html")) == [((), (words.strip(),))]


def test_markdown_by_its_rules():
    text = (
        '---\ntitle: "The guide"\ntags: [a]\n---\n\nFirst words, *soft\nbreak* and `code`.\n\n# Setup\n\n```sh\nmake run\n```\n\n## On Linux\n\n'
        "- One [link](http://example.org/x)\n- Two ![picture](x.png)\n\n| name | what |\n|---|---|\n| port | where it listens |\n\nOther\n=====\n\n"
        "<details><summary>Does it cost?</summary>\n\nNothing **at all**.\n\n</details>\n\nLast <b>words</b>.\n"
    )
    document = read_markdown(text, "guide.md")
    assert document.title == "The guide"
    assert outline(document) == [
        ((), ("First words, soft break and code.",)),
        (("Setup", "On Linux"), ("One link", "Two", "port, where it listens")),
        (("Other", "Does it cost?"), ("Nothing at all.",)),
        (("Other",), ("Last words.",)),
    ]


@pytest.mark.parametrize("mark", ["[", "![", "[a](", "> ", "*a _b ", "<a "])
def test_markdown_that_is_made_to_take_long_does_not(mark):
    started = time.monotonic()
    document = read_markdown(
        f"# Title\n\n{mark * 60_000}\n\nSee [the guide][1].\n\n[1]: http://example.org\n", "evil.md"
    )
    assert time.monotonic() - started < 10
    assert document.sections[-1].paragraphs[-1] == "See the guide."


def test_a_word_file_that_is_too_large_inside_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(docx_text, "MAX_XML_MB", 0.01)
    with pytest.raises(DataError, match=r"has more than 0\.01 MB of text"):
        read_document(make_docx(tmp_path / "large.docx"), "large.docx")


def test_plain_text_shows_its_headings():
    text = (
        "Notes on the release\n\nIt is out\nnow.\n\nChanges\n-------\nTwo things changed:\n- the first, which\n  goes on\n- the second\n\n"
        "KNOWN PROBLEMS\n\nNone are known.\n\n2.1 Thanks\n\nTo all.\n\nWho wrote it?\n\nWe did.\n\n+----+----+\n| 12 | 13 |\n"
    )
    document = read_text(text, "notes.txt")
    assert document.title == "Notes on the release"
    assert outline(document) == [
        ((), ("It is out now.",)),
        (("Changes",), ("Two things changed:", "the first, which goes on", "the second")),
        (("Changes", "KNOWN PROBLEMS"), ("None are known.",)),
        (("Changes", "KNOWN PROBLEMS", "2.1 Thanks"), ("To all.",)),
        (("Changes", "KNOWN PROBLEMS", "2.1 Thanks", "Who wrote it?"), ("We did.",)),
    ]


def test_a_word_file_by_its_styles(tmp_path):
    document = read_document(make_docx(tmp_path / "policy.docx"), "policy.docx")
    assert document.title == "Travel policy"
    assert outline(document)[0] == ((), ("This policy holds for everyone who travels for the company.",))
    assert outline(document)[2][0] == ("Trains", "Who pays?")
    assert "Berlin to Hamburg takes two hours by train." in outline(document)[2][1]


@pytest.mark.parametrize(("encoding", "declared"), [("utf-8", ""), ("cp1252", "iso-8859-1"), ("koi8-r", "koi8-r"), ("utf-16", ""), ("cp1251", "nonsense")])  # fmt: skip
def test_pages_are_read_in_the_encoding_that_they_are_in(tmp_path, encoding, declared):
    words = {"cp1252": "Prüfung für Bücher", "utf-8": "Größe žluť", "utf-16": "naïve 日本"}.get(
        encoding, "Привет, как у вас дела сегодня"
    )
    meta = f'<meta http-equiv="content-type" content="text/html; charset={declared}">' if declared else ""
    (tmp_path / "a.html").write_bytes(f"<html><head>{meta}</head><body><p>{words}</p></body></html>".encode(encoding))
    assert outline(read_document(tmp_path / "a.html", "a.html"))[0][1] == (words,)


def test_titles_of_a_site_lose_the_name_of_the_site(tmp_path):
    for name in ("Fees", "Loans - easy", "Savings"):
        (tmp_path / f"{name[:3]}.html").write_text(f"<title>{name} - Example Bank</title><p>Words about {name}.</p>")
    (tmp_path / "other.html").write_text("<title>Tea - green</title><p>Words about tea.</p>")
    titles = {document.title for document in read_documents(files_of([tmp_path])).documents}
    assert titles == {"Fees", "Loans - easy", "Savings", "Tea - green"}


def test_nothing_is_fetched(tmp_path):
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    (tmp_path / "a.html").write_text(
        f'<!DOCTYPE html SYSTEM "{url}/dtd"><html><head><link rel="stylesheet" href="{url}/css"><script src="{url}/js"></script></head>'
        f'<body><img src="{url}/img"><iframe src="{url}/frame"></iframe><object data="{url}/o"></object><p>Some words.</p></body></html>'
    )
    (tmp_path / "b.xhtml").write_text(
        f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x SYSTEM "{url}/entity"><!ENTITY f SYSTEM "file:///etc/passwd">]>'
        "<html><body><p>Words &x; &f; end.</p></body></html>"
    )
    (tmp_path / "c.md").write_text(f"# C\n\n![]({url}/md) words\n\n<img src='{url}/raw'>\n")
    library = read_documents(files_of([tmp_path]))
    server.shutdown()
    server.server_close()
    assert len(library.documents) == 3
    assert asked == []
    assert "root:" not in str(library.to_json())


def test_files_that_cannot_be_read_are_named_with_the_reason(tmp_path):
    files = {
        "empty.md": b"", "blank.txt": b" \n\t\n", "picture.png": b"\x89PNG\r\n" + bytes(80), "program.txt": bytes(range(256)) * 9,
        "table.csv": b"a,b\n1,2\n", "old.docx": b"\xd0\xcf\x11\xe0" + bytes(90), "torn.docx": b"PK\x03\x04 torn", "no.pdf": b"plain words",
        "torn.pdf": b"%PDF-1.7\ntorn", "noname": b"Words without an ending.", "code.html": b"<script>only(code)</script>",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    locked_pdf(tmp_path / "locked.pdf")
    make_pdf(tmp_path / "scan.pdf", [[], []])
    with zipfile.ZipFile(tmp_path / "fake.docx", "w") as archive:
        archive.writestr("word/document.xml", "no xml at all")
    (tmp_path / "good.md").write_text("# Good\n\nWords that can be read.\n")
    library = read_documents(files_of([tmp_path]))
    assert [document.title for document in library.documents] == ["Good"]
    reasons = {each.name: each.reason for each in library.unread}
    assert set(reasons) == {*files, "locked.pdf", "scan.pdf", "fake.docx"}
    assert reasons["empty.md"] == reasons["blank.txt"] == "is empty"
    assert "picture (PNG)" in reasons["picture.png"]
    assert "binary" in reasons["program.txt"]
    assert reasons["table.csv"] == "is of a kind that is not read (.csv)"
    assert reasons["noname"] == "is of a kind that is not read (no ending)"
    assert "password" in reasons["old.docx"]
    assert "password" in reasons["locked.pdf"]
    assert "scan" in reasons["scan.pdf"]
    assert reasons["code.html"] == "has no text in it"
    assert {reasons[name] for name in ("no.pdf", "torn.pdf")} == {"is broken or no PDF"}
    lines = dict(told(library.unread))
    assert lines["2 files"] == "of kinds that are not read: 1 no ending, 1 .csv"
    assert len(lines) == len(reasons) - 1
    (tmp_path / "good.md").unlink()
    with pytest.raises(DataError, match=r"None of the 14 files could be read\. blank\.txt is empty\."):
        read_documents(files_of([tmp_path]))


@pytest.fixture
def pack(tmp_path):
    def write(members: dict[str, bytes]) -> Path:
        with zipfile.ZipFile(tmp_path / "docs.zip", "w", zipfile.ZIP_DEFLATED) as out:
            for name, content in members.items():
                out.writestr(name, content)
        return tmp_path / "docs.zip"

    return write


def test_a_zip_of_a_folder_is_read_and_nothing_is_written_where_it_says(pack, tmp_path, monkeypatch):
    work = tmp_path / "unpacked"
    work.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(work))
    path = pack({
        "docs/a.md": b"# A\n\nWords of a.", "../../evil.md": b"# E\n\nWords of e.", "/etc/absolute.md": b"# F\n\nWords of f.",
        "docs/.hidden.md": b"# H\n\nhidden", "__MACOSX/docs/._a.md": b"junk", "inner.zip": b"PK\x03\x04", "docs/x.bin": b"\0\1", "docs/sub/": b"",
        "nested.txt": zipped(),
    })  # fmt: skip
    before = {each for each in tmp_path.parent.rglob("*") if not each.is_relative_to(work)}
    library = read_documents([(path, "docs.zip")])
    assert {document.title for document in library.documents} == {"A", "E", "F"}
    assert {each.name for each in library.unread} == {"inner.zip", "docs/x.bin", "nested.txt"}
    assert "an archive in the archive" in next(each.reason for each in library.unread if each.name == "nested.txt")
    assert {each for each in tmp_path.parent.rglob("*") if not each.is_relative_to(work)} == before
    assert list(work.iterdir()) == []
    assert Library.from_json(library.to_json()) == library


def zipped() -> bytes:
    import io

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("b.md", "# B")
    return out.getvalue()


def test_bombs_broken_and_locked_archives_are_refused(pack, tmp_path):
    with pytest.raises(DataError, match="times its size"):
        read_documents([(pack({"a.md": b"a" * 30_000_000}), "docs.zip")])
    whole = pack({"a.md": b"# A\n\nWords of a.", "b.md": b"# B\n\nWords of b."}).read_bytes()
    (tmp_path / "torn.zip").write_bytes(whole[:60])
    with pytest.raises(DataError, match=r"torn\.zip was not opened: the zip archive is broken or cut off\."):
        read_documents([(tmp_path / "torn.zip", "torn.zip")])
    (tmp_path / "a.md").write_text("# A\n\nWords.")
    assert len(read_documents([(tmp_path / "torn.zip", "torn.zip"), (tmp_path / "a.md", "a.md")]).unread) == 1
    flagged = bytearray(whole)  # both places of the first member say: locked
    flagged[6] |= 1
    flagged[flagged.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(flagged)
    library = read_documents([(tmp_path / "locked.zip", "locked.zip")])
    assert [(each.name, each.reason) for each in library.unread] == [("a.md", "is locked with a password")]


def test_too_many_or_too_large_files_are_refused(pack, monkeypatch, tmp_path):
    path = pack({f"{i}.md": b"# A\n\nWords." for i in range(4)})
    monkeypatch.setattr(documents, "MAX_FILES", 3)
    with pytest.raises(DataError, match="4 files; at most 3"):
        read_documents([(path, "docs.zip")])
    monkeypatch.setattr(documents, "MAX_FILES", 9)
    monkeypatch.setitem(documents.MAX_FILE_MB, "markdown", 0.00002)
    path = pack({"small.md": b"# A\n\nWords.", "large.md": b"# A\n\nWords and more words."})
    assert [each.name for each in read_documents([(path, "docs.zip")]).unread] == ["large.md"]
    monkeypatch.setattr(documents, "MAX_WORDS", 5)
    (tmp_path / "a.txt").write_text("one two three four")
    (tmp_path / "b.txt").write_text("one two three")
    library = read_documents(files_of([tmp_path / "a.txt", tmp_path / "b.txt"]))
    assert "more than 5 words" in library.unread[0].reason


def test_progress_is_told_and_reading_can_be_stopped(tmp_path):
    for i in range(4):
        (tmp_path / f"{i}.txt").write_text("some words")
    told = []
    read_documents(files_of([tmp_path]), lambda *words: told.append(words))
    assert [(done, total) for done, total, _ in told] == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    library = read_documents(files_of([tmp_path]), stopped=iter([False, False, True, True]).__next__)
    assert len(library.documents) == 2


def test_our_own_pages_keep_every_heading(repository):
    library = read_documents(files_of([repository / "docs", repository / "README.md"]))
    assert not library.unread
    for document in library.documents:
        place = repository / "docs" / document.name
        text = (place if place.exists() else repository / document.name).read_text(encoding="utf-8")
        headings = {line.lstrip("# ").replace("`", "").strip() for line in outside_code(text) if line.startswith("#")}
        seen = {document.title, *(heading for section in document.sections for heading in section.path)}
        assert document.title in headings
        assert headings - seen <= {heading for heading in headings if f"{heading}\n\n#" in text.replace("`", "")}


def outside_code(text: str) -> list[str]:
    return [line for number, part in enumerate(text.split("```")) if number % 2 == 0 for line in part.splitlines()]
