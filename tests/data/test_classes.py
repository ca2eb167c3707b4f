"""Texts with classes, and plain texts: what is found, mended, held out."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.check import check
from studio.data.fix import fix_rows
from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.split import split
from studio.data.table import Roles
from studio.errors import DataError

CLASSED = Roles(text="text", class_="kind")


def found(table, columns, roles=CLASSED):
    return {finding.code: finding for finding in check(prepare(table(columns), roles))}


def many(texts, sizes):
    """A column of texts and one of classes of these sizes."""
    return {"text": texts(sum(sizes)), "kind": [f"class {i}" for i, size in enumerate(sizes) for _ in range(size)]}


def test_blank_and_repeated_rows_are_left_out_with_the_reason(table):
    columns = {"text": ["one", " one ", "", "two", "three"], "kind": ["a", "a", "a", " ", "none"]}
    made = prepare(table(columns), CLASSED)
    assert made.data.to_pydict() == {"text": ["one", "three"], "class": ["a", "none"], "row": [2, 6]}
    assert {reason: [note.row for note in notes] for reason, notes in made.dropped.items()} == {
        "the same row again": [3],
        "text is empty": [4],
        "class is missing": [5],
    }


def test_classes_of_one_row_are_named_and_can_be_left_out(table, texts):
    columns = many(texts, (30, 29, 1))
    finding = found(table, columns)["rare_classes"]
    assert (finding.severity, finding.rows) == ("info", (61,))
    data, done = fix_rows(prepare(table(columns), CLASSED).data, "classed_text", "rare_classes")
    assert (len(data), done) == (59, "1 row left out: the only ones of their class")


def test_one_class_only_teaches_nothing(table, texts):
    assert found(table, many(texts, (60,)))["one_class_only"].severity == "error"


def test_classes_without_two_texts_teach_nothing(table, texts):
    assert found(table, many(texts, (1,) * 60))["classes_too_small"].severity == "error"
    assert found(table, many(texts, (2,) * 30)).keys() == set()


def test_more_classes_than_half_the_rows_look_like_texts(table, texts):
    assert found(table, many(texts, (2, 2, *(1,) * 60)))["many_classes"].severity == "warning"


def test_a_class_that_outweighs_all_others_is_named(table, texts):
    finding = found(table, many(texts, (100, 4, 4)))["unbalanced_classes"]
    assert "'class 0' has 100 of 108 rows" in finding.message
    assert "unbalanced_classes" not in found(table, many(texts, (60, 40, 20)))


def test_a_text_under_two_classes_is_named_whatever_its_case(table, texts):
    columns = many(texts, (30, 30))
    columns["text"][59] = columns["text"][0].upper()
    assert found(table, columns)["contradictory_classes"].rows == (2, 61)
    data, _ = fix_rows(prepare(table(columns), CLASSED).data, "classed_text", "contradictory_classes")
    assert len(data) == 58


def test_near_duplicates_of_another_class_are_none(table, texts):
    columns = many(texts, (30, 30))
    columns["text"][1] = columns["text"][0] + " " + columns["text"][0].split()[1]
    assert found(table, columns)["near_duplicates"].rows == (3,)
    columns["kind"][1] = "class 1"
    assert "near_duplicates" not in found(table, columns)


def test_fixes_of_pairs_do_not_fit_one_text(table, texts):
    data = prepare(table({"text": texts(60)}), Roles(text="text")).data
    for code in ("anchor_equals_positive", "positive_equals_negative", "contradictory_classes", "contradictory_labels"):
        with pytest.raises(DataError, match="does not fit this dataset"):
            fix_rows(data, "texts", code)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=8, max_size=150, unique=True),
    st.sampled_from([0.02, 0.1, 0.3, 0.5]),
)
def test_held_out_texts_stand_in_no_training_row_and_no_class_is_torn_from_training(pairs, share):
    texts = [f"Text {n}" if n % 2 else f"TEXT  {n}" for n, _ in pairs]
    classes = [f"c{c}" for _, c in pairs]
    data = pa.table({"text": texts, "class": classes, "row": np.arange(len(pairs)) + 2})
    try:
        made = split(data, share, 1)
    except DataError:
        return
    assert sorted([*made.train, *made.heldout]) == list(range(len(pairs)))
    assert len(made.heldout)
    sides = [{" ".join(texts[i].casefold().split()) for i in side} for side in (made.train, made.heldout)]
    assert not sides[0] & sides[1]
    if "each of their classes has training rows" in made.note:
        trained = Counter(classes[i] for i in made.train)
        assert all(trained[classes[i]] >= 2 for i in made.heldout)


def test_every_class_of_a_real_table_gives_its_share(shared_data: Path):
    data = prepare(read_table(shared_data / "banking77" / "train.csv"), Roles(text="text", class_="category")).data
    made = split(data, 0.1, 42)
    held, all_of = Counter(data["class"].take(made.heldout).to_pylist()), Counter(data["class"].to_pylist())
    assert len(made.heldout) == 1000
    assert len(held) == 77
    assert all(abs(held[name] - 0.1 * rows) <= 1 for name, rows in all_of.items())
    assert split(data, 0.1, 42).heldout.tolist() == made.heldout.tolist()
    assert split(data, 0.1, 43).heldout.tolist() != made.heldout.tolist()


def test_classes_of_two_are_held_out_whole(table, texts):
    data = prepare(table(many(texts, (2,) * 40)), CLASSED).data
    made = split(data, 0.2, 1)
    held = data["class"].take(made.heldout).to_pylist()
    assert len(held) == 16
    assert set(Counter(held).values()) == {2}
    assert "held out whole" in made.note


def test_plain_texts_of_a_real_table_are_kept_apart(shared_data: Path):
    data = prepare(read_table(shared_data / "nasty" / "27_one_column.csv"), Roles(text="text")).data
    assert data.column_names == ["text", "row"]
    made = split(data, 0.1, 42)
    assert len(made.heldout) == 18
    assert (
        made.note
        == "18 of 180 rows are held out; none of their texts, nor a near duplicate of one, stands in a training row."
    )
