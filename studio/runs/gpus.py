"""The GPUs of this machine as NVIDIA's own library sees them: how much memory, how busy, how warm. No torch."""

import os
import threading
from dataclasses import dataclass

import pynvml

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Gpu:
    index: int
    uuid: str
    """Names the card whatever order the driver counts in."""
    name: str
    memory_mb: float
    used_mb: float
    utilisation: int | None
    """Per cent of the last second or so in which it computed; None: it does not say."""
    temperature: int | None
    """Degrees Celsius; None: it does not say."""

    @property
    def free_mb(self) -> float:
        return self.memory_mb - self.used_mb


@dataclass(frozen=True)
class Gpus:
    found: tuple[Gpu, ...]
    problem: str = ""
    """Why there is nothing to tell, in words; empty: there is."""


def look() -> Gpus:
    """What is so now; a few milliseconds."""
    with _one_at_a_time:
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError_LibraryNotFound:
            return Gpus((), "This machine has no NVIDIA driver: training runs on its processors.")
        except pynvml.NVMLError as error:
            return Gpus((), f"The GPUs do not answer: {error}.")
        try:
            found = tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
        except pynvml.NVMLError as error:
            return Gpus((), f"The GPUs do not answer: {error}.")
        finally:
            pynvml.nvmlShutdown()
    return Gpus(found, "" if found else "This machine has an NVIDIA driver, but no GPU.")


def ours() -> Gpus:
    """Those that this server may use: all, or what CUDA_VISIBLE_DEVICES leaves of them."""
    found, named = look(), os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return found
    names = [name.strip() for name in named.split(",") if name.strip()]
    mine = tuple(g for g in found.found if str(g.index) in names or any(g.uuid.startswith(n) for n in names))
    return Gpus(mine, found.problem or ("" if mine else "CUDA_VISIBLE_DEVICES leaves no GPU to this server."))


def _gpu(index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(
        index,
        pynvml.nvmlDeviceGetUUID(handle),
        pynvml.nvmlDeviceGetName(handle),
        memory.total / 1e6,
        memory.used / 1e6,
        _or_none(lambda: int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)),
        _or_none(lambda: int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))),
    )


def _or_none(ask):
    """Not every card tells everything."""
    try:
        return ask()
    except pynvml.NVMLError:
        return None
