"""Several runs of one owner side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from studio.compare.comparison import Comparison, compare
from studio.compare.facts import RunFacts, read_facts
from studio.compare.leaderboard import Leaderboard, leaderboard
from studio.errors import NotFound
from studio.runs.records import RunRecord
from studio.runs.training_runs import Runs

if TYPE_CHECKING:
    from studio.export.report import Report


@dataclass(frozen=True)
class Found:
    comparison: Comparison
    gone: tuple[str, ...]
    """What is said of runs that are not there (any more); the others are compared."""


class Comparisons:
    def __init__(self, runs: Runs):
        self._runs = runs

    def compare(self, owner: str, run_ids: Sequence[str], against: str = "") -> Found:
        """Compare runs by their ids, own ones and those that the lab shares (see studio.compare).

        Raises:
            NotFound: none of them is there.
            RunError: there are fewer than two, or too many.
        """
        found, gone = [], []
        for id in dict.fromkeys(run_ids):
            try:
                found.append(self._facts(owner, self._runs.see(owner, id)))
            except NotFound as error:
                gone.append(str(error))
        if gone and len(found) < 2:
            raise NotFound(gone[0], hint="Choose other runs to compare.")
        return Found(compare(found, against), tuple(gone))

    def leaderboard(self, owner: str, dataset_id: str) -> Leaderboard:
        """Runs on a dataset, which may have been deleted since; those that the lab shares too. Raises NotFound: there are none."""
        seen = (*self._runs.list(owner), *self._runs.shared(owner))
        records = [record for record in seen if record.dataset_id == dataset_id]
        if not records:
            raise NotFound("There are no runs on such a dataset.", hint="Choose one of the list.")
        return leaderboard([self._facts(owner, record) for record in records])

    def report(self, owner: str, run_id: str) -> "Report":
        """A run as one HTML file. That of a run which others share quotes no more of their rows than its verdict does."""
        from studio.export.report import report_of_run

        record = self._runs.see(owner, run_id)
        return report_of_run(self._facts(owner, record), with_rows=record.owner == owner)

    def report_of_several(self, owner: str, run_ids: Sequence[str], against: str = "") -> "Report":
        """A comparison as one HTML file. Raises as :meth:`compare`."""
        from studio.export.report import report_of_comparison

        return report_of_comparison(self.compare(owner, run_ids, against).comparison)

    def _facts(self, viewer: str, record: RunRecord) -> RunFacts:
        """What the folder says, with what only the database knows; notes are the owner's alone.

        The person's config names models tuned earlier by their runs, the folder's by a place on the disk.
        """
        seconds = None
        if record.started is not None and record.ended is not None:
            seconds = (record.ended - record.started).total_seconds()
        return replace(
            read_facts(record.folder),
            id=record.id, name=record.name, state=record.state, message=record.message, dataset=record.dataset_name,
            base=record.base_label, config=record.config, seconds=seconds, tags=record.tags,
            notes=record.notes if record.owner == viewer else "",
        )  # fmt: skip
