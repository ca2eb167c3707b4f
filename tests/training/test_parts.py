"""Several datasets train one model together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from studio import worker
from studio.data.dataset import load_info, load_rows, save_dataset
from studio.errors import ConfigError
from studio.evaluation.result import Verdict
from studio.files import read_json, write_json
from studio.training.config import make_config
from studio.training.estimate import estimate, estimate_together
from studio.training.feeding import Epoch, feed
from studio.training.folder import RunFolder
from studio.training.parts import check_part, config_of_part, load_parts, make_parts, plan_together
from studio.training.rows import plan_rows
from studio.training.together import datasets_of, sampler_of

pytestmark = pytest.mark.model
STATIC = {"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2, "batch_size": 8}


@pytest.fixture
def together(tmp_path, dataset):
    """together(values, format=rows ...) -> a run's folder, the first dataset and those that train along."""

    def make(values: dict, **formats: int) -> RunFolder:
        folder = RunFolder(tmp_path / f"run{len(list(tmp_path.iterdir()))}")
        (first, rows), *others = formats.items()
        info, data = dataset(first, rows)
        save_dataset(folder.dataset, data, info)
        for number, (format, rows) in enumerate(others, 1):
            info, data = dataset(format, 400)
            # Other texts than those of the first dataset.
            info, data = info, data.slice(400 - rows)
            save_dataset(folder.datasets / str(number), data, info)
        write_json(folder.config, make_config({"general_check": False, **values}).model_dump())
        return folder

    return make


def planned(folder: RunFolder):
    config = make_config(read_json(folder.config))
    data = load_rows(folder.dataset)
    rows = plan_rows(data, config)
    parts = load_parts(folder, config, data, rows)
    return config, data, rows, parts, plan_together(data, config, rows, parts)


def trained(folder: RunFolder) -> Verdict:
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert worker.run(folder, 60.0) == 0, (
            folder.log.read_text() if folder.log.exists() else read_json(folder.outcome)
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    return Verdict.load(folder.verdict)


def test_each_dataset_has_the_loss_that_suits_it(dataset):
    config = make_config(
        {**STATIC, "loss": "CachedMultipleNegativesRankingLoss", "mini_batch_size": 4, "batch_size": 9}
    )
    losses = {
        format: config_of_part(dataset(format, 60)[0], config).loss
        for format in ("pair", "triplet", "scored_pair", "labelled_pair", "classed_text")
    }
    assert losses["scored_pair"] == "CoSENTLoss"
    assert losses["labelled_pair"] == "ContrastiveLoss"
    by_class = config_of_part(dataset("classed_text", 60)[0], config)
    assert (by_class.loss, by_class.batch_size, by_class.mini_batch_size) == ("BatchAllTripletLoss", 10, None)
    own = make_config({**STATIC, "loss_scale": 7})
    assert config_of_part(dataset("triplet", 60)[0], own) == own


@pytest.mark.parametrize("turns", ["proportional", "round_robin"])
def test_steps_are_counted_as_the_trainer_makes_them(together, turns):
    folder = together(
        {**STATIC, "dataset_turns": turns, "epochs": 2, "evaluations": 0}, pair=120, scored_pair=60, classed_text=40
    )
    config, data, rows, parts, plan = planned(folder)
    first = feed(data, rows.train, config)
    datasets = datasets_of(first, parts, Epoch())
    sampler = sampler_of(config, parts, datasets)
    lengths = [
        len(
            sampler(
                one,
                batch_size=plan.batch_size,
                drop_last=plan.drop_last,
                valid_label_columns=["label"],
                generator=None,
                seed=0,
            )
        )
        for one in datasets.values()
    ]
    assert plan.steps_per_epoch == (sum(lengths) if turns == "proportional" else 3 * min(lengths))
    verdict = trained(folder)
    assert read_json(folder.outcome)["step"] == plan.steps == 2 * plan.steps_per_epoch
    assert [one.metric.id for one in verdict.others] == ["spearman", "ndcg@10"]
    assert read_json(folder.outcome)["train_rows"] == sum(map(len, (rows.train, *(part.rows.train for part in parts))))
    if turns == "round_robin":
        assert any("until the smallest is through" in note for note in plan.notes)


def test_a_text_that_judges_does_not_train_in_another_dataset(dataset):
    info, data = dataset("pair", 200)
    config = make_config(STATIC)
    rows = plan_rows(data, config)
    (part,) = make_parts([(info, data)], config, data, rows)
    asked = set(data["anchor"].take(rows.heldout).to_pylist())
    assert not asked & set(data["anchor"].take(part.rows.train).to_pylist())
    (other,) = make_parts([(info, data)], config.model_copy(update={"seed": 7}), data, rows)
    assert not asked & set(data["anchor"].take(other.rows.train).to_pylist())
    assert "do not train" in other.rows.notes[0]
    trains = set(data["anchor"].take(rows.train).to_pylist())
    assert not trains & set(data["anchor"].take(other.rows.heldout).to_pylist())


def test_a_dataset_that_cannot_train_along_is_named(dataset):
    info, data = dataset("pair", 20)
    with pytest.raises(ConfigError, match="'Questions' cannot train along: 18 rows train, but a batch has 32"):
        check_part(info, make_config({**STATIC, "batch_size": 32}), data)


def test_a_transformer_learns_from_both_with_the_fast_engine(together, tiny_model, events_of):
    values = {"base_model": str(tiny_model), "batch_size": 8, "learning_rate": 5e-4, "evaluations": 1}
    folder = together(values, pair=60, labelled_pair=60)
    verdict = trained(folder)
    (plan,) = events_of(folder, "plan")
    assert (plan["engine"], plan["train_rows"]) == ("fast", 108)
    assert [one.metric.id for one in verdict.others] == ["average_precision"]
    notes = [event["message"] for event in events_of(folder, "note")]
    assert "'Questions' trains along: 54 rows with the loss Contrastive." in notes
    assert any("the training loss jumps" in note for note in notes)
    assert all(np.isfinite(event["loss"]) for event in events_of(folder, "train"))
    assert all(event["metrics"] and np.isfinite(event["loss"]) for event in events_of(folder, "eval"))
    assert "trained along" in (folder.model / "README.md").read_text(encoding="utf-8")


def test_an_estimate_for_several_counts_the_steps_of_all(together):
    folder = together(STATIC, pair=120, scored_pair=60)
    config, data, _, _, plan = planned(folder)
    place = Path(folder.datasets / "1")
    info, also = load_info(folder.dataset), [(load_info(place), load_rows(place))]
    both, alone = estimate_together(info, data, config, also), estimate(info, data, config)
    assert both.steps == plan.steps > alone.steps
    assert both.train_rows == 108 + 54
    assert both.seconds > alone.seconds


def test_a_killed_run_of_two_datasets_goes_on_from_its_checkpoint(together, tiny_model, events_of):
    values = {"base_model": str(tiny_model), "batch_size": 4, "learning_rate": 5e-4, "evaluations": 1, "epochs": 2}
    folder = together(values, pair=40, labelled_pair=40)
    process = subprocess.Popen(
        [sys.executable, "-m", "studio.worker", str(folder.path), "--checkpoint-every", "0"],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not folder.events.exists() or len(events_of(folder, "train")) < 5:
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    verdict = trained(folder)
    assert any("Goes on from the checkpoint" in event["message"] for event in events_of(folder, "note"))
    steps = [event["step"] for event in events_of(folder, "train")]
    assert steps.count(1) == 1
    assert steps[-1] == events_of(folder, "plan")[0]["steps"] == 36
    assert len(verdict.others) == 1
