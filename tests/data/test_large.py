"""Large tables: read in stretches, kept on disk, previewed by their first rows; with the same result as row by row."""

import csv
import gzip
import json
import subprocess
import sys
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data import blocks, separated, spool
from studio.data.dataset import DatasetInfo, load_rows, load_slice, save_dataset
from studio.data.read import agreeing, is_large, read_table, read_tables
from studio.data.several import ALL
from studio.data.table import Dialect
from studio.errors import DataError

CELL = st.text(st.sampled_from("ab é日,;\t'\"\n"), max_size=6)
BROKEN = st.text(st.sampled_from('ab,;"\n\r\0\ufeff '), max_size=9)


def everything(path):
    try:
        table = read_table(path)
    except DataError as error:
        return str(error)
    return table.columns, table.data.to_pylist(), table.rows.to_pylist(), table.skipped, table.repaired, table.dialect


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=3, max_size=40),
    broken=st.lists(st.tuples(st.integers(0, 40), BROKEN), max_size=3),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    block=st.sampled_from([7, 64, 1 << 20]),
)
def test_stretches_are_read_as_row_by_row(tmp_path_factory, rows, broken, delimiter, end, encoding, block):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    lines = [["anchor", "positive", "negative"], *rows]
    with path.open("w", encoding=encoding, newline="") as out:
        for number, line in enumerate(lines):
            csv.writer(out, delimiter=delimiter, lineterminator=end).writerow(line)
            out.writelines(text + end for at, text in broken if at == number)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", block)
        patch.setattr(separated, "CAREFUL_ROWS", 2)
        patch.setattr(separated, "WORTH", 3)
        fast = everything(path)
        patch.setattr(separated, "can_be_regular", lambda *_: False)
        assert fast == everything(path)


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]
PLAIN = st.text(st.sampled_from("abc déñ,;|\t\n\"'"), min_size=1, max_size=12)


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=20),
    delimiter=st.sampled_from(",;\t|"),
    quote=st.sampled_from("\"'"),
    encoding=st.sampled_from(ENCODINGS),
    sep=st.booleans(),
)
def test_what_a_csv_writer_wrote_is_read_back_in_any_dialect(tmp_path_factory, rows, delimiter, quote, encoding, sep):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", encoding=encoding, newline="") as out:
        if sep:
            out.write(f"sep={delimiter}\r\n")
        writer = csv.writer(out, delimiter=delimiter, quotechar=quote, quoting=csv.QUOTE_ALL)
        writer.writerows([("anchor", "positive"), *rows])
    table = read_table(path, dialect=Dialect("csv", encoding, None if sep else delimiter, quote, True))
    assert table.skipped == table.repaired == ()
    assert [tuple(row.values()) for row in table.data.to_pylist()] == rows


def test_regular_rows_really_go_the_fast_way(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("question,answer\n" + '"a ""b"", c","d\ne"\nf,g\n' * 5_000)
    seen = []
    real = separated.cells_of
    monkeypatch.setattr(separated, "cells_of", lambda *a: seen.append(1) or real(*a))
    table = read_table(path)
    assert seen
    assert (len(table.data), table.rows[-1].as_py()) == (10_000, 10_001)
    assert table.data.slice(9_998).to_pylist() == [
        {"question": 'a "b", c', "answer": "d\ne"},
        {"question": "f", "answer": "g"},
    ]


@pytest.fixture
def on_disk(monkeypatch):
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 1)
    monkeypatch.setattr(spool, "BATCH", 3)


