from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.evaluation import evidence
from studio.evaluation.evidence import load_meta, texts_to_keep, write_evidence
from studio.evaluation.keyword import measure_keyword
from studio.evaluation.measure import measure
from studio.evaluation.task import make_task

pytestmark = pytest.mark.model
FORMATS = ("pair", "triplet", "scored_pair", "labelled_pair", "classed_text", "texts")
ROWS = np.arange(100)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, static_model, banking, triplets, scored, labelled):
    """format -> (task, Measurement of the base model, folder). The tuned model is the base model: what differs is a bug."""
    texts = banking.select(["anchor", "row"]).rename_columns(["text", "row"])
    classed = texts.append_column("class", banking["positive"])
    tables = dict(zip(FORMATS, (banking, triplets, scored, labelled, classed, texts), strict=True))
    made = {}
    for format, data in tables.items():
        task = make_task(data, format, ROWS)
        shown = texts_to_keep(task, 7)
        measured = measure(static_model, task, keep=shown)
        folder = tmp_path_factory.mktemp("runs") / format / "evidence"
        models = {"base": measured, "tuned": measured}
        keyword = measure_keyword(task)
        extra = pa.table({"row": data["row"], "source": [f"s{n % 2}" for n in range(len(data))]})
        write_evidence(folder, task, shown, models | ({"bm25": keyword} if keyword else {}), extra)
        made[format] = task, measured, folder
    return made


@pytest.mark.parametrize("format", FORMATS)
def test_the_means_of_the_rows_are_the_verdicts_metrics(recorded, format):
    task, measured, folder = recorded[format]
    rows, meta = pq.read_table(folder / "rows.parquet"), load_meta(folder)
    assert meta.by in meta.metrics
    first = np.unique(rows["query"].to_numpy(zero_copy_only=False), return_index=True)[1] if task.retrieval else None
    for metric, figure in measured.metrics.items():
        if f"base:{metric}" in rows.column_names:  # a correlation is no mean
            values = rows[f"base:{metric}"].to_numpy()
            values = values if first is None or metric == "triplet_accuracy" else values[first]
            assert values.mean() == pytest.approx(figure, abs=1e-6)
    numbers = {number for found in rows["numbers"].to_pylist() for number in found}
    assert numbers <= set(task.numbers)
    assert rows["in:source"].to_pylist() == [f"s{found[0] % 2}" for found in rows["numbers"].to_pylist()]


@pytest.mark.parametrize("format", FORMATS)
def test_embeddings_are_those_of_the_texts_they_stand_beside(recorded, static_model, format):
    _, _, folder = recorded[format]
    texts = pq.read_table(folder / "texts.parquet")["text"].to_pylist()
    base, tuned = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("base", "tuned"))
    assert base.dtype == np.float16
    assert base.shape == tuned.shape == (len(texts), 256)
    assert len(set(texts)) == len(texts)
    expected = static_model.encode(texts, normalize_embeddings=True)
    assert np.abs(base - expected).max() < 1e-3
    rows = pq.read_table(folder / "rows.parquet").to_pylist()
    for row in rows:
        assert texts[row["anchor_at"]] == row["anchor"]
        for name in ("positive", "negative"):
            assert [texts[at] for at in row[f"{name}_at"]] == row[name]
        nearest = max(float(expected[row["anchor_at"]] @ expected[at]) for at in row["positive_at"])
        if row["right"] is None or row["right"] <= len(row["positive"]):
            assert row["base:similarity"] == pytest.approx(nearest, abs=1e-3)


def test_agreement_of_labelled_pairs_is_the_area_under_the_curve(recorded):
    from sklearn.metrics import roc_auc_score

    task, measured, folder = recorded["labelled_pair"]
    agreement = pq.read_table(folder / "rows.parquet")["base:agreement"].to_numpy()
    expected = roc_auc_score(task.targets, measured.similarity)
    for label in (0, 1):
        assert agreement[task.targets == label].mean() == pytest.approx(expected)


def test_hits_are_numbered_and_marked_right_where_they_are(recorded):
    task, measured, folder = recorded["pair"]
    hits = pq.read_table(folder / "hits.parquet").to_pandas()
    assert set(hits["model"]) == {"base", "tuned", "bm25"}
    for number, found in hits[hits["model"] == "base"].groupby("query"):
        assert found["rank"].tolist() == list(range(1, 11))
        assert (found["score"].diff().dropna() <= 0).all()
        right = {task.retrieval.corpus[at] for at in task.retrieval.relevant[number]}
        assert found["right"].tolist() == [text in right for text in found["text"]]
        assert found["right"].iloc[0] == measured.values["accuracy@1"][number]


def test_more_texts_than_are_kept_leave_out_those_that_nobody_asks_for(banking, static_model, monkeypatch, tmp_path):
    monkeypatch.setattr(evidence, "MOST_TEXTS", 60)
    monkeypatch.setattr(evidence, "MOST_CHARACTERS", 20)
    task = make_task(banking, "pair", np.arange(25), "answers")
    shown = texts_to_keep(task, 7)
    assert len(shown) == 60 < len(task.texts)
    assert [one.text for one in shown[:25]] == list(task.retrieval.queries)
    assert set(task.positives) <= {one.text for one in shown}
    assert shown == texts_to_keep(task, 7) != texts_to_keep(task, 8)
    measured = measure(static_model, task, keep=shown)
    write_evidence(tmp_path / "evidence", task, shown, {"base": measured, "tuned": measured})
    texts = pq.read_table(tmp_path / "evidence" / "texts.parquet")["text"].to_pylist()
    assert max(map(len, texts)) == 21


def test_a_model_with_prompts_has_queries_and_documents_apart(recorded, static_model, tmp_path):
    task, measured, _ = recorded["classed_text"]
    shown = texts_to_keep(task, 7)
    apart = replace(measured, seen=replace(measured.seen, tells_apart=True))
    write_evidence(tmp_path / "evidence", task, shown, {"base": measured, "tuned": apart})
    kept = pq.read_table(tmp_path / "evidence" / "texts.parquet")
    assert len(kept) == len(shown) > len(set(kept["text"].to_pylist()))
    assert [one.asked for one in shown] == kept["asked"].to_pylist()


def test_evidence_that_cannot_be_written_whole_is_not_there(recorded, tmp_path, monkeypatch):
    task, measured, _ = recorded["pair"]
    folder = tmp_path / "evidence"

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space"):
        write_evidence(folder, task, texts_to_keep(task, 7), {"base": measured, "tuned": measured})
    assert not list(tmp_path.iterdir())
    assert load_meta(folder) is None
