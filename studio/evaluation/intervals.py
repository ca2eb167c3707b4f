"""95 % intervals of tuned - base, by a paired bootstrap: the same rows drawn for both models. No torch.

A resample is a row of ``weights``: how often each held-out row (or query) was drawn, shape (resamples, n). Every
statistic takes such weights, so that 1,000 resamples of 2,000 rows take a second or two.
"""

from collections.abc import Callable, Sequence

import numpy as np

from studio.evaluation.task import Task

RESAMPLES = 1000
CELLS_AT_ONCE = 4_000_000
LEVEL = (2.5, 97.5)


def interval(task: Task, metric: str, base, tuned, seed: int = 0) -> tuple[float, float]:
    """Lowest and highest plausible change of ``metric``, from two Measurements of ``task`` that both have it."""
    before, after = resampled(task, metric, (base, tuned), seed)
    return bounds(after - before)


def resampled(task: Task, metric: str, measured: Sequence, seed: int = 0) -> np.ndarray:
    """``metric`` of each of some Measurements of ``task`` in the same resamples; shape (measurements, RESAMPLES)."""
    statistic = _STATISTICS.get(metric, _mean)
    # f1 and the correlations are made of rows, the means of what they are means of: queries or rows.
    n = len(measured[0].values[metric]) if metric in measured[0].values else task.rows
    parts = [[statistic(weights, task, metric, one) for one in measured] for weights in _resamples(n, seed)]
    return np.concatenate(parts, axis=1)


def bounds(changes: np.ndarray) -> tuple[float, float]:
    """95 % interval of a difference, from its value in each resample."""
    changes = changes[np.isfinite(changes)]  # a resample of one label only has no average precision
    if not len(changes):
        return (float("-inf"), float("inf"))
    low, high = np.percentile(changes, LEVEL)
    return float(low), float(high)


def figure(task: Task, metric: str, measured) -> float:
    """``metric`` of the rows themselves; NaN where they do not define it."""
    n = len(measured.values[metric]) if metric in measured.values else task.rows
    return float(_STATISTICS.get(metric, _mean)(np.ones((1, n)), task, metric, measured)[0])


def mean_difference(base: np.ndarray, tuned: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Lowest and highest plausible change of a mean. base, tuned: (n,) values of the same rows."""
    change = tuned - base
    means = [weights @ change / weights.sum(axis=1) for weights in _resamples(len(change), seed)]
    low, high = np.percentile(np.concatenate(means), LEVEL)
    return float(low), float(high)


def _resamples(n: int, seed: int):
    random = np.random.default_rng(seed)
    portion = max(1, min(RESAMPLES, CELLS_AT_ONCE // n))
    for start in range(0, RESAMPLES, portion):
        yield random.multinomial(n, np.full(n, 1 / n), size=min(portion, RESAMPLES - start)).astype(np.float64)


def _mean(weights: np.ndarray, task: Task, metric: str, measured) -> np.ndarray:
    return weights @ measured.values[metric] / weights.sum(axis=1)


def _f1(weights: np.ndarray, task: Task, metric: str, measured) -> np.ndarray:
    chosen, labels = measured.values["chosen"], task.targets
    right = weights @ (chosen * labels)
    return _divide(2 * right, weights @ chosen + weights @ labels)


def _pearson(weights: np.ndarray, task: Task, metric: str, measured) -> np.ndarray:
    return weighted_correlation(weights, measured.similarity[None, :], task.targets[None, :].astype(float))


def _spearman(weights: np.ndarray, task: Task, metric: str, measured) -> np.ndarray:
    return weighted_correlation(
        weights, weighted_ranks(weights, measured.similarity), weighted_ranks(weights, task.targets)
    )


def _average_precision(weights: np.ndarray, task: Task, metric: str, measured) -> np.ndarray:
    return weighted_average_precision(weights, measured.similarity, task.targets)


_STATISTICS: dict[str, Callable[..., np.ndarray]] = {
    "spearman": _spearman,
    "pearson": _pearson,
    "average_precision": _average_precision,
    "f1": _f1,
}


def weighted_correlation(weights: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation in each resample. weights: (resamples, n); x, y: (resamples or 1, n). NaN where constant."""
    total = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / total
    y = y - (weights * y).sum(axis=1, keepdims=True) / total
    spread = np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))
    return _divide((weights * x * y).sum(axis=1), np.where(spread > 1e-12, spread, 0))


def weighted_ranks(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Rank of each row in each resample, ties sharing their mean rank. weights: (resamples, n); result alike."""
    order = np.argsort(values, kind="stable")
    starts = _group_starts(values[order])
    counts = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.cumsum(counts, axis=1) - (counts - 1) / 2
    group = np.empty(len(values), dtype=np.int64)
    group[order] = np.repeat(np.arange(len(starts)), np.diff([*starts, len(values)]))
    return ranks[:, group]


def weighted_average_precision(weights: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average precision in each resample, as scikit-learn defines it. NaN where a resample has no positive row."""
    order = np.argsort(-scores, kind="stable")
    starts = _group_starts(scores[order])
    drawn = weights[:, order]
    right = np.add.reduceat(drawn * labels[order], starts, axis=1)
    precision = _divide(np.cumsum(right, axis=1), np.cumsum(np.add.reduceat(drawn, starts, axis=1), axis=1), empty=0.0)
    return _divide((right * precision).sum(axis=1), right.sum(axis=1))


def _group_starts(ordered: np.ndarray) -> np.ndarray:
    """Where runs of equal values start."""
    return np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def _divide(top: np.ndarray, bottom: np.ndarray, empty: float = np.nan) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(np.shape(bottom), empty), where=bottom != 0)
