"""What was measured is used for what is like it, and for nothing else."""

from dataclasses import replace

import pytest

from studio.training.speeds import MOST, Kind, Speed, Speeds, Work, as_values

KIND = Kind("a machine", "6 layers", "MultipleNegativesRankingLoss none", "fast auto", "0 0")
WORK = Work(KIND, 32, step=1.0, judging=4.0, memory_mb=1000)


@pytest.fixture
def speeds(tmp_path):
    return Speeds(tmp_path / "speeds.json")


def speed(work=WORK, step_s=2.0, **more):
    values = {"judging_s": 8.0, "startup_s": 5.0, "memory_mb": 1500.0, **more}
    return as_values(Speed(work, step_s, **values))


def test_a_measured_training_is_told_as_it_was(speeds):
    assert speeds.predict(WORK) is None
    speeds.keep(speed())
    found = speeds.predict(WORK)
    assert (found.step_s, found.judging_s, found.startup_s, found.memory_mb) == (2.0, 8.0, 5.0, 1500.0)
    assert speeds.knows(WORK)


def test_other_lengths_and_batches_are_reckoned_from_the_nearest(speeds):
    speeds.keep(speed())
    longer = replace(WORK, step=3.0, judging=8.0, memory_mb=1400, batch_size=64)
    found = speeds.predict(longer)
    assert (found.step_s, found.judging_s, found.memory_mb) == (6.0, 16.0, 1900.0)
    assert not speeds.knows(longer)
    speeds.keep(speed(longer, step_s=5.0))
    assert speeds.predict(longer).step_s == 5.0
    assert speeds.predict(WORK).step_s == 2.0
    assert speeds.predict(replace(WORK, step=100.0)) is None


def test_another_machine_model_loss_or_engine_is_another_thing(speeds):
    speeds.keep(speed())
    for changed in ({"machine": "b"}, {"model": "b"}, {"objective": "b"}, {"engine": "b"}, {"trained": "b"}):
        assert speeds.predict(replace(WORK, kind=replace(KIND, **changed))) is None


def test_one_slow_moment_does_not_spoil_what_is_known(speeds):
    for step_s in (2.0, 20.0, 2.2):
        speeds.keep(speed(step_s=step_s))
    assert speeds.predict(WORK).step_s == 2.2
    for _ in range(3):
        speeds.keep(speed(step_s=4.0))  # and a machine that has really become slower is believed
    assert speeds.predict(WORK).step_s == 4.0


def test_what_is_no_speed_is_left(speeds, tmp_path):
    for values in ({}, None, {"work": 3}, speed(step_s=float("nan")), {**speed(), "more": 1}):
        speeds.keep(values)
    assert speeds.predict(WORK) is None
    (tmp_path / "speeds.json").write_text('[{"of": "another version"}]')
    assert speeds.predict(WORK) is None
    speeds.keep(speed())
    assert speeds.predict(WORK) is not None


def test_only_the_newest_are_kept(speeds, tmp_path):
    import json

    for _ in range(3):
        speeds.keep(speed())
    path = tmp_path / "speeds.json"
    path.write_text(json.dumps(json.loads(path.read_text()) * MOST))
    speeds.keep(speed())
    assert len(json.loads(path.read_text())) == MOST
