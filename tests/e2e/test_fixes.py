"""Mending a dataset and reading a packed table, as a person does it."""

import io
import re
import zipfile

from playwright.sync_api import expect
from steps import address, choose, fill, until, upload

PAIRS = "question,answer\n" + "".join(f"What is matter {i} about?,It is about thing {i}\n" for i in range(40))


def test_a_fix_makes_a_new_version_and_shows_it(server, open_page):
    page = open_page(server.url)
    upload(page, "mine.csv", f"{PAIRS}Who?,Write to ada@example.org\n".encode())
    expect(page.locator("#data-report")).to_contain_text("personal data")
    found = page.locator("#data-report [data-code=personal_data]")
    found.locator("summary").click()
    expect(found.locator("td", has_text="Write to ada@example.org")).to_be_visible()
    expect(page.locator("#data-report .promise").first).to_contain_text("one-click fix after saving")
    expect(page.locator("#data-report button[data-fix]")).to_have_count(0)
    page.locator("#data-save").click()
    expect(page.locator("#train-start")).to_be_visible()
    page.locator("#tab-data-button").click()
    first = until(lambda: "dataset=" in address(page) and address(page), 20, "a dataset in the address")
    page.locator("#data-fix-personal_data").click()
    expect(page.locator("#data-report")).to_contain_text("1 row left out: personal data")
    expect(page.locator("#data-fix-personal_data")).to_have_count(0)
    expect(page.locator("#data-dataset input")).to_have_value(re.compile(r"^mine \(version 2\)"))
    until(lambda: address(page) != first, 20, "another dataset in the address")
    page.reload()
    expect(page.locator("#data-report")).to_contain_text("1 row left out: personal data")


def test_several_fixes_are_chosen_and_undone(server, open_page):
    page = open_page(server.url)
    upload(page, "both.csv", f"{PAIRS}x,A fine answer to that\nWho?,Write to ada@example.org\n".encode())
    page.locator("#data-save").click()
    expect(page.locator("#train-start")).to_be_visible()
    page.locator("#tab-data-button").click()
    first = until(lambda: "dataset=" in address(page) and address(page), 20, "a dataset in the address")
    page.locator(".several summary").click()
    page.get_by_label("Mask personal data").check()
    page.get_by_label("Leave out very short texts").check()
    page.locator("#data-fix-several").click()
    expect(page.locator(".history li")).to_have_text(
        "1 row changed: personal data masked; 1 row left out: very short texts"
    )
    page.locator("#data-before").click()
    expect(page.locator("#data-before")).to_have_count(0)
    until(lambda: address(page) == first, 20, "the dataset as it was")


def test_a_better_length_is_one_click(server, open_page):
    page = open_page(server.url)
    long = PAIRS.replace(" about?", " about and who was it that wrote all of it down for the first time?")
    upload(page, "lengths.csv", long.encode())
    page.locator("#data-save").click()
    expect(page.locator("#train-start")).to_be_enabled()
    page.locator("#train-more button").first.click()
    fill(page, "train-max-seq-length", 8)
    button = page.locator("button[data-set]")
    expect(button).to_have_text("Use 32 tokens")
    button.click()
    expect(page.locator("#train-max-seq-length input")).to_have_value("32")
    expect(button).to_have_count(0)


def test_another_table_of_a_zip_can_be_chosen(server, open_page):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("train.csv", PAIRS)
        archive.writestr("test.csv", PAIRS.replace("matter", "subject"))
    page = open_page(server.url)
    upload(page, "tables.zip", packed.getvalue())
    expect(page.locator("#data-rows")).to_contain_text("What is matter 0 about?")
    expect(page.locator("#data-report")).to_contain_text("several tables")
    page.locator("#data-dialect-form button").first.click()
    choose(page, "data-sheet", "test.csv")
    expect(page.locator("#data-rows")).to_contain_text("What is subject 0 about?")
