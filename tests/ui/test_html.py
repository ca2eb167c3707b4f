import pyarrow as pa

from studio.catalog.findings import FIXES
from studio.data.table import Finding
from studio.ui import html
from studio.ui.findings import finding_list

HOSTILE = "<img src=x onerror=alert(1)> \"quoted\" 'single' {{value}} ${alert(1)} `tick`"


def assert_harmless(page):
    assert "<img" not in page
    for mark in ("{{", "${", "`tick"):
        assert mark not in page


def test_peoples_texts_never_become_elements_or_templates():
    assert_harmless(html.text(HOSTILE))
    assert_harmless(html.notice(HOSTILE, HOSTILE))
    assert_harmless(html.table([HOSTILE], [[HOSTILE]], [2]))
    found = [Finding("near_duplicates", "warning", HOSTILE, 1, (2,))]
    rows = pa.table({"anchor": [HOSTILE], "row": [2]})
    for mendable in (True, False):
        assert_harmless(finding_list(found, lambda numbers: rows, FIXES, mendable=mendable))
    assert_harmless(html.plot({"name": HOSTILE}, 10, HOSTILE))


def test_durations_are_words():
    assert html.duration(1) == "1 second"
    assert html.duration(75) == "75 seconds"
    assert html.duration(600) == "10 minutes"
    assert html.duration(7800) == "2 hours 10 minutes"
    assert html.duration(None) == "unknown"


def test_long_cells_are_cut_with_the_whole_in_the_tooltip():
    cell = html.cell("a" * 500, longest=10)
    assert f'title="{"a" * 500}"' in cell
    assert ">" + "a" * 10 + "...<" in cell
