"""The studio's figures are those of sentence-transformers' own evaluators."""

import csv

import pytest

from benchmarks.reproduce import PUBLISHED, reproduce

pytestmark = pytest.mark.model


@pytest.fixture
def subset(shared_data, tmp_path):
    """The data with a small corpus: the right documents of the first queries and some others."""
    for name in ("stsb", "sick"):
        (tmp_path / name).symlink_to(shared_data / name)
    (tmp_path / "scifact").mkdir()
    tables = {}
    for path in (shared_data / "scifact").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            tables[path.name] = list(csv.DictReader(file))
    tables["qrels_test.csv"] = tables["qrels_test.csv"][:60]
    tables["qrels_train.csv"] = tables["qrels_train.csv"][:60]
    needed = {row["doc_id"] for name in ("qrels_test.csv", "qrels_train.csv") for row in tables[name]}
    corpus = tables["corpus.csv"]
    tables["corpus.csv"] = [row for i, row in enumerate(corpus) if row["doc_id"] in needed or i < 200]
    for name in ("corpus.csv", "queries_test.csv", "queries_train.csv", "qrels_test.csv", "qrels_train.csv"):
        with (tmp_path / "scifact" / name).open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, tables[name][0].keys())
            table.writeheader()
            table.writerows(tables[name])
    return tmp_path


@pytest.mark.parametrize("known", PUBLISHED, ids=lambda known: known.name)
def test_a_verdict_says_what_the_librarys_evaluator_says(static_model, subset, known):
    found = reproduce(static_model, subset, known, limit=200)
    assert found.rows == (60 if known.name == "SciFact" else 200)
    assert found.studio == pytest.approx(found.library, abs=1e-6)
    assert 0.3 < found.studio < 0.95
