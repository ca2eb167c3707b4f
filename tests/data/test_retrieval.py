"""Retrieval sets in the layout of BEIR and its relatives."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from studio.data.check import inspect_table
from studio.data.dataset import import_dataset, load_corpus, load_info, load_rows
from studio.data.fix import apply_fixes
from studio.data.prepare import prepare
from studio.data.read import read_table, sheet_names
from studio.data.retrieval import find_files, pack, read_files, read_folder
from studio.data.roles import guess_roles
from studio.data.split import split
from studio.data.table import Dialect
from studio.errors import DataError

DOCUMENTS = {f"d{i}": ("Title" if i % 2 else "", f"document number {i} of all") for i in range(30)}
QUERIES = {f"q{i}": f"what is number {i}" for i in range(20)}


def beir(folder: Path, **parts: list[tuple[str, str, int]]) -> Path:
    """A set in a folder; part -> judgements."""
    (folder / "qrels").mkdir(parents=True)
    lines = [
        json.dumps({"_id": i, "title": title, "text": text, "metadata": {}}) for i, (title, text) in DOCUMENTS.items()
    ]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    lines = [json.dumps({"_id": i, "text": text}) for i, text in QUERIES.items()]
    (folder / "queries.jsonl").write_text("\n".join(lines))
    for part, judged in parts.items():
        rows = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, row)) for row in judged)]
        (folder / "qrels" / f"{part}.tsv").write_text("\n".join(rows) + "\n")
    return folder


def packed(folder: Path) -> Path:
    target = folder.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as out:
        for path in folder.rglob("*"):
            out.write(path, f"{folder.name}/{path.relative_to(folder)}")
    return target


def own(first: int, last: int) -> list[tuple[str, str, int]]:
    return [(f"q{i}", f"d{i}", 1) for i in range(first, last)]


def test_a_zip_a_folder_and_its_files_are_the_same_set(tmp_path):
    folder = beir(tmp_path / "mine", train=[*own(0, 15), ("q0", "d20", 1), ("q1", "d21", 0)], test=own(15, 20))
    files = [
        folder / "corpus.jsonl",
        folder / "queries.jsonl",
        folder / "qrels" / "train.tsv",
        folder / "qrels" / "test.tsv",
    ]
    tables = [read_table(packed(folder)), read_folder(folder), read_files(files)]
    for table in tables:
        assert table.dialect.kind == "retrieval"
        assert table.data.column_names == ["query", "document", "part"]
        assert table.data.to_pylist() == tables[0].data.to_pylist()
        assert len(table.retrieval.corpus) == 30
    rows = tables[0].data.to_pylist()
    assert rows[0] == {"query": "what is number 15", "document": "Title document number 15 of all", "part": "test"}
    assert rows[5] == {"query": "what is number 0", "document": "document number 0 of all", "part": "train"}
    assert [row["document"] for row in rows if row["query"] == "what is number 0"][1] == "document number 20 of all"
    assert len(rows) == 21  # not the judgement that says 'not relevant'
    note = tables[0].retrieval.note
    assert "30 documents, 20 queries" in note
    assert "16 right answers train, 5 judge" in note
    assert "1 judgements that say 'not relevant'" in note


def test_the_test_part_judges_and_what_asks_the_same_does_not_train(tmp_path):
    folder = beir(tmp_path / "mine", train=[*own(0, 15), ("q16", "d3", 1)], test=own(15, 20))
    table = read_folder(folder)
    data = prepare(table, guess_roles(table)).data
    made = split(data, 0.1, 42)
    asked = data["anchor"].take(made.heldout).to_pylist()
    assert asked == [f"what is number {i}" for i in range(15, 20)]
    assert len(made.train) == 15
    assert not set(data["anchor"].take(made.train).to_pylist()) & set(asked)
    assert "as the set divides them" in made.note
    assert "1 rows ask what a held-out row asks" in made.note


@pytest.mark.parametrize(
    ("parts", "train", "test", "words"),
    [
        ({"train": own(0, 12), "dev": own(12, 16), "test": own(16, 20)}, 12, 4, "The part dev is not used."),
        ({"train": own(0, 12), "dev": own(12, 20)}, 12, 8, "as the set divides"),
        ({"dev": own(0, 12), "test": own(12, 20)}, 12, 8, "as the set divides"),
        ({"test": own(0, 20)}, 20, None, "does not divide them"),
    ],
)
def test_which_parts_train_and_judge(tmp_path, parts, train, test, words):
    table = read_folder(beir(tmp_path / "mine", **parts))
    sides = table.data["part"].to_pylist() if "part" in table.columns else ["train"] * len(table.data)
    assert (sides.count("train"), sides.count("test") or None) == (train, test)
    assert words in table.retrieval.note


def test_ids_that_lead_nowhere_are_named(tmp_path):
    table = read_folder(beir(tmp_path / "mine", test=[*own(0, 8), ("q9", "d99", 1), ("q77", "d1", 1)]))
    assert [(note.row, note.message) for note in table.skipped] == [
        (9, "there is no document 'd99'"),
        (10, "there is no query 'q77'"),
    ]
    assert len(table.data) == 8
    with pytest.raises(DataError, match="do not fit together"):
        read_folder(beir(tmp_path / "other", test=[("x", "y", 1)] * 5))


def test_qrels_of_trec_have_no_header_and_four_columns(tmp_path):
    folder = beir(tmp_path / "mine")
    (folder / "qrels.txt").write_text("".join(f"q{i} 0 d{i} {i % 2}\n" for i in range(20)))
    table = read_folder(folder)
    assert table.data["query"].to_pylist() == [f"what is number {i}" for i in range(1, 20, 2)]


def test_two_corpora_are_no_set_and_a_sheet_can_be_chosen_instead(tmp_path, shared_data):
    assert find_files(path.name for path in (shared_data / "gc_programs").iterdir()) is None
    zipped = packed(beir(tmp_path / "mine", test=own(0, 20)))
    assert read_table(zipped, dialect=Dialect("", sheet="mine/queries.jsonl")).columns == ("_id", "text")
    assert "mine/queries.jsonl" in sheet_names(zipped)


def test_files_that_make_no_set_are_refused_when_they_are_packed(tmp_path):
    folder = beir(tmp_path / "mine", test=own(0, 20))
    files = [folder / "corpus.jsonl", folder / "queries.jsonl"]
    with pytest.raises(DataError, match="make no retrieval set"):
        pack(files, tmp_path)
    # As a page hands files over: without their folders.
    assert len(read_table(pack([*files, folder / "qrels" / "test.tsv"], tmp_path)).data) == 20


def test_the_corpus_is_kept_with_the_dataset_and_its_mended_versions(tmp_path):
    judged = [(f"q{i}", f"d{i}", 1) for i in range(20)]
    folder = beir(tmp_path / "mine", test=judged)
    text = (folder / "queries.jsonl").read_text()
    (folder / "queries.jsonl").write_text(text.replace("what is number 3", "x"))
    table = read_folder(folder)
    info = import_dataset(tmp_path / "one", table, guess_roles(table), "Mine")
    assert info.corpus_rows == len(load_corpus(tmp_path / "one")) == 30
    assert "retrieval_set" in {finding.code for finding in info.findings}
    apply_fixes(tmp_path / "one", tmp_path / "two", ["very_short_texts"])
    assert load_info(tmp_path / "two").corpus_rows == len(load_corpus(tmp_path / "two")) == 30
    assert len(load_rows(tmp_path / "two")) == 19


@pytest.mark.parametrize(
    ("name", "rows", "corpus", "divided"),
    [("scifact", 1253, 5183, True), ("debian", 1000, 6000, False), ("banking77", 3079, 77, False)],
)
def test_real_sets_as_csv(shared_data, name, rows, corpus, divided):
    table = read_folder(shared_data / name)
    report = inspect_table(table)
    assert len(report.prepared.data) == rows
    assert len(table.retrieval.corpus) == corpus
    assert not table.skipped
    made = split(report.prepared.data, 0.1, 42)
    anchors = report.prepared.data["anchor"].to_numpy(zero_copy_only=False)
    assert not set(anchors[made.train]) & set(anchors[made.heldout])
    assert ("as the set divides them" in made.note) == divided
    assert not divided or len(np.unique(anchors[made.heldout])) == 300
