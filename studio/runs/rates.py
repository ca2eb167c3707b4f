"""How often somebody may ask: counted in memory, in a window that moves along."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from studio.errors import AccessError


class TooOften(AccessError):
    """Somebody asks more often than they may."""

    def __init__(self, seconds: int):
        super().__init__("That is too often.", hint=f"Try again in {seconds} second{'s' if seconds != 1 else ''}.")
        self.seconds = seconds

    def __reduce__(self):
        return TooOften, (self.seconds,)


class Rate:
    """At most so many a minute for each key."""

    def __init__(self, per_minute: int):
        self._item = RateLimitItemPerMinute(per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def take(self, *keys: str) -> None:
        """Count one for all of the keys, or, if one of them has had its share, for none. Raises TooOften."""
        full = [key for key in keys if not self._limiter.test(self._item, key)]
        if full:
            until = max(self._limiter.get_window_stats(self._item, key).reset_time for key in full)
            raise TooOften(max(1, math.ceil(until - time.time())))
        for key in keys:
            self._limiter.hit(self._item, key)
