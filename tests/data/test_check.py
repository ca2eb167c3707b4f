"""Findings: each trap of real tables is said before training starts."""

import json
import re

import pytest

from studio.data.check import check, inspect_file, inspect_table
from studio.data.prepare import prepare
from studio.data.table import CUT_OFF, Roles, RowNote
from studio.errors import DataError

CONTROL = re.compile("traceback|exception|null", re.IGNORECASE)


def findings(table, roles):
    found = check(prepare(table, roles), table)
    assert [f.severity for f in found] == sorted((f.severity for f in found), key=["error", "warning", "info"].index)
    return {f.code: f for f in found}


def test_a_good_table_has_no_finding(table, texts):
    assert findings(table({"q": texts(60), "a": texts(60, 9)}), Roles("q", "a")) == {}


def test_the_sample_has_no_warning(samples):
    report = inspect_file(samples / "banking77.csv")
    assert {f.severity for f in report.findings} <= {"info"}
    assert len(report.prepared.data) == 3000


def test_what_happened_while_reading_is_said(table, texts):
    notes = {"skipped": (RowNote(9, "has 3 cells"), RowNote(62, CUT_OFF)), "repaired": (RowNote(5, "has 1 cell"),)}
    found = findings(table({"q": texts(60), "a": texts(60)}, **notes), Roles("q", "a"))
    assert (found["skipped_rows"].rows, found["cut_off"].rows, found["repaired_rows"].rows) == ((9,), (62,), (5,))
    assert found["cut_off"].severity == "warning"


def test_dropped_rows_are_said_with_reason_and_number(table, texts):
    q, a = texts(60), texts(60)
    q[3], a[7], q[9], a[9] = "", None, q[8], a[8]
    found = findings(table({"q": q, "a": a}), Roles("q", "a"))
    assert found["duplicate_rows"].rows == (11,)
    messages = [f.message for f in check(prepare(table({"q": q, "a": a}), Roles("q", "a"))) if f.code == "empty_text"]
    assert ["anchor is empty" in messages[0], "positive is empty" in messages[1]] == [True, True]


@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        (3, {"too_few_rows": "error"}),
        (10, {"too_few_rows": "warning"}),
        (40, {"too_few_rows": "warning"}),
        (60, {}),
    ],
)
def test_too_few_rows_are_said(table, texts, rows, codes):
    found = findings(table({"q": texts(rows), "a": texts(rows)}), Roles("q", "a"))
    assert {code: f.severity for code, f in found.items()} == codes


def test_equal_texts_within_a_row_are_said(table, texts):
    q, a, n = texts(60), texts(60, 9), texts(60, 10)
    a[1], n[2], n[3] = q[1].upper(), a[2], q[3]
    found = findings(table({"q": q, "a": a, "n": n}), Roles("q", "a", ("n",)))
    assert {code: f.rows for code, f in found.items()} == {
        "anchor_equals_positive": (3,),
        "positive_equals_negative": (4,),
        "anchor_equals_negative": (5,),
    }
    assert (
        findings(table({"q": q, "a": a, "n": a}), Roles("q", "a", ("n",)))["positive_equals_negative"].severity
        == "error"
    )


def test_repeated_texts_are_an_info_and_few_or_one_more_than_that(table, texts):
    q = texts(80)
    found = findings(table({"q": q, "a": [f"answer {i % 40}" for i in range(80)]}), Roles("q", "a"))
    assert {code: f.severity for code, f in found.items()} == {
        "repeated_positives": "info",
        "shared_texts": "info",
    }
    assert found["repeated_positives"].count == 80
    found = findings(table({"q": q, "a": [f"answer {i % 9}" for i in range(80)]}), Roles("q", "a"))
    assert "larger than 9 rows" in found["few_positives"].message
    found = findings(table({"q": ["same"] * 80, "a": q}), Roles("q", "a"))
    assert found["one_anchor_only"].severity == "error"


def test_labels_that_teach_nothing_are_said(table, texts):
    q, a = texts(100), texts(100, 9)
    assert (
        findings(table({"q": q, "a": a, "l": ["1"] * 100}), Roles("q", "a", label="l"))["one_label_only"].severity
        == "error"
    )
    rare = findings(table({"q": q, "a": a, "l": ["0"] * 95 + ["1"] * 5}), Roles("q", "a", label="l"))
    assert rare["unbalanced_labels"].rows == (97, 98, 99, 100, 101)
    assert findings(table({"q": q, "a": a, "l": ["0", "1"] * 50}), Roles("q", "a", label="l")) == {}


