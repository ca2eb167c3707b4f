"""Documents and the questions for them, as the server deals with them; workers are real processes."""

import json
import zipfile

import pytest
from pydantic import SecretStr

from studio.data.documents import Library
from studio.data.pairs import PairConfig
from studio.errors import ConfigError, DataError, NotFound, RunError
from studio.runs import documents as module
from studio.runs.queries import QueryConfig
from tests.making.languagemodel import KEY, MODEL, LanguageModel, completion, passage_of, slow
from tests.runs.scene import make_dataset, wait_for

RECIPES = ("title_body", "heading_paragraph")


@pytest.fixture
def studio(make_studio):
    return make_studio()


@pytest.fixture
def pages(repository):
    return [(path, path.name) for path in (repository / "README.md", *sorted((repository / "docs").glob("*.md")))]


@pytest.fixture
def upload(studio, pages):
    return studio.documents.stage("ada", pages)


@pytest.fixture
def language_model(monkeypatch):
    server = LanguageModel()
    for name, value in (("URL", server.url), ("MODEL", MODEL), ("KEY", KEY)):
        monkeypatch.setenv(f"STUDIO_LLM_{name}", value)
    yield server
    server.close()


def configured(server) -> dict:
    return {"llm_url": server.url, "llm_model": MODEL, "llm_key": SecretStr(KEY)}


def wait_until_over(studio, making):
    return wait_for(lambda: (now := studio.makings.get(making.owner, making.id)).is_over and now, 30)


def test_a_few_documents_are_read_at_once_and_become_a_dataset(studio, upload, pages):
    library = studio.documents.read("ada", upload.id)
    assert [document.name for document in library.documents] == [name for _, name in pages]
    preview = studio.documents.preview("ada", upload.id, RECIPES, PairConfig())
    assert preview.looked_at == preview.documents == len(pages)
    dataset = studio.documents.create("ada", upload.id, RECIPES, PairConfig(), "Our docs")
    assert (dataset.name, dataset.info.format, dataset.info.rows) == ("Our docs", "pair", len(preview.pairs))
    assert dataset.info.roles == {"anchor": "title, heading", "positive": "passage"}
    assert f"Pairs made from {len(pages)} documents: title and body" in dataset.info.history[0]
    with pytest.raises(NotFound):
        studio.documents.read("bob", upload.id)


def test_many_documents_are_read_and_paired_in_the_background(studio, pages, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "INSTANT_S", 0.0)
    monkeypatch.setattr(module, "INSTANT_WORDS", 1000)
    with zipfile.ZipFile(tmp_path / "docs.zip", "w") as archive:
        for path, name in pages:
            archive.write(path, f"docs/{name}")
    upload = studio.documents.stage("ada", [(tmp_path / "docs.zip", "docs.zip")])
    reading = studio.documents.read("ada", upload.id)
    assert reading.kind == "documents"
    assert wait_until_over(studio, reading).state == "succeeded"
    library = studio.documents.read("ada", upload.id)
    assert isinstance(library, Library)
    assert [document.name for document in library.documents] == [f"docs/{name}" for _, name in pages]
    with pytest.raises(NotFound):
        studio.makings.get("ada", reading.id)  # its documents are with the upload now
    preview = studio.documents.preview("ada", upload.id, RECIPES, PairConfig())
    assert preview.looked_at < preview.documents
    assert preview.about(10) > 10
    making = studio.documents.create("ada", upload.id, RECIPES, PairConfig(), "Our docs")
    done = wait_until_over(studio, making)
    dataset = studio.datasets.get("ada", done.made_dataset_id)
    assert (
        dataset.info.rows
        == done.result["pairs"]
        == len(studio.documents.all_pairs("ada", upload.id, RECIPES, PairConfig()))
    )
    assert dataset.name == "Our docs"


def test_documents_that_cannot_be_read_in_the_background_are_said_and_can_be_tried_again(studio, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "INSTANT_S", -1.0)
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\nnothing of use")
    upload = studio.documents.stage("ada", [(tmp_path / "a.pdf", "a.pdf")])
    assert wait_until_over(studio, studio.documents.read("ada", upload.id)).state == "failed"
    with pytest.raises(DataError, match=r"a\.pdf is broken or no PDF"):
        studio.documents.read("ada", upload.id)
    assert studio.documents.read("ada", upload.id).state in ("queued", "running")  # begins anew


