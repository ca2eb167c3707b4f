"""What will do the training, found without torch: its import would keep the first page waiting for seconds."""

import functools
import os
import shutil
import subprocess


@functools.lru_cache(maxsize=1)
def gpu_names() -> tuple[str, ...]:
    """Names of the NVIDIA GPUs of this machine; empty when there are none or they do not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        listed = subprocess.run(
            [tool, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=3, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in listed.stdout.splitlines() if line.strip())


def cpu_count() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sentence() -> str:
    """Which device trains, for people."""
    names = gpu_names()
    if names:
        return f"Training runs on this machine's GPU: {names[0]}."
    count = cpu_count()
    processors = "its one processor" if count == 1 else f"its {count} processors"
    return f"This machine has no GPU that the studio can use: training runs on {processors}. Small models train in minutes."
