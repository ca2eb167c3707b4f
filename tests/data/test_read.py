"""Reading any table: what a person's file holds arrives as it is, or it is said what is wrong and where."""

import datetime
import json
import random

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.data.read import read_table, sheet_names
from studio.data.table import CUT_OFF, Dialect
from studio.errors import DataError

PAIRS = "question,answer\nHow are you?,Fine\nWho is it?,The cat\nWhere is it?,On the mat\n"


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes, name: str = "table.csv", encoding: str = "utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def rows_of(table):
    return [tuple(row.values()) for row in table.data.to_pylist()]


NASTY = {
    # file: rows, columns, encoding, delimiter, quote, header
    "01_sts_test_unescaped_quotes.tsv.csv": (1379, 9, "utf-8", "\t", None, False),
    "03_sms_spam_empty_columns.csv": (5572, 5, "utf-8", ",", '"', True),
    "05_gc_program_bilingual_newlines.csv": (1486, 13, "utf-8", ",", '"', True),
    "06_gc_covid_measures_bom.csv": (163, 3, "utf-8-sig", ",", '"', True),
    "08_gc_si_semicolon.csv": (1, 53, "utf-8", ";", '"', True),
    "11_iso_products_missing.csv": (1081, 4, "utf-8", ",", '"', True),
    "12_agents_bulk_text.csv": (5001, 3, "utf-8", ",", '"', True),
    "14_banking77_crlf_newlines.csv": (3080, 2, "utf-8", ",", '"', True),
    "20_gc_parallel_utf16le_tab.txt": (1032, 2, "utf-16", "\t", '"', True),
    "21_gc_fr_semicolon_cp1252.csv": (774, 2, "cp1252", ";", '"', True),
    "25_truncated_upload.csv": (3399, 2, "utf-8", ",", '"', True),
    "27_one_column.csv": (199, 1, "utf-8", None, '"', True),
}


@pytest.mark.parametrize("name", NASTY)
def test_real_nasty_tables_are_read_as_they_are(shared_data, name):
    table = read_table(shared_data / "nasty" / name)
    style = table.dialect
    found = (len(table.data), len(table.columns), style.encoding, style.delimiter, style.quote, style.header)
    assert found == NASTY[name]
    assert table.repaired == ()
    assert len(table.rows) == len(table.data)


def test_two_hundred_thousand_rows_are_read_whole(wordnet):
    assert (len(wordnet.data), wordnet.columns) == (206_978, ("word", "pos", "definition", "example"))
    assert (wordnet.skipped, wordnet.repaired, wordnet.rows[-1].as_py()) == ((), (), 206_979)


@pytest.mark.parametrize(
    ("nasty", "original", "encoding"),
    [
        ("20_gc_parallel_utf16le_tab.txt", "parallel_en_fr.csv", "utf-16"),
        ("21_gc_fr_semicolon_cp1252.csv", "train_pairs_fr.csv", "cp1252"),
    ],
)
def test_a_reencoded_table_reads_as_the_original(shared_data, nasty, original, encoding):
    found = read_table(shared_data / "nasty" / nasty)
    truth = read_table(shared_data / "gc_programs" / original)
    # A character that cp1252 does not have was written as a question mark.
    assert rows_of(found) == [
        tuple(cell.encode(encoding, "replace").decode(encoding) for cell in row) for row in rows_of(truth)
    ]


def test_unescaped_quotes_stay_in_the_text(shared_data):
    table = read_table(shared_data / "nasty" / "01_sts_test_unescaped_quotes.tsv.csv")
    truth = read_table(shared_data / "stsb" / "test.csv")
    assert table.data["column_6"].to_pylist() == truth.data["sentence1"].to_pylist()
    assert table.data["column_7"].to_pylist() == truth.data["sentence2"].to_pylist()


def test_rows_are_numbered_as_a_spreadsheet_does(write):
    assert read_table(write(PAIRS)).rows.to_pylist() == [2, 3, 4]
    assert read_table(write(PAIRS), dialect=Dialect("", header=False)).rows.to_pylist() == [1, 2, 3, 4]
    quoted = 'question,answer\n"a\nb",c\n\nd,e\n'
    assert read_table(write(quoted)).rows.to_pylist() == [2, 4], (
        "a row of two lines is one row, a blank line is one too"
    )


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("cp1252", "cp1252"),
    ],
)
def test_western_text_keeps_its_accents_in_every_encoding(write, encoding, found):
    text = "frage;antwort\n" + "Wo ist die Straße?;Dort drüben, à côté du café\n" * 9 + "Wie heißt du?;Zoë\n"
    table = read_table(write(text, encoding=encoding))
    assert (table.dialect.encoding, table.dialect.delimiter) == (found, ";")
    assert rows_of(table)[-2:] == [("Wo ist die Straße?", "Dort drüben, à côté du café"), ("Wie heißt du?", "Zoë")]


