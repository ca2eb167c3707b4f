"""A report is one file that loads nothing, says everything that was asked of it, and shows hostile texts as themselves."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.compare.comparison import compare
from studio.compare.facts import read_facts
from studio.export.report import report_of_comparison, report_of_run
from studio.export.svg import Interval, Series, interval_chart, line_chart, ticks
from studio.files import read_json, write_json
from tests.compare.scene import HELDOUT, found_first, judged_run

HOSTILE = '</title><script>alert(1)</script><img src=x onerror=alert(2)>" onload="x\x00\u202eevil{{7*7}}'
LOADS = ("src", "href", "srcset", "data", "poster", "background", "action", "xlink:href", "ping", "formaction")


class Outline(HTMLParser):
    """Elements and attributes of a page, and what is visible."""

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self._open = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "circle", "line", "polyline", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data):
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def loads_nothing(html: str) -> Outline:
    page = Outline(html)
    assert not set(page.tags) & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image", "use"}
    assert not [name for name, _ in page.attributes if name in LOADS or name.startswith("on")]
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in html
    return page


def test_a_report_says_all_that_a_reviewer_asks(tmp_path):
    folder = judged_run(tmp_path / "run", found_first(0.9, 1), name="My run", epochs=3)
    info = read_json(folder.dataset / "dataset.json")
    found = {
        "code": "near_duplicates",
        "severity": "warning",
        "message": "Rows are nearly alike.",
        "count": 3,
        "rows": [],
    }
    hint = {**found, "severity": "info", "message": "Something small."}
    write_json(folder.dataset / "dataset.json", {**info, "findings": [found, hint], "history": ["2 rows left out"]})
    made = {"__version__": {"sentence_transformers": "6.2.1", "transformers": "5.23.0", "pytorch": "2.13.0"}}
    write_json(folder.model / "config_sentence_transformers.json", made)
    report = report_of_run(read_facts(folder.path))
    page = loads_nothing(report.html)
    assert report.name == "My run"
    for said in (
        "Right first for 90 of 100 questions.", "Bring more rows.", "nDCG@10", "0.9000", "+0.4000",
        "Loss", "held-out rows", "Where it won most", "Where it lost most", "question", "Right text",
        "200", "Pairs", "pairs.csv", "Rows are nearly alike.", "1 hint of the check", "2 rows left out",
        "Rows that share a text stand on one side.", "60 held-out rows", "20 texts a question",
        "Epochs", "Learning rate", "WordLlama (static, 256 dimensions)", "6.2.1", "5.23.0", "2.13.0", "12 seconds",
    ):  # fmt: skip
        assert said in page.text, said
    assert "Something small." not in page.text
    assert page.tags.count("svg") == 3


def test_hostile_names_texts_and_notes_show_as_themselves(tmp_path):
    folder = judged_run(
        tmp_path / "run", found_first(0.9, 1), name=HOSTILE, evidence=False,
        verdict=dict.fromkeys(("sentence", "split_note", "note"), HOSTILE)
        | dict.fromkeys(("advice", "now_right", "now_wrong"), (HOSTILE,)),
    )  # fmt: skip
    info = read_json(folder.dataset / "dataset.json")
    finding = {"code": "x", "severity": "warning", "message": HOSTILE, "count": 1, "rows": []}
    write_json(
        folder.dataset / "dataset.json",
        {
            **info, "name": HOSTILE, "file_name": HOSTILE, "roles": {"anchor": HOSTILE}, "history": [HOSTILE],
            "dropped": {HOSTILE: 3}, "findings": [finding],
        },
    )  # fmt: skip
    run = replace(read_facts(folder.path), notes=HOSTILE, tags=(HOSTILE,), base=HOSTILE, dataset=HOSTILE)
    other = replace(run, id="other")
    for html in (report_of_run(run).html, report_of_comparison(compare([run, other])).html):
        page = loads_nothing(html)
        assert "<script>alert(1)</script>" in page.text, "as a text"
        assert "\u202e" not in html
        assert "\x00" not in html


def test_evidence_of_hostile_texts_is_escaped(tmp_path):
    folder = judged_run(tmp_path / "run", found_first(0.9, 1))
    path = folder.evidence / "rows.parquet"
    rows = pq.read_table(path)
    rows = rows.set_column(rows.column_names.index("anchor"), "anchor", pa.array([HOSTILE * 40] * HELDOUT))
    pq.write_table(rows, path)
    page = loads_nothing(report_of_run(read_facts(folder.path)).html)
    assert "alert(2)" in page.text
    assert len(page.text) < 20_000, "long texts are cut"


def test_without_rows_it_quotes_no_more_than_the_verdict(tmp_path):
    facts = read_facts(judged_run(tmp_path / "run", found_first(0.9, 1)).path)
    page = loads_nothing(report_of_run(facts, with_rows=False).html)
    assert "question 1" in page.text
    assert "Where it won most" not in page.text
    assert "Where it won most" in loads_nothing(report_of_run(facts).html).text


@pytest.mark.parametrize(
    ("state", "said"), [("failed", "This run failed."), ("cancelled", "This run was stopped."), ("running", "not done")]
)
def test_a_run_without_a_verdict_has_a_report_too(tmp_path, state, said):
    page = loads_nothing(report_of_run(read_facts(judged_run(tmp_path / "run", state=state).path)).html)
    assert said in page.text
    assert "Settings" in page.text


def test_a_report_of_several_has_ranking_reasons_and_settings_that_differ(tmp_path):
    runs = [
        read_facts(judged_run(tmp_path / "one", found_first(0.9, 1), epochs=1).path),
        read_facts(judged_run(tmp_path / "two", found_first(0.6, 2), epochs=4).path),
        read_facts(judged_run(tmp_path / "three", state="failed").path),
    ]
    page = loads_nothing(report_of_comparison(compare(runs)).html)
    for said in ("3 runs compared", "'one' stands first", "Base model: WordLlama", "Settings that differ", "Epochs",
                 "It failed before it was judged.", "All metrics", "Training loss"):  # fmt: skip
        assert said in page.text, said


def test_scored_pairs_have_their_examples_by_agreement(tmp_path):
    random = np.random.default_rng(0)
    data = pa.table({"anchor": ["a"] * 80, "positive": ["b"] * 80, "score": random.random(80), "row": np.arange(2, 82)})
    folder = judged_run(
        tmp_path / "run", random.random(HELDOUT), format="scored_pair", primary="spearman", metric="spearman",
        target=random.random(HELDOUT), data=data,
    )  # fmt: skip
    assert "Second text" in loads_nothing(report_of_run(read_facts(folder.path)).html).text


def test_ticks_are_round_and_enclose():
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    for low, high in [(0.5, 0.5), (0, 0), (-3, 1e6), (0.0001, 0.0002), (-0.02, 0.13)]:
        marks = ticks(low, high)
        assert marks[0] <= low
        assert marks[-1] >= high
        assert 2 <= len(marks) <= 8, marks


def test_charts_leave_out_what_is_not_a_number():
    assert line_chart([Series("x", [1, 2], [None, float("nan")], 0)], "a", "b", "c") == ""
    chart = line_chart([Series("x", [1, 2, 3], [1.0, None, 3.0], 12)], "a", "b", "c")
    assert chart.count("<circle") == 2
    assert "c2" in chart
    assert interval_chart([Interval("x", 0.1, float("-inf"), 0.2)], "a", "b") == ""
    assert "nan" not in interval_chart([Interval("<b>", 0.1, 0.0, 0.2)], "a", "b")


def test_a_dataset_with_nothing_to_say_of_says_so(tmp_path):
    folder = judged_run(tmp_path / "run", found_first(0.9, 1))
    assert "nothing that stands in the way" in report_of_run(read_facts(folder.path)).html
