"""The fast engine computes what the stock trainer computes."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.trainer import BaseTrainer
from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator
from torch import nn

from studio.catalog.losses import LOSSES, MODIFIERS
from studio.training.config import make_config
from studio.training.engine.dropout import ByteDropout, byte_dropout
from studio.training.engine.fast import fast, fits
from studio.training.engine.packing import lay_out, packed
from studio.training.feeding import feed
from studio.training.fit import modifier_misfit, packs
from studio.training.model import build_model
from studio.training.objective import build_loss, companions
from studio.training.teacher import ask, has_teacher
from studio.training.train import choose_engine

pytestmark = pytest.mark.model

COLUMNS = (
    ["Where is my card?", "I lost my phone, and with it the app that I pay with. What now?", "Top up", "Fees"],
    ["Card arrival", "Lost or stolen phone", "Topping up by card", "Fees abroad, and why they are charged at all"],
    ["Age limit", "Exchange rate", "Verify my identity, please", "No"],
)


@pytest.fixture
def build(tiny_model):
    """build(**settings) -> the tiny transformer without dropout, in training mode."""

    def make(**settings) -> SentenceTransformer:
        model = build_model(make_config({"base_model": str(tiny_model), "batch_size": 4, **settings}), "cpu")
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return model.train()

    return make


def step(model: SentenceTransformer, loss: nn.Module, rows: Dataset) -> tuple[float, torch.Tensor]:
    """Loss and gradient of one batch, as the Trainer feeds it."""
    model.zero_grad()
    inputs = SentenceTransformerDataCollator(model.preprocess)([rows[i] for i in range(len(rows))])
    value = loss(*BaseTrainer.collect_features(None, inputs))
    value.backward()
    return value.item(), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


SERVED = [
    (loss, modifier)
    for loss in LOSSES
    for modifier in MODIFIERS
    if packs(loss, modifier) and not modifier_misfit(modifier, loss)
]


@pytest.fixture
def objective(build, small_bert, dataset):
    """objective(loss, modifier) -> the tiny transformer, its loss and a batch of eight rows."""

    def make(loss, modifier) -> tuple[SentenceTransformer, nn.Module, Dataset]:
        takes = {p.id for p in loss.parameters}
        models = {"guide_model": small_bert(24), "teacher_model": small_bert(32, 1)}
        settings = {name: str(folder) for name, folder in models.items() if name in takes}
        settings |= {"mini_batch_size": 3} if "mini_batch_size" in takes else {}
        settings |= {"base_model": str(small_bert()), "loss": loss.id, "modifier": modifier.id, "batch_size": 8}
        config = make_config(settings)
        model = build(**settings)
        rows = np.arange(0, 40, 5)
        data = dataset(loss.formats[0], 40)[1].take(rows)
        data = data.set_column(1, "class", pa.array(["a", "b"] * 4)) if "class" in data.column_names else data
        data = data.set_column(2, "label", pa.array([0, 1] * 4)) if "label" in data.column_names else data
        taught = ask(data, config, torch.device("cpu"), lambda: None) if has_teacher(config) else None
        fed = feed(data, np.arange(8), config, taught)
        return model, build_loss(model, config), fed

    return make


@pytest.mark.parametrize(("loss", "modifier"), SERVED, ids=lambda record: record.id)
def test_every_loss_and_its_gradient_equal_the_stock_ones(objective, loss, modifier):
    model, criterion, rows = objective(loss, modifier)
    stock, stock_gradient = step(model, criterion, rows)
    with fast(model, False, companions(criterion)):
        value, gradient = step(model, criterion, rows)
    assert value == pytest.approx(stock, abs=1e-4)
    assert stock_gradient.abs().max() > 0
    torch.testing.assert_close(gradient, stock_gradient, atol=1e-5 * float(stock_gradient.abs().max()), rtol=1e-3)


def test_a_guide_with_the_same_tokens_reads_the_same_packed_batches(objective, small_bert, build, dataset):
    values = {
        "base_model": str(small_bert()),
        "loss": "GISTEmbedLoss",
        "guide_model": str(small_bert(24)),
        "batch_size": 8,
    }
    config = make_config({**values, "max_seq_length": 16})
    model = build(**config.model_dump())
    criterion = build_loss(model, config)
    assert not criterion.must_retokenize
    rows = feed(dataset("pair", 8)[1], np.arange(8), config)
    stock, _ = step(model, criterion, rows)
    with fast(model, False, companions(criterion)):
        assert step(model, criterion, rows)[0] == pytest.approx(stock, abs=1e-4)


def test_what_the_engine_cannot_serve_trains_with_the_stock_one(build, small_bert):
    for settings in ({"loss": "DenoisingAutoEncoderLoss"}, {"modifier": "AdaptiveLayer"}, {"modifier": "Matryoshka2d"}):
        config = make_config({"base_model": str(small_bert()), **settings})
        model = build(**config.model_dump())
        assert choose_engine(config, model) == "fast"
        assert choose_engine(config, model, build_loss(model, config)) == "stock"


@pytest.mark.parametrize("pooling", ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"])
def test_packed_texts_have_the_embeddings_of_padded_ones(build, pooling):
    model = build(pooling=pooling).eval()
    texts = [text for column in COLUMNS for text in column]
    expected = model.encode(texts, convert_to_tensor=True)
    with packed(model):
        assert "attention_mask" not in model.preprocess(texts)
        found = model.encode(texts, convert_to_tensor=True)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_bf16_stays_inside_the_transformer_and_ends_with_evaluation(build):
    model = build()
    texts = COLUMNS[0]
    exact = model.encode(texts, convert_to_tensor=True)
    with fast(model, bf16=True):
        rough = model.train()(model.preprocess(texts))["sentence_embedding"]
        assert rough.dtype == torch.float32
        assert 1e-7 < (rough - exact).abs().max() < 0.1
        model.eval()
        torch.testing.assert_close(model(model.preprocess(texts))["sentence_embedding"], exact, atol=1e-5, rtol=1e-5)


def test_afterwards_the_model_is_as_it_was(build, tmp_path):
    model = build()
    kinds = [type(module) for module in model.modules()]
    attention = model[0].config._attn_implementation
    with fast(model, bf16=True):
        assert any(isinstance(module, ByteDropout) for module in model.modules())
        model.save_pretrained(str(tmp_path / "checkpoint"))
    assert [type(module) for module in model.modules()] == kinds
    assert model[0].config._attn_implementation == attention
    assert "attention_mask" in model.preprocess(["text"])
    assert "studio_packed" not in "".join(path.read_text() for path in (tmp_path / "checkpoint").rglob("*.json"))


def test_models_that_it_cannot_pack_are_left_to_the_stock_trainer(static_model, build):
    assert fits(build())
    assert not fits(static_model)
    decoder = build()
    for layer in decoder[0].model.encoder.layer:
        layer.attention.self.register_forward_pre_hook(_narrow, with_kwargs=True)
    assert not fits(decoder)


def _narrow(module, arguments, settings):
    """As a model whose tokens see their neighbours only would call its attention."""
    return arguments, {**settings, "sliding_window": 8}


def test_groups_hold_every_token_once_and_texts_of_one_length():
    layout = lay_out(torch.tensor([0, 3, 5, 8, 9]))
    assert layout.groups == ((1, 1), (2, 1), (3, 2))
    assert layout.order.tolist() == [8, 3, 4, 0, 1, 2, 5, 6, 7]
    assert layout.order[layout.back].tolist() == list(range(9))


def test_byte_dropout_keeps_the_mean_drops_the_share_and_repeats_with_the_seed():
    torch.manual_seed(1)
    ones = torch.ones(1_000_003, requires_grad=True)
    dropped = byte_dropout(ones, 0.1)
    assert float((dropped == 0).float().mean()) == pytest.approx(26 / 256, abs=0.002)
    assert float(dropped.detach().mean()) == pytest.approx(1, abs=0.003)
    dropped.sum().backward()
    assert torch.equal(ones.grad, dropped.detach())
    torch.manual_seed(1)
    assert torch.equal(byte_dropout(torch.ones(1_000_003), 0.1), dropped.detach())


def test_byte_dropout_does_nothing_outside_training_or_without_a_probability():
    x = torch.ones(10)
    assert torch.equal(ByteDropout(0.5).eval()(x), x)
    assert torch.equal(ByteDropout(0.0).train()(x), x)
