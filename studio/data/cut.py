"""Texts that a model would cut off, from their lengths in tokens. The lengths come from who knows the model."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from studio.data.rows import count, finding
from studio.data.table import Finding

KEPT = 0.95
SEVERAL = 0.05


@dataclass(frozen=True)
class TokenLengths:
    """Tokens of texts, before anything is cut off."""

    model: str
    """Name for people."""
    limit: int
    """Tokens that the model reads as it is set (``max_seq_length``)."""
    tokens: np.ndarray
    """(n_rows_looked_at,) tokens of the longest text of the row."""
    rows: np.ndarray
    """(n_rows_looked_at,) row numbers of the file."""
    most: int | None = None
    """Tokens that the model can read at most; None: any number."""


def advised_limit(lengths: TokenLengths) -> int | None:
    """A round max_seq_length that keeps 95 % of the rows whole and is clearly better than the one that is set; None: none is.

    Higher where more than 5 % are cut off; lower where half the limit does, for a few long texts make batches slow.
    """
    enough = int(np.ceil(np.percentile(lengths.tokens, 100 * KEPT)))
    step = 32 if enough <= 256 else 64 if enough <= 512 else 256
    round_limit = -(-enough // step) * step
    if lengths.most is not None:
        round_limit = min(round_limit, lengths.most)
    cut_off = (lengths.tokens > lengths.limit).mean() > SEVERAL and round_limit > lengths.limit
    too_high = round_limit <= lengths.limit / 2 and lengths.tokens.max() > round_limit
    return round_limit if cut_off or too_high else None


def find(lengths: TokenLengths, total: int) -> Iterable[Finding]:
    """At most one finding. ``total``: rows of the dataset, of which ``lengths`` may be a sample."""
    cut = lengths.tokens > lengths.limit
    if not cut.any():
        return
    enough = int(np.ceil(np.percentile(lengths.tokens, 100 * KEPT)))
    seen = "" if len(cut) == total else f" (of {len(cut):,} rows looked at)"
    what = f"In {cut.mean():.0%} of the rows{seen}" if cut.mean() >= 0.01 else f"In {count(int(cut.sum()))}{seen}"
    if enough <= lengths.limit:
        advice = f"{lengths.limit} tokens keep {1 - cut.mean():.1%} of the rows whole, so that hardly matters."
    elif lengths.most is not None and enough > lengths.most:
        advice = (
            f"{enough:,} tokens would keep {KEPT:.0%} of the rows whole; this model can read {lengths.most:,} at most. Cut long "
            "texts into passages, or choose a model that reads more."
        )
    else:
        advice = f"A max_seq_length of {enough:,} keeps {KEPT:.0%} of the rows whole, at a price in time and memory."
    yield finding(
        "cut_texts",
        "warning" if cut.mean() > SEVERAL else "info",
        f"{what} a text is longer than the {lengths.limit:,} tokens that {lengths.model} reads; the rest is not seen. {advice}",
        lengths.rows[cut],
    )