@pytest.mark.parametrize(
    ("encoding", "delimiter", "row"),
    [
        ("shift_jis", ",", ("言う価値のあることがなければ、しゃべるな。", "彼は手紙を書く。")),
        ("euc_jp", ",", ("漢字を学ぶのはむずかしい。", "彼女はそれがすきです。")),
        ("cp1251", ";", ("Привет, как дела сегодня?", "Хорошо, спасибо большое")),
        ("gb18030", "\t", ("今天天气很好我们去公园吧", "好的没有问题")),
        ("cp1250", ";", ("Zażółć gęślą jaźń, bo się boję", "Żyje się łatwiej, gdy się wie")),
        ("utf-16-le", "\t", ("今天天气很好我们去公园吧", "好的没有问题")),
    ],
)
def test_other_scripts_are_told_apart(write, encoding, delimiter, row):
    table = read_table(write(f"one{delimiter}two\n" + (delimiter.join(row) + "\n") * 12, encoding=encoding))
    assert rows_of(table) == [row] * 12


def test_a_few_wrong_bytes_do_not_make_utf8_another_encoding(write):
    good = ("question,answer\n" + "Où est-ce ? À côté,là-bas à l'école, très près\n".replace(", ", " ") * 40).encode()
    table = read_table(write(good + b"caf\xe9,x\n"))
    assert table.dialect.encoding == "utf-8"
    assert rows_of(table)[-1] == ("caf\ufffd", "x")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_inside_texts_do_not_fool_the_reader(write, delimiter):
    other = ";" if delimiter != ";" else ","
    rows = [(f"text{other} number {i}{other} with {other}{other} many", f"answer {i}{other}") for i in range(30)]
    table = read_table(write("\n".join(delimiter.join(row) for row in [("query", "answer"), *rows])))
    assert table.dialect.delimiter == delimiter
    assert rows_of(table) == rows


def test_a_sep_line_names_the_delimiter_and_is_no_row(write):
    table = read_table(write("sep=|\nquestion|answer\na, b|c\n"))
    assert table.dialect.delimiter == "|"
    assert rows_of(table) == [("a, b", "c")]


def test_single_quotes_may_enclose_cells(write):
    table = read_table(write("'question','answer'\n" + "'a, b','c'\n" * 5))
    assert table.dialect.quote == "'"
    assert rows_of(table)[0] == ("a, b", "c")


def test_spaces_between_delimiter_and_quote_are_no_text(write):
    table = read_table(write('question, answer\n"a, b", "c, d"\n"e", "f"\n'))
    assert table.columns == ("question", "answer")
    assert rows_of(table) == [("a, b", "c, d"), ("e", "f")]


def test_quoting_that_goes_wrong_far_down_the_file_is_noticed(write):
    top = "question\tanswer\n" + "how are you\tfine\n" * 30_000
    table = read_table(write(top + '"Hi" he said\t"so\nso "be" it\tx\n'))
    assert rows_of(table)[-2:] == [('"Hi" he said', '"so'), ('so "be" it', "x")]
    table = read_table(write(top.replace("\t", ",") + '"a, b","c\nd"\n'))
    assert rows_of(table)[-1] == ("a, b", "c\nd")


def test_quotes_that_were_not_doubled_are_mended_and_said(write):
    good = '"How do you do, Sir?","Fine, thanks"\n' * 20
    table = read_table(write('"question","answer"\n' + good + '"He said "hi, you" to me","and, left"\n' + good))
    assert len(table.data) == 41
    assert rows_of(table)[20] == ('He said "hi, you" to me', "and, left")
    assert [note.row for note in table.repaired] == [22]


def test_an_unclosed_quote_does_not_swallow_the_rows_below(write):
    lines = [f'{i},"text, number {i}",label{i}' for i in range(40)]
    lines[7] = '7,"text with an open quote,label7'
    table = read_table(write("id,text,label\n" + "\n".join(lines) + "\n"))
    assert table.data["id"].to_pylist() == [str(i) for i in range(40)]
    assert [note.row for note in table.repaired] == [9]


