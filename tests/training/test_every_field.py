"""Every setting changes what the worker does. A field added without an entry here fails."""

import pytest
import torch

from studio.errors import ConfigError
from studio.training.config import FIELDS, make_config
from studio.training.engine.fast import has_fast_bf16
from studio.training.folder import RunFolder
from studio.training.model import build_model
from studio.training.objective import batch_sampler, build_loss
from studio.training.rows import plan_rows
from studio.training.train import choose_engine, choose_precision, looks, training_arguments

pytestmark = pytest.mark.model
CPU = torch.device("cpu")


@pytest.fixture
def seen(dataset, tiny_model, tmp_path):
    """seen(part, **settings): what a config with these settings makes of one part of a training."""
    _, data = dataset("pair", 200)

    def look(part: str, **settings):
        config = make_config({"base_model": str(tiny_model), "batch_size": 8, **settings})
        if part == "model":
            return build_model(config)
        if part == "loss":
            return build_loss(build_model(make_config({"base_model": str(tiny_model)})), config)
        rows = plan_rows(data, config)
        if part == "rows":
            return rows
        if part == "engine":
            return choose_engine(config, build_model(config))
        engine = config.engine
        return training_arguments(RunFolder(tmp_path), config, rows, choose_precision(config, CPU, engine), CPU, engine)

    return look


def argument(name: str, setting: str, value, expected=None):
    def check(seen):
        assert getattr(seen("arguments", **{setting: value}), name) == (value if expected is None else expected)
        assert getattr(seen("arguments"), name) != (value if expected is None else expected)

    return check


def base_model(seen):
    assert seen("model").get_embedding_dimension() == 128
    assert seen("model", base_model="wordllama-l2-supercat-256").get_embedding_dimension() == 256


def pooling(seen):
    assert seen("model")[1].pooling_mode == "mean"
    for mode in ("cls", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"):
        assert seen("model", pooling=mode)[1].pooling_mode == mode


def loss(seen):
    assert type(seen("loss", loss="CoSENTLoss")).__name__ == "CoSENTLoss"
    assert type(seen("loss")).__name__ == "MultipleNegativesRankingLoss"
    assert batch_sampler(make_config({})) != batch_sampler(make_config({"loss": "CoSENTLoss"}))


def epochs(seen):
    assert seen("rows", epochs=2.5).steps > 2 * seen("rows").steps
    argument("num_train_epochs", "epochs", 2.5)(seen)


def batch_size(seen):
    assert seen("rows", batch_size=4).steps > seen("rows").steps
    argument("per_device_train_batch_size", "batch_size", 4)(seen)


def max_seq_length(seen):
    text = ["one two three " * 50]
    lengths = [seen("model", max_seq_length=n).preprocess(text)["input_ids"].shape[1] for n in (16, None)]
    assert lengths[0] == 16 < lengths[1]
    static = {"base_model": "wordllama-l2-supercat-256"}
    lengths = [len(seen("model", max_seq_length=n, **static).preprocess(text)["input_ids"]) for n in (16, None)]
    assert lengths[0] == 16 < lengths[1]


def loss_scale(seen):
    assert (seen("loss", loss_scale=7.0).scale, seen("loss").scale) == (7.0, 20.0)


def loss_margin(seen):
    assert seen("loss", loss="ContrastiveLoss", loss_margin=0.9).margin == 0.9
    assert seen("loss", loss="TripletLoss", loss_margin=0.9).triplet_margin == 0.9


def mini_batch_size(seen):
    loss = "CachedMultipleNegativesRankingLoss"
    assert [seen("loss", loss=loss, mini_batch_size=n).mini_batch_size for n in (4, None)] == [4, 32]


def heldout_share(seen):
    assert len(seen("rows", heldout_share=0.4).heldout) > 3 * len(seen("rows").heldout)


def max_train_rows(seen):
    assert len(seen("rows", max_train_rows=40).train) == 40 < len(seen("rows").train)


def evaluations(seen):
    assert (len(looks(100, 20)), len(looks(100, 5)), len(looks(100, 0)), len(looks(3, 20))) == (20, 5, 1, 3)


def warmup_ratio(seen):
    steps = seen("rows").steps
    assert seen("arguments", warmup_ratio=0.5).warmup_steps == pytest.approx(steps / 2, abs=1)
    assert seen("arguments", warmup_ratio=0).warmup_steps == 0
    assert seen("arguments", warmup_ratio=1).warmup_steps == steps


def precision(seen):
    stock = {"engine": "stock"}
    arguments = seen("arguments", precision="bf16", **stock)
    assert (arguments.bf16, arguments.fp16) == (True, False)
    assert not seen("arguments", precision="auto", **stock).bf16
    assert not seen("arguments", precision="bf16").bf16  # the engine does it, for the transformer alone
    chosen = [choose_precision(make_config({"precision": name}), CPU, "fast") for name in ("bf16", "fp32", "auto")]
    assert chosen == ["bf16", "fp32", "bf16" if has_fast_bf16() else "fp32"]
    with pytest.raises(ConfigError, match="fp16"):
        seen("arguments", precision="fp16")


def engine(seen):
    assert [seen("engine", engine=name) for name in ("fast", "stock")] == ["fast", "stock"]


def seed(seen):
    assert seen("rows", seed=1).heldout.tolist() != seen("rows", seed=2).heldout.tolist()
    argument("seed", "seed", 7)(seen)
    argument("data_seed", "seed", 7)(seen)


EFFECTS = {
    "base_model": base_model,
    "pooling": pooling,
    "loss": loss,
    "epochs": epochs,
    "batch_size": batch_size,
    "learning_rate": argument("learning_rate", "learning_rate", 3e-3),
    "max_seq_length": max_seq_length,
    "loss_scale": loss_scale,
    "loss_margin": loss_margin,
    "mini_batch_size": mini_batch_size,
    "heldout_share": heldout_share,
    "max_train_rows": max_train_rows,
    "evaluations": evaluations,
    "warmup_ratio": warmup_ratio,
    "lr_scheduler": argument("lr_scheduler_type", "lr_scheduler", "cosine"),
    "weight_decay": argument("weight_decay", "weight_decay", 0.2),
    "max_grad_norm": argument("max_grad_norm", "max_grad_norm", 0.5),
    "gradient_accumulation_steps": argument("gradient_accumulation_steps", "gradient_accumulation_steps", 4),
    "precision": precision,
    "engine": engine,
    "seed": seed,
}


@pytest.mark.parametrize("field", [field.id for field in FIELDS])
def test_every_setting_changes_what_the_worker_does(field, seen):
    EFFECTS[field](seen)


def test_no_effect_is_tested_for_a_setting_that_is_gone():
    assert set(EFFECTS) == {field.id for field in FIELDS}
