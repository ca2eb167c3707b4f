import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from studio.data.table import Roles
from studio.errors import DataError, RunError, SearchError
from studio.runs.executors.local import LocalExecutor
from studio.runs.indexes import tuned_key
from studio.search.result import Asked
from tests.runs.scene import Here, StandIn, config, make_dataset, start_run, wait_for, wait_until_over


def import_table(studio, tmp_path: Path, roles: Roles, columns: dict[str, list[str]]):
    with (tmp_path / "t.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*columns.values(), strict=True))
    return studio.datasets.create("ada", studio.datasets.stage("ada", tmp_path / "t.csv", "t.csv").id, roles, "T")


def texts(corpus) -> list[str]:
    return pq.read_table(corpus.folder / "texts.parquet")["text"].to_pylist()


def test_a_dataset_of_pairs_is_searched_by_its_positives(studio, dataset):
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    assert (corpus.name, corpus.rows, corpus.note) == ("Pairs", 40, "The positive texts of 'Pairs'.")
    assert texts(corpus)[0] == "It is the answer about matter 0."
    assert corpus.dataset_id == dataset.id
    assert studio.corpora.list("ada") == [corpus]


def test_topics_are_searched_unless_the_questions_are_asked_for(studio):
    dataset = studio.datasets.create_sample("ada", "banking77")
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    assert corpus.rows == 77
    by_hand = studio.corpora.create_from_dataset("ada", dataset.id, roles=["anchor"])
    assert by_hand.rows > 2900
    assert "anchor" in by_hand.note


def test_negatives_are_searched_too(studio):
    dataset = studio.datasets.create_sample("ada", "programs")
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    assert corpus.note.startswith("The positive and negative texts of ")
    rows = studio.datasets.rows("ada", dataset.id, 0, 10_000)
    assert set(texts(corpus)) == {t.strip() for c in ("positive", "negative") for t in rows[c].to_pylist()}


def test_both_sides_of_scored_pairs_are_searched(studio, tmp_path):
    columns = {"a": [f"left {i}" for i in range(9)], "b": [f"right {i}" for i in range(9)], "s": list("123412341")}
    dataset = import_table(studio, tmp_path, Roles(anchor="a", positive="b", score="s"), columns)
    assert studio.corpora.create_from_dataset("ada", dataset.id).rows == 18


def test_roles_that_a_dataset_does_not_have_are_refused(studio, dataset):
    with pytest.raises(SearchError, match="It has anchor, positive"):
        studio.corpora.create_from_dataset("ada", dataset.id, roles=["negative"])


@pytest.fixture
def upload(studio, tmp_path):
    rows = ["one", "two", " one ", "", "   ", "three", "two"]
    (tmp_path / "docs.csv").write_text("id,body\n" + "".join(f'{i},"{text}"\n' for i, text in enumerate(rows)))
    return studio.datasets.stage("ada", tmp_path / "docs.csv", "docs.csv")


def test_repeated_and_empty_texts_are_left_out_and_counted(studio, upload):
    corpus = studio.corpora.create_from_upload("ada", upload.id, "body", "")
    assert texts(corpus) == ["one", "two", "three"]
    assert (corpus.name, corpus.rows) == ("docs", 3)
    assert corpus.note == "The column 'body' of docs.csv. Left out: 2 empty, 2 repeated."
    assert pq.read_table(corpus.folder / "texts.parquet")["row"].to_pylist() == [2, 3, 7]


def test_a_column_that_is_not_there_is_named(studio, upload):
    with pytest.raises(DataError, match="no column 'text'"):
        studio.corpora.create_from_upload("ada", upload.id, "text", "x")


def test_more_texts_than_may_be_searched_are_refused_for_a_table_and_cut_for_a_dataset(make_studio, tmp_path):
    studio = make_studio(StandIn(), max_corpus_rows=30)
    dataset = make_dataset(studio, tmp_path)
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    assert corpus.rows == 30
    assert "Only the first 30 of 40 texts." in corpus.note
    upload = studio.datasets.stage("ada", tmp_path / "pairs.csv", "pairs.csv")
    with pytest.raises(SearchError, match="40 different texts; at most 30"):
        studio.corpora.create_from_upload("ada", upload.id, "answer", "x")
    assert len(list(studio.workspace.corpora.iterdir())) == 1


def test_a_run_without_a_model_cannot_be_searched_with(studio, dataset):
    run = start_run(studio, dataset, "long")
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    with pytest.raises(RunError, match="no model"):
        studio.searches.ensure("ada", corpus.id, [f"run:{run.id}"])


def test_an_index_that_cannot_be_built_says_why_and_is_built_again_only_when_asked(make_studio, tmp_path):
    studio = make_studio(Here())
    dataset = make_dataset(studio, tmp_path)
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "plain"))
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    ask = lambda retry=False: studio.searches.ensure("ada", corpus.id, [f"run:{run.id}"], retry)[0]  # noqa: E731
    failed = wait_for(lambda: (record := ask()).state == "failed" and record, 60)
    assert "model" in failed.message, "the stand-in has left none that could be loaded"
    with pytest.raises(SearchError, match="could not be built"):
        studio.searches.search("ada", corpus.id, [f"run:{run.id}"], Asked("thing"))
    assert ask().state == "failed"
    assert ask(retry=True).state == "queued"
    studio.corpora.delete("ada", corpus.id)
    assert not corpus.folder.exists()


