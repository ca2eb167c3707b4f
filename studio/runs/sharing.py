"""Who else may see and use a thing: its owner says so, in so many words; without that it is the owner's alone."""

from dataclasses import dataclass

from studio.errors import NotFound
from studio.runs.accounts import check_may_start
from studio.runs.records import RunRecord
from studio.runs.store import API, CORPORA, DATASETS, LAB, RUNS, Store
from studio.runs.training_runs import Runs

TABLE = {"dataset": DATASETS, "run": RUNS, "corpus": CORPORA}


@dataclass(frozen=True)
class Shared:
    lab: bool
    """Everybody with an account here sees it, searches with it, starts from it; nobody else changes or deletes it."""
    api: bool
    """Only for runs: the model answers at /v1/embeddings."""


class Sharing:
    def __init__(self, store: Store, runs: Runs):
        self._store = store
        self._runs = runs

    def state(self, owner: str, kind: str, id: str) -> Shared:
        """How a dataset, run or corpus of the owner's is shared (``kind``). Raises NotFound."""
        ways = self._store.ways(*self._own(owner, kind, id))
        return Shared(LAB in ways, API in ways)

    def with_lab(self, owner: str, kind: str, id: str, on: bool) -> None:
        """Show a dataset, run or corpus to everybody with an account here, or to nobody any more."""
        check_may_start(self._store, owner)
        self._store.share(*self._own(owner, kind, id), LAB, on)

    def serve(self, owner: str, run_id: str, on: bool) -> None:
        """Let a run's model answer at /v1/embeddings, or not any more. Raises RunError: the run has no model."""
        check_may_start(self._store, owner)
        if on:
            self._runs.model_folder(owner, run_id)
        self._store.share(*self._own(owner, "run", run_id), API, on)

    def served(self, owner: str) -> list[RunRecord]:
        """Runs whose models answer at /v1/embeddings to the keys of this account, newest first."""
        return [self._runs.see(owner, row["id"]) for row in self._store.served(owner)]

    def _own(self, owner: str, kind: str, id: str):
        if kind not in TABLE:
            raise NotFound("There is no such thing.")
        self._store.get(TABLE[kind], owner, id)
        return TABLE[kind], id
