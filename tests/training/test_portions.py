"""Less memory, the same training: losses in portions, and what a run remembers of memory that ran out."""

import json
import random
import resource
import shutil

import numpy as np
import psutil
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.trainer import BaseTrainer
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from sentence_transformers.sentence_transformer.modules import StaticEmbedding

from studio.catalog.losses import LOSS, LOSSES, MODIFIER, MODIFIERS
from studio.errors import HostError
from studio.files import read_json, write_json
from studio.training import train as train_module
from studio.training.config import make_config
from studio.training.engine.fast import fast
from studio.training.feeding import feed
from studio.training.fit import modifier_misfit
from studio.training.largest import free_bytes, groups
from studio.training.memory import Memory, after_a_kill
from studio.training.model import build_model
from studio.training.objective import build_loss, companions, head
from studio.training.portions import can_divide, in_portions, portion_of
from studio.training.teacher import ask
from studio.training.trainer import Trainer
from tests.training.test_engine import COLUMNS, build, objective  # noqa: F401
from tests.training.test_train import run

pytestmark = pytest.mark.model


ALLOWED = [(loss, modifier) for loss in LOSSES for modifier in MODIFIERS if not modifier_misfit(modifier, loss)]
COMPARES_ROWS = {
    *("MultipleNegativesRankingLoss", "MultipleNegativesSymmetricRankingLoss", "GISTEmbedLoss", "SimCSE"),
    *("CoSENTLoss", "AnglELoss", "OnlineContrastiveLoss", "ContrastiveTensionLossInBatchNegatives"),
    *("BatchAllTripletLoss", "BatchHardTripletLoss", "BatchSemiHardTripletLoss", "BatchHardSoftMarginTripletLoss"),
}
"""Losses whose value is not a sum over rows: their earlier layers are not divided."""


def seeded_step(model, loss, rows):
    """Value and gradients, of the model and of what the loss has of its own, doubled as a Trainer might scale them."""
    model.zero_grad()
    loss.zero_grad()
    random.seed(3)
    inputs = SentenceTransformerDataCollator(model.preprocess)([rows[i] for i in range(len(rows))])
    value = loss(*BaseTrainer.collect_features(None, inputs))
    (2 * value).backward()
    own = head(loss, model)
    learnt = {**dict(model.named_parameters()), **own}
    return value.item(), {name: p.grad for name, p in learnt.items() if p.grad is not None}, random.random()


def assert_the_same_in_portions(model, loss, rows, portions=(1, 5)):
    value, gradients, drawn = seeded_step(model, loss, rows)
    highest = max(float(g.abs().max()) for g in gradients.values())
    for portion in portions:
        loss = in_portions(loss, portion)
        assert portion_of(loss, 8) == portion
        again, others, drawn_again = seeded_step(model, loss, rows)
        assert again == pytest.approx(value, rel=1e-6, abs=1e-5)
        assert others.keys() == gradients.keys()
        assert drawn_again == drawn
        for name, gradient in gradients.items():
            torch.testing.assert_close(others[name], gradient, atol=2e-5 * highest, rtol=1e-3)


@pytest.mark.parametrize(("loss", "modifier"), ALLOWED, ids=lambda record: record.id)
def test_every_loss_and_its_gradient_are_the_same_in_portions(objective, loss, modifier):  # noqa: F811
    whole = modifier.cuts_layers and loss.id in COMPARES_ROWS
    model, criterion, rows = objective(loss, modifier)
    assert can_divide(criterion) != whole
    if not whole:
        assert_the_same_in_portions(model, criterion, rows)


@pytest.mark.parametrize("loss", ["GISTEmbedLoss", "SoftmaxLoss", "ContrastiveTensionLossInBatchNegatives"])
def test_packed_batches_are_divided_too(objective, loss):  # noqa: F811
    model, criterion, rows = objective(LOSS[loss], MODIFIER["none"])
    with fast(model, False, companions(criterion)):
        assert_the_same_in_portions(model, criterion, rows, portions=(3,))


@pytest.mark.parametrize("loss", ["MultipleNegativesRankingLoss", "MSELoss", "MegaBatchMarginLoss"])
def test_a_static_model_is_divided_too(dataset, tmp_path, loss):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = {
        word: i for i, word in enumerate(["?", *sorted({w for column in COLUMNS for t in column for w in t.split()})])
    }
    tokenizer = Tokenizer(WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    torch.manual_seed(0)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu").save(str(tmp_path))
    values = {"base_model": str(tmp_path), "loss": loss, "batch_size": 8, "learning_rate": 1e-2}
    values |= {"teacher_model": str(tmp_path)} if loss == "MSELoss" else {}
    config = make_config(values)
    model = build_model(config, "cpu").train()
    data = dataset("pair", 8)[1]
    taught = ask(data, config, torch.device("cpu"), lambda: None) if loss == "MSELoss" else None
    rows = feed(data, np.arange(8), config, taught)
    with torch.no_grad():
        model[0].embedding.weight.add_(0.1 * torch.randn_like(model[0].embedding.weight))
    assert_the_same_in_portions(model, build_loss(model, config), rows)


def test_weights_of_a_loss_have_the_same_names_in_portions(objective):  # noqa: F811
    """A checkpoint that was written before memory ran out is read after it."""
    for loss in ("SoftmaxLoss", "ContrastiveTensionLossInBatchNegatives", "EmbedDistillLoss"):
        model, criterion, _ = objective(LOSS[loss], MODIFIER["none"])
        names = set(head(criterion, model))
        assert set(head(in_portions(criterion, 2), model)) == names


@pytest.fixture
def memory_for(monkeypatch):
    """memory_for(rows): a step of more rows at a time runs out of memory, as torch says it."""

    def limit(rows: int) -> None:
        stock = Trainer.compute_loss

        def compute(self, model, inputs, *arguments, **options):
            portion = portion_of(self.loss, len(inputs["anchor_input_ids"]))
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
        if sum(calls) == 5 and portion_of(self.loss, 8) == 8:
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


def test_what_cannot_be_divided_trains_with_half_the_batch_and_says_so(run_folder, events_of, still_model, memory_for):
    values = {**VALUES, "base_model": still_model, "modifier": "AdaptiveLayer", "max_train_rows": 12}
    memory_for(4)
    folder = run_folder(values, rows=60)
    done = run(folder)
    assert done.rows.batch_size == 4
    assert read_json(folder.memory) | {"batch_most": 4, "halvings": 0, "checkpointing": True} == read_json(
        folder.memory
    )
    assert [event["batch_size"] for event in events_of(folder, "plan")] == [8, 4]
    notes = [event["message"] for event in events_of(folder, "note")]
    assert any(
        "Batches are halved to 4 rows" in words and "no longer exactly the one that was asked for" in words
        for words in notes
    )
    assert run(folder).rows.batch_size == 4  # and a run that goes on knows


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
