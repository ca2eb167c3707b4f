"""Starts and ends a server of its own."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class Server:
    """The studio as ``python app.py`` starts it."""

    def __init__(self, workspace: Path, app: tuple[str, ...] = ("app.py",), **settings: str):
        """``app``: what Python runs; ``settings``: STUDIO_... variables."""
        self.app = app
        self.workspace = workspace
        self.settings = settings
        self.port = 0
        self.process = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, timeout_s: float = 60) -> None:
        log = self.workspace.with_suffix(".log")
        env = {
            **os.environ,
            "STUDIO_WORKSPACE": str(self.workspace),
            "STUDIO_PORT": str(self.port),
            "OMP_NUM_THREADS": "2",
            **self.settings,
        }
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, *self.app], cwd=REPOSITORY, env=env, stdout=out, stderr=out
            )
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            said = [line for line in log.read_text().splitlines() if "is running at" in line]
            if said:
                self.port = int(said[-1].rpartition(":")[2])
                try:
                    urllib.request.urlopen(f"{self.url}/healthz", timeout=2).close()
                    return
                except OSError:
                    pass
            assert self.process.poll() is None, log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"the server did not answer: {log.read_text()}")

    def end(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(20)
