"""Workers as processes of this machine, one shim each. They outlive the server: all that is known of one is in its folder.

``start`` and ``look`` are for one thread (the supervisor); ``signal`` may be called from any.
"""

import fcntl
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import studio
from studio.errors import HostError
from studio.files import read_json
from studio.runs.executors.process import boot_id, signal_group, start_mark
from studio.runs.executors.shim import ALREADY_RUNNING

LEFT_BY_SHIM = ("process.json", "exit.json")
START_TIMEOUT_S = 60


@dataclass(frozen=True)
class Exit:
    """How a worker's process ended, as its shim saw it."""

    code: int | None
    signal: int | None
    """Number of the signal that ended it."""
    out_of_memory: bool
    """The kernel killed it for want of memory, and says so itself."""


@dataclass(frozen=True)
class Look:
    """What is so with a worker now."""

    alive: bool
    """Its shim lives."""
    exit: Exit | None = None
    """None while it lives, and when nobody was there to see the end."""
    orphan: bool = False
    """The shim is gone, but the worker still runs."""
    rebooted: bool = False
    """The machine was started anew after the worker was."""


class LocalExecutor:
    def prepare(self, folder: Path) -> None:
        """Clear what an earlier attempt left, so that it cannot be taken for what the next one says."""
        for name in LEFT_BY_SHIM:
            (folder / name).unlink(missing_ok=True)

    def start(self, folder: Path, module: str) -> None:
        """Run ``python -m module folder`` beside a shim. When this returns, the shim lives (or has ended already).

        Raises:
            HostError: no process could be started.
        """
        root = str(Path(studio.__file__).resolve().parent.parent)
        paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        told = read_json(folder / "environment.json", {})  # on which device, where there are several
        environment = {**os.environ, **told, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-P", "-m", "studio.runs.executors.shim", str(folder.absolute()), module]
        with (folder / "log.txt").open("ab") as log:
            try:
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                    start_new_session=True, timeout=START_TIMEOUT_S, check=False,
                )  # fmt: skip
            except (OSError, subprocess.TimeoutExpired) as error:
                raise HostError(f"No process could be started: {error}.") from error
        if done.returncode not in (0, ALREADY_RUNNING):
            raise HostError("No process could be started.", hint="The log says more.")

    def look(self, folder: Path) -> Look:
        if _is_locked(folder / "alive.lock"):
            return Look(alive=True)
        end = read_json(folder / "exit.json")
        process = read_json(folder / "process.json")
        if end is not None:
            killed = end["signal"] == signal.SIGKILL and bool(end["oom_kills"])
            return Look(alive=False, exit=Exit(end["code"], end["signal"], killed))
        if process is None:
            return Look(alive=False)
        worker = process["worker"]
        return Look(
            alive=False,
            orphan=worker["mark"] is not None and start_mark(worker["pid"]) == worker["mark"],
            rebooted=process["boot"] != boot_id(),
        )

    def signal(self, folder: Path, number: signal.Signals) -> bool:
        """Signal the worker and its children; False when there is none (any more)."""
        process = read_json(folder / "process.json")
        return process is not None and signal_group(process["worker"]["pid"], process["worker"]["mark"], number)


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
