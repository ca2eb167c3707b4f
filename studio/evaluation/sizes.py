"""What shorter and rounder vectors cost: the primary metric of one model against the bytes that a text takes.

A vector is cut to its first numbers, and each of them kept as float32, as int8 (256 levels between the least and the
greatest of all texts, as faiss' SQ8 does; the query stays as it is) or as one bit, its sign. Bits are compared by how many
are equal; "rescored" compares the best forty once more, with the query's own numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from sentence_transformers.util.similarity import SimilarityFunction

from studio.catalog.metrics import METRIC
from studio.evaluation.measure import measure, prompts_of
from studio.evaluation.task import Retrieval, Task
from studio.evaluation.vectors import Compares, Vectors

FLOAT, INT8, BINARY, RESCORED = PRECISIONS = ("float32", "int8", "binary", "binary, rescored")
BITS = {FLOAT: 32, INT8: 8, BINARY: 1, RESCORED: 1}
LEAST_DIMENSION = 16
RESCORED_HITS = 40
HITS = 10
SCORES_AT_ONCE = 20_000_000
NEAR = 0.99
"""A size is recommended when it keeps this share of the best metric."""


@dataclass(frozen=True)
class Size:
    """One way to keep the vectors."""

    dimension: int
    precision: str
    bytes: int
    """Of one text."""
    value: float | None
    """The primary metric; None: these rows do not define it."""
    trained: bool
    """Whether the model was trained to be cut to this length; its full length always is."""


@dataclass(frozen=True)
class Sizes:
    metric: str
    heldout_rows: int
    of_rows: int
    """All held-out rows, of which these are some where there are many."""
    corpus_size: int | None
    matryoshka: tuple[int, ...]
    """Lengths that the model was trained to be cut to; empty: it was not."""
    sizes: tuple[Size, ...]
    best: int | None
    """Position in ``sizes`` of the cheapest that keeps 99 % of the best; None: nothing can be said."""
    sentence: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def lengths_of(dimension: int, matryoshka: Sequence[int]) -> tuple[int, ...]:
    """The full length, its half, quarter ... and those that the model was trained for, the longest first."""
    halves = [dimension]
    while halves[-1] // 2 >= LEAST_DIMENSION and halves[-1] % 2 == 0:
        halves.append(halves[-1] // 2)
    return tuple(sorted({*halves, *(d for d in matryoshka if d <= dimension)}, reverse=True))


def bytes_of(dimension: int, precision: str) -> int:
    return -(-dimension * BITS[precision] // 8)


def size_against_quality(
    model: Compares,
    task: Task,
    texts: Sequence[str],
    vectors: np.ndarray,
    matryoshka: Sequence[int] = (),
    of_rows: int | None = None,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Sizes:
    """The metric at each length and precision.

    Args:
        model: How vectors are compared, and its prompts.
        task: Held-out rows.
        texts: What the model reads for them, prompts in front (see vectors.asked_texts).
        vectors: (len(texts), dimension) float32, as the model makes them.
        matryoshka: Lengths that it was trained to be cut to.
        of_rows: All held-out rows, where ``task`` has some of them only.
        tick: Told how many of the sizes are done; may raise.
    """
    dimension = vectors.shape[1]
    lengths = lengths_of(dimension, matryoshka)
    searched = task.primary == "ndcg@10" and task.retrieval is not None
    kinds = [kind for kind in PRECISIONS if searched or kind != RESCORED]
    found = []
    for length in lengths:
        cut = _cut(vectors, length)
        for kind in kinds:
            tick(len(found), len(lengths) * len(kinds))
            value = (
                _search(model, task.retrieval, texts, cut, kind) if searched else _pairs(model, task, texts, cut, kind)
            )
            trained = length == dimension or length in matryoshka
            found.append(Size(length, kind, bytes_of(length, kind), value, trained))
    best = cheapest(found)
    return Sizes(
        task.primary, task.rows, of_rows or task.rows, len(task.retrieval.corpus) if task.retrieval else None,
        tuple(matryoshka), tuple(found), best, in_words(task.primary, found, best, tuple(matryoshka)),
    )  # fmt: skip


def cheapest(sizes: Sequence[Size]) -> int | None:
    """Position of the smallest that keeps 99 % of the best value; of equals, the better."""
    values = [size.value for size in sizes if size.value is not None]
    if not values or max(values) <= 0:
        return None
    enough = [i for i, size in enumerate(sizes) if size.value is not None and size.value >= NEAR * max(values)]
    return min(enough, key=lambda i: (sizes[i].bytes, -sizes[i].value))


def in_words(metric: str, sizes: Sequence[Size], best: int | None, matryoshka: Sequence[int]) -> str:
    """One plain sentence that picks a size, and one about cutting."""
    trained = (
        f"The model was trained to be cut to {', '.join(map(str, sorted(matryoshka, reverse=True)))} numbers."
        if matryoshka
        else "The model was not trained to be cut (Matryoshka): shorter vectors are shown all the same."
    )
    if best is None:
        return f"These rows cannot tell sizes apart. {trained}"
    full, size = sizes[0], sizes[best]
    top = max(s.value for s in sizes if s.value is not None)
    label = METRIC[metric].label
    if size == full:
        return f"Keep all {full.dimension} numbers as float32: everything smaller loses more than 1 % of {label}. {trained}"
    numbers = (
        f"all {full.dimension} numbers"
        if size.dimension == full.dimension
        else f"the first {size.dimension} of {full.dimension} numbers"
    )
    how = {
        FLOAT: "as they are",
        INT8: "as int8",
        BINARY: "as one bit each",
        RESCORED: "as one bit each, the best hits rescored",
    }[size.precision]
    return (
        f"The cheapest within 1 % of the best: {numbers} {how}, {size.bytes:,} bytes a text instead of {full.bytes:,} "
        f"({label} {size.value:.3f}, the best is {top:.3f}). {trained}"
    )


def _cut(vectors: np.ndarray, length: int) -> np.ndarray:
    """The first numbers of each vector, of the length that it had: 1 where it was 1."""
    if length == vectors.shape[1]:
        return vectors
    short = vectors[:, :length]
    norm = np.linalg.norm(short, axis=1, keepdims=True)
    return short * (np.linalg.norm(vectors, axis=1, keepdims=True) / np.where(norm > 0, norm, 1))


def _int8(vectors: np.ndarray) -> np.ndarray:
    """What is left of them when each number is one of 256 levels between the least and the greatest of its column."""
    low, high = vectors.min(axis=0), vectors.max(axis=0)
    step = np.where(high > low, (high - low) / 255, 1)
    return (np.rint((vectors - low) / step) * step + low).astype(np.float32)


def _signs(vectors: np.ndarray) -> np.ndarray:
    """-1 and 1: their cosine orders as the number of equal bits does."""
    return np.where(vectors > 0, 1, -1).astype(np.float32)


def _pairs(model: Compares, task: Task, texts: Sequence[str], vectors: np.ndarray, kind: str) -> float | None:
    kept = {FLOAT: lambda v: v, INT8: _int8, BINARY: _signs}[kind](vectors)
    return measure(Vectors(model, texts, kept), task).metrics.get(task.primary)


def _search(
    model: Compares, retrieval: Retrieval, texts: Sequence[str], vectors: np.ndarray, kind: str
) -> float | None:
    """nDCG@10, as measure computes it: texts are kept in ``kind``, queries are not (except to compare bits)."""
    if not retrieval.queries:
        return None
    position = {text: place for place, text in enumerate(texts)}
    query, document = prompts_of(model)
    asked = torch.from_numpy(vectors[[position[query + text] for text in retrieval.queries]])
    found = vectors[[position[document + text] for text in retrieval.corpus]]
    kept = torch.from_numpy({FLOAT: lambda v: v, INT8: _int8}.get(kind, _signs)(found))
    compare = SimilarityFunction.to_similarity_fn("cosine" if BITS[kind] == 1 else model.similarity_fn_name)
    gains = 1 / np.log2(np.arange(2, HITS + 2))
    portion = max(1, SCORES_AT_ONCE // len(retrieval.corpus))
    total = 0.0
    for start in range(0, len(asked), portion):
        queries = asked[start : start + portion]
        scores = compare(_of_bits(queries) if BITS[kind] == 1 else queries, kept)
        if retrieval.own:
            own = torch.tensor(retrieval.own[start : start + portion])
            scores[torch.arange(len(own)), own] = -torch.inf
        if kind == RESCORED:
            scores = _rescored(scores, compare(queries, kept))
        hits = scores.topk(min(HITS, scores.shape[1]), dim=1).indices.tolist()
        for row, places in enumerate(hits, start):
            right = np.array([place in retrieval.relevant[row] for place in places])
            total += gains[: len(places)][right].sum() / gains[: len(retrieval.relevant[row])].sum()
    return float(total / len(asked))


def _of_bits(vectors: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(_signs(vectors.numpy()))


def _rescored(by_bits: torch.Tensor, by_numbers: torch.Tensor) -> torch.Tensor:
    """Scores by the query's numbers for the best forty by bits, nothing for the others."""
    best = by_bits.topk(min(RESCORED_HITS, by_bits.shape[1]), dim=1).indices
    scores = torch.full_like(by_numbers, -torch.inf)
    return scores.scatter(1, best, torch.where(by_bits.gather(1, best).isinf(), -torch.inf, by_numbers.gather(1, best)))
