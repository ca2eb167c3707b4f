"""Beginnings that all texts share, and anchors and positives that look swapped."""

import pytest

from studio.data.check import check, inspect_file, inspect_table
from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.table import Roles

PAIR = Roles("q", "a")


def codes(table, roles=PAIR) -> dict:
    return {f.code: f for f in check(prepare(table, roles))}


@pytest.mark.parametrize(
    ("prefix", "said"), [("query: ", "query:"), ("Question and answer - ", "Question and answer -")]
)
def test_a_beginning_that_all_texts_share_is_said(table, texts, prefix, said):
    q = [prefix + text for text in texts(100)]
    q[5] = "something else"
    found = codes(table({"q": q, "a": texts(100, 9)}))["same_beginning"]
    assert (found.severity, found.count) == ("info", 99)
    assert 7 not in found.rows
    assert f"In 99% of the rows the anchor begins with '{said}'" in found.message


@pytest.mark.parametrize("prefix", ["The ", "a ", ""])
def test_a_common_first_word_is_no_beginning_to_speak_of(table, texts, prefix):
    assert "same_beginning" not in codes(table({"q": [prefix + t for t in texts(100)], "a": texts(100, 9)}))


def test_a_closed_set_of_answers_may_begin_alike(table, texts):
    topics = [f"Topic: number {i % 9}" for i in range(100)]
    assert "same_beginning" not in codes(table({"q": texts(100), "a": topics}))


def test_a_beginning_that_half_of_the_texts_share_is_none(table, texts):
    q = [("query: " if i % 2 else "") + text for i, text in enumerate(texts(100))]
    assert "same_beginning" not in codes(table({"q": q, "a": texts(100, 9)}))


def test_real_tables_have_no_common_beginning_until_they_are_given_one(samples, table):
    assert "same_beginning" not in {f.code for f in inspect_file(samples / "banking77.csv").findings}
    source = read_table(samples / "banking77.csv")
    asked = [f"Customer asks: {text}" for text in source.data["question"].to_pylist()]
    report = inspect_table(table({"q": asked, "a": source.data["topic"].to_pylist()}), PAIR)
    assert "'Customer asks:'" in next(f.message for f in report.findings if f.code == "same_beginning")


def test_questions_among_the_positives_look_swapped(table, texts):
    asked = [f"{text}?" for text in texts(60)]
    found = codes(table({"q": texts(60, 9), "a": asked}))["swapped_columns"]
    assert found.severity == "warning"
    assert "100% of the positives end with a question mark" in found.message
    assert "swapped_columns" not in codes(table({"q": asked, "a": texts(60, 9)}))
    assert "swapped_columns" not in codes(table({"q": asked, "a": [f"{text} eh?" for text in texts(60)]}))


def test_real_descriptions_as_anchors_look_swapped_and_real_titles_do_not(samples):
    source = read_table(samples / "programs_triplets.csv")
    swapped = inspect_table(source, Roles("positive", "anchor"))
    assert next(f for f in swapped.findings if f.code == "swapped_columns").severity == "info"
    right = inspect_table(source, Roles("anchor", "positive"))
    assert "swapped_columns" not in {f.code for f in right.findings}


def test_topics_and_judged_pairs_have_no_order_to_be_wrong_in(samples, table, texts):
    source = read_table(samples / "banking77.csv")
    assert "swapped_columns" not in {f.code for f in inspect_table(source, Roles("question", "topic")).findings}
    columns = {"q": texts(60, 9), "a": [f"{text}?" for text in texts(60)], "l": ["0", "1"] * 30}
    assert "swapped_columns" not in codes(table(columns), Roles("q", "a", label="l"))
