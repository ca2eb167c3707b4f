"""Near duplicates: found where they are, in real tables too, and nowhere else."""

import time

import numpy as np
import pytest

from studio.data import near
from studio.data.check import check, inspect_file
from studio.data.near import near_duplicates
from studio.data.prepare import prepare
from studio.data.table import Roles

LONG = "The boxes in the cellar hold old letters and the photographs that my aunt took when she was young"


@pytest.fixture
def repeats(table, texts):
    """Row positions found in a table of ordinary rows that ends with the given ones."""

    def find(rows: list[tuple[str, ...]], roles: Roles) -> list[int]:
        first = [
            roles.anchor, roles.positive, *roles.negatives, *filter(None, (roles.score, roles.label))
        ]  # fmt: skip
        columns = {name: [*texts(30), *(row[i] for row in rows)] for i, name in enumerate(first)}
        for value in filter(None, (roles.score, roles.label)):
            columns[value][:30] = ["0", "1"] * 15
        data = prepare(table(columns), roles).data
        return (np.flatnonzero(near_duplicates(data)) - 30).tolist()

    return find


PAIR = Roles("q", "a")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Where is my card?", "where is my card", True),
        ("Where is my card?", "Where is my phone?", False),
        (LONG, LONG.replace("aunt", "uncle"), True),
        (LONG, LONG + " and single", True),
        (LONG, " ".join(reversed(LONG.split())), False),
        ("The price of item 12 is in the list of all the items that we sell", "The price of item 13 is in the list of all the items that we sell", False),
        ("カードはどこですか", "カードはどこですか？", True),
        ("カードはどこですか", "電話はどこにありますか", False),
        ("!!!", "???", False),
    ],
)  # fmt: skip
def test_nearly_the_same_words_are_a_near_duplicate(repeats, one, other, alike):
    assert repeats([(one, "It is in the post."), (other, "it is in the post")], PAIR) == ([1] if alike else [])


def test_every_text_of_the_row_must_be_near(repeats):
    assert repeats([("Where is my card?", LONG), ("Is it here?", LONG)], PAIR) == []
    triplet = Roles("q", "a", ("n",))
    assert repeats([("x y", LONG, "no"), ("X y!", LONG, "No."), ("x y", LONG, "never")], triplet) == [1]


def test_rows_that_are_judged_differently_are_no_near_duplicates(repeats):
    rows = [("x y z", LONG, "1"), ("X y z", LONG, "0"), ("x Y z", LONG, "1")]
    assert repeats(rows, Roles("q", "a", label="l")) == [2]


def test_of_a_chain_the_row_near_a_kept_row_goes(repeats):
    chain = [
        LONG,
        LONG.replace("aunt", "uncle"),
        LONG.replace("aunt", "uncle").replace("boxes", "chests").replace("old", ""),
    ]
    assert repeats([(text, "yes") for text in chain], PAIR) == [1]


def test_of_many_equal_rows_the_first_stays(repeats):
    assert repeats([(f"Where is my card{'!' * i}", "In the post") for i in range(60)], PAIR) == list(range(1, 60))


def test_real_near_duplicates_are_found_and_a_table_without_any_has_no_finding(shared_data, samples):
    report = inspect_file(shared_data / "sick" / "train.csv")
    (finding,) = [f for f in report.findings if f.code == "near_duplicates"]
    assert (finding.severity, finding.count) == ("info", 75)
    assert 94 in finding.rows
    assert "near_duplicates" not in {f.code for f in inspect_file(samples / "programs_triplets.csv").findings}


def test_many_near_duplicates_are_a_warning(table, texts):
    q, a = texts(60), texts(60, 9)
    source = table({"q": [*q, *(f"{t}." for t in q[:10])], "a": [*a, *(t.upper() for t in a[:10])]})
    (finding,) = check(prepare(source, PAIR))
    assert (finding.code, finding.severity, finding.rows) == ("near_duplicates", "warning", tuple(range(62, 72)))


def test_100_000_rows_take_seconds(wordnet):
    data = prepare(wordnet, Roles("word", "definition")).data.slice(0, 100_000)
    start = time.perf_counter()
    found = near_duplicates(data)
    assert time.perf_counter() - start < 30
    assert 100 < found.sum() < 300
    pairs = data.filter(found).to_pylist()
    assert {"anchor": "pop-fly", "positive": "a short high fly ball", "row": 955} in pairs


def test_no_more_than_the_first_rows_are_looked_at_and_that_is_said(table, texts, monkeypatch):
    monkeypatch.setattr(near, "MAX_ROWS", 61)
    q, a = [*texts(60), "x y", "X y", "x. y"], [*texts(60), "z", "z", "z."]
    data = prepare(table({"q": q, "a": a}), PAIR).data
    assert list(near.find(data)) == []
    monkeypatch.setattr(near, "MAX_ROWS", 62)
    (finding,) = near.find(data)
    assert finding.message.startswith("Among the first 62 rows 1 row repeats")
