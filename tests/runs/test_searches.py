"""Corpora of their own, what is found in them, and what people make of it. One server for all: models are loaded once."""

import csv
import shutil
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from studio.errors import DataError, NotFound, SearchError
from studio.files import read_json, write_json
from studio.runs import supervisor
from studio.runs.blind import preference, sign_test
from studio.runs.indexes import tuned_key
from studio.runs.studio import Studio
from studio.search.encode import CHUNK
from studio.search.index import open_index
from studio.search.result import Asked
from studio.settings import Settings
from tests.runs.scene import WORDLLAMA, Here, config, make_dataset, wait_for, wait_until_over

MODEL = f"model:{WORDLLAMA}"
COLUMNS = ["keyword", MODEL]
LONG = "The river bends here. " * 300 + "The lighthouse keeper counts ships. " * 60 + "Fields lie beyond. " * 300
TEXTS = [
    ("Cards", "My card was stolen, what now?", "help", "3"),
    ("Cash", "Top up an account with cash.", "help", "5"),
    ("Rates", "The exchange rate of the day.", "money", "1"),
    ("Closing", "Close my account for good.", "help", "2"),
    ("Transfers", "Why was my transfer declined?", "money", "4"),
    ("Coast", LONG, "story", ""),
    ("Empty", "  ", "help", "1"),
    ("Cards", "My card was stolen, what now?", "help", "3"),
    ("Script", "<script>alert('card')</script> & a card", "odd", "9"),
]


def write_table(path, rows=TEXTS):
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["name", "body", "kind", "stars"])
        out.writerows(rows)
    return path


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    workspace = tmp_path_factory.mktemp("searches")
    studio = Studio(Settings(workspace=workspace / "workspace", reranker=""), Here())
    tick, supervisor.TICK_S = supervisor.TICK_S, 0.02
    studio.start()
    yield studio
    studio.close()
    supervisor.TICK_S = tick


def bring(studio, path, owner="ada", **options):
    upload = studio.datasets.stage(owner, path, "help.csv")
    options = {"title": "name", "fields": ["kind", "stars"], **options}
    return studio.corpora.create_from_upload(owner, upload.id, "body", "", **options)


def ready(studio, corpus, columns=COLUMNS, owner="ada"):
    look = lambda: studio.searches.ensure(owner, corpus.id, columns)  # noqa: E731
    return wait_for(lambda: all((r := record).state in ("ready", "failed") for record in look()) and r and look(), 60)


def search(studio, corpus, query, columns=COLUMNS, **asked):
    return studio.searches.search("ada", corpus.id, columns, Asked(query, **asked))


@pytest.fixture(scope="module")
def corpus(studio, tmp_path_factory):
    corpus = bring(studio, write_table(tmp_path_factory.mktemp("table") / "help.csv"))
    ready(studio, corpus)
    return corpus


def test_a_corpus_keeps_titles_and_columns_and_says_what_was_left_out(studio, corpus):
    info = studio.corpora.info("ada", corpus.id)
    assert (corpus.name, corpus.rows, info.title) == ("help", 7, "name")
    assert corpus.note == "The column 'body' of help.csv. Left out: 1 empty, 1 repeated."
    kind, stars = info.fields
    assert (kind.kind, kind.choices) == ("choice", ("help", "money", "odd", "story"))
    assert (stars.kind, stars.low, stars.high) == ("number", 1, 9)


def test_a_long_document_is_found_by_one_of_its_passages_and_is_one_hit(studio, corpus):
    found = search(studio, corpus, "who counts ships in the lighthouse?", [MODEL])
    hits = found.columns[0].hits
    assert hits[0].title == "Coast"
    assert "lighthouse keeper" in hits[0].text
    assert not hits[0].whole
    assert len({hit.document for hit in hits}) == len(hits) == 7
    (record,) = studio.searches.ensure("ada", corpus.id, [MODEL])
    positions = open_index(record.folder).positions
    assert np.bincount(positions)[5] > 1, "the long one is several passages"


