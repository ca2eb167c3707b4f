"""A run seen from two browsers, over a reload and over a restart of the server."""

import json
import signal
import time

import pytest
from launch import Server
from playwright.sync_api import Error, expect
from steps import address, fill, folder_of, run_id, run_state, until, upload

ROWS = b"anchor,positive\n" + b"".join(
    f"question number {i} about thing {i % 50},answer {i} to it\n".encode() for i in range(300)
)
RANGE = "document.querySelector('#chart-loss')._fullLayout.xaxis.range"


@pytest.fixture
def own_server(tmp_path):
    server = Server(tmp_path / "workspace")
    server.start()
    yield server
    if server.process.poll() is None:
        server.end()


def last_step(path):
    """(step, time it was written) of the newest training event."""
    events = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    steps = [(event["step"], event["t"]) for event in events if event["event"] == "train"]
    return steps[-1] if steps else (0, 0.0)


def drawn(page):
    """The newest step in a page's curve; 0 while it has none, or while the page loads itself again."""
    try:
        return page.evaluate("(document.querySelector('#chart-loss')?.data || [{x: [0]}])[0].x.at(-1) || 0")
    except Error as error:
        if "navigation" not in str(error):
            raise
        return 0


def start_long_run(page):
    """Upload a table and train on it for longer than any test takes; the run's id."""
    upload(page, "table.csv", ROWS)
    page.locator("#data-save").click()
    expect(page.locator("#train-start")).to_be_enabled()
    fill(page, "train-epochs", 100)
    expect(page.locator("#train-start")).to_be_enabled()
    page.locator("#train-start").click()
    return run_id(page)


@pytest.mark.model
def test_two_browsers_see_a_point_within_two_seconds_and_nothing_is_lost(own_server, open_page):
    first = open_page(own_server.url)
    run = start_long_run(first)
    second = open_page(f"{own_server.url}/?tab=runs&run={run}")
    events = folder_of(own_server, run) / "events.jsonl"
    until(lambda: events.exists() and last_step(events)[0] >= 3, 120, "training steps")
    until(lambda: min(drawn(first), drawn(second)) >= 2, 10, "curves in both browsers")

    waits = []
    for _ in range(3):
        step, written = last_step(events)
        until(lambda step=step: drawn(first) >= step and drawn(second) >= step, 10, f"step {step}")
        waits.append(time.time() - written)
        time.sleep(0.5)
    assert sorted(waits)[1] < 2, waits

    box = first.locator("#chart-loss .nsewdrag").first.bounding_box()
    first.mouse.move(box["x"] + box["width"] * 0.02, box["y"] + box["height"] * 0.2)
    first.mouse.down()
    first.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.8, steps=5)
    first.mouse.up()
    first.wait_for_timeout(500)
    zoomed = first.evaluate(RANGE)
    assert zoomed != second.evaluate(RANGE)
    before = drawn(first)
    until(lambda: drawn(first) >= before + 2, 30, "more points")
    assert first.evaluate(RANGE) == zoomed

    second.reload()
    until(lambda: drawn(second) >= before, 20, "the curve after a reload")
    assert run in address(second)

    own_server.end(signal.SIGKILL)
    own_server.start()
    second.complaints.clear()  # a server that is gone leaves failed requests in the console
    step = last_step(events)[0]
    until(lambda: drawn(second) > step, 60, "the run goes on over a restart")
    assert run_state(second) == "Running"
    second.locator("#run-stop").click()
    until(lambda: run_state(second) == "Stopped", 60, "the run's end")
    first.wait_for_timeout(1500)
    second.complaints.clear()


@pytest.mark.model
def test_stop_and_keep_ends_with_a_verdict_and_a_model_that_can_be_searched(own_server, open_page):
    page = open_page(own_server.url)
    run = start_long_run(page)
    until(lambda: drawn(page) >= 3, 120, "training steps")
    page.locator("#run-stop-keep").click()
    until(lambda: run_state(page) == "Done", 90, "the run's end")
    expect(page.locator("#run-search")).to_be_visible()
    expect(page.locator(".run-detail")).to_contain_text("Stopped early at step")
    expect(page.locator("[data-title*='Share'], [aria-label*='Share']")).to_have_count(0)  # plots go to no cloud
    assert (folder_of(own_server, run) / "model" / "modules.json").is_file()
    expect(page.locator("#run-stop, #run-stop-keep").first).to_be_hidden()
