"""What the models see of held-out texts: how alike they find texts that belong together and others. No torch.

Reads a folder that evidence.py has written. Embeddings there have length 1, so that similarities are cosines.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studio.evaluation.evidence import Meta, load_meta

MOST_PAIRS = 20_000
MOST_SPREAD = 1_500
"""Texts whose distances to each other are taken for the uniformity."""
BINS = 80
"""Of similarities between -1 and 1."""
BELONGS = 0.5
"""Score from which on two texts count as belonging together."""


@dataclass(frozen=True)
class Side:
    """One model's similarities of one kind of pairs."""

    pairs: int
    mean: float
    shares: tuple[float, ...]
    """Share of the pairs in each of BINS."""


@dataclass(frozen=True)
class Look:
    """What one model sees."""

    positives: Side
    negatives: Side
    told_apart: float
    """How often a positive pair is more alike than a negative one; one half: by chance."""
    alignment: float
    """Mean squared distance of texts that belong together; 0 to 4, lower is better. Source: Wang & Isola 2020."""
    uniformity: float
    """Logarithm of the mean of exp(-2 d^2) over all pairs of texts; lower is more even. Source: the same."""


@dataclass(frozen=True)
class Pairs:
    """Texts that belong together and texts that do not, by their positions; shape (n, 2) each."""

    positives: np.ndarray
    negatives: np.ndarray
    negatives_are: str
    """``own`` (the table's), ``others`` (texts drawn by chance) or ``low`` (pairs with a low score or label)."""


@dataclass(frozen=True)
class Seen:
    base: Look
    tuned: Look
    negatives_are: str
    texts: int


class Embeddings:
    """The evidence of one run, with both models' embeddings mapped from disk."""

    def __init__(self, folder: Path, meta: Meta):
        self.meta = meta
        self.rows = pq.read_table(folder / "rows.parquet")
        self.texts = pq.read_table(folder / "texts.parquet")["text"]
        self._vectors = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("base", "tuned")}

    def vectors(self, model: str, places: np.ndarray) -> np.ndarray:
        """(n, dimension) float32, of unit length; of a text that a model finds nothing in, zeros."""
        return np.asarray(self._vectors[model][places], dtype=np.float32)


def load_embeddings(folder: Path) -> Embeddings | None:
    """None: nothing was recorded, as by earlier versions."""
    meta = load_meta(folder)
    return None if meta is None else Embeddings(folder, meta)


def look(found: Embeddings, seed: int) -> Seen | None:
    """Both models on the same pairs, drawn by ``seed`` where there are many; None where there are no two kinds of pairs."""
    pairs = make_pairs(found, seed)
    if not len(pairs.positives) or not len(pairs.negatives):
        return None
    chance = np.random.default_rng(seed)
    spread = np.sort(chance.permutation(len(found.texts))[:MOST_SPREAD])
    looks = [_look(found, name, pairs, spread) for name in ("base", "tuned")]
    return Seen(*looks, pairs.negatives_are, len(found.texts))


def _look(found: Embeddings, model: str, pairs: Pairs, spread: np.ndarray) -> Look:
    positives, negatives = (similarities(found, model, both) for both in (pairs.positives, pairs.negatives))
    return Look(
        _side(positives),
        _side(negatives),
        told_apart(positives, negatives),
        float(2 - 2 * positives.mean()),
        uniformity(found.vectors(model, spread)),
    )


def similarities(found: Embeddings, model: str, pairs: np.ndarray) -> np.ndarray:
    """(n,) cosines of the pairs."""
    one, other = (found.vectors(model, pairs[:, side]) for side in (0, 1))
    return np.einsum("ij,ij->i", one, other)


def _side(values: np.ndarray) -> Side:
    counts, _ = np.histogram(np.clip(values, -1, 1), bins=BINS, range=(-1, 1))
    return Side(len(values), float(values.mean()), tuple((counts / len(values)).round(5).tolist()))


def told_apart(positives: np.ndarray, negatives: np.ndarray) -> float:
    """Share of (positive, negative) of which the positive is higher; a tie counts half."""
    order = np.sort(negatives)
    below = np.searchsorted(order, positives, side="left") + np.searchsorted(order, positives, side="right")
    return float(below.mean() / (2 * len(order)))


def uniformity(vectors: np.ndarray) -> float:
    """Of different texts, shape (n, dimension). Source: Wang & Isola 2020, section 4.1.2, t = 2."""
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    if not len(cosines):
        return 0.0
    return float(np.log(np.exp(-4 * (1 - cosines.astype(np.float64))).mean()))


def make_pairs(found: Embeddings, seed: int) -> Pairs:
    """The table's own negatives where it has some; else of each anchor texts that are not known to be right."""
    rows, chance = found.rows, np.random.default_rng(seed)
    anchor = rows["anchor_at"].to_numpy()
    positives = _paired(anchor, rows["positive_at"])
    if found.meta.format in ("scored_pair", "labelled_pair"):
        target = rows["target"].to_numpy()
        high = np.repeat(target >= BELONGS, _lengths(rows["positive_at"]))
        return Pairs(_some(positives[high], chance), _some(positives[~high], chance), "low")
    if found.meta.format == "triplet":
        return Pairs(_some(positives, chance), _some(_paired(anchor, rows["negative_at"]), chance), "own")
    return Pairs(_some(positives, chance), _strangers(found, anchor, positives, chance), "others")


def _strangers(found: Embeddings, anchor: np.ndarray, positives: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Each anchor with some texts drawn by chance that are not its right ones."""
    times = max(1, min(20, MOST_PAIRS // max(len(anchor), 1)))
    one = np.tile(np.arange(len(anchor)), times)
    if "in:class" in found.rows.column_names:  # right is every text of the class: the anchors of other classes are not
        code = found.rows["in:class"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
        other = chance.integers(len(anchor), size=len(one))
        kept = code[one] != code[other]
        drawn = np.column_stack([anchor[one], anchor[other]])[kept]
    else:
        places = np.unique(positives[:, 1]) if len(positives) else np.arange(len(found.texts))
        answers = np.union1d(places, np.setdiff1d(np.arange(len(found.texts)), anchor))
        drawn = np.column_stack([anchor[one], answers[chance.integers(len(answers), size=len(one))]])
        key = len(found.texts)
        right = np.unique(positives[:, 0].astype(np.int64) * key + positives[:, 1])
        drawn = drawn[~np.isin(drawn[:, 0].astype(np.int64) * key + drawn[:, 1], right)]
    return _some(drawn[(drawn[:, 0] != drawn[:, 1]) & (drawn >= 0).all(axis=1)], chance)


def _paired(anchor: np.ndarray, others: pa.ChunkedArray) -> np.ndarray:
    """(n, 2) each anchor with each of its texts that is kept."""
    pairs = np.column_stack([np.repeat(anchor, _lengths(others)), _flat(others)])
    return pairs[(pairs >= 0).all(axis=1)] if len(pairs) else pairs


def _lengths(lists: pa.ChunkedArray) -> np.ndarray:
    return np.diff(lists.combine_chunks().offsets.to_numpy())


def _flat(lists: pa.ChunkedArray) -> np.ndarray:
    return lists.combine_chunks().flatten().to_numpy()


def _some(pairs: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    if len(pairs) <= MOST_PAIRS:
        return pairs
    return pairs[np.sort(chance.choice(len(pairs), MOST_PAIRS, replace=False))]
