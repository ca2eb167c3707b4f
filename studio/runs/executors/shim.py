"""The small process beside every worker: ``python -m studio.runs.executors.shim FOLDER MODULE``.

It outlives the server, starts ``python -m MODULE FOLDER`` in a process group of its own, waits for it and notes how it
ended. In FOLDER it keeps

    alive.lock       locked while it lives: alive or dead is known without guessing, whatever pids do
    process.json     {"worker": {"pid", "mark"}, "boot"}; mark: see process.py
    exit.json        {"code", "signal", "ended", "oom_kills"}, written last and whole
    log.txt          what the worker prints

The call returns once the lock is held (exit status 0) or cannot be had because another shim holds it (3): whoever
starts it knows from then on that the lock tells the truth. Standard library only.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from studio.files import write_json
from studio.runs.executors.process import boot_id, start_mark

LOCK_TRIES_S = 2.0
ALREADY_RUNNING = 3
NICENESS = 5
"""Workers take what the server and the page leave."""
IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Asks of a terminal or of a machine that shuts down; the worker hears them itself."""


def main(folder: Path, module: str) -> int:
    lock = (folder / "alive.lock").open("a")
    if not _lock(lock.fileno()):
        return ALREADY_RUNNING
    sys.stdout.flush()
    if os.fork():
        os._exit(0)  # the child shares the lock, which stays held until the child ends too
    os.setsid()
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    _supervise(folder, module)
    return 0


def _supervise(folder: Path, module: str) -> None:
    kills_before = oom_kills()
    with (folder / "log.txt").open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            process_group=0,
            preexec_fn=lambda: _become_worker(folder),
        )
    # Children that the worker left behind go with it. It is not reaped before: its pid cannot be given away meanwhile.
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    os.killpg(worker.pid, signal.SIGKILL)
    code = worker.wait()
    kills_after = oom_kills()
    known = kills_before is not None and kills_after is not None
    end = {
        "code": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "ended": time.time(),
        "oom_kills": max(0, kills_after - kills_before) if known else None,
    }
    with suppress(FileNotFoundError):  # deleted with what was going on in it: nobody will ask how that ended
        write_json(folder / "exit.json", end, make_folder=False)


def _become_worker(folder: Path) -> None:
    """In the new process, before the module is run: no worker ever runs that process.json does not name."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_DFL)
    os.nice(NICENESS)
    pid = os.getpid()
    write_json(folder / "process.json", {"worker": {"pid": pid, "mark": start_mark(pid)}, "boot": boot_id()})


def oom_kills(proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Processes that the kernel killed so far in this control group for want of memory; None: it does not say."""
    try:
        groups = [line.split(":", 2)[1:] for line in proc.read_text().splitlines()]
    except OSError:
        return None
    for controllers, group in groups:
        if controllers == "":
            places = [root / group.lstrip("/") / "memory.events", root / "memory.events"]
        elif "memory" in controllers.split(","):
            top = root / "memory"
            places = [top / group.lstrip("/") / "memory.oom_control", top / "memory.oom_control"]
        else:
            continue
        for place in places:
            try:
                lines = dict(line.split() for line in place.read_text().splitlines())
                return int(lines["oom_kill"])
            except (OSError, KeyError, ValueError):
                continue
    return None


def _lock(descriptor: int) -> bool:
    """Take the lock. A short while is allowed: whoever looks whether it is held holds it for a moment."""
    last = time.monotonic() + LOCK_TRIES_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > last:
                return False
            time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), sys.argv[2]))