def test_short_rows_are_padded_and_long_ones_skipped_with_their_numbers(write):
    table = read_table(write("question,answer\na,b\nc\nd,e,f\ng,h,\ni,j\nk,l\nm,n\n"))
    assert rows_of(table) == [("a", "b"), ("c", None), ("g", "h"), ("i", "j"), ("k", "l"), ("m", "n")]
    assert [note.row for note in table.repaired] == [3]
    assert [note.row for note in table.skipped] == [4]
    assert table.rows.to_pylist() == [2, 3, 5, 6, 7, 8]


def test_nameless_and_repeated_columns_get_names_and_empty_ones_go(write):
    table = read_table(write("question, answer ,,answer,\na,b,,d,\ne,f,,h,x\n"))
    assert table.columns == ("question", "answer", "answer_2", "column_5")


@pytest.mark.parametrize("ending", ['"I deposited a check, and', "Where is the", '"one\ntwo\nthree, and'])
def test_a_cut_off_upload_keeps_its_whole_rows(write, ending):
    table = read_table(write("question,answer\n" + '"Who, me?",you\n' * 30 + ending))
    assert len(table.data) == 30
    assert [(note.row, note.message) for note in table.skipped] == [(32, CUT_OFF)]


def test_a_file_cut_inside_a_character_loses_its_last_row_only(write):
    whole = "question,answer\n" + "Où ça ?,là\n" * 30
    table = read_table(write(whole.encode() + "Qui,caf\u00e9".encode()[:-1]))
    assert len(table.data) == 30
    assert table.skipped[0].message == CUT_OFF


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b" \n\t\r\n  \n", "white space"),
        (b"\xef\xbb\xbf\n", "white space"),
        (b"question,answer\n", "no rows below"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "picture"),
        (b"%PDF-1.7\n" + b"text " * 50, "PDF"),
        (b"\x1f\x8b\x08" + bytes(range(200)), "gzip"),
        (random.Random(5).randbytes(5000), "binary"),
        (bytes(4000), "binary"),
    ],
)
def test_what_is_no_table_is_refused_in_plain_words(write, content, said):
    with pytest.raises(DataError, match=said):
        read_table(write(content))


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="no file"):
        read_table(tmp_path / "nothing.csv")


def test_more_than_5000_columns_are_refused(write):
    wide = ",".join(f"c{i}" for i in range(5001))
    with pytest.raises(DataError, match="5,001 columns"):
        read_table(write(f"{wide}\n{wide}\n"))


def test_a_column_of_sentences_is_one_column_in_spite_of_commas(write):
    lines = ["Well, that is so.", "No.", "First, second, and third.", "He came, I think.", "Yes, of course."] * 5
    table = read_table(write("\n".join(lines)))
    assert table.dialect.delimiter is None
    assert table.dialect.header is False
    assert table.data["column_1"].to_pylist() == lines


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("question,answer\na b,c d\n", True),
        ("How are you?,Fine thanks.\nWho is it?,The cat.\n", False),
        ("0,1\nHow are you?,Fine thanks.\n", True),
        (",foo,bar\n0,long text here,another long text\n1,some more text,and more text\n", True),
        ("How do I pay,payment\nHow can I pay,payment\nWhere is my card,card\nWhere is the card,card\n", False),
        ("A b,1.5\nC d,2.5\n", False),
        ("phrase,points\nA b,1.5\nC d,2.5\n", True),
    ],
)
def test_a_header_is_told_from_a_first_row(write, text, header):
    assert read_table(write(text)).dialect.header is header


def test_what_a_person_chooses_overrides_the_guess(write):
    path = write("a;b,c\nd;e,f\ng;h,i\n")
    table = read_table(path, dialect=Dialect("csv", delimiter=";", header=False))
    assert rows_of(table)[0] == ("a", "b,c")
    assert read_table(path, dialect=Dialect("csv", delimiter="\\t", header=False)).columns == ("column_1",)
    plain = read_table(write('question,answer\n"a",b\n'), dialect=Dialect("csv", quote=""))
    assert rows_of(plain) == [('"a"', "b")]
    with pytest.raises(DataError, match="delimiter"):
        read_table(path, dialect=Dialect("csv", delimiter="ab"))
    with pytest.raises(DataError, match="encoding"):
        read_table(path, dialect=Dialect("csv", encoding="klingon"))


def test_nul_characters_are_removed_and_said(write):
    table = read_table(write("question,answer\nab\0c,d\n" + "e,f\n" * 30))
    assert rows_of(table)[0] == ("abc", "d")
    assert [note.row for note in table.repaired] == [2]


