"""How the table of won and lost rows is spelt, for each kind of rows."""

from types import SimpleNamespace

import pytest
from starlette.datastructures import QueryParams

from studio.catalog.formats import FORMATS
from studio.evaluation.evidence import Meta
from studio.evaluation.lookup import Wish
from studio.ui.api.evidence import HELP, WHAT, _shown, _words, slice_label, wish_of

ROW = {
    "at": 3, "numbers": [17], "anchor": "a", "positive": ["p"], "target": 0.25, "doubt": "", "change": 0.37,
    "ranks": {"base": None, "tuned": 2, "bm25": 1},
    "base": {"ndcg@10": 0.26, "margin": -0.1, "similarity": 0.4},
    "tuned": {"ndcg@10": 0.63, "margin": 0.2, "similarity": 0.9},
    "bm25": {"ndcg@10": 1.0},
}  # fmt: skip


def meta(format: str) -> Meta:
    searched = format not in ("scored_pair", "labelled_pair")
    return Meta(format, "x", "y", (), ("base", "tuned", "bm25") if searched else (), (), 10, 10 if searched else None)


@pytest.mark.parametrize(
    ("format", "cells", "change"),
    [
        ("pair", {"base": "–", "tuned": "2.", "bm25": "1."}, "+0.37"),
        ("texts", {"base": "–", "tuned": "2.", "bm25": "1."}, "+0.37"),
        ("classed_text", {"base": "0.26", "tuned": "0.63", "bm25": "1.00"}, "+0.37"),
        ("triplet", {"base": "-0.10", "tuned": "+0.20", "bm25": "1."}, "+0.30"),
        ("scored_pair", {"base": "0.40", "tuned": "0.90"}, "+37"),
        ("labelled_pair", {"base": "0.40", "tuned": "0.90"}, "+37"),
    ],
)
def test_a_row_shows_what_its_kind_is_judged_by(format, cells, change):
    shown = _shown(meta(format), ROW)
    assert (shown["cells"], shown["change"], shown["moved"]) == (cells, change, 1)


def test_every_format_has_words():
    judged = {format.id for format in FORMATS} - {"classed_pair"}  # these are judged as labelled pairs
    for format in judged:
        assert {"first", "second", "help", "target"} <= set(_words(meta(format)))
    assert set(HELP) == set(WHAT) == judged


def test_what_the_address_asks_for_is_taken_and_nonsense_is_not():
    def asked(query: str) -> Wish:
        return wish_of(SimpleNamespace(query_params=QueryParams(query)))

    assert asked("") == Wish()
    assert asked("show=worse&sort=base&descending=false&words=a+b&by=length&value=x&offset=50") == Wish(
        "worse", "base", False, "a b", "length", "x", 50
    )
    assert asked("offset=-5&limit=100000") == Wish()


def test_a_column_of_the_table_keeps_its_name():
    assert [slice_label(by) for by in ("length", "class", "source")] == ["Length", "Class", "source"]
