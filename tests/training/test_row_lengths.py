"""Lengths in tokens for the data check."""

import pyarrow as pa

from studio.catalog.models import DEFAULT_MODEL
from studio.data.check import inspect_table
from studio.data.read import read_table
from studio.data.table import Roles
from studio.training.bases import limits, resolve_base
from studio.training.estimate import SAMPLE_ROWS, row_lengths


def test_the_longest_text_of_a_row_counts():
    data = pa.table({"anchor": ["a cat", "hello"], "positive": ["a cat sat on the mat", "hi"], "row": [2, 3]})
    found = row_lengths(data)
    assert found.tokens.tolist() == [8, 3]  # six words and two marks; one word and two marks
    assert found.rows.tolist() == [2, 3]
    known = limits(resolve_base(DEFAULT_MODEL))
    assert (found.limit, found.most) == (known.max_tokens, known.position_limit)


def test_no_more_than_a_sample_is_looked_at():
    data = pa.table({"anchor": ["a"] * 5000, "positive": ["b"] * 5000, "row": range(5000)})
    assert len(row_lengths(data).tokens) == len(row_lengths(data).rows) == SAMPLE_ROWS


def test_a_model_without_a_limit_cuts_nothing_off():
    data = pa.table({"anchor": ["a"], "positive": ["b"], "row": [2]})
    assert row_lengths(data, "wordllama-l2-supercat-256") is None


def test_real_descriptions_are_cut_off_and_real_questions_are_not(samples, shared_data):
    pairs = read_table(shared_data / "scifact" / "train_pairs.csv")
    long = inspect_table(pairs, None, row_lengths)
    (finding,) = [f for f in long.findings if f.code == "cut_texts"]
    assert "tokens that" in finding.message
    short = inspect_table(read_table(samples / "banking77.csv"), Roles("question", "topic"), row_lengths)
    assert "cut_texts" not in {f.code for f in short.findings}
