"""A real server in a temporary workspace and a real browser."""

import os
import shutil
from pathlib import Path

import pytest
from launch import Server
from playwright.sync_api import sync_playwright

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="module")
def chromium():
    # Not longer than one file of tests: Playwright keeps an event loop running in this thread, and Gradio wants its own.
    path = os.environ.get("STUDIO_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "google-chrome"))), None
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("e2e") / "workspace")
    server.start()
    yield server
    server.end()


@pytest.fixture
def open_page(chromium):
    """Opens a page in a browser of its own; at the end: no error in the console, nothing asked of another machine."""
    contexts, complaints = [], []

    def open_one(url: str, **options):
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        allowed = ("http://127.0.0.1:", "data:", "blob:")
        page.on("request", lambda r: r.url.startswith(allowed) or complaints.append(f"external request {r.url}"))
        page.on("pageerror", lambda e: complaints.append(f"page error {e}"))
        page.on("console", lambda m: m.type == "error" and complaints.append(f"console {m.text}"))
        page.goto(url)
        page.wait_for_selector("#tabs [role=tab]")
        page.complaints = complaints
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert not complaints
