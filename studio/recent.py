"""The last few results of something slow, for any number of threads; nothing is computed twice at the same time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Recent(Generic[K, T]):
    """Keeps at most ``capacity`` results, least recently used out first. Errors are raised and not kept."""

    def __init__(self, capacity: int):
        self._capacity = capacity
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, Future[T]] = OrderedDict()

    def get(self, key: K, make: Callable[[], T]) -> T:
        with self._lock:
            future = self._kept.get(key)
            mine = future is None
            if mine:
                future = self._kept[key] = Future()
                while len(self._kept) > self._capacity:
                    self._kept.popitem(last=False)
            else:
                self._kept.move_to_end(key)
        if mine:
            try:
                future.set_result(make())
            except BaseException as error:
                self.forget(lambda other: other == key)
                future.set_exception(error)
        return future.result()

    def forget(self, which: Callable[[K], bool]) -> None:
        with self._lock:
            for key in [key for key in self._kept if which(key)]:
                del self._kept[key]
