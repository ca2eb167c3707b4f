"""A server without a page, to be killed: python -m tests.runs.server WORKSPACE."""

import sys
import time
from pathlib import Path

from studio.runs.studio import Studio
from studio.settings import Settings
from tests.runs.scene import StandIn

if __name__ == "__main__":
    studio = Studio(Settings(workspace=Path(sys.argv[1]), stop_grace_s=1), StandIn())
    studio.start()
    print("up", flush=True)
    time.sleep(600)
