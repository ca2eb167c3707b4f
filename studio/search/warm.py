"""Loaded models, kept for the next query: the least recently used goes first."""

import gc
import sys
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def load(name: str) -> "SentenceTransformer":
    """A base or tuned model, ready to encode. ``name``: catalogue id, folder or hub name.

    Raises:
        ModelError: It cannot be had.
    """
    from studio.training.bases import resolve_base
    from studio.training.fetch import download
    from studio.training.model import load_base

    return load_base(download(resolve_base(name))).eval()


class WarmModels:
    """At most ``capacity`` models in memory, for any number of threads. Two threads never load the same model twice."""

    def __init__(self, capacity: int):
        self.capacity = capacity
        self._lock = threading.Lock()
        self._models: OrderedDict[str, Future[SentenceTransformer]] = OrderedDict()
        self._used: dict[str, float] = {}
        """Name -> when it was last asked for (monotonic)."""

    def get(self, name: str) -> "SentenceTransformer":
        """The model, loaded if need be; whoever asks meanwhile waits. Raises ModelError; the next call tries again."""
        with self._lock:
            self._used[name] = time.monotonic()
            future = self._models.get(name)
            mine = future is None
            if mine:
                future = self._models[name] = Future()
                while len(self._models) > self.capacity:
                    self._models.popitem(last=False)
            else:
                self._models.move_to_end(name)
        if mine:
            try:
                future.set_result(load(name))
            except BaseException as error:
                self._forget(name, future)
                future.set_exception(error)
        return future.result()

    def drop(self, name: str) -> None:
        """Forget a model, for example because its folder is about to be deleted."""
        with self._lock:
            self._models.pop(name, None)

    def drop_idle(self, idle_s: float) -> None:
        """Forget models that were not asked for lately; their memory, of the GPU too, is free for whoever trains."""
        with self._lock:
            before = time.monotonic() - idle_s
            idle = [name for name in self._models if self._used[name] < before and self._models[name].done()]
            for name in idle:
                del self._models[name]
            self._used = {name: used for name, used in self._used.items() if name in self._models}
        torch = sys.modules.get("torch")
        if idle and torch is not None and torch.cuda.is_initialized():
            gc.collect()
            torch.cuda.empty_cache()

    def __len__(self) -> int:
        return len(self._models)

    def _forget(self, name: str, future: Future) -> None:
        with self._lock:
            if self._models.get(name) is future:
                del self._models[name]
