"""Corpora and searches as a program asks for them."""

import csv
import io
import json
import threading
import time

import pytest
from starlette.testclient import TestClient

from studio.runs.studio import Studio
from studio.settings import Settings
from studio.ui.server import build_server
from tests.runs.scene import WORDLLAMA, Here, wait_for
from tests.ui.conftest import in_event_loop

MODEL = f"model:{WORDLLAMA}"
COLUMNS = ["keyword", MODEL]
HOSTILE = "<img src=x onerror=alert(1)> a lost card"
DOCUMENTS = [
    {"text": HOSTILE, "title": "=cmd()", "fields": {"kind": "odd", "stars": 3}},
    {"text": "The exchange rate of the day.", "title": "Rates", "fields": {"kind": "money", "stars": 1}},
    {"text": "My card was stolen, what now?", "title": "Cards", "fields": {"kind": "help"}},
    {"text": "Close my account for good.", "title": "Closing", "fields": {"kind": "help", "stars": 5}},
]


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    studio = Studio(Settings(workspace=tmp_path_factory.mktemp("api") / "workspace"), Here())
    studio.start()
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def client(studio):
    server = in_event_loop(build_server, studio, studio.settings)
    return TestClient(server, base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def corpus(client):
    made = client.post("/api/corpora", json={"name": "Help", "documents": DOCUMENTS}).json()
    indexes = f"/api/corpora/{made['id']}/indexes"
    ask = lambda: client.post(indexes, json={"columns": COLUMNS}).json()["indexes"]  # noqa: E731
    wait_for(lambda: all(index["state"] == "ready" for index in ask()), 60)
    return f"/api/corpora/{made['id']}"


def test_a_program_brings_documents_and_searches_them(client, corpus):
    about = client.get(corpus).json()
    assert (about["rows"], [field["kind"] for field in about["fields"]]) == (4, ["choice", "number"])
    assert {index["state"] for index in about["indexes"]} == {"ready"}
    wish = {
        "columns": COLUMNS,
        "query": "stolen card",
        "filters": [{"field": "kind", "values": ["help"]}],
        "note": True,
    }
    found = client.post(f"{corpus}/search", json=wish).json()
    assert [column["hits"][0]["title"] for column in found["columns"]] == ["Cards", "Cards"]
    assert (found["documents"], found["passed"]) == (4, 2)
    assert client.get(f"{corpus}/history").json()["searches"][0]["query"] == "stolen card"
    assert client.get("/api/corpora").json()["sources"][0]["id"] == "keyword"


def test_hits_are_taken_along_as_a_table_that_no_spreadsheet_runs(client, corpus):
    asked = json.dumps({"columns": COLUMNS, "query": "lost card"})
    answer = client.get(f"{corpus}/hits.csv", params={"asked": asked})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0]["title"] == "'=cmd()"
    assert rows[0]["text"] == HOSTILE
    assert json.loads(rows[0]["ranks_elsewhere"])
    assert client.get(f"{corpus}/hits.csv", params={"asked": "{"}).status_code == 400


def test_marks_are_counted_and_taken_along(client, corpus):
    version = client.get(corpus).json()["version"]
    said = {"version": version, "query": "thief", "mark": "first", "document": 2, "above": [1]}
    answer = client.post(f"{corpus}/marks", json=said).json()
    assert (answer["good"], list(answer["marks"].values())) == (1, ["first"])
    rows = list(csv.DictReader(io.StringIO(client.get(f"{corpus}/feedback.csv").text)))
    assert rows[0]["negative_is"] == "stood above it"
    refused = client.post(f"{corpus}/feedback").json()
    assert refused["hint"] == "Mark hits of at least 2 queries."


def test_a_blind_pair_says_neither_names_nor_scores(client, corpus):
    pair = client.post(f"{corpus}/blind", json={"columns": COLUMNS, "query": "card account"}).json()
    words = json.dumps(pair)
    assert "score" not in words
    assert "similarity" not in words
    assert WORDLLAMA not in words
    assert set(client.post(f"/api/blind/{pair['pair']}", json={"choice": "same"}).json()) == {"left", "right"}
    assert client.get(f"{corpus}/preferences").json()["preferences"][0]["same"] == 1


def test_a_look_through_the_texts_ends_in_tables(client, corpus):
    begun = client.post(f"{corpus}/tidy", json={"column": MODEL, "topics": 2}).json()
    done = wait_for(
        lambda: (now := client.get(f"{corpus}/tidy").json())["making"]["state"] != "queued" and now["result"] and now,
        30,
    )
    assert begun["making"]["id"] == done["making"]["id"]
    assert sum(topic["documents"] for topic in done["result"]["topics"]) == 4
    table = client.get(f"/api/tidy/{begun['making']['id']}/documents.csv").text
    assert len(list(csv.DictReader(io.StringIO(table)))) == 4
    assert client.get(f"/api/tidy/{begun['making']['id']}/task.csv").status_code == 404
    assert client.post(f"{corpus}/tidy", json={"column": "keyword"}).status_code == 400


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"query": ""}, "The query is empty."),
        ({"query": "x" * 100_000}, "The query has 100,000 characters"),
        ({"columns": ["run:abcdefghij"]}, "The model of this column is not there any more."),
        ({"columns": ["x"]}, "nothing to search with"),
        ({"columns": []}, "There is nothing to search with."),
        ({"filters": [{"field": "x"}]}, "no column 'x'"),
    ],
)
def test_what_cannot_be_asked_is_answered_in_plain_words(client, corpus, change, words):
    answer = client.post(f"{corpus}/search", json={"columns": COLUMNS, "query": "card", **change})
    assert answer.status_code in (400, 404)
    assert words in answer.json()["message"]
    assert answer.json()["hint"]


def test_a_corpus_without_texts_is_refused(client):
    answer = client.post("/api/corpora", json={"documents": [{"text": "  "}]})
    assert (answer.status_code, answer.json()["message"]) == (400, "There are no texts to search.")


def test_a_search_blocks_nobody_else_s_page(client, corpus, studio, monkeypatch):
    go_on = threading.Event()
    real = studio.searches.search

    def slow(*arguments, **more):
        go_on.wait(20)
        return real(*arguments, **more)

    monkeypatch.setattr(studio.searches, "search", slow)
    ask = lambda: client.post(f"{corpus}/search", json={"columns": COLUMNS, "query": "card"})  # noqa: E731
    with client:
        threads = [threading.Thread(target=ask) for _ in range(60)]  # more than the server has threads for pages
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        begun = time.monotonic()
        assert client.get("/api/corpora").status_code == 200
        assert time.monotonic() - begun < 5
        go_on.set()
        for thread in threads:
            thread.join()
