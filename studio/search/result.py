"""What a search asks and says, as plain data. No torch: the page reads it too."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.errors import SearchError

MAX_QUERY_CHARACTERS = 2000
MAX_HITS = 100
MAX_COLUMNS = 6


@dataclass(frozen=True)
class Asked:
    """One search."""

    query: str
    top_k: int = 10
    filters: Sequence[Mapping[str, Any]] = ()
    """See studio.data.corpus.matching."""
    threshold: float | None = None
    """Least similarity of a hit in a model's column."""
    hybrid: bool = False
    """Models' columns are fused with the keyword column by reciprocal rank."""
    rerank: bool = False
    """The first hits of each column are put in order by a cross-encoder."""


@dataclass(frozen=True)
class Hit:
    """One search result: a document."""

    rank: int
    """From 1."""
    document: int
    """Position in the corpus."""
    score: float
    """What the column ranks by: similarity, BM25, a sum of reciprocal ranks or a cross-encoder's score; higher is better."""
    similarity: float | None = None
    """As the column's model computes it; None: the keyword column."""
    percentile: float | None = None
    """Per cent of the corpus's documents that the column's model (or BM25) scores lower."""
    ranks: Mapping[str, int] = field(default_factory=dict)
    """Column -> rank of the same document there; not in it: below what was looked at, or not found there."""
    title: str = ""
    text: str = ""
    """The passage that matched best, cut where it is very long."""
    whole: bool = True
    """False: ``text`` is a part of the document."""
    marks: Sequence[tuple[int, int]] = ()
    """Where words of the query stand in ``text``."""
    title_marks: Sequence[tuple[int, int]] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    row: int = 0
    """Number of the row in the file."""
    key: str = ""
    """By which a mark on this passage is found again; see text_key."""
    span: tuple[int, int] | None = None
    """(begin, end) in the document of the passage that matched; None: the whole of it."""


@dataclass(frozen=True)
class Column:
    """What one way of searching finds."""

    id: str
    label: str
    kind: str
    """``keyword`` or ``model``."""
    hits: Sequence[Hit]
    seconds: float
    note: str = ""
    """How it was searched, where that needs saying."""


@dataclass(frozen=True)
class Found:
    """One query, any number of columns, the same corpus."""

    query: str
    columns: Sequence[Column]
    documents: int
    """Of the corpus."""
    passed: int
    """Of these, what the filters let through."""
    seconds: float


def text_key(title: str, text: str) -> str:
    """A short name of what a model reads of a document, or of one of its passages."""
    return hashlib.blake2b(f"{title}\n{text}".encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def check_query(query: str, top_k: int) -> str:
    """The query without blanks around it. Raises SearchError: empty, too long, not text, or too many hits asked for."""
    query = query.strip()
    if not query:
        raise SearchError("The query is empty.", hint="Type what you are looking for.")
    if len(query) > MAX_QUERY_CHARACTERS:
        raise SearchError(
            f"The query has {len(query):,} characters; at most {MAX_QUERY_CHARACTERS:,} are searched for.",
            hint="Shorten it: models read only the first few hundred words anyway.",
        )
    if any("\ud800" <= character <= "\udfff" for character in query):
        raise SearchError("The query holds broken characters.", hint="Type it again instead of pasting it.")
    if not 1 <= top_k <= MAX_HITS:
        raise SearchError(f"Between 1 and {MAX_HITS} hits can be shown, not {top_k}.")
    return query
