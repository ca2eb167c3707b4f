"""Doubtful rows are looked for and judged with the keyboard; rows are edited by hand."""

import csv
import io
import re

from playwright.sync_api import expect
from steps import choose, until, upload

PAIRS = [
    ("How do I block my card?", "Press block in the app."),
    ("Where is my new card?", "A new card takes five days by post."),
    ("What does a card cost?", "The first card is free."),
    ("Can I have two cards?", "You may have three cards."),
    ("How do I open an account?", "The weather in the mountains is <b>fine</b> today."),
    ("How do I change my address?", "Change your address in the settings of the app."),
    ("Is my money safe?", "Your money is safe up to a limit."),
    ("Can I pay in euros?", "You can pay in euros and pounds."),
    ("How do I change my PIN?", "Change your PIN at any cash machine."),
    ("Why was my payment declined?", "A payment is declined when the account is empty."),
    ("How long does a transfer take?", "A transfer takes one day."),
    ("How do I close my account?", "Write to us to close your account."),
]
SCORED = [(f"The cat number {i} sleeps.", f"A cat with number {i} is asleep.", i % 6) for i in range(24)]


def table(header, rows):
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue().encode()


def keep(page, name, header, rows):
    """Upload a table, save it, and come back to it in the Data tab."""
    upload(page, name, table(header, rows))
    expect(page.locator("#data-save")).to_be_enabled(timeout=60_000)
    page.locator("#data-save").click()
    expect(page.locator("#train-start")).to_be_enabled(timeout=60_000)
    page.locator("#tab-data-button").click()


def test_doubtful_rows_are_judged_by_keyboard_and_dropped_in_a_new_version(server, open_page):
    page = open_page(server.url)
    keep(page, "cards.csv", ["question", "answer"], PAIRS)
    page.locator("#tool-review > button").click()
    choose(page, "review-base-model", "WordLlama")
    page.locator("#review-start").click()
    expect(page.locator(".review-card")).to_be_visible(timeout=90_000)
    expect(page.locator(".review-head b")).to_have_text("1 of 10")
    expect(page.locator(".review-why")).to_contain_text("little alike")
    # What a file says is text, whatever it looks like.
    expect(page.locator(".suspected dd")).to_have_text("The weather in the mountains is <b>fine</b> today.")
    page.locator(".review-card").focus()
    for key in "dkd":  # as fast as fingers go
        page.keyboard.press(key)
    expect(page.locator(".review-head b")).to_have_text("4 of 10")
    expect(page.locator(".review-head span")).to_have_text("1 kept, 2 dropped, 7 to go")
    page.keyboard.press("u")
    expect(page.locator(".review-head b")).to_have_text("3 of 10")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".review-row .state")).to_have_text("Kept")
    expect(page.locator(".review-body")).to_have_attribute("aria-busy", "false")
    # Nothing is lost when the page is closed.
    page.reload()
    expect(page.locator(".review-head b")).to_have_text("3 of 10", timeout=30_000)
    expect(page.locator(".review-head span")).to_have_text("1 kept, 1 dropped, 8 to go")
    page.get_by_role("button", name="Make a new version without the dropped row").click()
    expect(page.locator("#data-dataset input")).to_have_value(re.compile("version 2.* 11 rows"), timeout=60_000)
    expect(page.locator("#data-report")).to_contain_text("1 row left out after a look at 2 doubtful ones")


def test_rows_are_edited_searched_taken_back_and_saved(server, open_page):
    page = open_page(server.url)
    keep(page, "cats.csv", ["sentence1", "sentence2", "score"], SCORED)
    page.locator("#tool-edit > button").click()
    rows = page.locator(".edit-table tbody tr")
    expect(rows).to_have_count(24, timeout=60_000)
    # Rating with the keys: the next row follows.
    rows.nth(0).locator("th").click()
    page.keyboard.press("5")
    page.keyboard.press("4")
    expect(page.locator(".edit-end b")).to_have_text("2 rows changed")
    expect(rows.nth(1).locator("input")).to_have_value("4")
    expect(rows.nth(2)).to_be_focused()
    # A text, with an answer that is refused first.
    page.get_by_role("searchbox", name="Search in the rows").fill("number 7")
    expect(rows).to_have_count(1)
    rows.locator(".edit-cell").first.click()
    page.locator(".edit-table textarea").fill(" ")
    page.keyboard.press("Enter")
    expect(page.locator("#edit-view .notice")).to_contain_text("cannot be empty")
    page.locator(".edit-table textarea").fill("<img src=x onerror=alert(1)>")
    page.keyboard.press("Enter")
    expect(rows.locator(".edit-cell").first).to_have_text("<img src=x onerror=alert(1)>")
    page.get_by_role("searchbox", name="Search in the rows").fill("")
    expect(rows).to_have_count(24)
    rows.nth(10).get_by_role("button", name="Leave out").click()
    rows.nth(11).get_by_role("button", name="Leave out").click()
    expect(page.locator(".edit-end b")).to_have_text("3 rows changed, 2 left out")
    page.get_by_role("button", name="Undo", exact=True).last.click()
    expect(page.locator(".edit-end b")).to_have_text("3 rows changed, 1 left out")
    page.get_by_role("button", name="Add a row").click()
    for name, value in (("Anchor", "A dog barks."), ("Positive", "The dog is loud."), ("Score from 0 to 5", "9")):
        page.get_by_label(name, exact=True).fill(value)
    page.get_by_role("button", name="Add it").click()
    expect(page.locator("#edit-view .notice")).to_contain_text("from 0 to 5")
    page.get_by_label("Score from 0 to 5", exact=True).fill("4")
    page.get_by_role("button", name="Add it").click()
    expect(rows.first.locator("th")).to_have_text("new 1")
    # The draft is the server's: a reload loses nothing.
    page.reload()
    expect(page.locator("#tool-edit > button")).to_be_visible(timeout=60_000)
    page.locator("#tool-edit > button").click()
    expect(page.locator(".edit-end b")).to_have_text("3 rows changed, 1 left out, 1 added")
    page.get_by_role("button", name="Save as a new version").click()
    until(lambda: "version 2" in page.locator("#data-dataset input").input_value(), 20, "the new version")
    expect(page.locator("#data-report")).to_contain_text("By hand: 3 rows changed, 1 left out, 1 added")
    expect(page.locator("#data-rows")).to_contain_text("<img src=x onerror=alert(1)>")
    # The browser notes both refusals in its console; nothing else may stand there.
    refused = [said for said in page.complaints if "400 (Bad Request)" in said]
    assert len(refused) == 2
    for said in refused:
        page.complaints.remove(said)
