"""Demo links: a search page on one tuned model and one corpus, for whoever has the link, while its owner wants it."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from studio.errors import NotFound, StudioError
from studio.runs.accounts import check_may_start, is_in
from studio.runs.corpora import Corpora
from studio.runs.rates import Rate
from studio.runs.records import when
from studio.runs.searches import Searches
from studio.runs.store import Row, Store
from studio.runs.training_runs import Runs
from studio.search.result import Asked

if TYPE_CHECKING:
    from studio.search.result import Found

TOP_K = 10
PER_ADDRESS = 30
"""Searches a minute from one address."""


@dataclass(frozen=True)
class DemoRecord:
    owner: str
    run_id: str
    corpus_id: str
    token: str
    """What the link holds: whoever has it may search, and nothing else."""
    created: datetime


@dataclass(frozen=True)
class Visit:
    """What somebody with the link may know."""

    run: str
    base: str
    corpus: str
    rows: int


class Demos:
    def __init__(self, store: Store, runs: Runs, corpora: Corpora, searches: Searches, *, per_minute: int):
        self._store = store
        self._runs = runs
        self._corpora = corpora
        self._searches = searches
        self._links = Rate(per_minute)
        self._addresses = Rate(PER_ADDRESS)

    def of(self, owner: str, run_id: str) -> DemoRecord | None:
        """The link of a run of the owner's; None: there is none, or what it showed is gone."""
        self._runs.get(owner, run_id)
        row = self._store.demo(run_id=run_id)
        return None if row is None or not self._whole(row) else _record(row)

    def open(self, owner: str, run_id: str, corpus_id: str) -> DemoRecord:
        """Make a link; one that there was ends. Reading the texts begins where that is still to be done.

        Raises:
            RunError: the run has no model.
            NotFound: run or corpus are not the owner's own.
        """
        check_may_start(self._store, owner)
        run, corpus = self._runs.get(owner, run_id), self._corpora.get(owner, corpus_id)
        self._searches.ensure(owner, corpus.id, _columns(run.id), retry=True)
        token = secrets.token_urlsafe(24)
        self._store.set_demo(run.id, corpus_id=corpus.id, owner=owner, token=token)
        return _record(self._store.demo(run_id=run.id))

    def close(self, owner: str, run_id: str) -> None:
        """End a link; the next request through it finds nothing."""
        self._runs.get(owner, run_id)
        self._store.set_demo(run_id)

    # through the link

    def visit(self, token: str) -> Visit:
        """Raises NotFound: there is no such link, or it was ended, or what it showed is gone."""
        demo = self._demo(token)
        run = self._runs.get(demo.owner, demo.run_id)
        corpus = self._corpora.get(demo.owner, demo.corpus_id)
        return Visit(run.name, run.base_label, corpus.name, corpus.rows)

    def search(self, token: str, query: str, address: str) -> "Found":
        """What both models find: a column of the base, one of the tuned model.

        Raises:
            NotFound: as :meth:`visit`.
            TooOften: this link, or whoever is at ``address``, asks too often.
            SearchError: a bad query, or texts that are still being read.
        """
        demo = self._demo(token)
        self._addresses.take(address)
        self._links.take(demo.token)
        return self._searches.search(demo.owner, demo.corpus_id, _columns(demo.run_id), Asked(query, TOP_K))

    def _demo(self, token: str) -> DemoRecord:
        row = self._store.demo(token=token)
        if row is None or not is_in(self._store, row["owner"]) or not self._whole(row):
            raise NotFound("This demo is not here any more.", hint="Ask whoever gave you the link for a new one.")
        return _record(row)

    def _whole(self, row: Row) -> bool:
        """Whether what the link shows is still there, and its owner's."""
        try:
            self._runs.model_folder(row["owner"], row["run_id"])
            self._corpora.get(row["owner"], row["corpus_id"])
        except StudioError:
            return False
        return True


def _columns(run_id: str) -> list[str]:
    return [f"base:{run_id}", f"run:{run_id}"]


def _record(row: Row) -> DemoRecord:
    return DemoRecord(row["owner"], row["run_id"], row["corpus_id"], row["token"], when(row["created"]))
