"""The studio as app.py starts it, with a worker that trains nothing: for what happens around many runs."""

import sys

from studio.runs import studio as runs
from studio.settings import Settings
from studio.ui.server import run
from tests.runs.scene import StandIn

if __name__ == "__main__":
    runs.LocalExecutor = StandIn
    sys.exit(run(Settings()))
