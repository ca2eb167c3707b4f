"""Less memory, the same training: losses in portions, and what a run remembers of memory that ran out."""

import json
import resource
import shutil

import psutil
import pytest
import torch

from studio.catalog.losses import LOSS, LOSSES, MODIFIER
from studio.errors import HostError
from studio.files import read_json, write_json
from studio.training import train as train_module
from studio.training.config import make_config
from studio.training.largest import free_bytes, groups
from studio.training.memory import Memory, after_a_kill
from studio.training.objective import build_loss
from studio.training.portions import can_divide, in_portions, portion_of
from studio.training.trainer import Trainer
from tests.training.test_engine import COLUMNS, build, objective, step  # noqa: F401
from tests.training.test_train import run

pytestmark = pytest.mark.model


WHOLE = {
    *("GISTEmbedLoss", "SoftmaxLoss", "DenoisingAutoEncoderLoss", "MSELoss", "EmbedDistillLoss"),
    *("ContrastiveTensionLoss", "ContrastiveTensionLossInBatchNegatives"),
}
"""Losses that read the texts themselves or have weights of their own: gradient checkpointing is what remains."""


@pytest.mark.parametrize("record", LOSSES, ids=lambda record: record.id)
def test_every_loss_and_its_gradient_are_the_same_in_portions(objective, record):  # noqa: F811
    model, loss, rows = objective(record, MODIFIER["none"])
    assert can_divide(loss) == (record.id not in WHOLE)
    if not can_divide(loss):
        return
    value, gradient = step(model, loss, rows)
    for portion in (1, 5):
        again, other = step(model, in_portions(loss, portion), rows)
        assert again == pytest.approx(value, abs=1e-5)
        torch.testing.assert_close(other, gradient, atol=1e-5 * float(gradient.abs().max()), rtol=1e-3)


def test_a_cached_loss_below_another_is_divided_and_others_are_not(objective):  # noqa: F811
    cached = objective(LOSS["CachedMultipleNegativesRankingLoss"], MODIFIER["Matryoshka"])[1]
    assert can_divide(cached)
    assert portion_of(in_portions(cached, 2), 8) == 2
    assert not can_divide(objective(LOSS["CoSENTLoss"], MODIFIER["Matryoshka"])[1])


def test_a_static_model_is_not_divided(static_model):
    assert not can_divide(build_loss(static_model, make_config({})))


@pytest.fixture
def memory_for(monkeypatch):
    """memory_for(rows): a step of more rows at a time runs out of memory, as torch says it."""

    def limit(rows: int) -> None:
        stock = Trainer.compute_loss

        def compute(self, model, inputs, *arguments, **options):
            portion = getattr(self.loss, "mini_batch_size", len(inputs["anchor_input_ids"]))
            if model.training and portion > rows:
                raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")
            return stock(self, model, inputs, *arguments, **options)

        monkeypatch.setattr(Trainer, "compute_loss", compute)

    return limit


VALUES = {"batch_size": 8, "learning_rate": 5e-4, "evaluations": 1, "precision": "fp32", "engine": "stock"}


@pytest.fixture
def still_model(tiny_model, tmp_path):
    """The tiny transformer without dropout: portions draw other masks."""
    folder = shutil.copytree(tiny_model, tmp_path / "still")
    config = json.loads((folder / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.mark.parametrize(("loss", "format"), [("MultipleNegativesRankingLoss", "pair"), ("CoSENTLoss", "scored_pair")])
def test_running_out_of_memory_makes_portions_and_not_another_training(
    run_folder, events_of, still_model, memory_for, loss, format
):
    values = {**VALUES, "base_model": still_model, "loss": loss}
    whole = run_folder(values, format, 60, name="whole")
    expected = run(whole).model
    memory_for(2)
    folder = run_folder(values, format, 60, name="little")
    done = run(folder, checkpoint_every_s=0)
    assert read_json(folder.memory)["halvings"] == 2
    notes = [event["message"] for event in events_of(folder, "note")]
    assert [words for words in notes if "Memory ran out" in words] == [
        f"Memory ran out. From here on batches are computed in portions of {n} rows: slower, but a step still learns "
        "from 8 rows at once and comes to the same."
        for n in (4, 2)
    ]
    curves = [{event["step"]: event["loss"] for event in events_of(made, "train")} for made in (whole, folder)]
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)
    texts = [text for column in COLUMNS for text in column]
    found, wanted = (model.encode(texts, convert_to_tensor=True) for model in (done.model, expected))
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)