def test_every_kind_of_file_is_the_same_on_disk_as_in_memory(tmp_path, on_disk):
    rows = [
        {"a": f"text {i}", "b": [f"{i}"] if i % 4 == 3 else str(i), **({"c": "x"} if i > 5 else {})} for i in range(10)
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "t.json").write_text(json.dumps(rows))
    pq.write_table(pa.table({"a": [r["a"] for r in rows], "n": [1.5] * 10}), tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text("a,n\n" + "".join(f"{r['a']},\n" for r in rows))
    book = openpyxl.Workbook()
    for values in (["a", "n"], *([r["a"], 2.5] for r in rows)):
        book.active.append(values)
    book.save(tmp_path / "t.xlsx")
    for name in ("t.jsonl", "t.json", "t.parquet", "t.csv", "t.xlsx"):
        table = read_table(tmp_path / name)
        assert table.data["a"].to_pylist() == [r["a"] for r in rows], name
        spool.release()
        assert table.data["a"][9].as_py() == "text 9", "pages that were given back are read again"
    table = read_table(tmp_path / "t.jsonl")
    assert table.data["b"].to_pylist() == [[str(i)] for i in range(10)]
    assert table.data["c"].to_pylist() == [None] * 6 + ["x"] * 4


def test_a_long_json_list_is_read_item_by_item(tmp_path, monkeypatch):
    from studio.data import json_rows

    monkeypatch.setattr(json_rows, "STREAMED_MB", 0)
    monkeypatch.setattr(json_rows, "BLOCK", 16)
    rows = [{"a": f"text [{i}", "b": i} for i in range(50)]
    path = tmp_path / "t.json"
    for indent in (None, 2):
        path.write_text(json.dumps(rows, indent=indent))
        assert [row["a"] for row in read_table(path).data.to_pylist()] == [row["a"] for row in rows]
    path.write_text(json.dumps(rows)[:-9])
    cut = read_table(path)
    assert (len(cut.data), cut.skipped[0].row) == (49, 50)
    path.write_text(json.dumps(rows).replace('"b": 20', '"b": oh'))
    with pytest.raises(DataError, match="broken after row 20"):
        read_table(path)


def test_a_large_file_is_previewed_by_its_first_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("question,answer\n" + "How are you?,Fine thanks\n" * 100_000 + '"unclosed')
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    for one in (path, packed):
        table = read_table(one, limit=100)
        assert table.partial
        assert 100 <= len(table.data) < 100_000
        assert table.skipped == ()
        assert not is_large([one])
        whole = read_table(one)
        assert not whole.partial
        assert (len(whole.data), len(whole.skipped)) == (100_000, 1)


def test_progress_ends_with_all_bytes_and_can_stop_the_reading(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("question,answer\n" + "How are you?,Fine thanks\n" * 20_000)
    told = []
    read_table(path, report=lambda *news: told.append(news))
    assert told[-1][:2] == (path.stat().st_size,) * 2
    assert [done for done, *_ in told] == sorted(done for done, *_ in told)

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_table(path, report=stop)


def test_files_with_the_same_columns_become_one_table_and_notes_name_the_file(tmp_path):
    one, two = tmp_path / "one.csv", tmp_path / "two.tsv"
    one.write_text("question,answer\na,b\nc,d\n")
    two.write_text("answer\tquestion\nf\te\nx\ty\tz\nh\tg\ni\tj\n")
    table = read_tables([one, two])
    assert table.name == "one.csv and 1 other"
    assert [tuple(row.values()) for row in table.data.to_pylist()] == [
        ("a", "b"),
        ("c", "d"),
        ("e", "f"),
        ("g", "h"),
        ("j", "i"),
    ]
    assert table.rows.to_pylist() == [2, 3, 5, 7, 8]
    assert [(note.row, note.message.split(":")[0]) for note in table.skipped] == [(6, "two.tsv row 3")]
    other = tmp_path / "three.csv"
    other.write_text("question,score\na,1\n")
    with pytest.raises(DataError, match=r"three.csv lacks 'answer' and it has 'score', unlike one.csv"):
        read_tables([one, other])
    with pytest.raises(DataError, match=r"none.csv: There is no file"):
        read_tables([one, tmp_path / "none.csv"])


def test_all_tables_of_a_zip_and_all_sheets_are_read_when_their_columns_agree(tmp_path):
    packed = tmp_path / "t.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "question,answer\na,b\n")
        archive.writestr("b.csv", "question,answer\nc,d\ne,f\n")
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet("More")):
        sheet.append(["question", "answer"])
        sheet.append([sheet.title, "b"])
    book.save(tmp_path / "t.xlsx")
    assert agreeing(packed, ["a.csv", "b.csv"])
    assert len(read_table(packed, dialect=Dialect("", sheet=ALL)).data) == 3
    sheets = read_table(tmp_path / "t.xlsx", dialect=Dialect("", sheet=ALL))
    assert sheets.data["question"].to_pylist() == ["Sheet", "More"]
    book["More"]["A1"] = "something else"
    book.save(tmp_path / "t.xlsx")
    assert not agreeing(tmp_path / "t.xlsx", ["Sheet", "More"])


def test_a_slice_of_a_dataset_is_what_all_of_it_has_there(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "BATCH", 10)
    data = pa.table({"text": [f"t{i}" for i in range(95)], "row": range(95)})
    save_dataset(tmp_path / "d", data, DatasetInfo("d", "texts", 95, {}, "d.csv"))
    for offset, limit in ((0, 5), (7, 20), (90, 50), (94, 1), (95, 10)):
        assert load_slice(tmp_path / "d", offset, limit).to_pydict() == data.slice(offset, limit).to_pydict()
    assert load_rows(tmp_path / "d").to_pydict() == data.to_pydict()


def test_a_line_of_far_too_many_columns_is_refused_at_once(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("," * 3_000_000 + "\na,b\n")
    with pytest.raises(DataError, match="at most 5,000"):
        read_table(path)


MEASURE = """
import sys
from pathlib import Path
from studio.data.dataset import import_dataset
from studio.data.read import read_table
from studio.data.roles import guess_roles
def peak():
    return next(int(l.split()[1]) // 1024 for l in open("/proc/self/status") if l.startswith("VmHWM"))
before = peak()
table = read_table(Path(sys.argv[1]))
print(peak() - before)
import_dataset(Path(sys.argv[2]), table, guess_roles(table), "large")
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "t.csv"
    with path.open("w") as out:
        out.write("question,answer\n")
        out.writelines(f"{i} {'what is this about ' * 9},{'that is nothing much ' * 30}{i}\n" for i in range(80_000))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path, tmp_path / "dataset"], capture_output=True, text=True, check=True
    )
    reading_mb, importing_mb = map(int, done.stdout.split())
    assert reading_mb < 150  # some 130 for any file; as Python's texts these rows take 200 MB
    assert importing_mb < 800  # comparing near duplicates takes most of it, whatever the file's size
    assert len(load_rows(tmp_path / "dataset")) == 80_000