def test_contradictions_are_found_in_either_order_of_the_texts(table, texts):
    q, a = texts(60), texts(60, 9)
    q[5], a[5] = a[4], q[4]
    labels = ["0", "1"] * 30
    assert findings(table({"q": q, "a": a, "l": labels}), Roles("q", "a", label="l"))["contradictory_labels"].rows == (
        6,
        7,
    )
    scores = [str(i / 60) for i in range(60)]
    assert findings(table({"q": q, "a": a, "s": scores}), Roles("q", "a", score="s")) == {}, (
        "nearly equal is no contradiction"
    )
    scores[5] = "0.9"
    assert findings(table({"q": q, "a": a, "s": scores}), Roles("q", "a", score="s"))["contradictory_scores"].rows == (
        6,
        7,
    )


def test_equal_scores_are_an_error_and_a_scale_is_said(table, texts):
    q, a = texts(60), texts(60, 9)
    assert (
        findings(table({"q": q, "a": a, "s": ["3"] * 60}), Roles("q", "a", score="s"))["all_scores_equal"].severity
        == "error"
    )
    found = findings(table({"q": q, "a": a, "s": ["1", "5"] * 30}), Roles("q", "a", score="s"))
    assert "from 1 to 5" in found["score_scale"].message


def test_odd_texts_are_said(table, texts):
    q, a = texts(60), texts(60, 9)
    q[1], a[2], a[3] = "x", "long " * 500, "dÃ©jÃ\xa0 vu \ufffd"
    found = findings(table({"q": q, "a": a}), Roles("q", "a"))
    assert {code: f.rows for code, f in found.items()} == {
        "very_short_texts": (3,),
        "very_long_texts": (4,),
        "broken_characters": (5,),
    }
    ids = findings(table({"q": q, "a": [f"doc-{i * 7919}" for i in range(60)]}), Roles("q", "a"))
    assert ids["looks_like_numbers"].severity == "warning"


def test_two_japanese_characters_are_not_a_short_text(table, texts):
    assert findings(table({"q": texts(60), "a": [chr(0x4E00 + i) + "語" for i in range(60)]}), Roles("q", "a")) == {}


def test_no_more_than_100_rows_are_named(table, texts):
    found = findings(table({"q": texts(300), "a": [""] * 200 + texts(100)}), Roles("q", "a"))["empty_text"]
    assert (found.count, len(found.rows)) == (200, 100)


def test_what_makes_no_format_is_a_finding_with_help(table, texts):
    report = inspect_table(table({"text": texts(60)}), Roles("text"))
    assert report.prepared is None
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("no_format", "error")
    assert "two texts a row are needed" in finding.message
    report = inspect_table(table({"text": texts(60), "kind": ["a"] * 60}), Roles(text="text", score="kind"))
    assert "either one text" in report.findings[0].message
    report = inspect_table(table({"text": texts(60), "kind": ["a"] * 60}), Roles(class_="kind"))
    assert "no column is the text" in report.findings[0].message
    report = inspect_table(table({"q": texts(60), "a": texts(60), "s": ["high"] * 60}), Roles("q", "a", score="s"))
    assert [f.code for f in report.findings] == ["unusable_column"]


def test_the_report_is_json_with_what_the_command_line_promises(samples):
    report = json.loads(json.dumps(inspect_file(samples / "programs_triplets.csv", name="mine.csv").to_json()))
    assert report["file"] == "mine.csv"
    assert (report["encoding"], report["delimiter"], report["kind"]) == ("utf-8", ",", "csv")
    assert report["roles"] == {"anchor": "anchor", "positive": "positive", "negative": "negative"}
    assert (report["format"], report["rows"], report["skipped"]) == ("triplet", 729, 0)
    assert report["columns"] == ["anchor", "positive", "negative"]
    for finding in report["findings"]:
        assert {"code", "severity", "message", "count", "rows", "label", "effect", "advice", "fixes"} == finding.keys()


@pytest.mark.parametrize("number", ["01", "03", "05", "06", "08", "11", "12", "14", "20", "21", "25", "27"])
def test_every_nasty_table_gets_a_report_in_plain_words(shared_data, number):
    (path,) = (shared_data / "nasty").glob(f"{number}_*")
    report = inspect_file(path).to_json()
    left_out = sum(report["dropped"].values()) if report["format"] else report["rows"]
    assert report["usable_rows"] + left_out == report["rows"]
    assert not any(CONTROL.search(f["message"]) for f in report["findings"])
    assert any(f["code"] == "cut_off" for f in report["findings"]) == (number == "25")


def test_a_header_without_rows_is_refused(shared_data):
    with pytest.raises(DataError, match="no rows below its header"):
        inspect_file(shared_data / "nasty" / "26_header_only.csv")
