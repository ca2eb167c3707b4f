"""Mending a dataset and reading a packed table, as a person does it."""

import io
import re
import zipfile

from playwright.sync_api import expect
from steps import address, choose, until, upload

PAIRS = "question,answer\n" + "".join(f"What is matter {i} about?,It is about thing {i}\n" for i in range(40))


def test_a_fix_makes_a_new_version_and_shows_it(server, open_page):
    page = open_page(server.url)
    upload(page, "mine.csv", f"{PAIRS}Who?,Write to ada@example.org\n".encode())
    expect(page.locator("#data-report")).to_contain_text("personal data")
    expect(page.locator("#data-fixes")).to_be_hidden()
    page.locator("#data-save").click()
    expect(page.locator("#train-start")).to_be_visible()
    page.locator("#tab-data-button").click()
    first = until(lambda: "dataset=" in address(page) and address(page), 20, "a dataset in the address")
    page.locator("#data-fix-personal_data").click()
    expect(page.locator("#data-report")).to_contain_text("1 row left out: personal data")
    expect(page.locator("#data-fix-personal_data")).to_be_hidden()
    expect(page.locator("#data-dataset input")).to_have_value(re.compile(r"^mine \(version 2\)"))
    until(lambda: address(page) != first, 20, "another dataset in the address")
    page.reload()
    expect(page.locator("#data-report")).to_contain_text("1 row left out: personal data")


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
