"""Held-out rows whose label may be wrong: both models see it otherwise and clearly, or two texts that should differ do not.

A doubt is a hint and no proof; what it is about leads back to the row of the data.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from studio.data.words import alike
from studio.evaluation.agreement import agreement, shares_below
from studio.evaluation.task import Task

CLEARLY = 0.1
"""Share of its similarity by which a wrong text is nearer than the right one, for both models."""
FAR_OFF = 0.5
"""Share of all rows between where both models rank a scored pair and where its score does."""
WRONG_SIDE = 0.1
"""Share of the pairs of the other label that a labelled pair stands on the right side of, at most, with both models."""

DOUBTS = {
    "same": "A text that counts as wrong says nearly the same as the right one.",
    "both": "Both models find another text clearly nearer than the right one.",
    "equal": "The two texts are nearly the same, and are said not to belong together.",
    "far_off": "Both models see these texts far more, or far less, alike than the score says.",
    "wrong_side": "Both models see these texts as the other label says.",
}
"""Code -> what is doubtful, one sentence."""

Doubt = tuple[str, str]
"""(code, the text that it is about); both empty: nothing is doubtful."""


def doubts(task: Task, models: Mapping[str, Any]) -> list[Doubt]:
    """Of each row of rows.parquet. ``models``: ``base`` and ``tuned`` Measurements that have ``seen`` the texts."""
    both = (models["base"], models["tuned"])
    if task.format == "triplet":
        return _triplets(task, both)
    return _pairs(task, both) if task.retrieval is None else _queries(task, both)


def _queries(task: Task, both: tuple[Any, Any]) -> list[Doubt]:
    retrieval, found = task.retrieval, []
    for query, right in enumerate(retrieval.relevant):
        firsts = [int(one.hits.places[query, 0]) for one in both]
        clear = all(
            _clearly(float(one.hits.scores[query, 0]), float(one.seen.right[query])) and first not in right
            for one, first in zip(both, firsts, strict=True)
        )
        # Texts of a class may repeat each other, and halves of a text are no labels.
        near = set(firsts) - right - {-1} if task.format == "pair" else set()
        answers = [retrieval.corpus[place] for place in right]
        same = next((place for place in near if any(alike(retrieval.corpus[place], one) for one in answers)), None)
        if same is not None:
            found.append(("same", retrieval.corpus[same]))
        elif clear and firsts[0] == firsts[1] and task.format != "texts":
            found.append(("both", retrieval.corpus[firsts[0]]))
        else:
            found.append(("", ""))
    return found


def _triplets(task: Task, both: tuple[Any, Any]) -> list[Doubt]:
    found = []
    for row, (positive, negatives) in enumerate(zip(task.positives, task.negatives, strict=True)):
        same = next((negative for negative in negatives if alike(negative, positive)), None)
        if same is not None:
            found.append(("same", same))
        elif all(_clearly(one.seen.wrong[row], one.seen.right[row]) for one in both):
            found.append(("both", negatives[0] if len(negatives) == 1 else ""))
        else:
            found.append(("", ""))
    return found


def _pairs(task: Task, both: tuple[Any, Any]) -> list[Doubt]:
    scored = task.format == "scored_pair"
    if scored:
        wanted = shares_below(task.targets, task.targets)
        off = [shares_below(one.similarity, one.similarity) - wanted for one in both]
        wrong = ((off[0] > FAR_OFF) & (off[1] > FAR_OFF)) | ((off[0] < -FAR_OFF) & (off[1] < -FAR_OFF))
    else:
        wrong = np.logical_and(*(agreement(task, one) < WRONG_SIDE for one in both))
    low = task.targets < 0.5
    found = []
    for row, (one, other) in enumerate(zip(task.anchors, task.positives, strict=True)):
        if low[row] and alike(one, other):
            found.append(("equal", ""))
        else:
            found.append((("far_off" if scored else "wrong_side") if wrong[row] else "", ""))
    return found


def _clearly(wrong: float, right: float) -> bool:
    """Holds for distances too: their similarities are negative."""
    return wrong - right > CLEARLY * max(abs(wrong), abs(right))
