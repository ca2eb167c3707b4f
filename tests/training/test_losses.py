"""Every combination of format, loss and modifier that the catalogue allows trains; every one that it forbids cannot."""

import gc

import pytest
import torch
from sentence_transformers import SentenceTransformerTrainer
from transformers import PrinterCallback, TrainerCallback

from studio.catalog.formats import FORMATS
from studio.catalog.losses import LOSS, LOSSES, MODIFIER, MODIFIERS
from studio.training.config import make_config
from studio.training.feeding import Epoch, feed
from studio.training.fit import loss_misfit, modifier_misfit
from studio.training.folder import RunFolder
from studio.training.model import build_model
from studio.training.objective import build_loss
from studio.training.rows import plan_rows
from studio.training.suggest import check_fit
from studio.training.teacher import ask, has_teacher
from studio.training.train import training_arguments

pytestmark = pytest.mark.model


@pytest.fixture(autouse=True, scope="module")
def frozen_garbage():
    """The Trainer collects garbage whenever it starts and ends: not through all of torch's modules each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


CPU = torch.device("cpu")
NEGATIVES = {"triplet": (1, 2)}

ALLOWED = [
    (format.id, negatives, loss, modifier)
    for format in FORMATS
    for negatives in NEGATIVES.get(format.id, (0,))
    for loss in LOSSES
    for modifier in MODIFIERS
    if not loss_misfit(loss, format.id, negatives) and not modifier_misfit(modifier, loss)
]
FORBIDDEN = [(loss, modifier) for loss in LOSSES for modifier in MODIFIERS if modifier_misfit(modifier, loss)]


def names(case) -> str:
    format, negatives, loss, modifier = case
    return "-".join((f"{format}{negatives or ''}", loss.id, modifier.id))


class Losses(TrainerCallback):
    def __init__(self):
        self.values = []

    def on_log(self, args, state, control, logs, **kwargs):
        self.values += [logs["loss"]] if "loss" in logs else []


@pytest.fixture
def advisers(small_bert):
    """advisers(settings) -> a guide and a teacher where the loss takes them, other models than the base.

    A teacher that embeds more dimensions, except where that is impossible.
    """

    def choose(settings: dict) -> dict:
        loss, modifier = LOSS[settings["loss"]], MODIFIER[settings.get("modifier", "none")]
        same = loss.feeding == "teacher_vector" or (loss.feeding == "teacher_vectors" and modifier.cuts_dimensions)
        models = {"guide_model": small_bert(24), "teacher_model": small_bert(32, 1) if same else small_bert(48)}
        return {p.id: str(models[p.id]) for p in loss.parameters if p.id in models}

    return choose


@pytest.fixture
def train_few(dataset, small_bert, advisers, tmp_path):
    """train_few(format, negatives, settings) -> losses of the steps and how far the weights moved."""

    def train(format: str, negatives: int, settings: dict, check: bool = True) -> tuple[list[float], float]:
        info, data = dataset(format, 40, max(negatives, 1))
        values = {"base_model": str(small_bert()), "batch_size": 8, "learning_rate": 1e-3, "epochs": 1, "max_train_rows": 24,
                  "warmup_ratio": 0, "engine": "stock", "precision": "fp32"}  # fmt: skip
        config = make_config({**values, **advisers(settings), **settings})
        if check:
            check_fit(info, config, data)
        rows = plan_rows(data, config)
        model = build_model(config, "cpu")
        before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
        taught = ask(data.take(rows.train), config, CPU, lambda: None) if has_teacher(config) else None
        loss = build_loss(model, config, None if taught is None else taught.shape[-1])
        seen, epoch = Losses(), Epoch()
        trainer = SentenceTransformerTrainer(
            model=model,
            args=training_arguments(RunFolder(tmp_path), config, rows, "fp32", CPU, "stock"),
            train_dataset=feed(data, rows.train, config, taught, epoch),
            loss=loss,
            callbacks=[seen, epoch],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        after = torch.cat([p.detach().flatten() for p in model.parameters()])
        assert trainer.state.global_step == rows.steps >= 2
        return seen.values[: rows.steps], float((after - before).abs().max())

    return train


@pytest.mark.parametrize("case", ALLOWED, ids=names)
def test_every_allowed_combination_trains(case, train_few):
    format, negatives, loss, modifier = case
    values, moved = train_few(format, negatives, {"loss": loss.id, "modifier": modifier.id})
    assert all(value == value and abs(value) != float("inf") for value in values)
    assert max(values) > 0
    assert moved > 1e-6
