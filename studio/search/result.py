"""What a search says, as plain data. No torch: the page reads it too."""

from dataclasses import dataclass

from studio.errors import SearchError

MAX_QUERY_CHARACTERS = 2000
MAX_HITS = 100


@dataclass(frozen=True)
class Hit:
    """One search result. ``score``: higher is better; a cosine is in [-1, 1]."""

    rank: int
    """From 1."""
    document: int
    """Position of the text in the corpus."""
    text: str
    score: float
    other_rank: int | None = None
    """Where the other model ranks the same text; None: below what was looked at."""


@dataclass(frozen=True)
class Comparison:
    """One query, two models, the same corpus."""

    query: str
    base: tuple[Hit, ...]
    tuned: tuple[Hit, ...]
    corpus_size: int
    seconds: float


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
