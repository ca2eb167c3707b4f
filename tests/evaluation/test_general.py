"""What was forgotten."""

import json

import numpy as np
import pytest

from studio.evaluation.general import KIND, KINDS, MUCH, NOTHING_KNOWN, compare_general, general_tasks, known_parts
from studio.evaluation.known import know, know_again
from studio.evaluation.result import Verdict
from studio.training.config import make_config
from studio.training.model import build_model


def figures(mean: float, rows: int = 400, spread: float = 0.2) -> np.ndarray:
    values = np.random.default_rng(0).normal(mean, spread, rows)
    return values - values.mean() + mean


def compared(change: float, noise: float = 0.02, can_lora: bool = True):
    base = {"words": figures(0.6), "uses": figures(0.5)}
    chance = np.random.default_rng(1)
    tuned = {
        id: values + change + (n := chance.normal(0, noise, len(values))) - n.mean() for id, values in base.items()
    }
    return compare_general(base, tuned, 1e-4, can_lora)


def test_every_question_has_one_right_answer_that_differs_from_the_question():
    tasks = general_tasks()
    assert tasks.keys() == KIND.keys()
    for task in tasks.values():
        assert all(len(right) == 1 for right in task.retrieval.relevant)
        assert len(set(task.anchors)) == len(task.anchors)
        assert not set(task.anchors) & set(task.positives)
    assert len(tasks["words"].retrieval.corpus) == 500


@pytest.mark.parametrize(
    ("change", "noise", "said", "advised"),
    [
        (-MUCH - 0.001, 0.02, "Much that has nothing to do with your texts was forgotten.", True),
        (-MUCH + 0.001, 0.02, "A little that has nothing to do with your texts was forgotten.", True),
        (-0.004, 0.2, "Nothing measurable was forgotten.", False),
        (0.0, 0.02, "Nothing measurable was forgotten.", False),
        (0.02, 0.02, "Nothing was forgotten: it even became better.", False),
    ],
)
def test_the_sentence_follows_the_interval(change, noise, said, advised):
    found = compared(change, noise)
    assert found.sentence.endswith(said)
    assert bool(found.advice) is advised
    assert found.tuned - found.base == pytest.approx(change, abs=1e-9)
    assert found.low <= change <= found.high


def test_figures_are_said_with_their_interval_and_advice_with_a_number():
    found = compared(-0.05)
    assert found.sentence.startswith("General ability: base 0.550, tuned 0.500 (-0.050, between -0.051 and -0.049).")
    assert "2.5e-05" in found.advice[1]
    assert "LoRA" in found.advice[1]
    assert "LoRA" not in compared(-0.05, can_lora=False).advice[1]


def test_what_the_base_model_never_knew_is_not_counted():
    base = {
        kind.id: figures(kind.least + 0.01 if kind.id in ("uses", "french") else kind.least - 0.01) for kind in KINDS
    }
    assert known_parts(base) == ("uses", "french")
    nothing = compare_general({}, {}, 1e-4, True)
    assert (nothing.sentence, nothing.base, nothing.advice) == (NOTHING_KNOWN, None, ())


def test_a_verdict_keeps_what_was_forgotten(tmp_path):
    from dataclasses import replace

    verdict = Verdict("better", "It got better.", (), "ndcg@10", (), 4, 9, "", general=compared(-0.05))
    for one in (verdict, replace(verdict, general=None)):
        one.save(tmp_path / "verdict.json")
        assert Verdict.load(tmp_path / "verdict.json") == one


@pytest.mark.model
def test_a_base_model_is_measured_once_and_a_changed_one_anew(static_model, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_CACHE", str(tmp_path))
    asked = []
    first = know_again(static_model, lambda: asked.append(1))
    measured = len(asked)
    assert measured > 0
    again = know_again(static_model, lambda: asked.append(1))
    assert len(asked) == measured
    assert all(np.allclose(again[id], first[id], atol=1e-6) for id in first)
    (remembered,) = (tmp_path / "general").iterdir()
    remembered.write_text(json.dumps({"words": [1.0]}))  # damaged
    assert np.allclose(know_again(static_model)["words"], first["words"], atol=1e-6)
    other = build_model(make_config({"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2}))
    other[0].embedding.weight.data[100:] = 0
    assert know_again(other)["words"].mean() < 0.5 * first["words"].mean()
    assert len(list((tmp_path / "general").iterdir())) == 2


@pytest.mark.model
def test_a_machine_without_a_place_to_remember_measures_each_time(static_model, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("STUDIO_CACHE", str(tmp_path / "file"))
    assert know_again(static_model).keys() == KIND.keys()
    assert know(static_model, ["words"])["words"].mean() == pytest.approx(0.33, abs=0.1)