def test_columns_tell_each_others_ranks_and_their_scores_are_explained(studio, corpus):
    found = search(studio, corpus, "stolen card")
    words, model = found.columns
    assert (words.kind, model.kind) == ("keyword", "model")
    assert words.hits[0].title == model.hits[0].title == "Cards"
    assert words.hits[0].ranks == {MODEL: 1}
    assert model.hits[0].percentile == pytest.approx(100 * 6 / 7, abs=0.01)
    assert model.hits[0].score == model.hits[0].similarity <= 1
    assert all("card" in hit.text.casefold() for hit in words.hits), "keywords find what holds a word, nothing else"
    begin, end = words.hits[0].marks[0]
    assert words.hits[0].text[begin:end] == "card"


def test_filters_let_through_what_they_say(studio, corpus):
    def titles(*filters):
        return [hit.title for hit in search(studio, corpus, "account", [MODEL], filters=filters).columns[0].hits]

    assert set(titles({"field": "kind", "values": ["money"]})) == {"Rates", "Transfers"}
    assert set(titles({"field": "stars", "least": 4, "most": "5"})) == {"Cash", "Transfers"}
    assert titles({"field": "kind", "contains": "STO"}) == ["Coast"]
    assert titles({"field": "kind", "values": ["money"]}, {"field": "stars", "most": 1}) == ["Rates"]
    with pytest.raises(SearchError, match="no column 'price'"):
        titles({"field": "price", "least": 1})
    with pytest.raises(SearchError, match="filtered by numbers"):
        titles({"field": "stars", "least": "many"})


def test_a_threshold_hides_what_is_less_similar(studio, corpus):
    everything = search(studio, corpus, "stolen card", [MODEL]).columns[0].hits
    some = search(studio, corpus, "stolen card", [MODEL], threshold=everything[1].score).columns[0].hits
    assert [hit.document for hit in some] == [hit.document for hit in everything[:2]]


def test_hybrid_ranks_by_both_and_keeps_the_similarity(studio, corpus):
    hits = search(studio, corpus, "stolen card", [MODEL], hybrid=True).columns[0].hits
    assert hits[0].score == pytest.approx(2 / 61)
    assert hits[0].similarity > 0.3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_reranking_without_a_cross_encoder_says_why(studio, corpus):
    assert "STUDIO_RERANKER" in studio.searches.why_no_reranking()
    with pytest.raises(SearchError, match="No cross-encoder is configured"):
        search(studio, corpus, "card", rerank=True)


def test_a_cross_encoder_puts_the_hits_of_each_column_in_order(studio, corpus, tiny_model, tmp_path, monkeypatch):
    from sentence_transformers import CrossEncoder

    from studio.search.rerank import load, why_not

    CrossEncoder(str(tiny_model), num_labels=1).save(str(tmp_path / "cross"))
    monkeypatch.setattr(studio.searches, "_reranker", str(tmp_path / "cross"))
    assert studio.searches.why_no_reranking() == ""
    words, model = search(studio, corpus, "stolen card", rerank=True).columns
    score = load(str(tmp_path / "cross"))
    expected = score("stolen card", [f"{hit.title}\n{hit.text}" for hit in words.hits])
    np.testing.assert_allclose([hit.score for hit in words.hits], expected, atol=1e-5)
    for column in (words, model):
        scores = [hit.score for hit in column.hits]
        assert scores == sorted(scores, reverse=True)
    assert "holds no model" in why_not(str(tmp_path))
    assert "hub is switched off" in why_not("someone/cross-encoder")


