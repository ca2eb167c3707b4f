import pytest
from playwright.sync_api import expect
from steps import choose, upload

FILES = {
    "empty.csv": b"",
    "header.csv": b"question,answer\n",
    "binary.csv": bytes(range(256)) * 40,
    "broken.parquet": b"PAR1 and nothing else",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read_shows_a_message(server, open_page, name):
    page = open_page(server.url)
    upload(page, name, FILES[name])
    expect(page.locator("#data-notice [role=alert]")).to_be_visible()
    assert "Traceback" not in page.inner_text("body")
    expect(page.locator("#data-save")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("one.csv", b"text\n" + b"some words\n" * 30, "Only 1 row"),
        ("hole.csv", b"anchor,positive\n" + b"a text,\n" * 30, "positive"),
        ("few.csv", b"anchor,positive\na,b\nc,d\n", "Only 2 rows"),
    ],
)
def test_a_table_that_cannot_train_says_why_and_cannot_be_saved(server, open_page, name, content, words):
    page = open_page(server.url)
    upload(page, name, content)
    expect(page.locator("#data-report .findings li, #data-notice [role=alert]").first).to_contain_text(words)
    expect(page.locator("#data-save")).to_be_disabled()
    assert "Traceback" not in page.inner_text("body")


def test_labels_that_are_not_0_or_1_are_named(server, open_page):
    page = open_page(server.url)
    rows = b"".join(f"text {i},answer {i},maybe\n".encode() for i in range(30))
    upload(page, "labels.csv", b"anchor,positive,label\n" + rows)
    expect(page.locator("#data-rows-panel")).to_be_visible()
    choose(page, "data-label", "label")
    expect(page.locator("#data-report .findings .error")).to_contain_text("maybe")
    expect(page.locator("#data-save")).to_be_disabled()


def test_one_column_for_two_roles_is_refused(server, open_page):
    page = open_page(server.url)
    upload(page, "pairs.csv", b"question,answer\n" + b"".join(f"q {i},a {i}\n".encode() for i in range(30)))
    expect(page.locator("#data-save")).to_be_enabled()
    choose(page, "data-positive", "question")
    expect(page.locator("#data-report .findings .error")).to_contain_text("question")
    expect(page.locator("#data-save")).to_be_disabled()


def test_peoples_texts_are_shown_as_texts(server, open_page):
    page = open_page(server.url)
    hostile = "<img src=x onerror=window.hit=1>{{value}}${1+1}"
    rows = "".join(f'"{hostile} {i}","answer {i}"\n' for i in range(30))
    upload(page, "hostile.csv", f"question,answer\n{rows}".encode())
    expect(page.locator("#data-rows td").first).to_contain_text(f"{hostile} 0")
    assert page.evaluate("window.hit") is None


def test_fewer_rows_than_a_batch_are_said_beside_the_button(server, open_page):
    page = open_page(server.url)
    upload(page, "few.csv", b"question,answer\n" + b"".join(f"question {i},answer {i}\n".encode() for i in range(30)))
    page.locator("#data-save").click()
    expect(page.locator("#train-start")).to_be_enabled()
    page.locator("#train-batch-size input").fill("64")
    expect(page.locator("#train-estimate [role=alert]")).to_contain_text("64")
    expect(page.locator("#train-start")).to_be_disabled()
