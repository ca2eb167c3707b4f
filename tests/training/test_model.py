import numpy as np
import pytest
import torch

from studio.errors import ConfigError, ModelError
from studio.training.config import make_config
from studio.training.model import build_model

pytestmark = pytest.mark.model


def test_a_plain_transformer_gets_mean_pooling(tiny_model):
    model = build_model(make_config({"base_model": str(tiny_model)}))
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling"]
    assert model[1].pooling_mode == "mean"


def test_other_modules_stay_when_the_pooling_is_replaced():
    model = build_model(make_config({"pooling": "cls"}))
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling", "Normalize"]
    assert model[1].pooling_mode == "cls"
    assert np.linalg.norm(model.encode("A sentence.")) == pytest.approx(1, abs=1e-5)


def test_weights_are_fp32_and_can_be_trained():
    model = build_model(make_config({"base_model": "wordllama-l2-supercat-256"}))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_static_model_knows_more_than_chance():
    model = build_model(make_config({"base_model": "wordllama-l2-supercat-256"}))
    king, queen, stone = model.encode(["the king rules", "the queen reigns", "a cheap sandwich"])
    assert king @ queen > king @ stone


def test_pooling_cannot_be_chosen_for_a_static_model():
    with pytest.raises(ConfigError, match="no pooling"):
        build_model(make_config({"base_model": "wordllama-l2-supercat-256", "pooling": "max"}))


def test_positions_that_the_model_has_not_got_are_refused(tiny_model):
    with pytest.raises(ConfigError, match="at most 512"):
        build_model(make_config({"base_model": str(tiny_model), "max_seq_length": 600}))


def test_damaged_weights_are_a_model_error(tmp_path, tiny_model):
    import shutil

    folder = shutil.copytree(tiny_model, tmp_path / "broken")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError):
        build_model(make_config({"base_model": str(folder)}))