def test_a_changed_corpus_is_indexed_again_only_where_it_is_new(studio, tmp_path, monkeypatch):
    corpus = bring(studio, write_table(tmp_path / "help.csv"))
    (before,) = ready(studio, corpus, [MODEL])
    assert before.reused == before.rows - 2, (
        "all texts of the other corpus's index, the passages of the long one too (of which two are alike)"
    )
    changed = [*TEXTS[:2], ("News", "An entirely new text about a bridge.", "money", "2")]
    upload = studio.datasets.stage("ada", write_table(tmp_path / "new.csv", changed), "new.csv")
    options = {"title": "name", "fields": ["kind"], "update": corpus.id}
    after = studio.corpora.create_from_upload("ada", upload.id, "body", "", **options)
    assert (after.id, after.rows) == (corpus.id, 3)
    with pytest.raises(SearchError, match="being read for"):
        search(studio, after, "bridge", [MODEL])
    (record,) = ready(studio, after, [MODEL])
    assert (record.done, record.reused) == (3, 2)
    assert search(studio, after, "bridge", [MODEL]).columns[0].hits[0].title == "News"
    assert not (record.folder / "old").exists()


def test_a_large_table_becomes_a_corpus_in_the_background(studio, tmp_path, monkeypatch):
    from studio.data import read

    monkeypatch.setattr(read, "LARGE_MB", 0)
    making = bring(studio, write_table(tmp_path / "help.csv"))
    done = wait_for(lambda: (now := studio.makings.get("ada", making.id)).is_over and now)
    assert (done.state, done.message) == ("succeeded", "7 texts can be searched.")
    corpus = studio.corpora.get("ada", making.id)
    assert (corpus.rows, corpus.note) == (7, "The column 'body' of help.csv. Left out: 1 empty, 1 repeated.")
    update = bring(studio, write_table(tmp_path / "less.csv", TEXTS[:2]), update=corpus.id)
    wait_for(lambda: studio.makings.get("ada", update.id).is_over)
    assert studio.corpora.get("ada", corpus.id).rows == 2
    assert update.id not in {each.id for each in studio.corpora.list("ada")}


def test_a_corpus_without_texts_is_refused_and_leaves_nothing(studio, tmp_path):
    before = sorted(studio.workspace.corpora.iterdir())
    with pytest.raises(SearchError, match="no texts to search"):
        bring(studio, write_table(tmp_path / "help.csv", [("a", " ", "x", "1")]))
    with pytest.raises(DataError, match="no column 'headline'"):
        bring(studio, write_table(tmp_path / "help.csv"), title="headline")
    assert sorted(studio.workspace.corpora.iterdir()) == before


def test_documents_are_a_corpus_too(studio, tmp_path):
    (tmp_path / "a.md").write_text("# Bees\n\nBees dance to tell where flowers are.")
    (tmp_path / "b.txt").write_text("A mill by the water.")
    upload = studio.documents.stage("ada", [(tmp_path / "a.md", "a.md"), (tmp_path / "b.txt", "b.txt")])
    library = studio.documents.library("ada", upload.id)
    corpus = studio.corpora.create_from_library("ada", library, "Nature")
    ready(studio, corpus, ["keyword"])
    hit = search(studio, corpus, "dance", ["keyword"]).columns[0].hits[0]
    assert (hit.title, hit.fields) == ("Bees", {"file": "a.md", "kind": "markdown"})


@pytest.mark.parametrize(
    ("query", "words"), [("", "empty"), (" \n ", "empty"), ("x" * 100_000, "100,000 characters"), ("\ud800", "broken")]
)
def test_a_query_that_cannot_be_asked_is_said_so(studio, corpus, query, words):
    with pytest.raises(SearchError, match=words):
        search(studio, corpus, query)


def test_a_model_that_was_deleted_meanwhile_is_said_so_and_costs_nothing_else(studio, corpus, tmp_path):
    dataset = make_dataset(studio, tmp_path)
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "plain"))
    column = f"run:{run.id}"
    model = studio.workspace.runs / run.id / "model"
    shutil.rmtree(model)
    from studio.search.warm import load

    load(WORDLLAMA).save(str(model))
    ready(studio, corpus, [column])
    assert search(studio, corpus, "card", [column]).columns[0].label == "plain"
    studio.runs.delete("ada", run.id)
    with pytest.raises(NotFound, match="not there any more"):
        search(studio, corpus, "card", ["keyword", column])
    studio.trash.remove("ada", "run", run.id)
    assert not (studio.workspace.indexes / corpus.id / tuned_key(run.id)).exists()
    assert search(studio, corpus, "card").columns[0].hits


