"""What a search says, as plain data. No torch: the page reads it too."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hit:
    """One search result. ``score``: cosine in [-1, 1], higher is better."""

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
