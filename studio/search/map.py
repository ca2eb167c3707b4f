"""Held-out texts on a plane, as the base and the tuned model see them. No torch.

The two directions in which the texts differ most (PCA), of each model its own; the tuned model's picture is turned, or
mirrored, until it lies over the base model's as well as it can, so that the two can be compared.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.evaluation.seen import BELONGS, Embeddings

MOST_ROWS = 600
"""Held-out rows whose texts are drawn; each has an anchor and its first right text."""
MOST_GROUPS = 8
MOST_CHARACTERS = 240
ASKED, FOUND = "asked", "found"


@dataclass(frozen=True)
class Point:
    text: str
    kind: str
    """ASKED: a text that is asked with, or an anchor; FOUND: one that belongs to it."""
    row: int
    """Of rows.parquet."""
    base: tuple[float, float]
    tuned: tuple[float, float]


@dataclass(frozen=True)
class Colouring:
    """One way to colour the points."""

    id: str
    base: tuple[str, ...]
    """A group for each point."""
    tuned: tuple[str, ...]
    groups: tuple[str, ...]
    """In the order in which they are to be named."""


@dataclass(frozen=True)
class TextMap:
    points: tuple[Point, ...]
    colourings: tuple[Colouring, ...]
    held: tuple[float, float]
    """Share of what differs between texts that two directions hold, base and tuned."""
    rows: int
    """Held-out rows in all."""


def make_map(found: Embeddings, seed: int) -> TextMap | None:
    """The same texts for both models, drawn by ``seed`` where there are many. None: too few texts."""
    rows = found.rows
    drawn = np.arange(len(rows))
    if len(drawn) > MOST_ROWS:
        drawn = np.sort(np.random.default_rng(seed).choice(len(drawn), MOST_ROWS, replace=False))
    places: dict[int, tuple[int, str]] = {}
    anchors, positives = rows["anchor_at"].to_pylist(), rows["positive_at"].to_pylist()
    for row in drawn.tolist():
        for place, kind in ((anchors[row], ASKED), *((one, FOUND) for one in positives[row][:1])):
            if place >= 0:
                places.setdefault(place, (row, kind))
    at = np.array(list(places), dtype=np.int64)
    if len(at) < 3:
        return None
    base, base_held = plane(found.vectors("base", at))
    tuned, tuned_held = plane(found.vectors("tuned", at))
    tuned = turned(tuned, base)
    texts = found.texts.take(at).to_pylist()
    points = tuple(
        Point(_short(text), kind, row, _xy(base[i]), _xy(tuned[i]))
        for i, (text, (row, kind)) in enumerate(zip(texts, places.values(), strict=True))
    )
    return TextMap(points, _colourings(found, points), (base_held, tuned_held), len(rows))


def plane(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """(n, 2) the texts in the two directions in which they differ most, and the share of the differences that these hold.

    vectors: (n, dimension).
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    left, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    flat = left[:, :2] * sizes[:2]
    # A direction may point either way: its largest part is made positive, so that the same texts give the same picture.
    largest = np.abs(directions[:2]).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(largest)), largest])
    flat = flat * np.where(signs == 0, 1, signs)
    if flat.shape[1] < 2:
        flat = np.column_stack([flat, np.zeros(len(flat))])
    total = float((sizes**2).sum())
    return flat, float((sizes[:2] ** 2).sum() / total) if total else 0.0


def turned(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """``points`` rotated or mirrored so that they lie as near to ``onto`` as they can; distances stay. Both (n, 2), centred.

    Source: orthogonal Procrustes, Schönemann 1966.
    """
    left, _, right = np.linalg.svd(points.T @ onto)
    return points @ (left @ right)


def _xy(point: np.ndarray) -> tuple[float, float]:
    return round(float(point[0]), 4), round(float(point[1]), 4)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= MOST_CHARACTERS else plain[:MOST_CHARACTERS] + "…"


def _colourings(found: Embeddings, points: tuple[Point, ...]) -> tuple[Colouring, ...]:
    rows, names = found.rows, found.rows.column_names
    known: list[Colouring] = []
    metric = next((m for m in ("triplet_accuracy", "accuracy@1") if f"base:{m}" in names), None)
    if metric is not None:
        sides = [rows[f"{model}:{metric}"].to_pylist() for model in ("base", "tuned")]
        told = [_of_rows(points, ["right" if value > 0 else "wrong" for value in side]) for side in sides]
        known.append(Colouring("right", *told, ("right", "wrong", "other")))
    if found.meta.format in ("scored_pair", "labelled_pair"):
        target = ["high" if value >= BELONGS else "low" for value in rows["target"].to_pylist()]
        told = tuple(target[point.row] for point in points)
        known.append(Colouring("target", told, told, ("high", "low")))
    for name in dict.fromkeys(("in:class", "in:positive", *(f"in:{one}" for one in found.meta.columns), "language")):
        if name in names:
            known += _groups(name, rows[name].to_pylist(), points)
    return tuple(known)


def _of_rows(points: tuple[Point, ...], values: list[str]) -> tuple[str, ...]:
    """How a row went is said of what is asked with; what is found belongs to several rows."""
    return tuple(values[point.row] if point.kind == ASKED else "other" for point in points)


def _groups(name: str, values: list[Any], points: tuple[Point, ...]) -> list[Colouring]:
    """The largest groups, the rest as one; empty where all are alike or nearly all differ."""
    told = [str(values[point.row] or "") for point in points]
    sizes = Counter(told)
    if len(sizes) < 2 or len(sizes) > len(points) // 3:
        return []
    large = [group for group, _ in sizes.most_common(MOST_GROUPS) if group]
    shown = tuple(group if group in large else "other" for group in told)
    return [Colouring(name, shown, shown, (*large, *(["other"] if "other" in shown else [])))]
