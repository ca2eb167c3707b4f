"""Triplets out of labelled pairs: an anchor with a text that belongs to it and one that does not, as in entailment tables."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Triplets:
    """``data``: anchor, positive, negative, row (the number of the row that the positive stands in)."""

    data: pa.Table
    used: np.ndarray
    """Mask of the pairs that are part of a triplet."""


def make_triplets(pairs: pa.Table) -> Triplets:
    """``pairs``: anchor, positive, label (1 belong together, 0 do not), row.

    What contradicts a text is contradicted by it, so a pair labelled 0 serves both of its texts as anchors. What follows
    from a text does not lead back to it, so a pair labelled 1 serves its anchor alone. An anchor with several of one kind
    makes as many triplets as it has of the kind that it has more of: each text is used, none with all others.
    """
    anchors, others = (pairs[name].to_pylist() for name in ("anchor", "positive"))
    label = pairs["label"].to_numpy()
    near: dict[str, list[int]] = {}
    far: dict[str, list[tuple[int, str]]] = {}
    for at, (anchor, other) in enumerate(zip(anchors, others, strict=True)):
        if label[at]:
            near.setdefault(anchor, []).append(at)
        else:
            far.setdefault(anchor, []).append((at, other))
            far.setdefault(other, []).append((at, anchor))
    used = np.zeros(len(pairs), dtype=bool)
    chosen: list[int] = []
    negatives: list[str] = []
    for anchor, entailed in near.items():
        contradicted = far.get(anchor, [])
        for i in range(max(len(entailed), len(contradicted)) if contradicted else 0):
            positive, (against, negative) = entailed[i % len(entailed)], contradicted[i % len(contradicted)]
            chosen.append(positive)
            negatives.append(negative)
            used[[positive, against]] = True
    order = np.argsort(chosen, kind="stable")
    rows = pairs.take(pa.array(np.array(chosen, dtype=np.int64)[order]))
    negative = pa.array([negatives[i] for i in order], pa.string())
    return Triplets(
        pa.table({**{n: rows[n] for n in ("anchor", "positive")}, "negative": negative, "row": rows["row"]}), used
    )
