import math
from contextlib import closing

import numpy as np
import pytest
import torch
from datasets import Dataset
from sentence_transformers.base.sampler import GroupByLabelBatchSampler

from studio.errors import ConfigError, HostError, RunError
from studio.files import read_json, write_json
from studio.training import train as train_module
from studio.training.callbacks import Cancelled, StopWatch
from studio.training.checkpoints import ASIDE, newest_whole, step_of
from studio.training.config import make_config
from studio.training.feeding import feed
from studio.training.folder import EventWriter
from studio.training.model import build_model
from studio.training.rows import grouped
from studio.training.train import load, looks, train

pytestmark = pytest.mark.model
STATIC = {"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2}


def run(folder, events=None, **options):
    with closing(events or EventWriter(folder.events)) as writer:
        return train(folder, writer, StopWatch(folder), **options)


@pytest.mark.parametrize(("format", "loss"), [("pair", "MultipleNegativesRankingLoss"), ("scored_pair", "AnglELoss")])
def test_a_static_model_trains(run_folder, events_of, format, loss):
    folder = run_folder({**STATIC, "loss": loss, "batch_size": 16}, format)
    run(folder)
    losses = [event["loss"] for event in events_of(folder, "train")]
    assert losses[-1] < losses[0]


def test_events_tell_the_whole_story(run_folder, events_of):
    folder = run_folder({**STATIC, "batch_size": 16, "evaluations": 3})
    done = run(folder)
    assert [event["phase"] for event in events_of(folder, "phase")] == ["loading", "judging base", "training"]
    plan = events_of(folder, "plan")[0]
    assert plan["steps"] == done.steps == math.ceil(plan["train_rows"] / 16)
    assert plan["primary"] == "ndcg@10"
    assert set(plan["base"]) == {"ndcg@10", "mrr@10", "accuracy@1", "recall@10", "map@100"}
    assert plan["precision"] == "fp32"
    train_events = events_of(folder, "train")
    assert [event["step"] for event in train_events] == list(range(1, done.steps + 1))
    assert train_events[-1]["epoch"] == 1
    assert max(event["learning_rate"] for event in train_events) <= 2e-2
    assert all(event["rows_per_s"] > 0 and event["grad_norm"] > 0 for event in train_events)
    assert train_events[0]["eta_s"] >= train_events[-1]["eta_s"] >= 0
    evals = events_of(folder, "eval")
    assert [event["step"] for event in evals] == [0, *sorted(looks(done.steps, 3))]
    assert evals[0]["metrics"] == plan["base"]
    assert all(math.isfinite(event["loss"]) for event in evals)


def test_rows_per_second_add_up_to_the_rows_that_trained(run_folder, events_of):
    folder = run_folder({**STATIC, "batch_size": 16})
    plan_rows = run(folder).rows
    events = events_of(folder, "train")
    epochs = np.diff([0, *(event["epoch"] for event in events)])
    assert (epochs * len(plan_rows.train)).sum() == pytest.approx(len(plan_rows.train), abs=0.1)


def test_split_names_the_rows_as_the_file_numbers_them(run_folder):
    folder = run_folder({**STATIC, "batch_size": 16})
    rows = run(folder).rows
    split = read_json(folder.split)
    assert split["heldout"] == (rows.heldout + 2).tolist()
    assert split["train"] == (rows.train + 2).tolist()
    assert split["note"]


@pytest.mark.parametrize(
    ("loss", "format", "columns"),
    [
        ("MultipleNegativesRankingLoss", "pair", ["anchor", "positive"]),
        ("MultipleNegativesRankingLoss", "triplet", ["anchor", "positive", "negative_1", "negative_2"]),
        ("CoSENTLoss", "scored_pair", ["anchor", "positive", "score"]),
        ("ContrastiveLoss", "labelled_pair", ["anchor", "positive", "label"]),
        ("BatchAllTripletLoss", "classed_text", ["text", "label"]),
        ("SimCSE", "texts", ["text", "again"]),
    ],
)
def test_only_the_formats_columns_reach_the_trainer(dataset, loss, format, columns):
    data = dataset(format, 20, 2)[1]
    assert feed(data, np.arange(10), make_config({"loss": loss})).column_names == columns


def test_classes_reach_the_trainer_as_numbers_from_0(dataset):
    data = dataset("classed_text", 20)[1]
    made = feed(data, np.arange(3, 20), make_config({"loss": "BatchAllTripletLoss"}))
    assert made["label"][:5] == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("sizes", [(7, 7, 7), (30, 2, 1, 1), (1, 1, 1), (9, 1), (50, 20, 4)])
@pytest.mark.parametrize("batch_size", [4, 8, 32])
def test_the_steps_of_batches_by_class_are_counted_as_the_sampler_makes_them(sizes, batch_size):
    number = np.repeat(np.arange(len(sizes)), sizes)
    rows = grouped(number)
    if rows < 4:
        with pytest.raises(ValueError, match="at least 2 distinct labels"):
            GroupByLabelBatchSampler(Dataset.from_dict({"label": number}), batch_size, False, ["label"])
        return
    sampler = GroupByLabelBatchSampler(Dataset.from_dict({"label": number}), batch_size, False, ["label"])
    assert rows // batch_size + (rows % batch_size >= 4) == len(sampler) == len(list(sampler))


def test_the_same_config_makes_the_same_model(run_folder):
    first, second = (run(run_folder({**STATIC, "batch_size": 16}, name=name)).model for name in ("a", "b"))
    for one, two in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_lost_model_is_explained_and_not_kept(run_folder, tiny_model):
    values = {"base_model": str(tiny_model), "batch_size": 8, "learning_rate": 1.0, "max_grad_norm": 1000, "epochs": 5}
    folder = run_folder({**values, "warmup_ratio": 0, "precision": "fp32"}, rows=60)
    model = build_model(make(folder))
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    original, train_module.build_model = train_module.build_model, lambda config, base=None: model
    try:
        with pytest.raises(ConfigError, match="stopped being a number at step 1") as caught:
            run(folder)
    finally:
        train_module.build_model = original
    assert "learning rate" in caught.value.hint


def make(folder):
    return load(folder)[0]


def test_a_batch_larger_than_the_rows_never_starts(run_folder):
    folder = run_folder({**STATIC, "batch_size": 64}, rows=40)
    with pytest.raises(ConfigError, match="36 rows train, but a batch has 64"):
        run(folder)


def test_a_full_disk_is_said_before_anything_starts(run_folder, monkeypatch):
    monkeypatch.setattr(train_module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 5_000_000}))
    with pytest.raises(HostError, match="The disk has 5 MB left"):
        run(run_folder({**STATIC, "batch_size": 16}))


