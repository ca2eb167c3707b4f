import csv

import numpy as np
import pyarrow.parquet as pq
import pytest

from studio.data.dataset import load_rows
from studio.data.table import Roles
from studio.errors import DataError
from studio.making import suspects
from tests.making.conftest import WORDLLAMA, nothing

PLANTED = 6


def look(folder):
    result = suspects.make(folder, {"base_model": WORDLLAMA}, nothing, lambda: False)
    return result, pq.read_table(folder / "review.parquet").to_pylist()


def swap_some(path, tmp_path, column, rows):
    """A copy of a table in which the first rows have each other's ``column``, and those rows' numbers."""
    with path.open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))[:rows]
    values = [row[column] for row in table[: PLANTED * 40 : 40]]
    for row, value in zip(table[: PLANTED * 40 : 40], values[1:] + values[:1], strict=True):
        row[column] = value
    copy = tmp_path / "swapped.csv"
    with copy.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(table[0]))
        out.writeheader()
        out.writerows(table)
    return copy, {2 + 40 * i for i in range(PLANTED)}


def test_planted_wrong_pairs_are_among_the_first(source, shared_data, tmp_path):
    table, wrong = swap_some(shared_data / "debian" / "train_pairs.csv", tmp_path, "description", 800)
    result, rows = look(source(table))
    assert len(rows) == 0.2 * 800
    assert wrong <= {row["row"] for row in rows[:40]}
    assert all(row["column"] == "positive" for row in rows)
    assert result["message"].startswith("160 rows are worth a look, of 800")
    assert [row["similarity"] for row in rows] == sorted(row["similarity"] for row in rows)


def test_triplets_whose_negative_is_nearer_are_found_and_only_those(source, samples, static_model):
    folder = source(samples / "programs_triplets.csv", rows=300)
    data = load_rows(folder / "source")
    _, rows = look(folder)
    assert 0 < len(rows) <= 60
    vector = {
        name: static_model.encode(data[name].to_pylist(), normalize_embeddings=True) for name in data.column_names[:3]
    }
    gap = (vector["anchor"] * vector["negative"]).sum(1) - (vector["anchor"] * vector["positive"]).sum(1)
    expected = np.argsort(-gap, kind="stable")[: len(rows)]
    assert [row["positions"] for row in rows] == [[i] for i in expected.tolist()]
    assert gap[rows[-1]["positions"][0]] > 0


def test_a_clean_table_of_triplets_has_no_suspects_and_says_so(source):
    folder = source(
        [
            ("How do I block my card?", "Block your card in the app.", "The weather is fine."),
            ("Where is the station?", "The station is in the north.", "Milk is in the fridge."),
            ("Can I drink this water?", "You can drink this water.", "Planes leave at noon."),
            ("How tall is the tower?", "The tower is very tall.", "Dogs like bones."),
        ],
        names=("anchor", "positive", "negative"),
    )
    result, rows = look(folder)
    assert rows == []
    assert "finds no row doubtful" in result["message"]


def test_scores_that_do_not_go_with_the_texts_are_found_on_their_own_scale(source, shared_data, tmp_path):
    table = tmp_path / "scores.csv"
    with (shared_data / "stsb" / "dev.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:400]
    best = [row for row in rows if float(row["score"]) >= 4.8 and row["sentence1"][:20] == row["sentence2"][:20]][:3]
    for row in best:
        row["score"] = "0.000"
    with table.open("w", newline="") as file:
        out = csv.DictWriter(file, ["sentence1", "sentence2", "score"], extrasaction="ignore")
        out.writeheader()
        out.writerows(rows)
    _, found = look(source(table))
    assert {row["sentence1"].strip() for row in best} <= {row["anchor"] for row in found[:6]}
    assert found[0]["why"].startswith("Scored 0 on a scale from 0 to 5, but more similar")


def test_labels_that_do_not_go_with_the_texts_are_found(source):
    same = [(f"The train to town {i} leaves at nine.", f"At nine the train to town {i} leaves.", 1) for i in range(30)]
    other = [(f"The train to town {i} leaves at nine.", f"Apples number {i} are sour and green.", 0) for i in range(30)]
    rows = [*same, *other]
    rows[3], rows[40] = (*rows[3][:2], 0), (*rows[40][:2], 1)
    _, found = look(source(rows, names=("sentence1", "sentence2", "label")))
    assert {tuple(row["positions"]) for row in found[:2]} == {(3,), (40,)}
    assert all(row["column"] == "label" for row in found)


def test_negatives_that_are_like_the_positive_come_first_and_equal_pairs_are_one_entry(source):
    rows = [
        ("Who stole my phone?", "Stolen or lost phone", "Stolen or lost card"),
        ("My phone is gone", "Stolen or lost phone", "Stolen or lost card"),
        ("What is the weather?", "Weather report", "Sour milk"),
        ("When is dinner?", "Time of meals", "Sour cream"),
    ]
    folder = source(rows, names=("anchor", "positive", "negative"))
    data = load_rows(folder / "source")
    to_anchor, to_positive = np.array([[0.3], [0.2], [0.1], [0.0]]), np.array([[0.8], [0.8], [0.0], [0.0]])
    found = suspects.doubtful_negatives(data, ["negative"], to_anchor, to_positive, np.array([0.5, 0.5, 0.9, 0.9]))
    assert found[0].positions == (0, 1)
    assert "much like the positive (similarity 0.80)" in found[0].why
    assert "near to the anchor (0.10; the positive: 0.90)" in found[1].why


def test_texts_in_the_wrong_class_are_found(source, samples, tmp_path):
    table, wrong = swap_some(samples / "banking77.csv", tmp_path, "topic", 800)
    _, found = look(source(table, roles=Roles(text="question", class_="topic")))
    assert len(wrong & {row["row"] for row in found[:60]}) >= PLANTED - 1
    assert found[0]["why"].startswith("Nearer to the class '")
    assert found[0]["class"] in found[0]["why"]


def test_plain_texts_cannot_be_doubted(source, samples):
    with pytest.raises(DataError, match="nothing says"):
        look(source(samples / "banking77.csv", rows=50, roles=Roles(text="question")))
