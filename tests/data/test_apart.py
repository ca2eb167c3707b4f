"""Test data of one's own: nothing that trains gives them away."""

import numpy as np
import pyarrow as pa
import pytest

from studio.data.apart import LEFT_OUT, judging_rows, keep_apart
from studio.errors import DataError

ASK = "How do I order a new card for my account number {}?"
ANSWER = "You order card number {} in the app, under the third tab of the settings."


def pairs(numbers, ask=ASK, answer=ANSWER) -> pa.Table:
    numbers = list(numbers)
    texts = {"anchor": [ask.format(n) for n in numbers], "positive": [answer.format(n) for n in numbers]}
    return pa.table({**texts, "row": np.arange(2, len(numbers) + 2)})


def trained(data: pa.Table, test: pa.Table) -> set[str]:
    return set(data["anchor"].take(keep_apart(data, test, "Mine").train).to_pylist())


def test_rows_of_the_test_data_do_not_train_and_are_counted():
    split = keep_apart(pairs(range(100)), pairs(range(90, 120)), "Mine")
    assert split.train.tolist() == list(range(90))
    assert (split.shared, len(split.heldout)) == ("nothing", 0)
    assert "the test data 'Mine'." in split.note
    assert "10 of the table's 100 rows do not train" in split.note


def test_case_punctuation_and_a_word_more_do_not_hide_a_row():
    shouted = pairs(range(5), ask=ASK.upper() + "!!")
    longer = pairs(range(5, 10), ask=ASK.removesuffix("?") + ", please?")
    data = pairs(range(60))
    assert keep_apart(data, pa.concat_tables([shouted, longer]), "Mine").train.tolist() == list(range(10, 60))


def test_a_text_that_changes_its_column_is_found_too():
    test = pairs(range(5)).rename_columns(["positive", "anchor", "row"])
    assert keep_apart(pairs(range(60)), test, "Mine").train.tolist() == list(range(5, 60))


def test_a_closed_set_of_answers_may_train_and_questions_may_not():
    topics = [f"Topic of the kind {'abcdefgh'[n % 8]}" for n in range(200)]
    data = pairs(range(200)).set_column(1, "positive", pa.array(topics))
    test = data.slice(0, 20)
    split = keep_apart(data, test, "Mine")
    assert split.train.tolist() == list(range(20, 200))
    assert split.shared == "answers"
    assert "The positives of 20 of the test rows stand in training rows too." in split.note


def test_recurring_anchors_may_train_and_their_answers_may_not():
    topics = [f"Topic of the kind {'abcdefgh'[n % 8]}" for n in range(200)]
    data = pairs(range(200)).set_column(0, "anchor", pa.array(topics))
    split = keep_apart(data, data.slice(0, 20), "Mine")
    assert split.train.tolist() == list(range(20, 200))
    assert split.shared == "anchors"


def test_a_whole_row_never_trains_however_many_there_are():
    data = pairs(range(100))
    half = keep_apart(data, data.slice(0, 60), "Mine")
    assert max(LEFT_OUT.values()) * len(data) < 60
    assert half.train.tolist() == list(range(60, 100))
    with pytest.raises(DataError, match="Nothing is left to train on") as caught:
        keep_apart(data, data, "Mine")
    assert caught.value.hint


def test_few_texts_on_both_sides_leave_out_the_rows_that_say_nothing_new():
    colours, sizes = ["red", "green", "blue"], ["small", "large", "huge"]
    rows = [(f"A {c} thing", f"Of {s} size") for c in colours for s in sizes]
    data = pa.table({"anchor": [a for a, _ in rows], "positive": [b for _, b in rows], "row": np.arange(9)})
    split = keep_apart(data, data.take([0, 4, 8]), "Mine")
    assert split.train.tolist() == [1, 2, 3, 5, 6, 7]
    assert "because they repeat a row of it" in split.note


def test_negatives_may_recur_where_positives_may_not():
    negative = pa.array([f"Something else {'abc'[n % 3]}" for n in range(90)])
    data = pairs(range(90)).append_column("negative", negative)
    split = keep_apart(data, data.slice(0, 9), "Mine")
    assert split.train.tolist() == list(range(9, 90))
    assert split.shared == "negatives"
    assert "The negatives of 9 of the test rows stand in training rows too." in split.note


def test_test_data_of_another_format_are_kept_apart_as_well():
    test = pa.table({"text": [ASK.format(n) for n in range(10)], "class": ["a", "b"] * 5, "row": np.arange(10)})
    assert keep_apart(pairs(range(60)), test, "Mine").train.tolist() == list(range(10, 60))


def test_the_test_part_of_a_set_judges_and_never_trains():
    part = pa.array(["train"] * 40 + ["test"] * 20)
    whole = pairs(range(60)).append_column("part", part)
    assert judging_rows(whole, 0)[0]["anchor"].to_pylist() == [ASK.format(n) for n in range(40, 60)]
    other = keep_apart(whole, pairs(range(100, 110)), "Mine")
    assert other.train.tolist() == list(range(40))
    assert "20 rows that the set itself marks as test do not train either." in other.note


def test_of_very_many_rows_some_judge_and_that_is_said(monkeypatch):
    from studio.data import apart

    monkeypatch.setattr(apart, "MOST_TEST_ROWS", 20)
    rows, total = judging_rows(pairs(range(50)), 0)
    assert (len(rows), total) == (20, 50)
    assert judging_rows(pairs(range(50)), 0)[0] == rows
    assert "'Mine', 20 of 50 rows drawn by chance." in keep_apart(pairs(range(60, 90)), rows, "Mine", total).note
