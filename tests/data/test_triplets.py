"""Triplets out of labelled pairs."""

import csv
from pathlib import Path

import pytest

from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.table import Roles
from studio.errors import DataError

ROLES = Roles("premise", "hypothesis", label="label", as_triplets=True)


def made_of(table, rows):
    columns = dict(zip(("premise", "hypothesis", "label"), map(list, zip(*rows, strict=True)), strict=True))
    return prepare(table(columns), ROLES)


def test_an_anchor_with_both_labels_makes_triplets_of_all_its_texts(table):
    made = made_of(
        table,
        [
            ("p", "yes 1", "entailment"),
            ("p", "yes 2", "entailment"),
            ("p", "perhaps", "neutral"),
            ("p", "no 1", "contradiction"),
            ("lonely", "yes 3", "entailment"),
            ("other", "no 2", "contradiction"),
        ],
    )
    assert made.format == "triplet"
    assert made.data.to_pydict() == {
        "anchor": ["p", "p"],
        "positive": ["yes 1", "yes 2"],
        "negative": ["no 1", "no 1"],
        "row": [2, 3],
    }
    assert {reason: [note.row for note in notes] for reason, notes in made.dropped.items()} == {
        "the label says neither": [4],
        "no text of the other label for the same anchor": [6, 7],
    }
    assert "3 labelled pairs make 2 triplets" in made.notes[0]
    assert "2 pairs have no counterpart" in made.notes[0]


def test_a_contradiction_holds_in_both_directions_and_entailment_in_one(table):
    made = made_of(table, [("a", "b", "1"), ("c", "a", "0"), ("d", "e", "1"), ("e", "f", "0")])
    assert made.data.to_pydict() == {"anchor": ["a"], "positive": ["b"], "negative": ["c"], "row": [2]}


def test_without_any_counterpart_there_is_nothing_to_train_on(table):
    with pytest.raises(DataError, match="2 rows: no text of the other label"):
        made_of(table, [("a", "b", "1"), ("c", "d", "0")])


def test_a_real_table_of_entailment_makes_the_triplets_of_its_gold_labels(shared_data: Path):
    roles = Roles("sentence1", "sentence2", label="entailment", as_triplets=True)
    made = prepare(read_table(shared_data / "sick" / "train.csv"), roles)
    with (shared_data / "sick" / "train.csv").open(encoding="utf-8", newline="") as file:
        gold = {(row["sentence1"].strip(), row["sentence2"].strip()): row["entailment"] for row in csv.DictReader(file)}
    for row in made.data.to_pylist():
        anchor, positive, negative = (row[name] for name in ("anchor", "positive", "negative"))
        assert gold[anchor, positive] == "ENTAILMENT"
        assert "CONTRADICTION" in (gold.get((anchor, negative)), gold.get((negative, anchor)))
    assert len(made.data) == 273
    assert len(made.data["anchor"].unique()) == 200
    assert {reason: len(notes) for reason, notes in made.dropped.items()} == {
        "the label says neither": 2536,
        "no text of the other label for the same anchor": 1453,
        "the same row again": 25,
    }
