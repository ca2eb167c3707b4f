import json
import math

import numpy as np
import pytest

from studio.evaluation.judge import judge
from studio.evaluation.measure import Measurement, measure
from studio.evaluation.result import Verdict
from studio.evaluation.sentence import Facts
from studio.evaluation.task import make_task

FACTS = Facts("MultipleNegativesRankingLoss", 1e-4, 32, 500, (1.0, 0.7, 0.69))


@pytest.mark.model
@pytest.mark.parametrize("rows", [1, 2, 30])
@pytest.mark.parametrize("format", ["pair", "triplet", "scored_pair", "labelled_pair"])
def test_a_verdict_is_plain_json_however_few_rows(
    tmp_path, static_model, format, rows, banking, triplets, scored, labelled
):
    data = {"pair": banking, "triplet": triplets, "scored_pair": scored, "labelled_pair": labelled}[format]
    task = make_task(data, format, np.arange(rows))
    measured = measure(static_model, task)
    verdict = judge(task, measured, measured, FACTS, "A note.")
    assert verdict.outcome == "no_difference"
    assert verdict.sentence
    assert verdict.heldout_rows == rows
    verdict.save(tmp_path / "verdict.json")
    text = (tmp_path / "verdict.json").read_text(encoding="utf-8")
    assert all(word not in text for word in ("NaN", "Infinity"))
    assert Verdict.load(tmp_path / "verdict.json") == verdict
    assert json.loads(text)["split_note"] == "A note."


def test_the_primary_metric_comes_first_and_decides(scored):
    task = make_task(scored, "scored_pair", np.arange(100))
    chance = np.random.default_rng(0)
    base = Measurement({"spearman": 0.1, "pearson": 0.1}, {}, chance.random(100))
    tuned = Measurement({"spearman": 0.9, "pearson": 0.9}, {}, task.targets + chance.random(100) * 0.1)
    verdict = judge(task, base, tuned, FACTS, "")
    assert verdict.metrics[0].id == verdict.primary == "spearman"
    assert verdict.outcome == "better"
    assert judge(task, tuned, base, FACTS, "").outcome == "worse"


def test_a_model_that_finds_everything_alike_got_worse(scored):
    task = make_task(scored, "scored_pair", np.arange(100))
    base = Measurement({"spearman": 0.5, "pearson": 0.5}, {}, task.targets)
    verdict = judge(task, base, Measurement({}, {}, np.ones(100)), FACTS, "")
    assert verdict.outcome == "worse"
    assert "equally similar" in verdict.sentence
    assert all(math.isfinite(m.low) for m in verdict.metrics)


@pytest.mark.model
def test_queries_that_changed_sides_are_named_on_the_right_side(static_model, banking):
    task = make_task(banking, "pair", np.arange(30))
    base = measure(static_model, task)
    first = base.values["accuracy@1"]
    wrong, right = int(np.flatnonzero(first == 0)[0]), int(np.flatnonzero(first == 1)[0])
    swapped = first.copy()
    swapped[[wrong, right]] = 1 - first[[wrong, right]]
    verdict = judge(task, base, Measurement(base.metrics, {**base.values, "accuracy@1": swapped}), FACTS, "")
    assert verdict.now_right == (task.retrieval.queries[wrong],)
    assert verdict.now_wrong == (task.retrieval.queries[right],)
