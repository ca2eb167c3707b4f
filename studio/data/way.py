"""How a file is gone through: how far, and who hears of the progress."""

from collections.abc import Callable
from dataclasses import dataclass

Report = Callable[[int, int, str], None]
"""Called now and then with what is done, what there is to do, and words for it. May raise to stop."""


@dataclass(frozen=True)
class Way:
    limit: int | None = None
    """Rows after which reading may end: a look at the beginning of a large file."""
    report: Report | None = None

    def part(self, start: float, end: float, words: str) -> Callable[[int, int], None] | None:
        """Progress of one of several passes, from share ``start`` to ``end`` of the whole."""
        report = self.report
        if report is None:
            return None
        return lambda done, total: report(int(total * start + done * (end - start)), total, words)

    def between(self, done: int, size: int, total: int, name: str) -> Report | None:
        """Progress of one of several files, of which ``done`` bytes are done."""
        report = self.report
        if report is None:
            return None
        return lambda part, whole, words: report(done + size * part // max(whole, 1), total, f"{words} {name}")
