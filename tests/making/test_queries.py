"""Questions from a language model, against a server of the tests' own."""

import json
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.data.dataset import load_info, load_rows
from studio.errors import ConfigError, DataError, HostError
from studio.files import read_json, write_json
from studio.making import chat, queries
from studio.making.maker import Stopped, make
from tests.making.languagemodel import KEY, completion, good, passage_of, slow

PLACES = "Aachen Bremen Cottbus Dresden Essen Fulda Gera Hamburg Ilmenau Jena Kassel Leipzig Mainz Neuss".split()  # noqa: SIM905
PASSAGES = [
    f"{place} has a cash machine at the station, where cards of all banks are taken by night too." for place in PLACES
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Waits between tries are a hundredth of what they are for people."""
    monkeypatch.setattr(chat, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(chat, "LONGEST_WAIT_S", 0.05)


@pytest.fixture
def folder(tmp_path):
    pq.write_table(pa.table({"text": PASSAGES}), tmp_path / "passages.parquet")
    write_json(tmp_path / "task.json", task())
    return tmp_path


def task(**values):
    return {"kind": "queries", "name": "Asked", "questions": 2, "source": "cash.csv", "model": "tiny-llm", **values}


def write(folder, stopped=lambda: False, reports=None, **values):
    report = (lambda *told: reports.append(told)) if reports is not None else (lambda *told: None)
    return queries.write(folder, task(**values), report, stopped)


def asked(language_model):
    return [passage_of(request) for request in language_model.requests]


def test_questions_become_a_dataset_that_says_who_wrote_them(folder, language_model):
    reports = []
    result = write(folder, reports=reports)
    rows = load_rows(folder / "dataset").to_pylist()
    assert len(rows) == result["questions"] == 2 * len(PASSAGES)
    assert rows[0] == {"anchor": "What is there to know about Aachen?", "positive": PASSAGES[0], "row": 1}
    info = load_info(folder / "dataset")
    assert (info.format, info.roles) == ("pair", {"anchor": "question", "positive": "passage"})
    assert "written by tiny-llm for 14 passages of cash.csv" in info.history[0]
    assert result["tokens"] == 120 * len(PASSAGES)
    assert reports[-1][:2] == (len(PASSAGES), len(PASSAGES))
    assert "28 questions, 1,680 tokens" in reports[-1][2]
    assert language_model.most_at_once <= 3
    request = language_model.requests[0]
    assert (request["path"], request["model"]) == ("/v1/chat/completions", "tiny-llm")


def test_a_busy_service_is_asked_again_and_told_how_long_to_wait_is_heard(folder, language_model):
    busy = dict.fromkeys(PASSAGES, 2)
    language_model.headers["retry-after"] = "0.02"

    def answer(request):
        passage = passage_of(request)
        busy[passage] -= 1
        return (429 if busy[passage] else 500, {"error": "busy"}) if busy[passage] >= 0 else good(request)

    language_model.answer = answer
    assert write(folder)["left_out"] == {}
    assert len(language_model.requests) == 3 * len(PASSAGES)


def test_refusals_empty_answers_and_copies_are_left_out_and_counted(folder, language_model):
    odd = {
        "Aachen": completion(None, refusal="I will not"),
        "Bremen": completion("I'm sorry, but I cannot help with that."),
        "Cottbus": completion("[]"),
        "Dresden": completion(json.dumps([PASSAGES[3], "Where in Dresden is money at night?"])),
        "Essen": completion('["Where is money?"]'),
        "Fulda": completion('["where is  MONEY?"]'),
    }
    language_model.answer = lambda request: (
        (200, odd[word]) if (word := passage_of(request).split()[0]) in odd else good(request)
    )
    result = write(folder)
    assert result["left_out"] == {queries.REFUSED: 2, queries.EMPTY: 1, queries.COPIED: 1, queries.AGAIN: 1}
    assert load_info(folder / "dataset").dropped == result["left_out"]
    assert result["questions"] == 8 * 2 + 2


def test_an_answer_that_is_no_answer_costs_its_passage_only(folder, language_model):
    broken = {"Aachen": b"<html>gateway</html>", "Jena": b'{"choices": []}', "Mainz": b'{"choices": [{"message": 3}]}'}
    language_model.answer = lambda request: (
        (200, broken[w]) if (w := passage_of(request).split()[0]) in broken else good(request)
    )
    assert write(folder)["left_out"] == {queries.FAILED: 3}
    language_model.requests.clear()
    language_model.answer = good
    write(folder)  # started again, those are asked for again, and nothing else
    assert sorted(word.split()[0] for word in asked(language_model)) == ["Aachen", "Jena", "Mainz"]


def test_a_wrong_key_ends_it_at_once_and_is_said_nowhere(folder, language_model, monkeypatch, caplog):
    monkeypatch.setenv("STUDIO_LLM_KEY", "sk-wrong-0815")
    with pytest.raises(ConfigError, match="refuses the key") as caught:
        write(folder)
    assert len(language_model.requests) <= 3
    written = "".join(path.read_text(errors="replace") for path in folder.iterdir() if path.suffix != ".parquet")
    assert "0815" not in f"{caught.value}{written}{caplog.text}"


def test_a_service_that_is_not_there_is_said_so(folder, language_model):
    language_model.close()
    with pytest.raises(HostError, match=r"127\.0\.0\.1 cannot be reached"):
        write(folder)


def test_a_service_that_is_too_slow_is_given_up_after_some_passages(folder, language_model, monkeypatch):
    monkeypatch.setenv("STUDIO_LLM_TIMEOUT_S", "0.05")
    monkeypatch.setattr(chat, "TRIES", 2)
    language_model.answer = slow(0.4)
    with pytest.raises(HostError, match=r"passages in a row got no answer\. The language model took too long"):
        write(folder)


def test_no_redirect_is_followed(folder, language_model):
    language_model.headers["location"] = f"{language_model.url}/elsewhere"
    language_model.answer = lambda request: (307, {})
    with pytest.raises(ConfigError, match="sends on to another address"):
        write(folder)
    assert {request["path"] for request in language_model.requests} == {"/v1/chat/completions"}


def test_a_newer_service_is_asked_in_its_own_words(folder, language_model):
    def answer(request):
        if "max_tokens" in request:
            return 400, {"error": {"message": "Unsupported parameter: use 'max_completion_tokens' instead."}}
        return good(request)

    language_model.answer = answer
    assert write(folder)["questions"] == 2 * len(PASSAGES)
    assert sum("max_tokens" in request for request in language_model.requests) <= 3


def test_stop_is_quick_keeps_the_answers_and_goes_on_from_there(folder, language_model):
    language_model.answer = slow(0.1)
    started = time.monotonic()
    answers = folder / "answers.jsonl"
    with pytest.raises(Stopped):
        write(folder, stopped=lambda: answers.exists() and answers.read_text().count("\n") >= 4)
    assert time.monotonic() - started < 1.5
    kept = answers.read_text().count("\n")
    assert 4 <= kept < len(PASSAGES)
    assert not (folder / "dataset").exists()
    with answers.open("a") as file:
        file.write('{"passage": 13, "questi')  # as a killed process leaves it
    language_model.requests.clear()
    language_model.answer = good
    assert write(folder)["questions"] == 2 * len(PASSAGES)
    assert len(language_model.requests) == len(PASSAGES) - kept
    assert [json.loads(line)["passage"] for line in answers.read_text().splitlines()].count(13) == 1


def test_what_was_answered_can_be_kept_without_asking_for_more(folder, language_model):
    answers = folder / "answers.jsonl"
    with pytest.raises(Stopped):
        write(folder, stopped=lambda: answers.exists())
    kept = answers.read_text().count("\n")
    language_model.requests.clear()
    assert write(folder, finish=True)["questions"] == 2 * kept
    assert language_model.requests == []


def test_a_service_that_only_refuses_leaves_no_dataset(folder, language_model):
    language_model.answer = lambda request: (200, completion(None, refusal="no"))
    with pytest.raises(DataError, match="14: the language model refused"):
        write(folder)
    assert not (folder / "dataset").exists()


def test_the_process_says_what_a_person_can_mend(folder, monkeypatch):
    for name in ("URL", "MODEL", "KEY"):
        monkeypatch.delenv(f"STUDIO_LLM_{name}", raising=False)
    outcome = make(folder, lambda: False)
    assert (outcome["state"], outcome["message"]) == ("failed", "No language model is configured.")
    assert "STUDIO_LLM_URL" in outcome["hint"]


def test_the_key_is_in_no_file_of_the_folder(folder, language_model):
    outcome = make(folder, lambda: False)
    write_json(folder / "outcome.json", outcome)
    assert read_json(folder / "outcome.json")["state"] == "succeeded"
    assert language_model.requests[0]["authorization"] == f"Bearer {KEY}"
    for path in folder.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path
