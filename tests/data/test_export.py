"""CSV for people: safe in a spreadsheet, read back as it was."""

import csv

import pyarrow as pa
import pytest

from studio.data import export
from studio.data.export import left_out, write_csv
from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.table import Roles, RowNote

FORMULAS = ["=1+1", "+49", "-x", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://a")']


def cells(path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_that_a_spreadsheet_would_run_is_escaped(tmp_path, text):
    write_csv(tmp_path / "a.csv", pa.table({text: [text, f" {text}", None]}))
    assert cells(tmp_path / "a.csv") == [["'" + text], ["'" + text], [f" {text}"], [""]]


def test_numbers_and_ordinary_texts_stay_as_they_are(tmp_path):
    data = pa.table({"t": ["a-b", "1=1", "'", 'say "x", or\ny'], "score": [-0.5, 1.0, 0.0, 1e-9], "row": [2, 3, 4, 5]})
    write_csv(tmp_path / "a.csv", data)
    assert cells(tmp_path / "a.csv")[1][1:] == ["-0.5", "2"]
    assert read_table(tmp_path / "a.csv").data["t"].to_pylist() == data["t"].to_pylist()


def test_rows_left_out_are_listed_with_reason_and_cells(table, tmp_path):
    source = table(
        {"q": ["a", "", "c", "a"], "a": ["x", "y", "=z", "x"], "tags": [["k", "l"], None, [], ["m"]]},
        skipped=(RowNote(9, "has 3 cells"),),
        repaired=(RowNote(4, "has 1 cell"),),
    )
    write_csv(tmp_path / "a.csv", left_out(source, prepare(source, Roles("q", "a"))))
    assert cells(tmp_path / "a.csv") == [
        ["row", "what", "reason", "q", "a", "tags"],
        ["3", "left out", "anchor is empty", "", "y", ""],
        ["4", "mended", "has 1 cell", "c", "'=z", ""],
        ["5", "left out", "the same as row 2", "a", "x", "m"],
        ["9", "skipped", "has 3 cells", "", "", ""],
    ]


def test_a_good_table_leaves_nothing_out(samples):
    source = read_table(samples / "programs_triplets.csv")
    parts = list(left_out(source, prepare(source, Roles("anchor", "positive", ("negative",)))))
    assert [len(part) for part in parts] == [0]


def test_rows_left_out_come_in_parts_that_make_one_list(table, tmp_path, monkeypatch):
    source = table({"q": [f"q {i % 7}" for i in range(20)], "a": ["x"] * 20}, skipped=(RowNote(30, "has 3 cells"),))
    prepared = prepare(source, Roles("q", "a"))
    write_csv(tmp_path / "one.csv", left_out(source, prepared))
    monkeypatch.setattr(export, "BATCH", 3)
    assert len(list(left_out(source, prepared))) == 5
    write_csv(tmp_path / "parts.csv", left_out(source, prepared))
    assert cells(tmp_path / "parts.csv") == cells(tmp_path / "one.csv")
    assert cells(tmp_path / "one.csv")[1] == ["9", "left out", "the same as row 2", "q 0", "x"]
    assert cells(tmp_path / "one.csv")[-1] == ["30", "skipped", "has 3 cells", "", ""]
