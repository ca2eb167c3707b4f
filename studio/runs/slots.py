"""Where runs may train: so many at a time on each GPU, and some on the processors; whether there is memory for one more."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil

from studio.runs import gpus
from studio.runs.store import Row

CPU, GPU = "cpu", "gpu"


@dataclass(frozen=True)
class Device:
    id: str
    """``cpu``, or ``gpu:<number>``."""
    slots: int
    memory_mb: float
    """All that it has."""
    free_mb: float
    visible: str = ""
    """What CUDA_VISIBLE_DEVICES is to be for a process that trains there."""

    @property
    def kind(self) -> str:
        return kind_of(self.id)


def kind_of(device: str | None) -> str:
    """``gpu`` or ``cpu``; a run of an older studio says nothing and counts as on the processors."""
    return GPU if device is not None and device.startswith(GPU) else CPU


class Devices:
    """The places of this machine."""

    def __init__(self, slots: int, cpu_slots: int, look: Callable[[], gpus.Gpus] = gpus.ours):
        """``slots``: runs at a time on each GPU, or on a machine without one altogether; ``cpu_slots``: runs that may train
        on the processors beside those on GPUs."""
        self._look = look
        cards = len(look().found)
        self._slots = slots
        self.places = {GPU: slots * cards, CPU: cpu_slots if cards else slots}
        """Kind of device -> runs at a time."""

    @property
    def has_gpus(self) -> bool:
        return self.places[GPU] > 0

    def largest_mb(self, kind: str) -> float | None:
        """Memory of the largest device of a kind; None: none answers."""
        return max((device.memory_mb for device in self.now() if device.kind == kind), default=None)

    def now(self) -> list[Device]:
        """GPUs first. None of them are there while the driver does not answer: then what needs one waits."""
        memory = psutil.virtual_memory()
        found = self._look().found if self.has_gpus else ()
        cards = [Device(f"{GPU}:{gpu.index}", self._slots, gpu.memory_mb, gpu.free_mb, gpu.uuid) for gpu in found]
        return [*cards, Device(CPU, self.places[CPU], memory.total / 1e6, memory.available / 1e6)]

    def kind(self, row: Row) -> str:
        """Which kind a run trains on: one that gains nothing from a GPU leaves it to the others."""
        return GPU if self.has_gpus and row["wants"] == GPU else CPU

    def environment(self, device: Device) -> dict[str, str]:
        """What a process must be told to train there and nowhere else."""
        # Other makers' cards are not ours to hand out.
        return {"CUDA_VISIBLE_DEVICES": device.visible} if self.has_gpus else {}


def place(row: Row, devices: Sequence[Device], busy: Sequence[Row]) -> tuple[Device | None, str]:
    """Which of ``devices`` a run can start on now; None: none, and why in words if it is not just that all places are taken.

    A device that nothing trains on takes any run, for a run adapts to the memory that it finds; beside others it must fit.
    """
    taken = Counter(other["device"] or CPU for other in busy)
    free = sorted((d for d in devices if taken[d.id] < d.slots), key=lambda d: (taken[d.id], -d.free_mb))
    needed = row["memory_mb"] or 0.0
    for device in free:
        if not taken[device.id] or needed <= device.free_mb:
            return device, ""
    if not free:
        return None, ""
    most = max(device.free_mb for device in free)
    return None, f"It waits for memory: it needs about {_gb(needed)}, {_gb(most)} are free."


def expected_starts(
    order: Sequence[Row], busy: Sequence[Row], left_s: Mapping[str, float | None], slots: int
) -> dict[str, float | None]:
    """Id -> seconds until a waiting run starts, if nothing changes; None: it waits behind something of unknown length.

    ``left_s``: id of a run at work -> seconds until it is done.
    """
    unknown = float("inf")
    ends = [left_s.get(row["id"]) for row in busy][:slots]
    ends = [0.0] * (slots - len(ends)) + [unknown if end is None else end for end in ends]
    starts: dict[str, float | None] = {}
    for row in order:
        ends.sort()
        start = ends.pop(0)
        starts[row["id"]] = None if start == unknown else start
        length = row["expected_s"]
        ends.append(unknown if length is None else start + length)
    return starts


def _gb(mb: float) -> str:
    return f"{mb / 1000:.1f} GB"
