"""LoRA, frozen layers and gradient checkpointing: what moves, what does not, and what is saved in the end."""

import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from torch import nn

from studio.errors import ConfigError
from studio.training.config import make_config
from studio.training.engine.fast import fast, fits
from studio.training.memory import Memory
from studio.training.suggest import check_fit
from studio.training.train import new_model
from studio.training.trainable import merge_adapters, trained
from tests.training.test_engine import COLUMNS, step
from tests.training.test_train import run

pytestmark = pytest.mark.model
ROWS = Dataset.from_dict(dict(zip(("anchor", "positive", "negative"), COLUMNS, strict=True)))
SMALL = {"batch_size": 8, "learning_rate": 1e-2, "evaluations": 1, "precision": "fp32"}


@pytest.fixture
def build(tiny_model, dataset):
    """build(**settings) -> the tiny transformer as training starts from it, without dropout."""

    def make(**settings) -> SentenceTransformer:
        config = make_config({"base_model": str(tiny_model), "batch_size": 4, **settings})
        model = new_model(config, [dataset("pair", 20)[0]], Memory())
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return model.train()

    return make


def weights(model: SentenceTransformer) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def test_lora_ends_as_a_plain_model_that_needs_no_peft(run_folder, tiny_model, tmp_path):
    done = run(run_folder({**SMALL, "base_model": str(tiny_model), "lora_rank": 4}, rows=60))
    base = new_model(make_config({"base_model": str(tiny_model)}), [done.info], Memory())
    moved = {n for n, p in weights(done.model).items() if not torch.equal(p, weights(base)[n])}
    assert moved
    assert all(name.endswith("weight") and "LayerNorm" not in name for name in moved)
    done.model.save_pretrained(str(tmp_path / "out"))
    assert not list((tmp_path / "out").glob("adapter*"))
    texts = list(COLUMNS[0])
    loaded = SentenceTransformer(str(tmp_path / "out"), local_files_only=True)
    torch.testing.assert_close(
        loaded.encode(texts, convert_to_tensor=True), done.model.encode(texts, convert_to_tensor=True)
    )


def test_merged_weights_embed_as_the_adapters_did(build):
    model = build(lora_rank=4).eval()
    with torch.no_grad():
        for parameter in trained(model).values():
            parameter.normal_(std=0.1)
    texts = list(COLUMNS[0])
    expected = model.encode(texts, convert_to_tensor=True)
    merge_adapters(model)
    assert not any("lora" in name for name, _ in model.named_parameters())
    torch.testing.assert_close(model.encode(texts, convert_to_tensor=True), expected, atol=1e-5, rtol=1e-5)


def test_frozen_layers_do_not_move(run_folder, tiny_model):
    done = run(run_folder({**SMALL, "base_model": str(tiny_model), "freeze_layers": 1}, rows=60))
    base = weights(new_model(make_config({"base_model": str(tiny_model)}), [done.info], Memory()))
    same = {name for name, p in weights(done.model).items() if torch.equal(p, base[name])}
    assert any(".embeddings." in name for name in same)
    assert {name for name in base if ".embeddings." in name or ".layer.0." in name} <= same
    assert not any(".layer.1." in name for name in same)


@pytest.mark.parametrize("settings", [{"lora_rank": 4}, {"freeze_layers": 1}, {"gradient_checkpointing": True}])
def test_the_fast_engine_trains_them_as_the_stock_one_does(build, settings):
    from studio.training.objective import build_loss

    model = build(**settings)
    with torch.no_grad():
        for parameter in trained(model).values():
            parameter.add_(torch.randn_like(parameter) * 0.01)  # an adapter starts at nothing
    assert fits(model)
    loss = build_loss(model, make_config({"batch_size": 4}))
    stock, stock_gradient = step(model, loss, ROWS)
    with fast(model, bf16=False):
        value, gradient = step(model, loss, ROWS)
    assert value == pytest.approx(stock, abs=1e-4)
    assert stock_gradient.abs().max() > 0
    torch.testing.assert_close(gradient, stock_gradient, atol=1e-4 * float(stock_gradient.abs().max()), rtol=1e-2)


def test_gradient_checkpointing_changes_nothing_but_the_memory(build):
    from studio.training.objective import build_loss

    plain, twice = build(), build(gradient_checkpointing=True)
    config = make_config({"batch_size": 4})
    value, gradient = step(plain, build_loss(plain, config), ROWS)
    again, other = step(twice, build_loss(twice, config), ROWS)
    assert again == pytest.approx(value, abs=1e-6)
    torch.testing.assert_close(other, gradient)


@pytest.mark.parametrize("name", ["lora_rank", "freeze_layers", "gradient_checkpointing"])
def test_a_static_model_is_refused_with_the_reason(dataset, name):
    info, data = dataset("pair", 60)
    config = make_config({"base_model": "wordllama-l2-supercat-256", "batch_size": 8, name: 1})
    with pytest.raises(ConfigError, match="has no layers of a transformer"):
        check_fit(info, config, data)


def test_more_frozen_layers_than_the_model_has_are_refused_with_the_number(dataset, tiny_model):
    info, data = dataset("pair", 60)
    config = make_config({"base_model": str(tiny_model), "batch_size": 8, "freeze_layers": 2})
    with pytest.raises(ConfigError, match="has 2 layers") as caught:
        check_fit(info, config, data)
    assert caught.value.hint == "Freeze at most 1."
