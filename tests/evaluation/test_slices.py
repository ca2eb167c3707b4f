from dataclasses import replace

import numpy as np
import pytest

from studio.evaluation.measure import Measurement
from studio.evaluation.slices import FEW, LEAST, MOST_VALUES, bands, make_slices
from studio.evaluation.task import Retrieval, Task


def pairs(n: int) -> tuple[Task, dict[str, Measurement]]:
    chance = np.random.default_rng(0)
    targets = chance.random(n)
    texts = tuple(f"t{i}" for i in range(n))
    task = Task("scored_pair", texts, texts, (), targets, None, numbers=tuple(range(2, n + 2)))
    models = {
        name: Measurement({}, {}, targets + noise * chance.normal(size=n))
        for name, noise in (("base", 1), ("tuned", 0.1))
    }
    return task, models


def test_a_part_is_compared_on_its_own_rows():
    task, models = pairs(200)
    halves = ["a"] * 100 + ["b"] * 100
    made = make_slices(task, models, {"half": halves}, None)
    assert [(part.value, part.rows) for part in made[0].parts] == [("a", 100), ("b", 100)]
    from scipy.stats import spearmanr

    for part, rows in zip(made[0].parts, (slice(0, 100), slice(100, 200)), strict=True):
        base, tuned, low, high = part.metrics["spearman"]
        expected = [
            spearmanr(models[name].similarity[rows], task.targets[rows]).statistic for name in ("base", "tuned")
        ]
        assert (base, tuned) == pytest.approx(expected)
        assert low <= tuned - base <= high


def test_small_values_are_put_together_and_few_rows_are_said_to_be_few():
    task, models = pairs(100)
    values = ["large"] * (FEW) + ["small"] * (LEAST) + [f"tiny {i // (LEAST - 1)}" for i in range(100 - FEW - LEAST)]
    parts = make_slices(task, models, {"x": values}, None)[0].parts
    assert [part.value for part in parts[:2]] == ["large", "small"]
    assert [part.few for part in parts[:2]] == [False, True]
    assert parts[-1].value.endswith(" others")
    assert sum(part.rows for part in parts) == 100


def test_more_values_than_a_person_reads_are_cut():
    task, models = pairs(600)
    values = [f"v{i % 60}" for i in range(600)]
    parts = make_slices(task, models, {"x": values}, None)[0].parts
    assert len(parts) == MOST_VALUES + 1
    assert parts[-1].value == "40 others"


def test_numbers_stand_in_their_order_and_rows_without_a_value_last():
    task, models = pairs(60)
    values = [*[None] * 20, *["2020"] * 25, *["1999"] * 15]
    parts = make_slices(task, models, {"year": values}, None)[0].parts
    assert [part.value for part in parts] == ["1999", "2020", "no value"]


def test_one_value_for_all_rows_is_no_slice():
    task, models = pairs(20)
    assert make_slices(task, models, {"x": ["a"] * 20}, None) == ()


def test_a_metric_that_a_part_does_not_define_is_left_out():
    task, models = pairs(40)
    task = replace(task, targets=np.r_[np.ones(20), task.targets[20:]])
    parts = make_slices(task, models, {"x": ["same"] * 20 + ["other"] * 20}, None)[0].parts
    assert {part.value: list(part.metrics) for part in parts} == {"other": ["spearman"], "same": []}


def test_a_question_that_several_rows_ask_counts_once():
    retrieval = Retrieval(("q", "r"), ("p",), (frozenset({0}), frozenset({0})))
    task = Task("triplet", ("q",) * 8 + ("r",) * 6, ("p",) * 14, (("n",),) * 14, None, retrieval)
    values = {"triplet_accuracy": np.arange(14) % 2.0, "accuracy@1": np.array([1.0, 0.0])}
    models = {name: Measurement({}, values) for name in ("base", "tuned")}
    parts = make_slices(task, models, {"x": ["a"] * 9 + ["b"] * 5}, np.array([0] * 8 + [1] * 6))[0].parts
    assert {part.value: part.metrics["accuracy@1"][0] for part in parts} == {"a": 0.5, "b": 0.0}
    assert parts[0].metrics["triplet_accuracy"][0] == pytest.approx(4 / 9)


@pytest.mark.parametrize("n", [1, 19, 40, 400])
def test_every_length_is_in_its_band(n):
    lengths = np.random.default_rng(0).integers(1, 3000, n).tolist()
    named = bands(lengths)
    assert len(set(named)) <= 4
    for length, name in zip(lengths, named, strict=True):
        numbers = [int(part.replace(",", "")) for part in name.split() if part[0].isdigit()]
        if name.startswith("up to"):
            assert length <= numbers[0]
        elif name.endswith("more"):
            assert length >= numbers[0]
        else:
            assert numbers[0] <= length <= numbers[-1]
