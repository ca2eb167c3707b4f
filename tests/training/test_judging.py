"""Test data of one's own judge a run."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from studio import worker
from studio.data.dataset import save_dataset
from studio.errors import DataError
from studio.evaluation.result import Verdict
from studio.export.script.write import PARTS
from studio.files import read_json, write_json
from studio.training.config import make_config
from studio.training.estimate import estimate
from studio.training.folder import RunFolder
from studio.training.judging import OwnTest, own_test, same_columns, task_of
from studio.training.parts import make_parts
from studio.training.rows import plan_rows
from studio.training.suggest import check_fit

pytestmark = pytest.mark.model
STATIC = {"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2, "batch_size": 8}


@pytest.fixture(scope="session")
def exam(dataset):
    """Scored pairs, of which the questions of fifty stand in the 200 rows that train."""
    info, data = dataset("scored_pair", 400)
    return OwnTest(replace(info, name="Exam", rows=90), data.slice(150, 90))


def test_a_run_is_judged_on_the_test_data_and_says_so(tmp_path, dataset, exam, events_of):
    folder = RunFolder(tmp_path / "run")
    info, data = dataset("pair", 200)
    save_dataset(folder.dataset, data, info)
    save_dataset(folder.test, exam.data, exam.info)
    write_json(folder.config, make_config({**STATIC, "evaluations": 1, "general_check": False}).model_dump())
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert worker.run(folder, 60.0) == 0, read_json(folder.outcome)
    finally:
        signal.signal(signal.SIGTERM, before)
    verdict, outcome = Verdict.load(folder.verdict), read_json(folder.outcome)
    assert (verdict.primary, verdict.judged_on, verdict.heldout_rows) == ("spearman", "Exam", 90)
    assert "50 of the table's 200 rows do not train" in verdict.split_note
    assert (outcome["train_rows"], outcome["heldout_rows"]) == (150, 90)
    split = read_json(folder.split)
    assert split["heldout"] == []
    assert split["test"] == exam.data["row"].to_pylist()
    asked = set(exam.data["anchor"].to_pylist())
    position = {number: i for i, number in enumerate(data["row"].to_pylist())}
    assert not asked & {data["anchor"][position[number]].as_py() for number in split["train"]}
    made = read_json(folder.script / PARTS)["files"]["train.parquet"]
    assert made["positions"] == [position[number] for number in split["train"]]
    plan = events_of(folder, "plan")[0]
    assert plan["primary"] == "spearman"
    assert [e["loss"] for e in events_of(folder, "eval")] == [None] * len(events_of(folder, "eval"))  # no such rows
    assert any("'Exam' judges." in event["message"] for event in events_of(folder, "note"))
    assert "Exam" in (folder.model / "README.md").read_text(encoding="utf-8")


def test_rows_that_choose_come_from_the_table_and_not_from_the_test_data(dataset, exam):
    _, data = dataset("pair", 200)
    plain = plan_rows(data, make_config(STATIC), exam)
    assert plain.looks_at_test
    assert (len(plain.heldout), plain.judging) == (0, 90)
    choosing = plan_rows(data, make_config({**STATIC, "keep_best": True}), exam)
    assert not choosing.looks_at_test
    assert 10 <= len(choosing.validation) <= 20
    assert not set(choosing.validation) & set(choosing.train)
    assert {*choosing.validation, *choosing.train} == {*plain.train}


def test_what_the_estimate_says_of_test_data(dataset, exam):
    info, data = dataset("pair", 200)
    alone = estimate(info, data, make_config(STATIC))
    judged = estimate(info, data, make_config(STATIC), exam)
    assert (alone.own_test, judged.own_test) == (False, True)
    assert judged.heldout_rows == 90
    assert judged.train_rows == 150
    assert "'Exam'" in judged.note


def test_a_table_that_is_all_test_data_is_refused_before_it_trains(dataset):
    info, data = dataset("pair", 60)
    with pytest.raises(DataError, match="Nothing is left to train on"):
        check_fit(info, make_config(STATIC), data, OwnTest(replace(info, name="Itself"), data))


def test_datasets_that_train_along_do_not_give_test_rows_away(dataset, exam):
    _, data = dataset("pair", 100)
    info, other = dataset("pair", 300)
    config = make_config(STATIC)
    rows = plan_rows(data, config, exam)
    (part,) = make_parts([(replace(info, name="Other"), other.slice(200))], config, data, rows)
    asked = set(exam.data["anchor"].to_pylist())
    trained = other.slice(200)["anchor"].take(part.rows.train).to_pylist()
    assert len(trained) > 40
    assert not asked & set(trained)
    assert any("give rows of 'Exam' away" in words for words in part.rows.notes)


def test_questions_of_a_closed_set_are_searched_in_the_answers_of_both_tables(dataset):
    info, data = dataset("pair", 400)
    test = OwnTest(replace(info, name="Exam"), data.slice(380))
    rows = plan_rows(data.slice(0, 380), make_config(STATIC), test)
    task = task_of(test, np.arange(20), rows.split, data.slice(0, 380))
    assert rows.split.shared == "answers"
    assert set(task.retrieval.corpus) == set(data["positive"].to_pylist())
    assert len(task.retrieval.corpus) > len(set(test.data["positive"].to_pylist()))


def test_a_retrieval_set_judges_with_its_test_part_over_its_whole_corpus(tmp_path, dataset):
    import pyarrow as pa

    info, data = dataset("pair", 60)
    part = pa.array(["train"] * 40 + ["test"] * 20)
    corpus = pa.array([*data["positive"].unique().to_pylist(), "A text that answers nothing."])
    save_dataset(tmp_path / "test", data.append_column("part", part), replace(info, corpus_rows=len(corpus)), corpus)
    test = own_test(tmp_path / "test", 0)
    assert test.data["anchor"].to_pylist() == data["anchor"].to_pylist()[40:]
    _, other = dataset("triplet", 400)
    assert not same_columns(test, dataset("triplet", 4)[0], other)
    rows = plan_rows(other.slice(100), make_config(STATIC), test)
    task = task_of(test, np.arange(20), rows.split, other.slice(100))
    assert set(task.retrieval.corpus) == set(corpus.to_pylist())
    assert own_test(tmp_path / "nothing", 0) is None
