"""The blind test: two columns without names, the person says which is better, and the sign test says what that means."""

import math
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from studio.errors import NotFound, RunError, SearchError
from studio.runs.corpora import Corpora
from studio.runs.searches import Searches
from studio.runs.store import VOTES, Store, new_id
from studio.search.result import Asked, Hit

ENOUGH = 10
"""Decided queries before a preference is spoken of."""
SURE = 0.05
CHOICES = ("left", "right", "same")


@dataclass(frozen=True)
class Pair:
    """Hits of two columns, without a word on which is which."""

    id: str
    query: str
    left: Sequence[Hit]
    right: Sequence[Hit]


@dataclass(frozen=True)
class Preference:
    """What the votes between two columns come to."""

    one: str
    """Label of the column that won more often."""
    other: str
    wins: int
    losses: int
    same: int
    p_value: float
    """Of the sign test, both sides; queries that were as good in both do not count."""
    sentence: str


class Blind:
    def __init__(self, store: Store, corpora: Corpora, searches: Searches):
        self._store = store
        self._corpora = corpora
        self._searches = searches

    def ask(self, owner: str, corpus_id: str, columns: Sequence[str], asked: Asked) -> Pair:
        """Hits of two columns, in an order by chance that is kept here.

        Raises:
            SearchError: not two columns, or as a search; or both find the same, so that there is nothing to choose.
        """
        self._corpora.see(owner, corpus_id)
        if len(set(columns)) != 2:
            raise SearchError("A blind test is between two columns.", hint="Choose two.")
        found = self._searches.search(owner, corpus_id, columns, asked)
        left, right = sorted(found.columns, key=lambda column: secrets.randbits(32))
        if [hit.document for hit in left.hits] == [hit.document for hit in right.hits]:
            raise SearchError(
                "Both find the same hits in the same order.", hint="Ask something else: this tells nothing."
            )
        row = self._store.add(
            VOTES, id=new_id(), owner=owner, corpus_id=corpus_id, query=found.query, left=left.id, right=right.id,
            better=None, created=time.time(),
        )  # fmt: skip
        return Pair(row["id"], found.query, left.hits, right.hits)

    def vote(self, owner: str, pair_id: str, choice: str) -> tuple[str, str]:
        """Say which side is better (or ``same``). Returns what the left and the right column were.

        Raises:
            NotFound: no such pair. SearchError: no such choice, or it has been made.
        """
        if choice not in CHOICES:
            raise SearchError(f"There is no choice '{choice}'.", hint=f"Choices are {', '.join(CHOICES)}.")
        row = self._store.get(VOTES, owner, pair_id)
        if not self._store.vote(owner, pair_id, row.get(choice, "same")):
            raise SearchError("This pair has been decided already.", hint="Ask the next question.")
        return tuple(self._label(owner, row[side]) for side in ("left", "right"))

    def preferences(self, owner: str, corpus_id: str) -> list[Preference]:
        """Of each two columns that were compared on a corpus."""
        self._corpora.see(owner, corpus_id)
        tally: dict[tuple[str, str], list[str]] = {}
        for row in self._store.of_corpus(VOTES, owner, corpus_id):
            if row["better"]:
                tally.setdefault(tuple(sorted((row["left"], row["right"]))), []).append(row["better"])
        found = []
        for pair, votes in tally.items():
            one, other = sorted(pair, key=lambda column: -votes.count(column))
            labels = self._label(owner, one), self._label(owner, other)
            found.append(preference(*labels, votes.count(one), votes.count(other), votes.count("same")))
        return found

    def forget(self, owner: str, corpus_id: str) -> None:
        """Begin anew."""
        self._corpora.see(owner, corpus_id)
        self._store.remove_all_but(VOTES, owner, corpus_id, 0)

    def _label(self, owner: str, column: str) -> str:
        try:
            return self._searches.source(owner, column).label
        except (NotFound, RunError, SearchError):
            return "a model that was deleted"


def preference(one: str, other: str, wins: int, losses: int, same: int) -> Preference:
    """In a sentence. ``wins`` >= ``losses``."""
    decided = wins + losses
    p_value = sign_test(wins, losses)
    ties = f" ({same} as good)" if same else ""
    score = f"'{one}' was better in {wins} of {decided} decided queries{ties}"
    if decided < ENOUGH:
        more = ENOUGH - decided
        words = (
            f"{score}: too few to tell from chance. {more} more decided {'query' if more == 1 else 'queries'} to go."
        )
    elif p_value < SURE:
        words = f"People prefer '{one}' to '{other}': it was better in {wins} of {decided} decided queries{ties}, p = {p_value:.3f}."
    else:
        words = f"No preference that could be told from chance: {score[0]}{score[1:]}, p = {p_value:.2f}."
    return Preference(one, other, wins, losses, same, p_value, words)


def sign_test(wins: int, losses: int) -> float:
    """Probability of a result at least as one-sided, were both as good: the exact two-sided sign test."""
    trials, fewer = wins + losses, min(wins, losses)
    tail = sum(math.comb(trials, k) for k in range(fewer + 1)) / 2**trials
    return min(1.0, 2 * tail)
