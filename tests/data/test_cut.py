"""Texts that are cut off: how many, and the length that keeps 95 in 100 whole."""

import numpy as np
import pytest

from studio.data.check import check
from studio.data.cut import TokenLengths, find
from studio.data.prepare import prepare
from studio.data.table import Roles


def lengths(tokens: list[int], limit: int = 128, most: int | None = 512) -> TokenLengths:
    return TokenLengths("MiniLM", limit, np.array(tokens), np.arange(2, len(tokens) + 2), most)


def test_texts_within_the_limit_are_nothing_to_speak_of():
    assert list(find(lengths([10, 128, 90]), 3)) == []


@pytest.mark.parametrize(
    ("tokens", "most", "severity", "said"),
    [
        ([10] * 80 + [200] * 20, 512, "warning", "In 20% of the rows a text is longer than the 128 tokens that MiniLM reads; the rest is not seen. A max_seq_length of 200 keeps 95%"),
        ([10] * 80 + [900] * 20, 512, "warning", "900 tokens would keep 95% of the rows whole; this model can read 512 at most"),
        ([10] * 80 + [900] * 20, None, "warning", "A max_seq_length of 900 keeps"),
        ([10] * 98 + [900] * 2, 512, "info", "128 tokens keep 98.0% of the rows whole"),
    ],
)  # fmt: skip
def test_what_is_cut_off_is_said_with_what_to_do(tokens, most, severity, said):
    (finding,) = find(lengths(tokens, most=most), 100)
    assert finding.severity == severity
    assert said in finding.message
    assert finding.rows[0] == 2 + tokens.index(max(tokens))


def test_a_sample_is_called_one():
    (finding,) = find(lengths([10, 300]), 5_000)
    assert "In 50% of the rows (of 2 rows looked at)" in finding.message


def test_the_check_takes_lengths_from_who_knows_the_model(table, texts):
    prepared = prepare(table({"q": texts(60), "a": texts(60, 9)}), Roles("q", "a"))
    assert [f.code for f in check(prepared, None, lengths([10] * 50 + [600] * 10))] == ["cut_texts"]
    assert check(prepared, None, lengths([10] * 60)) == ()