@pytest.mark.model
def test_from_a_table_to_a_better_search_with_the_real_worker(make_studio, tmp_path):
    studio = make_studio(LocalExecutor())
    dataset = studio.datasets.create_sample("ada", "banking77")
    chosen = config(batch_size=64, max_train_rows=1500)
    run = studio.runs.create("ada", dataset.id, chosen, "Bank")
    corpus = studio.corpora.create_from_dataset("ada", dataset.id, roles=["positive"])
    done = wait_until_over(studio, run, 300)
    assert done.state == "succeeded", f"{done.message}\n{studio.runs.log('ada', run.id)}"
    assert done.step == done.steps > 0

    verdict = studio.runs.verdict("ada", run.id)
    assert verdict.outcome == "better"
    feed = studio.runs.feed("ada", run.id)
    assert feed["train"]["step"][-1] == done.steps
    assert feed["primary"] == verdict.primary == "ndcg@10"
    assert feed["eval"]["ndcg@10"][-1] > feed["base"]["ndcg@10"]

    columns = [f"base:{run.id}", f"run:{run.id}"]
    search = lambda query, **asked: studio.searches.search("ada", corpus.id, columns, Asked(query, **asked))  # noqa: E731
    with pytest.raises(SearchError, match=r"being read for .* and Bank: 0 of 154"):
        search("where is my card")
    wait_for(lambda: all(r.state == "ready" for r in studio.searches.ensure("ada", corpus.id, columns)), 200)
    rows = studio.datasets.rows("ada", dataset.id, 100, 40).to_pylist()
    found = [search(row["anchor"], top_k=3) for row in rows]
    assert {(*(len(column.hits) for column in f.columns), f.documents) for f in found} == {(3, 3, 77)}
    right = [
        sum(f.columns[at].hits[0].text == row["positive"] for f, row in zip(found, rows, strict=True)) for at in (0, 1)
    ]
    assert right[1] > right[0] + 4, f"of {len(rows)} the base model finds {right[0]} first, the tuned one {right[1]}"
    samples = studio.searches.samples("ada", corpus.id, run.id)
    assert samples["base_wrong"]
    assert set(samples["base_wrong"]) <= set(verdict.now_right)

    archive = studio.exports.archive("ada", run.id)
    assert archive.name == "Bank.zip"
    assert studio.exports.archive("ada", run.id).stat().st_mtime_ns == archive.stat().st_mtime_ns

    again = studio.runs.create(
        "ada", dataset.id, chosen.model_copy(update={"base_model": f"run:{run.id}", "max_train_rows": 200})
    )
    studio.runs.delete("ada", run.id)
    studio.trash.remove("ada", "run", run.id)
    left = {path.name for path in (studio.workspace.indexes / corpus.id).iterdir()}
    assert tuned_key(run.id) not in left, "the index of the deleted model went with it"
    done = wait_until_over(studio, again, 300)
    assert done.state == "succeeded", f"{done.message}\n{studio.runs.log('ada', again.id)}"