def test_a_folder_without_a_config_is_a_run_error(run_folder):
    folder = run_folder({**STATIC, "batch_size": 16})
    folder.config.unlink()
    with pytest.raises(RunError, match=r"no config\.json"):
        run(folder)


def test_stop_without_keeping_ends_at_once(run_folder):
    folder = run_folder({**STATIC, "batch_size": 16})
    write_json(folder.stop, {"keep": False})
    with pytest.raises(Cancelled):
        run(folder)


def test_stop_and_keep_before_the_first_step_has_nothing_to_keep(run_folder):
    folder = run_folder({**STATIC, "batch_size": 16})
    write_json(folder.stop, {"keep": True})
    with pytest.raises(Cancelled, match="nothing to keep"):
        run(folder)


class StopAfter(EventWriter):
    """Asks for a stop as soon as a step's event is written, as a person who watches would."""

    def __init__(self, folder, step, keep):
        super().__init__(folder.events)
        self._folder, self._step, self._keep = folder, step, keep

    def write(self, event, **fields):
        super().write(event, **fields)
        if event == "train" and fields["step"] == self._step:
            write_json(self._folder.stop, {"keep": self._keep})


def test_stop_and_keep_ends_with_the_next_step_and_looks_at_the_held_out_rows(run_folder, events_of):
    folder = run_folder({**STATIC, "batch_size": 8})
    done = run(folder, StopAfter(folder, 3, True))
    assert done.step == 4 < done.steps
    assert events_of(folder, "eval")[-1]["step"] == 4


