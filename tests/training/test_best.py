"""Early stopping and the best check: on rows of their own, and as if never killed."""

import pytest
import torch

from studio.errors import ConfigError
from studio.files import read_json
from studio.training.best import Best
from studio.training.callbacks import LiveEvaluator
from studio.training.config import make_config
from studio.training.model import build_model
from tests.training.test_train import DieAfter, run

pytestmark = pytest.mark.model
STATIC = {"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2, "batch_size": 8, "evaluation_steps": 1}
STATIC |= {"engine": "stock"}  # the weights are the whole table at every look
RISES_AND_FALLS = [0.1, 0.5, 0.9, 0.8, 0.7, 0.6, 0.95]


@pytest.fixture
def measured(monkeypatch):
    """The checks find what a list says, so that where the best lies is known; gives the weights that they saw."""
    seen = {}

    def look(self, model, *_, steps=-1, **__):
        seen[steps] = flat(model).clone()
        return {"ndcg@10": 0.0 if steps == 0 else RISES_AND_FALLS[min(steps, len(RISES_AND_FALLS)) - 1]}

    monkeypatch.setattr(LiveEvaluator, "__call__", look)
    return seen


def flat(model) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_training_ends_when_checks_stop_rising_and_the_best_is_kept(run_folder, events_of, measured):
    folder = run_folder({**STATIC, "early_stopping": 3, "keep_best": True})
    done = run(folder)
    assert (done.step, done.kept_step) == (6, 3)
    assert done.chosen == (
        "Stopped at step 6: nDCG@10 had not risen for 3 checks. "
        "The model of step 3 is kept: nDCG@10 0.9000 was the best of 6 checks."
    )
    assert events_of(folder, "note")[-1]["message"] == done.chosen
    assert torch.equal(flat(done.model), measured[3])
    assert not torch.equal(measured[3], measured[6])
    split = read_json(folder.split)
    assert len(split["validation"]) >= 10
    assert "neither trained nor judged" in split["note"]


def test_without_early_stopping_training_goes_to_its_end_and_an_earlier_check_is_kept(
    run_folder, measured, monkeypatch
):
    monkeypatch.setitem(globals(), "RISES_AND_FALLS", [0.1, 0.9, 0.3])
    done = run(run_folder({**STATIC, "keep_best": True}))
    assert done.step == done.steps > 3
    assert done.kept_step == 2


def test_rows_that_choose_are_not_those_that_judge(run_folder, events_of):
    folder = run_folder({**STATIC, "keep_best": True}, rows=200)
    done = run(folder)
    rows = done.rows
    assert done.task.rows == len(rows.heldout)
    parts = [set(part.tolist()) for part in (rows.train, rows.validation, rows.heldout)]
    assert sum(map(len, parts)) == 200 == len(set.union(*parts))
    plan = events_of(folder, "plan")[0]
    assert plan["validation_rows"] == len(rows.validation)
    assert events_of(folder, "eval")[0]["metrics"] == plan["base"] != done.base.metrics


@pytest.mark.parametrize("died_at", [4, 5])
def test_a_choice_survives_a_kill(run_folder, measured, died_at):
    values = {**STATIC, "early_stopping": 3, "keep_best": True}
    whole = run(run_folder(values, name="whole"))
    folder = run_folder(values, name="broken")
    with pytest.raises(KeyboardInterrupt):
        run(folder, DieAfter(folder, died_at), checkpoint_every_s=0)
    done = run(folder)
    assert (done.step, done.kept_step) == (whole.step, whole.kept_step)
    torch.testing.assert_close(flat(done.model), flat(whole.model))


def test_a_check_of_the_base_model_or_of_nothing_is_never_the_best():
    best = Best("ndcg@10", 1, True)
    state, control = (type("State", (), {"global_step": 0, "max_steps": 9})(), type("Control", (), {})())
    best.on_evaluate(None, state, control, {"eval_ndcg@10": 0.99}, None)
    state.global_step = 1
    best.on_evaluate(None, state, control, {}, None)
    best.on_evaluate(None, state, control, {"eval_ndcg@10": float("nan")}, None)
    assert (best.value, best.checks, best.words(1)) == (None, 0, "")


def test_too_few_rows_to_choose_on_are_refused(run_folder):
    folder = run_folder({**STATIC, "batch_size": 2, "keep_best": True}, rows=2)
    with pytest.raises(ConfigError, match="neither train nor judge"):
        run(folder)


def test_looks_leave_no_trace_in_the_training(run_folder, tiny_model):
    values = {"base_model": str(tiny_model), "batch_size": 8, "learning_rate": 5e-4, "max_train_rows": 32}
    many, none = (run(run_folder({**values, "evaluations": n}, rows=60, name=f"looks{n}")).model for n in (4, 0))
    assert torch.equal(flat(many), flat(none))
    assert not torch.equal(flat(many), flat(build_model(make_config(values))))
