"""Several settings in one go, as a person tries them. The worker trains nothing here: the queue, the database, Optuna are real."""

import re

import pytest
from launch import Server
from playwright.sync_api import expect
from steps import address, choose, fill, until, upload

ROWS = b"anchor,positive\n" + b"".join(
    f"question number {i} about thing {i % 50},answer {i} to it\n".encode() for i in range(60)
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("sweeps") / "workspace", ("-m", "tests.e2e.quick_app"))
    server.start()
    yield server
    server.end()


def test_a_sweep_is_queued_as_runs_says_what_mattered_and_its_winner_fills_the_form(server, open_page):
    page = open_page(server.url)
    upload(page, "table.csv", ROWS)
    page.locator("#data-save").click()
    expect(page.locator("#train-start")).to_be_enabled()
    choose(page, "train-base-model", "WordLlama")
    until(lambda: page.locator("#train-learning-rate input").input_value() == "0.02", 20, "the model's learning rate")
    page.locator("#train-sweep button").first.click()
    page.wait_for_timeout(800)  # the fold makes its fields as it opens; what is typed into them meanwhile is lost
    epochs = page.locator("#sweep-epochs input")
    epochs.fill("1, 3")
    epochs.blur()
    fill(page, "sweep-trials", 4)
    page.locator("#sweep-start").click()
    sweep = page.locator("details.sweep")
    expect(sweep.locator("summary .state")).to_have_text("Done", timeout=60_000)
    expect(sweep.locator("tbody tr")).to_have_count(4)
    expect(page.locator(".run-list tbody tr", has_text="trial")).to_have_count(4)
    figure = sweep.locator("figure", has_text="What mattered")
    expect(figure.locator(".plot-container")).to_be_visible()
    expect(figure).to_contain_text("Epochs")
    best = dict(
        zip(sweep.locator("thead th").all_inner_texts(), sweep.locator("tr.best td").all_inner_texts(), strict=True)
    )
    assert best["Epochs"] == "3"
    sweep.get_by_role("button", name="Use the winner's settings").click()
    until(lambda: "tab=train" in address(page), 10, "the tab in the address")
    expect(page.locator("#train-epochs input")).to_have_value("3")
    rate = page.locator("#train-learning-rate input")
    assert f"{float(rate.input_value()):g}" == best["Learning rate"] != "0.02"
    expect(page.locator("#train-base-model input")).to_have_value(re.compile("^WordLlama"))
    expect(page.locator("#train-start")).to_be_enabled()
