import os
import signal

import pytest

from studio.errors import NotFound, RunError
from studio.runs import sweeps
from studio.training import sweep
from studio.training.sweep import SweepPlan, make_plan
from tests.runs.scene import StandIn, config, wait_for


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(sweeps, "TICK_S", 0.1)


def plan(**values) -> SweepPlan:
    return make_plan({"start": config().model_dump(), "epochs": [1, 2], "rate_factor": 3, "trials": 4, **values})


def until_over(studio, record, timeout_s=60):
    return wait_for(lambda: (now := studio.sweeps.get("ada", record.id)).is_over and now, timeout_s)


def test_a_sweep_runs_its_trials_one_after_the_other_and_names_the_best(studio, dataset):
    begun = studio.sweeps.create("ada", dataset.id, plan(), "Mine")
    done = until_over(studio, begun)
    assert (done.state, len(done.trials)) == ("succeeded", 4)
    runs = [run for run in studio.runs.list("ada") if run.name.startswith("Mine: trial ")]
    assert sorted(run.name for run in runs) == [f"Mine: trial {n}" for n in (1, 2, 3, 4)]
    assert done.best.value == max(t.trial.value for t in done.trials)
    winner = studio.sweeps.winner("ada", begun.id)
    assert winner.epochs == max(t.trial.values["epochs"] for t in done.trials)
    assert winner.seed == config().seed
    started = sorted(run.started for run in runs)
    ended = sorted(run.ended for run in runs)
    assert all(next_one >= last for last, next_one in zip(ended, started[1:], strict=False))


def test_the_trials_dataset_has_fewer_rows_than_the_dataset(studio, dataset):
    from studio.data.dataset import load_info

    begun = studio.sweeps.create("ada", dataset.id, plan(trials=2))
    done = until_over(studio, begun)
    run = studio.runs.get("ada", done.trials[0].run_id)
    assert load_info(run.folder / "dataset").rows == 36 < dataset.info.rows


def test_a_stopped_sweep_stops_its_run(studio, dataset):
    begun = studio.sweeps.create("ada", dataset.id, plan(trials=9), "A long one")
    wait_for(lambda: any(run.state == "running" for run in studio.runs.list("ada")))
    studio.sweeps.stop("ada", begun.id)
    done = until_over(studio, begun)
    assert done.state == "cancelled"
    assert all(run.is_over for run in studio.runs.list("ada"))
    with pytest.raises(RunError, match="ended already"):
        studio.sweeps.stop("ada", begun.id)


def test_a_sweep_goes_on_after_the_server_was_killed_in_its_middle(serve, make_studio, tmp_path):
    from tests.runs.scene import make_dataset

    first = make_studio(StandIn())
    begun = first.sweeps.create("ada", make_dataset(first, tmp_path).id, plan())
    first.close()
    server = serve()
    wait_for(lambda: len(sweep.trials(begun.folder)) >= 2)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    # The worst moment: a trial was asked for, and there is no run of it yet.
    lost, _ = sweep.ask(begun.folder)
    second = make_studio(StandIn())
    done = until_over(second, begun)
    assert (done.state, len(done.trials)) == ("succeeded", 4)
    assert lost not in [t.trial.number for t in done.trials]
    assert all(t.trial.state == "done" for t in done.trials)
    assert len({t.run_id for t in done.trials}) == len(second.runs.list("ada")) == 4


def test_trials_that_all_fail_end_the_sweep(studio, dataset):
    begun = studio.sweeps.create("ada", dataset.id, plan(trials=9), "refused one")
    done = until_over(studio, begun)
    assert done.state == "failed"
    assert len(done.trials) < 9
    with pytest.raises(RunError, match="No trial"):
        studio.sweeps.winner("ada", begun.id)


def test_a_sweep_is_its_owners_alone(studio, dataset):
    begun = studio.sweeps.create("ada", dataset.id, plan(trials=2))
    for method in (
        studio.sweeps.get,
        studio.sweeps.stop,
        studio.sweeps.delete,
        studio.sweeps.winner,
        studio.sweeps.importance,
    ):
        with pytest.raises(NotFound):
            method("eve", begun.id)
    assert studio.sweeps.list("eve") == []
    with pytest.raises(NotFound):
        studio.sweeps.create("eve", dataset.id, plan())
    until_over(studio, begun)
    runs = {run.id for run in studio.runs.list("ada")}
    studio.sweeps.delete("ada", begun.id)
    assert studio.sweeps.list("ada") == []
    assert {run.id for run in studio.runs.list("ada")} == runs