def test_stop_ends_in_the_middle(run_folder, events_of):
    folder = run_folder({**STATIC, "batch_size": 8})
    with pytest.raises(Cancelled):
        run(folder, StopAfter(folder, 3, False))
    assert events_of(folder, "train")[-1]["step"] == 3


class DieAfter(EventWriter):
    def __init__(self, folder, step):
        super().__init__(folder.events)
        self._step = step

    def write(self, event, **fields):
        super().write(event, **fields)
        if event == "train" and fields["step"] == self._step:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("loss", "format", "more"),
    [
        ("MultipleNegativesRankingLoss", "pair", {"epochs": 2}),
        ("CoSENTLoss", "scored_pair", {"epochs": 2, "gradient_accumulation_steps": 2, "batch_size": 4}),
        ("SoftmaxLoss", "labelled_pair", {"epochs": 2}),
        ("ContrastiveTensionLoss", "texts", {"epochs": 2}),
        ("DenoisingAutoEncoderLoss", "texts", {"epochs": 2}),
        ("EmbedDistillLoss", "pair", {"epochs": 2}),
        ("MultipleNegativesRankingLoss", "pair", {"epochs": 2, "modifier": "Matryoshka2d"}),
    ],
)
def test_a_training_that_goes_on_ends_as_one_that_never_stopped(
    run_folder, events_of, tiny_model, small_bert, loss, format, more
):
    values = {
        "base_model": str(tiny_model if more.get("gradient_accumulation_steps") else small_bert()),
        "loss": loss,
        "batch_size": 8,
        "learning_rate": 5e-4,
        "evaluations": 1,
        **({"teacher_model": str(small_bert(48))} if loss == "EmbedDistillLoss" else {}),
        **more,
    }
    whole, broken = (run_folder(values, format, 60, name=name) for name in ("whole", "broken"))
    expected = run(whole).model
    with pytest.raises(KeyboardInterrupt):
        run(broken, DieAfter(broken, 9), checkpoint_every_s=0)
    assert step_of(newest_whole(broken.checkpoints, train_module.fingerprint_of(broken))[0]) == 8
    done = run(broken)
    assert "step 8" in events_of(broken, "note")[-1]["message"]
    steps = [event["step"] for event in events_of(broken, "train")]
    assert steps == [*range(1, 10), *range(9, done.steps + 1)]
    losses = [{event["step"]: event["loss"] for event in events_of(folder, "train")} for folder in (whole, broken)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    for one, two in zip(expected.parameters(), done.model.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-5)


def test_a_damaged_checkpoint_is_told_and_an_older_one_taken(run_folder, events_of):
    folder = run_folder({**STATIC, "batch_size": 8})
    with pytest.raises(KeyboardInterrupt):
        run(folder, DieAfter(folder, 6), checkpoint_every_s=0)
    (folder.checkpoints / "checkpoint-5" / "optimizer.pt").unlink()
    (folder.checkpoints / ASIDE / "checkpoint-6").mkdir(parents=True)  # killed while it was written
    run(folder)
    messages = [event["message"] for event in events_of(folder, "note")]
    assert "The checkpoint of step 5 cannot be used: optimizer.pt is missing." in messages
    assert "Goes on from the checkpoint of step 4." in messages


def test_no_checkpoint_is_written_while_the_disk_has_no_room(run_folder, events_of, monkeypatch):
    from studio.training import callbacks

    monkeypatch.setattr(callbacks, "size_of", lambda folder: 10**15)  # so large that a second one never fits
    folder = run_folder({**STATIC, "batch_size": 8})
    with pytest.raises(KeyboardInterrupt):
        run(folder, DieAfter(folder, 6), checkpoint_every_s=0)
    assert [path.name for path in folder.checkpoints.glob("checkpoint-*")] == ["checkpoint-1"]
    notes = [event for event in events_of(folder, "note") if "nearly full" in event["message"]]
    assert [note["severity"] for note in notes] == ["warning"]


def test_one_held_out_row_is_enough_to_train(run_folder, events_of):
    folder = run_folder({**STATIC, "batch_size": 4, "heldout_share": 0.02}, rows=20)
    done = run(folder)
    assert done.task.rows == 1
    assert all(event["loss"] is None for event in events_of(folder, "eval"))