def test_memory_that_runs_out_in_the_middle_goes_back_to_the_last_checkpoint(
    run_folder, events_of, still_model, monkeypatch
):
    stock, calls = Trainer.compute_loss, []

    def compute(self, model, inputs, *arguments, **options):
        calls.append(model.training)
        if sum(calls) == 5 and not hasattr(self.loss, "mini_batch_size"):
            raise MemoryError
        return stock(self, model, inputs, *arguments, **options)

    monkeypatch.setattr(Trainer, "compute_loss", compute)
    folder = run_folder({**VALUES, "base_model": still_model}, rows=60)
    done = run(folder, checkpoint_every_s=0)
    steps = [event["step"] for event in events_of(folder, "train")]
    assert steps == list(range(1, done.steps + 1))  # step 5 was not made when memory ran out
    assert "Goes on from the checkpoint of step 4." in [event["message"] for event in events_of(folder, "note")]


def test_when_one_row_is_too_much_layers_are_computed_twice_and_then_it_is_said(run_folder, still_model, memory_for):
    memory_for(0)
    folder = run_folder({**VALUES, "base_model": still_model, "batch_size": 2, "max_train_rows": 4}, rows=60)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        run(folder)
    assert read_json(folder.memory) | {"halvings": 1, "checkpointing": True} == read_json(folder.memory)


def test_another_mistake_is_not_taken_for_memory(run_folder, still_model, monkeypatch):
    def broken(self, *_, **__):
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(Trainer, "compute_loss", broken)
    folder = run_folder({**VALUES, "base_model": still_model, "evaluations": 0}, rows=60)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        run(folder)
    assert not folder.memory.exists()


@pytest.mark.parametrize(
    ("rows", "expected", "why"),
    [(8, 8, "16 did not fit."), (64, 16, "16 is the most that is tried."), (1, None, "")],
)
def test_the_largest_batch_that_fits_is_found_and_trains(
    run_folder, events_of, still_model, memory_for, rows, expected, why, monkeypatch
):
    monkeypatch.setattr("studio.training.rows.LEAST_STEPS", 4)
    memory_for(rows)
    folder = run_folder({**VALUES, "base_model": still_model, "batch_size": "auto", "max_train_rows": 70}, rows=120)
    if expected is None:
        with pytest.raises(HostError, match="too small to train this model with 2 rows"):
            run(folder)
        return
    done = run(folder)
    assert done.rows.batch_size == events_of(folder, "plan")[0]["batch_size"] == expected
    words = next(event["message"] for event in events_of(folder, "note") if "largest that fits" in event["message"])
    assert words == f"Batch size {expected}: the largest that fits, tried on the longest rows; {why}"
    # Found once: a run that goes on does not look again.
    monkeypatch.setattr(train_module, "find_largest", None)
    run(folder)


def test_trying_batches_leaves_no_trace_in_the_training(run_folder, still_model):
    values = {**VALUES, "base_model": still_model, "max_train_rows": 40}
    auto = run(run_folder({**values, "batch_size": "auto"}, rows=60, name="auto"))
    given = run(run_folder({**values, "batch_size": auto.rows.batch_size}, rows=60, name="given"))
    for one, two in zip(auto.model.parameters(), given.model.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_batch_in_which_the_process_died_is_not_tried_again(run_folder, events_of, still_model, monkeypatch):
    monkeypatch.setattr("studio.training.rows.LEAST_STEPS", 2)
    folder = run_folder({**VALUES, "base_model": still_model, "batch_size": "auto", "max_train_rows": 70}, rows=120)
    write_json(folder.memory, {"trying": 32})
    done = run(folder)
    assert done.rows.batch_size == 16
    assert "memory ran out with 32" in events_of(folder, "note")[0]["message"]


def test_after_a_kill_it_goes_on_once_with_smaller_portions(tmp_path):
    path = tmp_path / "memory.json"
    assert after_a_kill(path)
    assert (Memory.load(path).halvings, Memory.load(path).kills) == (2, 1)
    assert Memory.load(path).portion(32) == 8
    assert not after_a_kill(path)
    write_json(path, {"trying": 128})
    assert after_a_kill(path)
    assert (Memory.load(path).halvings, Memory.load(path).trying) == (0, 128)


def test_free_memory_knows_the_process_s_own_limit():
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + 10**9, before[1]))
    try:
        assert 0 < free_bytes() <= 10**9
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert free_bytes() > 0


def test_free_memory_knows_the_limits_of_control_groups(tmp_path):
    """Both versions of the kernel's interface, a limit of the group and one of a group above it."""
    for folder, limit, used in (("a", "max", 5), ("a/b", 1000, 400), ("memory/x", 900, 100), ("memory", 2**63, 7)):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes") if "mem" in folder else ("memory.max", "memory.current")
        )
        for name, value in zip(names, (limit, used), strict=True):
            (tmp_path / folder / name).write_text(f"{value}\n")
    (tmp_path / "cgroup").write_text("0::/a/b/c\n4:memory:/x\n2:cpu:/y\n")
    assert sorted(groups(tmp_path / "cgroup", tmp_path)) == [(900, 100), (1000, 400), (2**63, 7)]
