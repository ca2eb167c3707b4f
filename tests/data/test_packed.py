"""Tables in zip and gzip files, and the archives that are refused before they do harm."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import openpyxl
import pytest

from studio.data import archive
from studio.data.check import inspect_file
from studio.data.read import read_table, sheet_names
from studio.data.table import Dialect
from studio.errors import DataError

CSV = b"question,answer\nWhy?,Because.\nWhen?,At noon.\n"


@pytest.fixture
def pack(tmp_path):
    """Writes a zip of names and contents."""

    def write(files: dict[str, bytes], name: str = "texts.zip") -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as out:
            for inner, content in files.items():
                out.writestr(inner, content)
        return tmp_path / name

    return write


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch) -> Path:
    """Where archives are unpacked; empty again after every test."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "First"
    book.active.append(["question", "answer"])
    book.active.append(["Why?", "Because."])
    book.create_sheet("Second").append(["a", "b"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("inner", "content", "kind"),
    [("a.csv", CSV, "csv"), ("x/b.JSONL", b'{"q": "a", "a": "b"}\n', "jsonl"), ("c.xlsx", workbook(), "excel"), ("notes", CSV, "csv")],
)  # fmt: skip
def test_a_zip_of_one_table_is_read_as_that_table(pack, inner, content, kind):
    table = read_table(
        pack({"__MACOSX/._a.csv": b"junk", ".hidden.csv": b"junk", "read me.pdf": b"%PDF", inner: content})
    )
    assert (table.name, table.dialect.kind, table.dialect.member) == ("texts.zip", kind, Path(inner).name)
    assert len(table.columns) == 2


def test_a_packed_table_is_the_same_as_the_table_itself(samples, tmp_path):
    whole = (samples / "banking77.csv").read_bytes()
    (tmp_path / "banking77.csv.gz").write_bytes(gzip.compress(whole))
    table = read_table(tmp_path / "banking77.csv.gz")
    plain = read_table(samples / "banking77.csv")
    assert table.data.equals(plain.data)
    assert (table.rows, table.dialect.member) == (plain.rows, "banking77.csv")
    assert inspect_file(tmp_path / "banking77.csv.gz").to_json()["member"] == "banking77.csv"


def test_of_several_tables_the_first_is_read_and_said_and_another_can_be_chosen(pack):
    path = pack({"train.csv": CSV, "README.txt": b"hello", "test.csv": CSV.replace(b"Why", b"Who")})
    assert sheet_names(path) == ["train.csv", "test.csv"]
    (finding,) = [f for f in inspect_file(path).findings if f.code == "one_of_several_tables"]
    assert "'train.csv' was read" in finding.message
    other = read_table(path, dialect=Dialect("", sheet="test.csv"))
    assert (other.data["question"][0].as_py(), other.dialect.sheet) == ("Who?", "test.csv")
    with pytest.raises(DataError, match=r"no table 'dev\.csv'") as raised:
        read_table(path, dialect=Dialect("", sheet="dev.csv"))
    assert "train.csv, test.csv" in raised.value.hint


def test_the_sheet_of_a_packed_workbook_can_be_chosen(pack):
    path = pack({"book.xlsx": workbook()})
    assert sheet_names(path) == ["First", "Second"]
    assert read_table(path).dialect.sheet == "First"
    assert not [f for f in inspect_file(path).findings if f.code == "one_of_several_tables"]
    assert read_table(path, dialect=Dialect("", sheet="Second", header=False)).columns == ("column_1", "column_2")


def tar(name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        file.addfile(tarfile.TarInfo(name))
    return out.getvalue()


@pytest.mark.parametrize("files", [{"inner.zip": CSV}, {"inner.csv": gzip.compress(CSV)}, {"inner.txt": tar("a.csv")}])
def test_archives_in_archives_are_refused(pack, files):
    with pytest.raises(DataError, match="archives in archives"):
        read_table(pack(files))


def test_an_archive_in_a_gzip_is_refused(pack, tmp_path):
    for number, content in enumerate((tar("a.csv"), gzip.compress(CSV), pack({"a.csv": CSV}).read_bytes())):
        path = tmp_path / f"{number}.csv.gz"
        path.write_bytes(gzip.compress(content))
        with pytest.raises(DataError, match="archives in archives"):
            read_table(path)


@pytest.mark.parametrize(
    ("files", "said"), [({"a.png": b"x"}, r"no table \(a.png\)"), ({}, "no table"), ({"a.csv": b""}, "empty")]
)
def test_a_zip_without_a_table_is_refused(pack, files, said):
    with pytest.raises(DataError, match=said):
        read_table(pack(files))


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_cut_off_archive_is_refused(samples, pack, tmp_path, keep):
    content = (samples / "banking77.csv").read_bytes()
    for path in (pack({"a.csv": content}), tmp_path / "a.csv.gz"):
        whole = path.read_bytes() if path.exists() else gzip.compress(content)
        path.write_bytes(whole[: int(keep * len(whole))])
        with pytest.raises(DataError, match="broken, cut off"):
            read_table(path)


def test_what_unpacks_to_hundreds_of_times_its_size_is_refused(pack, tmp_path, monkeypatch):
    zeros = bytes(30_000_000)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(zeros))
    for path in (pack({"bomb.csv": zeros}), tmp_path / "bomb.csv.gz"):
        with pytest.raises(DataError, match="250 times its size"):
            read_table(path)
    (tmp_path / "bomb.csv.gz").unlink()
    monkeypatch.setattr(archive, "MAX_UNPACKED_MB", 20)
    monkeypatch.setattr(archive, "MAX_RATIO", 10_000)
    for path in (pack({"bomb.csv": zeros}),):
        with pytest.raises(DataError, match="more than 20 MB"):
            read_table(path)


def test_a_zip_that_lies_about_its_size_writes_no_more_than_it_stated(pack):
    path = pack({"bomb.csv": b"a,b\n" * 8_000_000})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 1000)
    path.write_bytes(data)
    with pytest.raises(DataError, match="broken, cut off"):
        read_table(path)


def test_a_workbook_that_is_a_bomb_is_refused(pack):
    path = pack({"xl/workbook.xml": b"<x/>", "xl/worksheets/sheet1.xml": b" " * 30_000_000}, "book.xlsx")
    with pytest.raises(DataError, match="250 times its size"):
        read_table(path)


def test_real_tables_that_repeat_themselves_a_lot_are_no_bombs(tmp_path):
    rows = "".join(
        f"What is the answer to question number {i}?,It is the answer to question number {i}.\n" for i in range(200_000)
    )
    packed = gzip.compress(rows.encode())
    assert len(rows) > 15_000_000
    assert len(rows) / len(packed) < archive.MAX_RATIO / 4
