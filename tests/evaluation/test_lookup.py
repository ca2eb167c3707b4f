import csv

import numpy as np
import pyarrow as pa
import pytest

from studio.data.export import write_csv
from studio.errors import NotFound, RunError
from studio.evaluation.evidence import write_evidence
from studio.evaluation.lookup import SORTS, Evidence, Wish, largest
from studio.evaluation.measure import Hits, Measurement, Seen
from studio.evaluation.task import Retrieval, Shown, Task

CORPUS = ("alpha", "beta", "gamma", "delta")
QUERIES = tuple(f"question {word}" for word in ("won", "lost", "same", "won a little", "=1+1"))


def measured(ranks: list[int | None]) -> Measurement:
    """A model that finds the right text of each query (the corpus's first) at these ranks."""
    places = np.array([[0, 1, 2, 3] if rank == 1 else [1, 0, 2, 3] if rank == 2 else [1, 2, 3, -1] for rank in ranks])
    found = np.array([0.0 if rank is None else 1 / np.log2(rank + 1) for rank in ranks])
    values = {
        "ndcg@10": found,
        "mrr@10": np.array([0.0 if rank is None else 1 / rank for rank in ranks]),
        "accuracy@1": np.array([float(rank == 1) for rank in ranks]),
    }
    scores = np.tile(np.array([0.9, 0.8, 0.7, 0.6], dtype=np.float32), (len(ranks), 1))
    seen = Seen(np.ones((len(QUERIES) + 4, 2), dtype=np.float16), False, np.full(len(ranks), 0.85))
    return Measurement({}, values, hits=Hits(places, scores), seen=seen)


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> Evidence:
    retrieval = Retrieval(QUERIES, CORPUS, (frozenset({0}),) * 5)
    task = Task("pair", QUERIES, ("alpha",) * 5, (), None, retrieval, numbers=(7, 8, 9, 10, 1200))
    texts = [*(Shown(text, True) for text in QUERIES), *(Shown(text, False) for text in CORPUS)]
    extra = pa.table({"row": [7, 8, 9, 10], "change": ["a", "a", "b", "b"]})
    folder = tmp_path_factory.mktemp("run") / "evidence"
    models = {"base": measured([None, 1, 1, 2, 2]), "tuned": measured([1, None, 1, 1, 2])}
    write_evidence(folder, task, texts, {**models, "bm25": measured([1, 1, None, 2, 2])}, extra)
    return Evidence(folder)


def found(evidence: Evidence, **wish) -> list[int]:
    return [row["numbers"][0] for row in evidence.page(Wish(**wish)).rows]


def test_rows_are_sorted_by_what_changed_both_ways(evidence):
    assert found(evidence) == [7, 10, 9, 1200, 8]
    assert found(evidence, descending=False) == [8, 9, 1200, 10, 7]
    assert found(evidence, sort="row", descending=False) == [7, 8, 9, 10, 1200]
    assert found(evidence, sort="bm25")[:2] == [7, 8]


def test_rows_that_were_won_or_lost_are_counted_and_shown_alone(evidence):
    assert evidence.counts == {"all": 5, "better": 2, "worse": 1, "same": 2, "doubt": 0}
    assert found(evidence, show="better") == [7, 10]
    assert found(evidence, show="worse") == [8]
    gained, lost = largest(evidence, 1)
    assert [row["numbers"] for row in (*gained, *lost)] == [[7], [8]]


def test_rows_are_found_by_their_words_and_by_their_part(evidence):
    assert found(evidence, words="WON") == [7, 10]
    assert found(evidence, words="alpha", sort="row") == [1200, 10, 9, 8, 7]
    assert found(evidence, by="change", value="b") == [10, 9]
    assert found(evidence, by="change", value="no value") == [1200]
    assert (
        len(found(evidence, by="language", value="too short to tell"))
        + len(found(evidence, by="language", value="English"))
        == 5
    )


def test_a_page_beyond_the_end_is_the_last_one(evidence):
    page = evidence.page(Wish(offset=3, limit=2))
    assert (page.total, page.offset, len(page.rows)) == (5, 3, 2)
    assert evidence.page(Wish(offset=99, limit=2)).offset == 4
    assert evidence.page(Wish(words="nowhere")).rows == []


@pytest.mark.parametrize("wish", [{"show": "x"}, {"sort": "x"}, {"by": "x", "value": "y"}])
def test_what_there_is_not_cannot_be_asked_for(evidence, wish):
    with pytest.raises(RunError):
        evidence.page(Wish(**wish))


def test_one_row_shows_every_ranking_with_the_right_text_marked(evidence):
    row = evidence.row(0)
    assert row["ranks"] == {"base": None, "tuned": 1, "bm25": 1}
    assert [hit["text"] for hit in row["hits"]["base"]] == ["beta", "gamma", "delta"]
    assert [hit["right"] for hit in row["hits"]["tuned"]] == [True, False, False, False]
    with pytest.raises(NotFound):
        evidence.row(5)


def test_the_file_has_every_row_and_no_formula(evidence, tmp_path):
    write_csv(tmp_path / "rows.csv", evidence.table(Wish()))
    with (tmp_path / "rows.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["row"] for row in rows] == ["7", "10", "9", "1200", "8"]
    assert float(rows[0]["change"]) == pytest.approx(1.0)
    assert rows[0]["change (column)"] == "a"
    assert rows[3]["anchor"] == "question =1+1"


def test_a_run_of_an_earlier_version_says_that_nothing_was_recorded(tmp_path):
    with pytest.raises(RunError, match="Nothing was recorded"):
        Evidence(tmp_path / "evidence")


def test_every_order_is_one(evidence):
    for sort in SORTS:
        assert sorted(found(evidence, sort=sort)) == [7, 8, 9, 10, 1200]
