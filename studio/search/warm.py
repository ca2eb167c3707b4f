"""Loaded models, kept for the next query: the least recently used goes first."""

import threading
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

    def get(self, name: str) -> "SentenceTransformer":
        """The model, loaded if need be; whoever asks meanwhile waits. Raises ModelError; the next call tries again."""
        with self._lock:
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

    def __len__(self) -> int:
        return len(self._models)

    def _forget(self, name: str, future: Future) -> None:
        with self._lock:
            if self._models.get(name) is future:
                del self._models[name]
