"""All runs on one dataset, sorted by the metric that counts; only comparable ones are ranked together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio.compare.comparison import Group, group_as_plain, grouped, left_out, metrics_of, rank
from studio.compare.facts import RunFacts, named_apart


@dataclass(frozen=True)
class Leaderboard:
    runs: tuple[RunFacts, ...]
    groups: tuple[Group, ...]
    """Most runs first; each has its base models as lines of their own."""
    left: dict[str, str]
    """Id of a run that is not ranked in the first group -> why."""

    def plain(self) -> dict[str, Any]:
        """The same as JSON can hold."""
        return {
            "runs": {run.id: {"name": run.name, "state": run.state, "tags": list(run.tags)} for run in self.runs},
            "groups": [group_as_plain(group) for group in self.groups],
            "left": self.left,
            "metrics": metrics_of(self.groups),
        }


def leaderboard(runs: Sequence[RunFacts]) -> Leaderboard:
    """``runs``: those on one dataset, newest first. Differences between runs are left to a comparison of a few of them."""
    runs = named_apart(list(runs))
    groups = grouped(runs)
    return Leaderboard(tuple(runs), tuple(rank(group, paired=False) for group in groups), left_out(runs, groups))
