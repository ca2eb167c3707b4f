"""A large table: shown by its first rows, its import stopped."""

import pytest
from steps import until

ROW = "question {0} about the machine in hall {1} that somebody asked,it is the answer number {0} and stands on page {1}\n"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "large.csv"
    with path.open("w") as out:
        out.write("q,a\n")
        out.writelines(ROW.format(i, i % 97) for i in range(190_000))
    assert path.stat().st_size > 20_000_000
    return path


def folders(server, kind):
    return sorted(path.name for path in (server.workspace / kind).iterdir() if not path.name.startswith("."))


def progress(page):
    return page.locator("#data-import").inner_text()


def test_an_import_that_is_stopped_leaves_nothing_and_can_be_tried_again(server, open_page, large):
    page = open_page(server.url)
    page.locator("#tab-data-button").click()
    page.set_input_files("#data-upload input[type=file]", large)
    page.wait_for_selector("#data-upload-panel")
    assert "a large file" in page.locator("#data-dialect").inner_text()
    page.locator("#data-save").click()
    page.locator("#data-import .stop, #data-import button").first.click()
    said = until(lambda: "Stopped" in (t := progress(page)) and t, 30, "the import's end")
    assert "Stopped before it was done" in said
    assert folders(server, "datasets") == []
    assert not list((server.workspace / "makings").glob("*/dataset"))
    until(lambda: page.locator("#data-save").is_enabled(), 10, "a second try")
