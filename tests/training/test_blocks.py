"""The drawing of a model tells what is built: its figures are those of the real one."""

import pytest

from studio.catalog.designs import DESIGNS
from studio.training.bases import base_of
from studio.training.blocks import blocks_of, total_parameters
from studio.training.config import make_config
from studio.training.fresh import build_base
from studio.training.model import build_model

pytestmark = pytest.mark.model


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"base_model": "wordllama-l2-supercat-256"},
        {"projection": 64, "normalize": "off"},
        {
            "base_model": "TINY",
            "token_layers": "weighted",
            "pooling": "mean+max",
            "projection": 64,
            "projection_activation": "tanh",
            "normalize": "on",
        },
    ],
)
def test_what_is_drawn_is_what_is_built(settings, tiny_model):
    if settings.get("base_model") == "TINY":
        settings = {**settings, "base_model": str(tiny_model)}
    config = make_config(settings)
    blocks, model = blocks_of(config), build_model(config)
    assert [block.kind for block in blocks] == [type(module).__name__ for module in model]
    assert blocks[-1].dimension == model.get_embedding_dimension()
    # A plain transformer's file has a head that is not loaded, or lacks a pooler that is: a hundredth.
    assert total_parameters(blocks) == pytest.approx(sum(p.numel() for p in model.parameters()), rel=1e-2)


@pytest.mark.parametrize("name", [design.id for design in DESIGNS])
def test_a_new_model_is_drawn_before_it_is_built(name, dataset, tmp_path):
    import torch

    texts = dataset("pair", 120)[1]["anchor"].to_pylist()
    config = make_config(
        {"base_model": name, "width": 32, "vocabulary": 150, **({"layers": 3} if name == "new:bert" else {})}
    )
    planned = blocks_of(config)
    base = build_base(base_of(config), config, texts, tmp_path / "built", torch.device("cpu"))
    built = blocks_of(make_config({"base_model": str(base.path)}))
    assert [block.kind for block in planned] == [block.kind for block in built]
    assert [block.dimension for block in planned] == [block.dimension for block in built]
    # 150 tokens are soon found: the vocabulary is full, and the plan exact.
    assert total_parameters(planned) == total_parameters(built)


def test_what_has_to_be_downloaded_is_drawn_as_far_as_it_is_known():
    assert total_parameters(blocks_of(make_config({"base_model": "somebody/some-model"}))) is None
    known = blocks_of(make_config({"base_model": "intfloat/multilingual-e5-small", "projection": 100}))
    assert known[-1].parameters == 384 * 100 + 100
