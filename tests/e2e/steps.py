"""What a person does, as functions over a page."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def until(condition: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """Wait until ``condition()`` is true; its value."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {timeout_s} s: {what}")


def choose(page: Any, elem_id: str, option: str) -> None:
    """Choose an option of a dropdown by (the start of) its label."""
    page.locator(f"#{elem_id} input").click()
    page.get_by_role("option", name=re.compile(f"^\\W*{re.escape(option)}")).first.click()


def fill(page: Any, elem_id: str, value: Any) -> None:
    box = page.locator(f"#{elem_id} input")
    box.fill(str(value))
    box.blur()


def upload(page: Any, name: str, content: bytes) -> None:
    """Give a file to the Data tab."""
    page.locator("#tab-data-button").click()
    page.set_input_files("#data-upload input[type=file]", {"name": name, "mimeType": "text/csv", "buffer": content})


def address(page: Any) -> str:
    """What stands after the host in the page's address (``page.url`` lags behind while nothing is asked of the page)."""
    return page.evaluate("location.pathname + location.search")


def run_id(page: Any) -> str:
    return until(lambda: re.search(r"[?&]run=(\w+)", address(page)), 20, "a run in the address")[1]


def run_state(page: Any) -> str:
    return page.locator(".run-title .state").inner_text()


def wait_for_end(page: Any, timeout_s: float) -> str:
    ended = ("Done", "Failed", "Stopped")
    return until(lambda: (s := run_state(page)) in ended and s, timeout_s, "the run's end")


def folder_of(server: Any, run: str) -> Path:
    return server.workspace / "runs" / run
