"""A compressed copy of the vectors that says where to look; what it finds is scored again exactly. For large corpora.

Each vector becomes 4 bits for every four numbers (product quantisation), and all of them are scanned in registers: of a
million rows of 384 numbers 48 MB are read instead of 1.5 GB. It is no graph and no cluster index: nothing is skipped.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.errors import SearchError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FILE = "quick.faiss"
EXACT_ENTRIES = 150_000
"""Up to so many entries all vectors are multiplied: a matter of milliseconds, and nothing is approximate."""
TRAINED_ON = 50_000
CANDIDATES = 400
"""Entries that are scored exactly, for each query."""
MEASURED_ON = 100
"""Queries that recall is measured with."""
TOP = 10


def pays(entries: int, similarity: str, dimension: int) -> bool:
    """Whether an index has a quick copy."""
    return entries > EXACT_ENTRIES and similarity in ("cosine", "dot") and dimension % 4 == 0


def build(
    path: Path,
    vectors: np.ndarray,
    texts: Sequence[str],
    model: "SentenceTransformer",
    stop: Callable[[], bool] | None = None,
) -> float:
    """Write the copy; returns its recall: the share of the exact ten best among those found, for queries made of the
    corpus's own texts (their first words).

    Raises:
        Stopped: ``stop`` said so.
    """
    from studio.search.encode import encode

    index = make(vectors, path, stop)
    chance = np.random.default_rng(0)
    asked = [" ".join(texts[row].split()[:8]) for row in chance.choice(len(vectors), MEASURED_ON)]
    return recall(index, vectors, encode(model, asked, query=True))


def make(vectors: np.ndarray, path: Path, stop: Callable[[], bool] | None = None) -> Any:
    """The compressed copy, written to ``path``. Raises Stopped."""
    import faiss

    from studio.search.encode import Stopped

    index = faiss.index_factory(vectors.shape[1], f"PQ{vectors.shape[1] // 4}x4fs", faiss.METRIC_INNER_PRODUCT)
    chance = np.random.default_rng(0)
    some = np.sort(chance.choice(len(vectors), min(TRAINED_ON, len(vectors)), replace=False))
    index.train(np.ascontiguousarray(vectors[some], np.float32))
    for start in range(0, len(vectors), 50_000):
        if stop and stop():
            raise Stopped
        index.add(np.ascontiguousarray(vectors[start : start + 50_000], np.float32))
    faiss.write_index(index, str(path))
    return index


def recall(index: Any, vectors: np.ndarray, queries: np.ndarray) -> float:
    """Of the exact ten best for each query, the share that is found."""
    found = 0
    for query in queries:
        quick, _ = nearest(index, vectors, query, TOP)
        exact = vectors @ query
        least = np.partition(exact, len(exact) - TOP)[len(exact) - TOP]
        found += int((exact[quick] >= least).sum())  # an equal score is as good
    return round(found / (TOP * len(queries)), 4)


def nearest(index: Any, vectors: np.ndarray, query: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(entries, scores) of at most ``count``, best first, their scores exact."""
    _, found = index.search(query[None], max(CANDIDATES, count))
    found = np.sort(found[0][found[0] >= 0])
    scores = vectors[found] @ query
    order = np.argsort(-scores, kind="stable")[:count]
    return found[order], scores[order]


def open_quick(path: Path) -> Any:
    """Raises SearchError: it is damaged."""
    import faiss

    try:
        return faiss.read_index(str(path))
    except RuntimeError:
        raise SearchError("The index is damaged.", hint="Delete it and index the corpus again.") from None
