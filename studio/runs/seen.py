"""What the models of a run see of its held-out texts, for whoever owns it."""

from dataclasses import dataclass

from studio.errors import RunError
from studio.evaluation.lookup import NOT_RECORDED
from studio.evaluation.seen import Seen, load_embeddings, look
from studio.recent import Recent
from studio.runs.training_runs import Runs
from studio.search.map import TextMap, make_map
from studio.training.folder import RunFolder

KEPT = 16
"""Runs whose figures are remembered: some hundred kilobytes each."""


@dataclass(frozen=True)
class SeenOfRun:
    seen: Seen | None
    """None: there are no pairs of both kinds."""
    map: TextMap | None
    """None: there are too few texts."""


class RunSeen:
    def __init__(self, runs: Runs):
        self._runs = runs
        self._known: Recent[tuple[str, int], SeenOfRun] = Recent(KEPT)

    def show(self, owner: str, run_id: str) -> SeenOfRun:
        """A second or so when it is asked for first. Raises RunError where no embeddings were recorded."""
        run = self._runs.see(owner, run_id)
        folder = RunFolder(run.folder).evidence
        try:
            written = (folder / "meta.json").stat().st_mtime_ns
        except FileNotFoundError:
            raise RunError(
                NOT_RECORDED, hint="Runs of earlier versions did not keep it. Train again to see it."
            ) from None

        def read() -> SeenOfRun:
            found = load_embeddings(folder)
            return SeenOfRun(look(found, run.config.seed), make_map(found, run.config.seed))

        return self._known.get((run.id, written), read)
