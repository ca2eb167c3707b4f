"""The largest batch that fits into memory: batches of the longest rows are tried, each twice the one before.

A GPU says when it has had enough. A processor's memory runs out by a kill, so there a batch is only tried when the one
before says that it will fit.
"""

import logging
import resource
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch

from studio.data.rows import text_columns
from studio.errors import HostError
from studio.process import is_out_of_memory
from studio.training.memory import Memory
from studio.training.trainable import trained
from studio.training.trainer import Trainer

FIRST_TRY = 8
RESERVE = 0.15
"""Share of the free memory that is left to others and to what a trial does not show."""
MOMENTS_BYTES = 8
"""Adam's two moments for each trained weight, which a trial does not make."""
LOOK_EVERY_S = 0.005

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    batch_size: int
    words: str
    """How it was found, for people."""


def find_largest(
    trainer: Trainer, most: int, least: int, memory: Memory, kept: Path, look: Callable[[], None]
) -> Found:
    """The largest batch, a power of two up to ``most``, that trains.

    ``kept``: where ``memory`` is saved before each trial, so that a process that dies in one is the last to try it;
    ``look`` is called between trials and may raise to stop.

    Raises:
        HostError: not even ``least`` rows fit.
    """
    died_at = memory.trying
    if died_at is not None:
        most = min(most, max(least, died_at // 2))
    trials = _Trials(trainer, memory, kept, look)
    best, needed = max(least, min(most, FIRST_TRY)), None
    while (needed := trials.needed(best)) is None:
        best //= 2
        if best < least:
            raise HostError(
                f"Memory is too small to train this model with {least} rows at a time.",
                hint="Choose a smaller base model or a shorter longest text.",
            )
    reason = f"{most:,} is the most that is tried" if died_at is None else f"memory ran out with {died_at:,}"
    while 2 * best <= most:
        if trials.room is not None and 2 * needed > trials.room:
            reason = f"{2 * best:,} would need about {2 * needed / 1e9:.1f} GB, and {trials.room / 1e9:.1f} GB are free"
            break
        more = trials.needed(2 * best)
        if more is None:
            reason = f"{2 * best:,} did not fit"
            break
        best, needed = 2 * best, more
    return Found(best, f"Batch size {best:,}: the largest that fits, tried on the longest rows; {reason}.")


class _Trials:
    """Steps that are made to see what they need, and undone."""

    def __init__(self, trainer: Trainer, memory: Memory, kept: Path, look: Callable[[], None]):
        self._trainer, self._memory, self._kept, self._look = trainer, memory, kept, look
        self._longest = _longest_first(trainer)
        self._peak = _Peak(trainer.model.device)
        self.room = _room(trainer)
        """Bytes that a step may take; None: a GPU, which says so itself."""

    def needed(self, size: int) -> int | None:
        """Bytes that a step of ``size`` rows takes at its height; None: it does not fit."""
        self._look()
        replace(self._memory, trying=size).save(self._kept)
        rows = [self._longest[i % len(self._longest)] for i in range(size)]
        trainer = self._trainer
        try:
            with self._peak:
                inputs = trainer._prepare_inputs(trainer.data_collator(rows))
                with trainer.compute_loss_context_manager():
                    loss = trainer.compute_loss(trainer.model.train(), inputs)
                loss.backward()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            logger.info("%d rows do not fit", size)
            return None
        finally:
            trainer.model.zero_grad(set_to_none=True)
        logger.info("%d rows take about %.0f MB", size, self._peak.bytes / 1e6)
        return self._peak.bytes if self.room is None or self._peak.bytes <= self.room else None


def _longest_first(trainer: Trainer) -> list[dict]:
    """The rows that train, those with the most text first, as many as any trial needs."""
    data = trainer.train_dataset
    lengths = [sum(map(len, texts)) for texts in zip(*(data[name] for name in text_columns(data)), strict=True)]
    order = sorted(range(len(data)), key=lengths.__getitem__, reverse=True)[: trainer.args.train_batch_size]
    return [data[i] for i in order]


def _room(trainer: Trainer) -> int | None:
    """Bytes that a step may take; None: a GPU, which says so itself."""
    if trainer.model.device.type != "cpu":
        return None
    moments = MOMENTS_BYTES * sum(p.numel() for p in trained(trainer.model).values())
    return int(free_bytes() * (1 - RESERVE)) - moments


def free_bytes() -> int:
    """Memory that this process can still get: of the machine, of its control group, of its own limit."""
    free = [psutil.virtual_memory().available]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        free.append(limit - psutil.Process().memory_info().vms)
    free += [limit - used for limit, used in groups()]
    return max(0, min(free))


def groups(proc: Path = Path("/proc/self/cgroup"), root: Path = Path("/sys/fs/cgroup")) -> list[tuple[int, int]]:
    """(limit, used) of the control groups that this process is in, in both versions of the kernel's interface."""
    found = []
    try:
        lines = [line.split(":", 2)[1:] for line in proc.read_text().splitlines()]
    except OSError:
        return found
    for controllers, group in lines:
        if controllers == "":
            top, names = root, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            top, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        place = top / group.lstrip("/")
        for folder in (place, *place.parents):
            if not folder.is_relative_to(top):
                break
            try:
                limit, used = (int((folder / name).read_text()) for name in names)
            except (OSError, ValueError):  # not there, or "max"
                continue
            found.append((limit, used))
    return found


class _Peak:
    """The most memory in use since it was last entered, less what was in use when it was made: ``bytes``."""

    def __init__(self, device: torch.device):
        self._gpu = device if device.type == "cuda" else None
        self._process = psutil.Process()
        self._before = self._used()
        self.bytes = 0

    def __enter__(self) -> "_Peak":
        self.bytes = 0
        if self._gpu is not None:
            torch.cuda.reset_peak_memory_stats(self._gpu)
            return self
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._gpu is not None:
            self.bytes = torch.cuda.max_memory_allocated(self._gpu) - self._before
        else:
            self._done.set()
            self._watcher.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, self._used() - self._before)
            if self._done.wait(LOOK_EVERY_S):
                return

    def _used(self) -> int:
        return torch.cuda.memory_allocated(self._gpu) if self._gpu else self._process.memory_info().rss