def test_jsonl_keeps_lists_and_has_no_decimal_surprises(write):
    lines = [
        {"query": "a", "neg": ["b", "c"], "score": 1.0, "n": 3, "ok": True},
        {"query": "d", "neg": [], "score": 0.25, "n": None},
    ]
    path = write("\n".join(map(json.dumps, lines)) + "\n\n[1]\n{broken\n" + '{"query": "\\ud800x"}\n', "t.jsonl")
    table = read_table(path)
    assert table.data["neg"].type == pa.list_(pa.string())
    assert table.data.slice(0, 2).to_pylist() == [
        {"query": "a", "neg": ["b", "c"], "score": "1", "n": "3", "ok": "true", "column_1": None},
        {"query": "d", "neg": None, "score": "0.25", "n": None, "ok": None, "column_1": None},
    ]
    assert [note.row for note in table.skipped] == [5]
    assert table.rows.to_pylist() == [1, 2, 4, 6]
    assert table.data["query"][3].as_py() == "?x", "half a character cannot be stored"


def test_a_cut_off_jsonl_file_keeps_its_whole_rows(write):
    table = read_table(write('{"a": "b", "c": "d"}\n' * 3 + '{"a": "b', "t.jsonl"))
    assert len(table.data) == 3
    assert table.skipped[0].message == CUT_OFF


def test_json_is_a_list_of_rows_or_an_object_that_holds_one(write):
    rows = [{"a": "b", "c": 1.5}, {"a": "e", "c": 2}]
    for value in (rows, {"version": 1, "data": rows}):
        for indent in (None, 2):
            table = read_table(write(json.dumps(value, indent=indent), "t.json"))
            assert rows_of(table) == [("b", "1.5"), ("e", "2")]
            assert table.dialect.kind == "json"
    cut = read_table(write(json.dumps(rows)[:-4], "t.json"))
    assert (len(cut.data), cut.skipped[0].message) == (1, CUT_OFF)
    with pytest.raises(DataError, match="not JSON"):
        read_table(write("nonsense", "t.json"))


def test_parquet_columns_become_text(tmp_path):
    path = tmp_path / "t.parquet"
    columns = {
        "text": ["a", None, ""],
        "whole": [1, 2, None],
        "real": [1.0, float("nan"), 0.5],
        "flag": [True, False, None],
        "texts": [["x"], [], None],
        "day": [datetime.date(2026, 1, 2), None, None],
        "kind": pa.array(["u", "v", "u"]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), path)
    table = read_table(path)
    assert table.data.to_pydict() == {
        "text": ["a", None, None],
        "whole": ["1", "2", None],
        "real": ["1", None, "0.5"],
        "flag": ["true", "false", None],
        "texts": [["x"], None, None],
        "day": ["2026-01-02", None, None],
        "kind": ["u", "v", "u"],
    }
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="broken or cut off"):
        read_table(path)


def test_excel_reads_the_first_sheet_that_is_not_empty(tmp_path):
    path = tmp_path / "t.xlsx"
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Texts")
    sheet.append([])
    sheet.append(["question", "answer", "score"])
    sheet.append(["a", "b", 4.0])
    sheet.append([None, None, None])
    sheet.append(["c", None, 2.5])
    book.create_sheet("More").append(["x", "y"])
    book.save(path)
    table = read_table(path)
    assert (table.dialect.kind, table.dialect.sheet, table.dialect.header) == ("excel", "Texts", True)
    assert rows_of(table) == [("a", "b", "4"), ("c", None, "2.5")]
    assert table.rows.to_pylist() == [3, 5]
    assert sheet_names(path) == ["Sheet", "Texts", "More"]
    with pytest.raises(DataError, match="no sheet 'Nope'"):
        read_table(path, dialect=Dialect("excel", sheet="Nope"))
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(DataError, match="broken or cut off"):
        read_table(path)


def test_sheet_names_of_text_are_none(write):
    assert sheet_names(write(PAIRS)) == []


CELLS = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\0\ufeff", exclude_categories=["Cc", "Cs"])
    | st.sampled_from('\n",;\t'),
    max_size=20,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=12), st.sampled_from([",", ";", "\t"]))
def test_whatever_a_csv_writer_wrote_is_read_back(tmp_path_factory, rows, delimiter):
    import csv

    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, delimiter=delimiter)
        writer.writerow(["anchor", "positive", "negative"])
        writer.writerows(rows)
    # All that is guessed is given: this is about the parser alone.
    table = read_table(path, dialect=Dialect("csv", delimiter=delimiter, quote='"', header=True))
    assert table.skipped == table.repaired == ()
    assert rows_of(table) == [tuple(cell or None for cell in row) for row in rows]
