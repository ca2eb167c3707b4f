"""One query, two models, side by side."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from studio.errors import SearchError
from studio.search.encode import encode_one
from studio.search.index import Index, ranks, top
from studio.search.result import Comparison, Hit, check_query

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Texts = pa.Array | pa.ChunkedArray | Sequence[str]


def compare(
    query: str,
    texts: Texts,
    base_index: Index,
    tuned_index: Index,
    base_model: "SentenceTransformer",
    tuned_model: "SentenceTransformer",
    top_k: int = 10,
) -> Comparison:
    """The best hits of both models, each with its rank under the other one.

    Args:
        texts: The corpus that both indexes were built from.

    Raises:
        SearchError: A bad query, or indexes that do not belong to these texts or models.
    """
    started = time.perf_counter()
    query = check_query(query, top_k)
    if not len(texts) == base_index.rows == tuned_index.rows or len(base_index.positions) != len(tuned_index.positions):
        raise SearchError("The indexes were built from another corpus.", hint="Index the corpus again.")
    base = base_index.scores(encode_one(base_model, query, query=True))
    tuned = tuned_index.scores(encode_one(tuned_model, query, query=True))
    return Comparison(
        query,
        _hits(texts, base_index.positions, base, tuned, top_k),
        _hits(texts, tuned_index.positions, tuned, base, top_k),
        len(base_index.positions),
        time.perf_counter() - started,
    )


def search(query: str, texts: Texts, index: Index, model: "SentenceTransformer", top_k: int = 10) -> tuple[Hit, ...]:
    """The best hits of one model. Raises as ``compare`` does."""
    query = check_query(query, top_k)
    if len(texts) != index.rows:
        raise SearchError("The index was built from another corpus.", hint="Index the corpus again.")
    return _hits(texts, index.positions, index.scores(encode_one(model, query, query=True)), None, top_k)


def _hits(
    texts: Texts, positions: np.ndarray, scores: np.ndarray, other: np.ndarray | None, top_k: int
) -> tuple[Hit, ...]:
    best = top(scores, top_k)
    other_ranks = [None] * len(best) if other is None else ranks(other, best).tolist()
    return tuple(
        Hit(rank, int(positions[place]), _text(texts, int(positions[place])), float(scores[place]), other_rank)
        for rank, (place, other_rank) in enumerate(zip(best, other_ranks, strict=True), 1)
    )


def _text(texts: Texts, position: int) -> str:
    value = texts[position]
    return value.as_py() if isinstance(value, pa.Scalar) else value
