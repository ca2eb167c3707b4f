"""A static model's own engine: the same training, of the rows of its table that some text reads."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

from studio.training.config import make_config
from studio.training.engine.static import cut_with, static
from studio.training.engine.tokens import Tokens, keep
from studio.training.model import build_model
from studio.training.train import choose_engine
from tests.training.test_train import run

pytestmark = pytest.mark.model
TEXTS = ["Where is my card?", "I lost my phone", "Top up", "", "Where is my card?"]


@pytest.fixture(scope="module")
def folder(small_bert, tmp_path_factory):
    """A static model of 500 tokens and 16 dimensions."""
    place = tmp_path_factory.mktemp("static")
    torch.manual_seed(0)
    tokenizer = Tokenizer.from_file(str(small_bert() / "tokenizer.json"))
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu").save(str(place))
    return str(place)


@pytest.fixture
def model(folder):
    return build_model(make_config({"base_model": folder}), "cpu")


def tokens_of(model, place, texts=TEXTS, name="one") -> Tokens:
    return keep(place, [texts[:2], texts[2:]], cut_with(model[0]), model[0].num_embeddings, name)


@pytest.mark.parametrize(
    ("format", "settings"),
    [
        ("pair", {"keep_best": True}),
        ("scored_pair", {"loss": "CoSENTLoss", "modifier": "Matryoshka", "max_grad_norm": 0.01}),
        ("pair", {"weight_decay": 0.1, "gradient_accumulation_steps": 2}),
    ],
    ids=["in-batch negatives", "scores, cut short", "weight decay"],
)
def test_every_weight_ends_where_the_stock_trainer_takes_it(run_folder, folder, events_of, format, settings):
    values = {"base_model": folder, "batch_size": 8, "learning_rate": 1e-2, "evaluations": 2, **settings}
    made = {}
    for engine in ("stock", "fast"):
        place = run_folder({**values, "engine": engine}, format, 80, name=engine)
        made[engine] = run(place, checkpoint_every_s=0)
        assert events_of(place, "plan")[0]["engine"] == {"stock": "stock", "fast": "static"}[engine]
    before, *after = (
        one[0].embedding.weight.detach()
        for one in (SentenceTransformer(folder, device="cpu"), made["stock"].model, made["fast"].model)
    )
    torch.testing.assert_close(after[1], after[0], atol=2e-6, rtol=1e-5)
    assert made["fast"].kept_step == made["stock"].kept_step
    moved = (after[0] != before).any(dim=1)
    assert 50 < moved.sum() < len(moved) or "weight_decay" in settings


def test_it_goes_on_from_its_checkpoint(run_folder, folder, events_of):
    values = {"base_model": folder, "batch_size": 8, "learning_rate": 1e-2, "evaluations": 2, "keep_best": True}
    place = run_folder(values, rows=80)
    first = run(place, checkpoint_every_s=0)
    again = run(place, checkpoint_every_s=0)
    assert any("Goes on from the checkpoint" in event["message"] for event in events_of(place, "note"))
    assert torch.equal(again.model[0].embedding.weight, first.model[0].embedding.weight)


def test_texts_are_cut_once_and_others_as_ever(model, tmp_path):
    tokens = tokens_of(model, tmp_path)
    texts = [TEXTS[2], TEXTS[0], TEXTS[3]]
    ids, lengths = tokens.of(texts)
    expected = model[0].preprocess(texts)
    assert ids.tolist() == expected["input_ids"].tolist()
    assert (np.cumsum(lengths) - lengths).tolist() == expected["offsets"].tolist()
    assert tokens.of(["Top up", "never seen"]) is None
    written = (tmp_path / "ids.bin").stat().st_mtime_ns
    tokens_of(model, tmp_path, texts=["other"])
    assert (tmp_path / "ids.bin").stat().st_mtime_ns == written
    tokens_of(model, tmp_path, texts=["Fees", "other", "more"], name="two")
    assert Tokens(tmp_path).of(["Fees"]) is not None


def test_within_all_texts_have_the_embeddings_they_had_and_afterwards_it_is_as_it_was(model, tmp_path):
    tokens = tokens_of(model, tmp_path)
    texts = [*TEXTS, "Exchange rate of another currency", "Fees abroad"]
    expected = model.eval().encode(texts, convert_to_tensor=True)
    table = model[0].embedding.weight.detach().clone()
    with static(model, tokens, decays=False):
        assert len(next(model.parameters())) == tokens.used.sum() < len(table)
        assert torch.equal(model.encode(texts, convert_to_tensor=True), expected)
        model.train()
        found = model(model.preprocess(texts))["sentence_embedding"]
        torch.testing.assert_close(found, expected)
        found.sum().backward()
        assert next(model.parameters()).grad.abs().sum() > 0
        model.eval()
    assert torch.equal(model[0].embedding.weight, table)
    assert {"forward", "preprocess"}.isdisjoint(vars(model[0]))


def test_models_with_prompts_or_in_bf16_train_with_the_stock_engine(model, folder):
    assert choose_engine(make_config({"base_model": folder}), model) == "static"
    assert choose_engine(make_config({"base_model": folder, "precision": "bf16"}), model) == "stock"
    assert choose_engine(make_config({"base_model": folder, "engine": "stock"}), model) == "stock"
    model.prompts["query"] = "query: "
    assert choose_engine(make_config({"base_model": folder}), model) == "stock"
