import time

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import average_precision_score

from studio.evaluation.intervals import (
    interval,
    weighted_average_precision,
    weighted_correlation,
    weighted_ranks,
)
from studio.evaluation.measure import Measurement
from studio.evaluation.task import Task


def drawn(n: int, resamples: int = 20) -> np.ndarray:
    return np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), size=resamples).astype(float)


def repeated(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.repeat(values, weights.astype(int))


def scored_task(scores: np.ndarray) -> Task:
    texts = tuple(f"t{i}" for i in range(len(scores)))
    return Task("scored_pair", texts, texts, (), scores, None)


def test_weights_give_what_repeated_rows_give():
    chance = np.random.default_rng(0)
    x, y = np.round(chance.random(60), 1), np.round(chance.random(60), 1)  # with ties
    labels = (chance.random(60) < 0.4).astype(int)
    weights = drawn(60)
    ranks = weighted_ranks(weights, x)
    spearman = weighted_correlation(weights, ranks, weighted_ranks(weights, y))
    pearson = weighted_correlation(weights, x[None], y[None])
    precision = weighted_average_precision(weights, x, labels)
    for i, row in enumerate(weights):
        kept = row > 0
        expected = rankdata(repeated(x, row))
        assert ranks[i][kept] == pytest.approx([expected[repeated(x, row) == v][0] for v in x[kept]])
        assert spearman[i] == pytest.approx(spearmanr(repeated(x, row), repeated(y, row)).statistic)
        assert pearson[i] == pytest.approx(pearsonr(repeated(x, row), repeated(y, row)).statistic)
        assert precision[i] == pytest.approx(average_precision_score(repeated(labels, row), repeated(x, row)))


def test_the_interval_of_a_mean_is_where_theory_says():
    chance = np.random.default_rng(0)
    base, tuned = chance.random(400), chance.random(400) + 0.1
    values = [Measurement({"m": v.mean()}, {"m": v}) for v in (base, tuned)]
    low, high = interval(scored_task(np.zeros(400)), "m", *values)
    change = tuned - base
    error = change.std() / np.sqrt(400)
    assert low == pytest.approx(change.mean() - 1.96 * error, abs=0.01)
    assert high == pytest.approx(change.mean() + 1.96 * error, abs=0.01)


def test_the_same_model_twice_has_changed_by_nothing():
    chance = np.random.default_rng(0)
    scores = chance.random(50)
    same = Measurement({}, {}, scores + chance.random(50))
    for metric in ("spearman", "pearson"):
        assert interval(scored_task(scores), metric, same, same) == (0.0, 0.0)


def test_an_interval_is_the_same_every_time():
    chance = np.random.default_rng(0)
    scores = chance.random(80)
    models = [Measurement({}, {}, scores + chance.random(80) * k) for k in (2, 1)]
    assert interval(scored_task(scores), "spearman", *models) == interval(scored_task(scores), "spearman", *models)


def test_a_better_ranking_has_an_interval_above_zero():
    chance = np.random.default_rng(0)
    scores = chance.random(300)
    base, tuned = (Measurement({}, {}, scores + chance.normal(size=300) * k) for k in (2, 0.1))
    low, high = interval(scored_task(scores), "spearman", base, tuned)
    assert 0 < low < high


def test_resamples_that_define_nothing_are_left_out():
    labels = np.array([1, 0])  # half of all resamples have one label only
    models = [Measurement({}, {}, np.array(v)) for v in ([0.1, 0.9], [0.9, 0.1])]
    texts = ("a", "b")
    low, high = interval(Task("labelled_pair", texts, texts, (), labels, None), "average_precision", *models)
    assert np.isfinite([low, high]).all()


def test_two_thousand_rows_take_seconds():
    chance = np.random.default_rng(0)
    scores = chance.random(2000)
    models = [Measurement({}, {}, scores + chance.normal(size=2000)) for _ in range(2)]
    begun = time.process_time()
    interval(scored_task(scores), "spearman", *models)
    assert time.process_time() - begun < 8
