"""Which process is meant: a pid alone may belong to another process by now. Standard library only."""

import os
import signal
import subprocess
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Changes with every start of the machine; empty where that cannot be told."""
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""


def start_mark(pid: int) -> str | None:
    """What tells a process from a later one with the same pid; None: there is no such process.

    Ticks since the machine started rather than a time of day, which moves when the clock is set.
    """
    if not Path("/proc/self/stat").exists():
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip() or None
    try:
        # The name in the second field may hold spaces and parentheses; the fields after it do not.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot_id()}:{fields[19]}"


def signal_group(pid: int, mark: str | None, number: signal.Signals) -> bool:
    """Send a signal to the process group that the process ``pid`` leads; False (and nothing sent) if it is not that one."""
    if mark is None or start_mark(pid) != mark:
        return False
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    return True
