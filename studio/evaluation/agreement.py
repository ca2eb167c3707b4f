"""How far single pairs go with their score or label, where a metric is not made of rows. No torch."""

from typing import Any

import numpy as np

from studio.evaluation.task import Task


def agreement(task: Task, measured: Any) -> np.ndarray:
    """How far each pair's similarity goes with its score or label.

    Scores: 1 less the distance, as a share of all rows, of where the similarity and where the score ranks the pair.
    Labels: share of the pairs of the other label that the pair stands on the right side of; their mean is the area under
    the ROC curve.
    """
    similarity, target = measured.similarity, task.targets
    if task.format == "scored_pair":
        return 1 - np.abs(shares_below(similarity, similarity) - shares_below(target, target))
    sides = [similarity[target == label] for label in (0, 1)]
    return np.where(target == 1, shares_below(similarity, sides[0]), 1 - shares_below(similarity, sides[1]))


def shares_below(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Share of ``among`` that is less than each value; what is equal counts half."""
    if not len(among):
        return np.full(len(values), 0.5)
    ordered = np.sort(among)
    less, most = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return (less + most) / 2 / len(among)
