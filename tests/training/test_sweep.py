import pytest

from studio.data.dataset import load_info, load_rows
from studio.data.split import split
from studio.errors import ConfigError
from studio.training import sweep
from studio.training.config import make_config
from studio.training.suggest import suggest_config

WORDLLAMA = "wordllama-l2-supercat-256"


@pytest.fixture
def begun(dataset, tmp_path):
    """begun(**plan) -> (folder, plan, the dataset's rows)."""

    def make(**values):
        info, data = dataset("pair", 120)
        plan = sweep.make_plan({"start": suggest_config(info).model_dump(), **values})
        folder = tmp_path / "sweep"
        heldout = sweep.begin(folder, plan, info, data)
        assert heldout == 12
        return folder, plan, data

    return make


def test_no_trial_sees_the_rows_that_the_winner_is_judged_on(begun):
    folder, plan, data = begun()
    seen = set(load_rows(folder / "dataset")["row"].to_pylist())
    put_away = set(data["row"].take(split(data, plan.start.heldout_share, plan.start.seed).heldout).to_pylist())
    assert seen | put_away == set(data["row"].to_pylist())
    assert not seen & put_away
    assert load_info(folder / "dataset").rows == len(seen)
    # A training of the winner's settings on the whole dataset holds out exactly those rows.
    sweep.tell(folder, sweep.ask(folder)[0], 0.5)
    winner = sweep.config_of(plan, sweep.best(sweep.trials(folder)))
    again = split(data, winner.heldout_share, winner.seed)
    assert set(data["row"].take(again.heldout).to_pylist()) == put_away


def test_trials_stay_within_the_plan_and_rates_follow_the_base_model(begun):
    folder, *_ = begun(base_models=["all-MiniLM-L6-v2", WORDLLAMA], epochs=[1, 2], batch_sizes=[8, 16], rate_factor=2)
    configs = []
    for number in range(12):
        asked, config = sweep.ask(folder)
        assert asked == number
        sweep.tell(folder, asked, config.learning_rate)
        configs.append(config)
    usual = {"all-MiniLM-L6-v2": 1e-4, WORDLLAMA: 2e-2}
    assert {c.base_model for c in configs} == set(usual)
    assert {c.epochs for c in configs} | {c.batch_size for c in configs} == {1, 2, 8, 16}
    assert all(0.49 <= c.learning_rate / usual[c.base_model] <= 2.01 for c in configs)
    assert sweep.best(sweep.trials(folder)).value == max(c.learning_rate for c in configs)


def test_what_mattered_is_found(begun):
    folder, *_ = begun(epochs=[1, 2], batch_sizes=[8, 16], rate_factor=1)
    assert sweep.importance(folder) == {}
    for _ in range(10):
        number, config = sweep.ask(folder)
        sweep.tell(folder, number, config.epochs + 0.001 * (config.batch_size == 8))
    found = sweep.importance(folder)
    assert set(found) == {"epochs", "batch_size"}
    assert found["epochs"] > 0.8


def test_a_sweep_goes_on_in_another_process_with_the_same_record(begun):
    folder, *_ = begun()
    sweep.tell(folder, sweep.ask(folder)[0], 0.25)
    sweep._storage.cache_clear()
    assert [(trial.value, trial.state) for trial in sweep.trials(folder)] == [(0.25, "done")]
    number, _ = sweep.ask(folder)
    sweep.tell(folder, number, None)
    sweep.tell(folder, number, 0.9)  # too late: it has failed
    assert [trial.state for trial in sweep.trials(folder)] == ["done", "failed"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rate_factor": 1}, "nothing is varied"),
        ({"losses": ["MultipleNegativesRankingLoss", "NoSuchLoss"]}, "no loss 'NoSuchLoss'"),
        ({"trials": 1}, "trials"),
        ({"rate_factor": 0.5}, "rate factor"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(values, words):
    with pytest.raises(ConfigError, match=words):
        sweep.make_plan({"start": make_config({}).model_dump(), **values})


def test_values_that_cannot_train_are_found_before_the_start(begun):
    with pytest.raises(ConfigError, match="CoSENT"):
        begun(losses=["MultipleNegativesRankingLoss", "CoSENTLoss"])
    with pytest.raises(ConfigError, match="batch"):
        begun(batch_sizes=[8, 4000])
