"""What the processes that work in a folder have in common: how they begin, and what their errors mean."""

import errno
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from studio.files import write_json

FULL_BYTES = 20_000_000
"""Less room than this, and a failed write is put down to the disk."""
FAILED_WRITES = ("unexpected pos", "PytorchStreamWriter", "iostream error", "I/O error")
"""What torch calls a write that did not go through."""
REPORT_EVERY_S = 0.5


def prepare_process() -> None:
    """Settle what has to be settled before torch is imported."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = os.environ["DISABLE_TELEMETRY"] = "1"
    # Threads that wait by spinning cost twice the processor time where anything else runs as well.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    os.environ["TQDM_DISABLE"] = os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # bars make no readable log
    # With several GPUs in sight the Trainer would use all of them at once, each with a part of every batch.
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    logging.getLogger("studio").setLevel(logging.INFO)


def is_out_of_memory(error: BaseException) -> bool:
    """Of the machine or of a GPU; torch says it in several ways."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """torch reports a full disk as a failed write of its own, so the disk is looked at as well."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    if os.strerror(errno.ENOSPC) in str(error):  # safetensors says it in words of its own kind of error
        return True
    failed_write = isinstance(error, RuntimeError | OSError) and (any(words in str(error) for words in FAILED_WRITES))
    return failed_write and shutil.disk_usage(folder).free < FULL_BYTES


def reporter(path: Path) -> Callable[..., None]:
    """A function (done, total, words="") that writes progress.json, at most twice a second.

    The file: done, total, words, per_s and eta_s (both null until they are known).
    """
    first: list[tuple[float, int]] = []
    last: list[float] = []

    def report(done: int, total: int, words: str = "") -> None:
        now = time.monotonic()
        if not first or done < first[0][1]:
            first[:] = [(now, done)]
        if last and now - last[0] < REPORT_EVERY_S and done < total:
            return
        last[:] = [now]
        since, before = first[0]
        rate = (done - before) / (now - since) if done > before and now > since else None
        eta_s = round((total - done) / rate, 1) if rate else None
        per_s = None if rate is None else round(rate, 1)
        write_json(path, {"done": done, "total": total, "words": words, "per_s": per_s, "eta_s": eta_s})

    return report
