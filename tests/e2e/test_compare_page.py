"""Runs found, compared, described, deleted and brought back, as a person does it."""

import pypdfium2
import pytest
from launch import Server
from playwright.sync_api import expect
from steps import address, until

from studio.runs.studio import Studio
from studio.settings import Settings
from tests.compare.scene import found_first, stored_run


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A server with 70 runs, three of them judged; ids of these."""
    workspace = tmp_path_factory.mktemp("many") / "workspace"
    studio = Studio(Settings(workspace=workspace))
    studio.start()
    dataset = studio.datasets.create_sample("local", "banking77")
    for number in range(67):
        stored_run(studio, "local", dataset, f"Failed {number}", None, state="failed")
    shares = {"Quick": 0.6, "Thorough <b>": 0.9, "Middling": 0.7}
    ids = [
        stored_run(studio, "local", dataset, name, found_first(share, at), epochs=at + 1)
        for at, (name, share) in enumerate(shares.items())
    ]
    studio.close()
    server = Server(workspace)
    server.start()
    yield server, ids
    server.end()


def test_runs_are_found_compared_described_deleted_and_brought_back(many, open_page, tmp_path):
    server, ids = many
    page = open_page(f"{server.url}/?tab=runs&run={ids[0]}")
    rows = page.locator(".run-list tbody tr")
    expect(rows).to_have_count(50)
    expect(page.locator(".run-pager .fine")).to_have_text("1 to 50 of 70 runs")
    page.get_by_role("button", name="Older runs").click()
    expect(rows).to_have_count(20)

    # tags and notes stand where they are edited, and are found
    page.locator("#run-tag").fill("paper")
    page.locator("#run-tag").press("Enter")
    page.locator("#run-notes-edit").click()
    page.locator("#run-notes").fill("Mind the <i>seed</i>.")
    page.locator("#run-tag").focus()
    expect(page.locator("#run-notes-edit")).to_have_text("Mind the <i>seed</i>.")
    page.locator("#runs-words").fill("mind seed")
    expect(rows).to_have_count(1)
    expect(rows.locator(".tag")).to_have_text("paper")

    # a comparison has an address of its own
    page.locator("#runs-words").fill("")
    page.locator("#runs-state").select_option("succeeded")
    expect(rows).to_have_count(3)
    for name in ("Quick", "Thorough <b>", "Middling"):
        page.get_by_label(f"Pick {name} to compare").check()
    page.locator("#runs-compare").click()
    expect(page.locator("#compare-sentence")).to_contain_text("'Thorough <b>' stands first: nDCG@10 0.900")
    until(lambda: "compare=" in address(page), 5, "the comparison in the address")
    page.reload()
    ranking = page.locator(".cmp-table.ranking tbody tr")
    expect(ranking).to_have_count(4)
    expect(ranking.nth(3)).to_contain_text("Base model: WordLlama")
    expect(page.locator(".settings-table tbody tr")).to_have_count(1)
    expect(page.locator(".compare .charts .plot-container").first).to_be_visible()
    with page.expect_download() as report:
        page.locator("#compare-report").click()

    # what was deleted comes back by Undo, or later from the fold; a server's restart does not matter
    ranking.locator("a", has_text="Thorough").click()
    expect(page.locator(".run-title h3")).to_have_text("Thorough <b>")
    page.locator("#run-delete").click()
    page.locator("#undo-delete").click()
    expect(page.locator(".run-title h3")).to_have_text("Thorough <b>")
    page.locator("#run-delete").click()
    expect(page.locator("#deleted-runs summary")).to_have_text("Deleted runs (1)")
    page.locator("#deleted-runs summary").click()
    page.get_by_role("button", name="Bring back Thorough").click()
    expect(page.locator(".run-title h3")).to_have_text("Thorough <b>")
    expect(page.locator("#deleted-runs")).to_be_hidden()

    # the report asks nothing of anybody, and prints on A4
    report.value.save_as(tmp_path / "report.html")
    asked = []
    paper = page.context.new_page()
    paper.on("request", lambda request: asked.append(request.url))
    paper.goto(f"file://{tmp_path / 'report.html'}")
    assert asked == [f"file://{tmp_path / 'report.html'}"]
    expect(paper.locator("h1")).to_have_text("3 runs compared")
    paper.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    document = pypdfium2.PdfDocument(tmp_path / "report.pdf")
    assert [round(side) for side in document[0].get_size()] == [595, 842]
    words = " ".join(sheet.get_textpage().get_text_range() for sheet in document)
    for said in ("'Thorough <b>' stands first", "Settings that differ", "Training loss"):
        assert said in " ".join(words.split())
    document.close()