def test_half_an_index_is_never_searched_and_goes_on_where_it_was(studio, tmp_path):
    rows = [(f"T{i}", f"text number {i} about {i % 7}", "a", "1") for i in range(CHUNK + 40)]
    corpus = bring(studio, write_table(tmp_path / "many.csv", rows))
    (record,) = ready(studio, corpus, [MODEL])
    folder, whole = record.folder, np.load(record.folder / "vectors.npy")
    # As a kill -9 leaves it after the first chunk: no meta.json, some rows, and a note of how far it came.
    meta = read_json(folder / "meta.json")
    (folder / "meta.json").unlink()
    np.save(folder / "todo.npy", np.argsort([-len(f"{title}\n{text}") for title, text, *_ in rows], kind="stable"))
    write_json(folder / "partial.json", {**meta, "done": CHUNK})
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", mode="r+")
    vectors[np.load(folder / "todo.npy")[CHUNK:]] = 0
    vectors.flush()
    with pytest.raises(SearchError, match="not finished"):
        open_index(folder)
    with pytest.raises(SearchError, match="being read"):
        search(studio, corpus, "number 5", [MODEL])
    ready(studio, corpus, [MODEL])
    np.testing.assert_allclose(np.load(folder / "vectors.npy"), whole, atol=1e-6)
    assert search(studio, corpus, "number 5", [MODEL]).columns[0].hits


def test_the_least_recently_used_index_is_freed_said_so_and_built_again(studio, corpus, monkeypatch):
    ready(studio, corpus)
    indexes = studio.searches._indexes
    monkeypatch.setattr("studio.runs.indexes.IN_USE_S", -1)
    monkeypatch.setattr(indexes, "_disk_mb", 0)
    assert indexes.free()
    monkeypatch.setattr(indexes, "_disk_mb", 1000)
    said = {record.state: record.message for record in studio.searches.indexes("ada", corpus.id)}
    assert "Freed on" in said["freed"]
    assert "Searching builds it again" in said["freed"]
    ready(studio, corpus)
    assert search(studio, corpus, "card").columns[0].hits


def test_what_was_asked_is_remembered_and_can_be_forgotten(studio, corpus):
    asked = Asked("where is my card", hybrid=True, filters=[{"field": "kind", "values": ["help"]}])
    studio.searches.search("ada", corpus.id, COLUMNS, asked, noted=True)
    newest = studio.searches.history("ada", corpus.id)[0]
    assert (newest["query"], newest["columns"], newest["hybrid"]) == ("where is my card", COLUMNS, True)
    assert newest["filters"] == [{"field": "kind", "values": ["help"]}]
    studio.searches.forget("ada", corpus.id)
    assert studio.searches.history("ada", corpus.id) == []


