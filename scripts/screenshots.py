"""Makes README's pictures, one of each tab, from the real studio: a real run on the sample, in a temporary workspace.

python scripts/screenshots.py [FOLDER]     default: assets/screenshots
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

REPOSITORY = Path(__file__).resolve().parents[1]
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
TRAINING_MS = 20 * 60 * 1000
INDEXING_MS = 10 * 60 * 1000


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        env = {**os.environ, "STUDIO_WORKSPACE": f"{place}/workspace", "STUDIO_PORT": "0", "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, "app.py"]
        with subprocess.Popen(command, cwd=REPOSITORY, env=env, stdout=subprocess.PIPE, text=True) as server:
            try:
                address = re.search(r"http://\S+", server.stdout.readline())[0]
                with sync_playwright() as playwright:
                    path = (
                        os.environ.get("STUDIO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
                    )
                    browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
                    walk(browser.new_page(viewport={"width": 1280, "height": 800}), address, folder)
                    browser.close()
            finally:
                server.terminate()


def walk(page: Page, address: str, folder: Path) -> None:
    """The way of someone who only presses the highlighted button, with a picture at each stop."""

    def picture(name: str) -> None:
        page.mouse.move(0, 0)
        page.wait_for_timeout(800)  # charts and transitions
        page.screenshot(path=folder / f"{name}.png", full_page=True)
        print(folder / f"{name}.png", flush=True)

    page.goto(address)
    expect(page.locator("#start-sample")).to_be_visible()
    picture("start")
    page.locator("#start-sample").click()
    expect(page.locator("#data-report .plot-container")).to_be_visible(timeout=30_000)
    picture("data")
    page.locator("#data-proceed").click()
    expect(page.locator("#train-start")).to_be_enabled(timeout=30_000)
    picture("train")
    page.locator("#train-start").click()
    expect(page.locator("#run-search")).to_be_visible(timeout=TRAINING_MS)
    expect(page.locator("#chart-metric .plot-container")).to_be_visible()
    picture("runs")
    page.locator("#run-search").click()
    expect(page.locator("#search-start")).to_be_enabled(timeout=INDEXING_MS)
    page.locator("#search-example-1").click()
    expect(page.locator(".hits section")).to_have_count(3, timeout=60_000)
    picture("search")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "assets" / "screenshots")
