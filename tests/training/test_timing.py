"""A few timed steps: of every way in which rows reach a loss, without a trace in the training itself."""

import pytest

from studio.data.dataset import load_info, load_rows
from studio.training.config import make_config
from studio.training.estimate import estimate, work_of
from studio.training.folder import RunFolder
from studio.training.speeds import Speeds, as_values
from studio.training.timing import time_steps

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    ("format", "settings"),
    [
        ("pair", {}),
        ("pair", {"gradient_accumulation_steps": 3, "batch_size": 4}),
        ("texts", {"loss": "EmbedDistillLoss", "engine": "stock"}),
        ("classed_text", {"loss": "BatchAllTripletLoss", "modifier": "Matryoshka"}),
    ],
    ids=["pairs", "accumulated", "teacher", "classes"],
)
def test_a_few_steps_are_timed_and_the_estimate_is_made_of_them(run_folder, small_bert, tmp_path, format, settings):
    values = {"base_model": str(small_bert()), "batch_size": 8, "evaluations": 1, "precision": "fp32", **settings}
    if format == "texts":
        values["teacher_model"] = str(small_bert(24))
    folder = run_folder(values, format, 60)
    speed = time_steps(folder)
    config, info, data = make_config(values), load_info(folder.dataset), load_rows(folder.dataset)
    assert speed.work == work_of(info, data, config)
    assert 0 < speed.step_s < 5
    speeds = Speeds(tmp_path / "speeds.json")
    speeds.keep(as_values(speed))
    found = estimate(info, data, config, speeds=speeds)
    assert found.measured
    expected = speed.startup_s + found.steps * speed.step_s + speed.judging_s
    # What a teacher takes is reckoned, and comes to it.
    assert expected <= found.seconds <= expected + 1
    assert found.memory_mb == pytest.approx(speed.memory_mb)
    assert not folder.model.exists()


def test_a_model_that_is_not_here_is_not_timed(run_folder):
    folder: RunFolder = run_folder({"base_model": "somebody/some-model", "batch_size": 8})
    assert time_steps(folder) is None
