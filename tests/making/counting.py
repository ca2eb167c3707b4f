"""A kind of making for tests of what happens around one: python -m tests.making.counting FOLDER.

Counts, reports, and leaves a dataset: the one in ``source`` again. Words in the task say how it misbehaves.
"""

import os
import shutil
import signal
import sys
import time

from studio.errors import DataError
from studio.making import maker
from studio.making.kinds import KINDS

KIND = "counting"
WHERE = "tests.making.counting:make"


def make(folder, task, report, stopped):
    ways, total = set(task["ways"].split()), 100_000 if "long" in task["ways"] else 3
    for done in range(total):
        if stopped() and "deaf" not in ways:
            raise maker.Stopped
        report(done, total, "counting")
        time.sleep(0.01)
        if "crash-once" in ways and not (folder / "mark").exists():
            (folder / "mark").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    if "refused" in ways:
        raise DataError("There is nothing to count.", hint="Bring something.")
    if "bug" in ways:
        raise KeyError("secret words")
    if (folder / "source").is_dir():
        shutil.copytree(folder / "source", folder / "dataset")
    report(total, total, "counted")
    return {"counted": total, "message": f"Counted to {total}."}


if __name__ == "__main__":
    KINDS[KIND] = WHERE
    sys.exit(maker.main())
