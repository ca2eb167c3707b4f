"""Steps that are timed in the background for the estimate, through a real process."""

import pytest

from studio.data.dataset import load_rows
from studio.training.estimate import estimate, work_of
from tests.runs.scene import StandIn, config, make_dataset, start_run, wait_for, wait_until_over

pytestmark = pytest.mark.model


def test_steps_are_timed_once_and_remembered_for_everybody(make_studio, tmp_path):
    studio = make_studio(timed_steps=True)
    dataset = make_dataset(studio, tmp_path)
    data = load_rows(dataset.folder)
    work = work_of(dataset.info, data, config())
    assert studio.timings.want("ada", dataset.id, config(), work)
    assert not studio.timings.going_on("eve")
    wait_for(lambda: not studio.timings.going_on("ada"), 60)
    found = estimate(dataset.info, data, config(), speeds=studio.timings.speeds)
    assert found.measured
    assert 0 < found.seconds < 120
    assert not studio.timings.want("ada", dataset.id, config(), work)
    assert studio.makings.list("ada") == []
    # A new server on the same workspace knows.
    studio.close()
    assert make_studio(timed_steps=True).timings.speeds.knows(work)


def test_nothing_is_timed_while_a_training_goes_on_or_where_the_host_does_not_want_it(make_studio, tmp_path):
    studio = make_studio(StandIn(), timed_steps=True)
    dataset = make_dataset(studio, tmp_path)
    work = work_of(dataset.info, load_rows(dataset.folder), config())
    run = start_run(studio, dataset, "long")
    assert not studio.timings.want("ada", dataset.id, config(), work)
    studio.runs.stop("ada", run.id, keep=False)
    wait_until_over(studio, run)
    studio.close()
    studio = make_studio(StandIn(), timed_steps=False)
    assert not studio.timings.want("ada", dataset.id, config(), work)
    assert studio.makings.list("ada") == []


def test_a_run_that_ended_teaches_the_next_estimate(make_studio, tmp_path):
    from studio.files import write_json
    from studio.training.speeds import Speed, as_values

    studio = make_studio(StandIn())
    dataset = make_dataset(studio, tmp_path)
    work = work_of(dataset.info, load_rows(dataset.folder), config())
    run = studio.runs.create("ada", dataset.id, config(), "plain")
    write_json(run.folder / "speed.json", as_values(Speed(work, 0.5, 1.0, 2.0, 900.0)))
    wait_until_over(studio, run)
    assert studio.timings.speeds.predict(work).step_s == 0.5
