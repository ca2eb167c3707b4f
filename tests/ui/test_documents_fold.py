"""The fold that makes pairs from documents, as handlers; tests/e2e walks through it in a browser."""

import pytest
from starlette.testclient import TestClient

from studio.catalog.recipes import PAIR_FIELDS
from studio.errors import ConfigError, DataError
from studio.ui.handlers import guarded
from studio.ui.sources.documents import DocumentsSource

DEFAULTS = [known.default for known in PAIR_FIELDS]
GUIDE = "# Guide &lt;b&gt;\n\n" + "".join(
    f"## Part {name}\n\nThis part is about {name} things, which {name} people like to read about at home.\n\n"
    for name in "red green blue white black brown grey pink".split()  # noqa: SIM905
)


@pytest.fixture
def source(tabs) -> DocumentsSource:
    return next(source for source in tabs["data"].sources if isinstance(source, DocumentsSource))


@pytest.fixture
def brought(source, staged, request_double):
    """What the page shows once a document has arrived, by output."""

    def bring(*files):
        shown = source.bring([staged(name, content) for name, content in files], request_double, *DEFAULTS)
        return dict(zip(map(id, source.arrival), shown, strict=True))

    return bring


def test_documents_are_read_counted_and_paired(source, brought):
    shown = brought(("guide.md", GUIDE), ("torn.pdf", b"%PDF-1.4 torn"))
    assert shown[id(source.upload_id)]
    assert shown[id(source.panel)]["visible"]
    assert "1 file was not read" in shown[id(source.library)]
    assert "torn.pdf</b> is broken or no PDF" in shown[id(source.library)]
    labels = [label for label, _ in shown[id(source.recipes)]["choices"]]
    assert labels[:3] == ["Title and body: 8", "Heading and paragraph: 8", "Question and answer: 0"]
    assert shown[id(source.recipes)]["value"] == ["title_body"]  # the most, where none gives twenty
    assert "Guide &lt;b&gt;" in shown[id(source.pairs)]
    assert "guide.md, Part red" in shown[id(source.pairs)]
    assert shown[id(source.save)]["interactive"]
    assert shown[id(source.name)] == "guide and 1 more"


def test_the_preview_follows_recipes_and_settings(source, brought, request_double):
    upload_id = brought(("guide.md", GUIDE))[id(source.upload_id)]

    def show(recipes, **changes):
        values = [changes.get(known.id, known.default) for known in PAIR_FIELDS]
        return dict(zip(map(id, source.view), source.show(upload_id, recipes, request_double, *values), strict=True))

    both = show(["title_body", "heading_paragraph"])
    assert "16 pairs" in both[id(source.pairs)]
    assert "heading and paragraph" in both[id(source.pairs)]
    assert "1 pairs" in show(["heading_paragraph"], most_pairs=1.0)[id(source.pairs)]
    nothing = show([])
    assert "No way to make pairs is chosen" in nothing[id(source.pairs)]
    assert nothing[id(source.save)]["interactive"] is False
    assert show(["heading_paragraph"])[id(source.distance)]["visible"] is False
    assert show(["neighbours"])[id(source.distance)]["visible"] is True
    assert "no pair in this way" in show(["question_answer"])[id(source.pairs)]
    with pytest.raises(ConfigError, match="Least words must be"):
        show(["title_body"], least_words=1000)
    with pytest.raises(ConfigError, match="Seed must be a whole number"):
        show(["title_body"], seed=None)


def test_files_that_give_no_document_are_said_and_change_nothing(source, staged, request_double):
    paths = [staged("a.png", b"\x89PNG and more")]
    *shown, notice = guarded(source.bring, len(source.arrival))(paths, request_double, *DEFAULTS)
    assert "a.png is a picture (PNG), not a document." in notice
    assert all(value == shown[0] for value in shown)
    with pytest.raises(DataError, match="no documents to look at"):
        source.show("", [], request_double, *DEFAULTS)


def test_the_pairs_can_be_downloaded_with_their_places(source, brought, server):
    upload_id = brought(("guide.md", GUIDE))[id(source.upload_id)]
    with TestClient(server, base_url="http://127.0.0.1") as client:
        answer = client.get(f"/download/documents/{upload_id}/pairs.csv?recipe=heading_paragraph&most_pairs=3&seed=7")
        assert answer.text.splitlines()[0] == "anchor,positive,document,place,recipe"
        assert len(answer.text.splitlines()) == 4
        assert client.get(f"/download/documents/{upload_id}/pairs.csv").status_code == 400
        assert client.get("/download/documents/nosuch/pairs.csv?recipe=title_body").status_code == 404


def test_no_language_model_is_offered_unless_the_host_configures_one(source, tabs, studio):
    assert source.form is None
    tool = next(tool for tool in tabs["data"].tools if type(tool).__name__ == "QueriesTool")
    assert tool.form is None
    assert tool.show("local", None) == tool.show("local", object())
    assert len(tool.show("local", None)) == len(tool.outputs)