def test_marks_become_triplets_in_versions(studio, corpus):
    version = studio.corpora.info("ada", corpus.id).version

    def mark(query, kind, document, **more):
        return studio.feedback.mark("ada", corpus.id, version, query, kind, document, **more)

    with pytest.raises(DataError, match="No hit is marked as right"):
        studio.feedback.dataset("ada", corpus.id)
    mark("thief", "good", 0)
    mark("thief", "bad", 3)
    with pytest.raises(DataError, match="Marks on 1 query are too few"):
        studio.feedback.dataset("ada", corpus.id)
    summary = mark("no money came", "first", 4, above=[2, 1])
    assert (summary.good, summary.bad, summary.queries) == (2, 1, 2)
    rows = studio.feedback.rows("ada", corpus.id).to_pylist()
    kinds = {(row["anchor"], row["negative"].split("\n")[0]): row["negative_is"] for row in rows}
    assert kinds["thief", "Closing"] == "marked as wrong"
    assert kinds["no money came", "Rates"] == kinds["no money came", "Cash"] == "stood above it"
    assert all(row["positive"] != row["negative"] for row in rows)
    first = studio.feedback.dataset("ada", corpus.id)
    assert (first.info.format, first.info.rows) == ("triplet", len(rows))
    assert studio.feedback.dataset("ada", corpus.id).id == first.id, "nothing new was marked"
    mark("a bend of water", "good", 5, span=(0, 21))
    second = studio.feedback.dataset("ada", corpus.id)
    assert (second.info.parent, second.name) == (first.id, f"{first.name} (version 2)")
    assert list(studio.feedback.of_query("ada", corpus.id, "a bend of water").values()) == ["good"]
    hit = search(studio, corpus, "thief", [MODEL]).columns[0].hits[0]
    assert hit.document == 0
    assert studio.feedback.of_query("ada", corpus.id, "thief")[hit.key] == "good"
    mark("thief", "", 0, span=hit.span)
    assert list(studio.feedback.of_query("ada", corpus.id, "thief").values()) == ["bad"]
    with pytest.raises(SearchError, match="changed since"):
        studio.feedback.mark("ada", corpus.id, "another", "x", "good", 0)
    with pytest.raises(SearchError, match="no such document"):
        mark("thief", "good", 99)


def test_a_blind_pair_tells_no_names_and_counts_once(studio, corpus):
    pair = studio.blind.ask("ada", corpus.id, COLUMNS, Asked("stolen account"))
    names = studio.blind.vote("ada", pair.id, "left")
    assert set(names) == {"Keywords", studio.searches.source("ada", MODEL).label}
    with pytest.raises(SearchError, match="decided already"):
        studio.blind.vote("ada", pair.id, "right")
    with pytest.raises(NotFound):
        studio.blind.vote("bob", pair.id, "left")
    (result,) = studio.blind.preferences("ada", corpus.id)
    assert (result.wins, result.losses, result.one) == (1, 0, names[0])
    studio.blind.forget("ada", corpus.id)
    assert studio.blind.preferences("ada", corpus.id) == []


def test_the_sign_test_says_when_people_prefer_one():
    assert sign_test(9, 1) == pytest.approx(0.021484375)
    assert sign_test(5, 5) == 1
    assert "too few to tell from chance. 1 more decided query to go" in preference("a", "b", 9, 0, 3).sentence
    assert preference("after", "before", 9, 1, 2).sentence == (
        "People prefer 'after' to 'before': it was better in 9 of 10 decided queries (2 as good), p = 0.021."
    )
    assert preference("a", "b", 6, 5, 0).sentence.startswith("No preference")


def test_indexing_that_was_stopped_says_so_and_goes_on_when_asked(studio, tmp_path, monkeypatch):
    corpus = bring(studio, write_table(tmp_path / "other.csv", [("Z", "quite another text", "a", "1")]))
    with studio.supervisor.lock:  # nothing starts meanwhile
        (record,) = studio.searches.ensure("ada", corpus.id, [MODEL])
        studio.searches.stop("ada", corpus.id, record.model_key)
    assert studio.searches.ensure("ada", corpus.id, [MODEL])[0].state == "stopped"
    with pytest.raises(SearchError, match="was stopped"):
        search(studio, corpus, "text", [MODEL])
    studio.searches.ensure("ada", corpus.id, [MODEL], retry=True)
    ready(studio, corpus, [MODEL])
    begun = time.monotonic()
    assert search(studio, corpus, "text", [MODEL]).columns[0].hits[0].title == "Z"
    assert time.monotonic() - begun < 2, "models and indexes are warm"
    assert pq.read_schema(corpus.file).names == ["text", "row", "title", "field_0", "field_1"]