def test_tables_are_no_documents_and_documents_no_table(studio, upload, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    table = studio.datasets.stage("ada", tmp_path / "t.csv", "t.csv")
    with pytest.raises(DataError, match="This is a table"):
        studio.documents.read("ada", table.id)
    with pytest.raises(DataError, match="There is no file"):
        studio.datasets.report("ada", upload.id)


def test_what_the_page_took_in_is_its_owner_s_alone_once_it_arrived(studio):
    arrived = studio.workspace.page_tmp / "notes.md"
    arrived.write_text("# Notes\n\nSome words that are nobody else's.\n")
    studio.documents.stage("ada", [(arrived, "notes.md")])
    with pytest.raises(DataError, match="There is no such file"):
        studio.documents.stage("bob", [(arrived, "notes.md")])


def test_the_workspace_s_own_files_cannot_be_brought_as_documents(studio, upload):
    with pytest.raises(DataError, match="There is no such file"):
        studio.documents.stage("bob", [(upload.path / "00000", "mine.md")])
    with pytest.raises(DataError, match="There is no such file"):
        studio.documents.stage("bob", [(studio.workspace.path / "studio.db", "mine.md")])


def test_no_language_model_is_asked_unless_the_host_configures_one(studio, upload):
    assert (studio.queries.service, studio.queries.model) == ("", "")
    studio.documents.read("ada", upload.id)
    with pytest.raises(ConfigError, match="No language model is configured"):
        studio.queries.start_with_documents("ada", upload.id, PairConfig(), QueryConfig(), "Asked")


def test_questions_for_documents_stop_and_go_on(make_studio, language_model, pages):
    studio = make_studio(**configured(language_model))
    upload = studio.documents.stage("ada", pages)
    studio.documents.read("ada", upload.id)
    config = QueryConfig(questions=2, most_passages=40)
    asked = studio.queries.of_documents("ada", upload.id, PairConfig(), config)
    assert len(asked.passages) == 40 < asked.available
    assert asked.questions == 80

    good = language_model.answer
    language_model.answer = lambda request: good(request) if len(language_model.requests) < 12 else slow(1)(request)
    making = studio.queries.start_with_documents("ada", upload.id, PairConfig(), config, "Asked")
    answers = making.folder / "answers.jsonl"
    wait_for(lambda: answers.exists() and answers.read_text().count("\n") >= 5, 30)
    with pytest.raises(RunError):
        studio.queries.go_on("ada", making.id, finish=True)  # it has not ended
    studio.makings.stop("ada", making.id)
    stopped = wait_until_over(studio, making)
    assert stopped.state == "cancelled"
    assert studio.queries.can_go_on(stopped)
    with pytest.raises(NotFound):
        studio.queries.go_on("bob", making.id, finish=True)
    kept = answers.read_text().splitlines()
    language_model.answer = good
    language_model.requests.clear()
    again = studio.queries.go_on("ada", making.id, finish=False)
    done = wait_until_over(studio, again)
    assert done.state == "succeeded"
    assert len(language_model.requests) == 40 - len(kept)
    assert {passage_of(request) for request in language_model.requests}.isdisjoint(
        asked.passages[json.loads(line)["passage"]] for line in kept
    )
    dataset = studio.datasets.get("ada", done.made_dataset_id)
    assert dataset.info.history[0].startswith(f"Questions written by {MODEL} for 40 passages of {len(pages)} documents")
    with pytest.raises(NotFound):
        studio.makings.get("ada", making.id)


def test_questions_for_the_texts_of_a_dataset(make_studio, language_model, tmp_path):
    studio = make_studio(**configured(language_model))
    dataset = make_dataset(studio, tmp_path)
    language_model.answer = lambda request: (
        200,
        completion(f"Which {' '.join(passage_of(request).split()[-2:])[:-1]}?"),
    )
    making = studio.queries.start_with_dataset("ada", dataset.id, "positive", QueryConfig(1, 10), "Asked")
    assert studio.makings.latest("ada", "queries", dataset.id).id == making.id
    done = wait_until_over(studio, making)
    assert done.state == "succeeded", done.message
    assert {passage_of(request) for request in language_model.requests} <= {
        f"It is the answer about matter {i}." for i in range(40)
    }
    for place in (making.folder, studio.workspace.datasets / done.made_dataset_id):
        assert not any(KEY.encode() in path.read_bytes() for path in place.rglob("*") if path.is_file())
    with pytest.raises(DataError, match="no such texts"):
        studio.queries.start_with_dataset("ada", dataset.id, "negative", QueryConfig(), "Asked")
    with pytest.raises(ConfigError, match="Questions a passage must be a whole number from 1 to 5"):
        QueryConfig(questions=6)
