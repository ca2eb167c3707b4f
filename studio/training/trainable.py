"""What of a model is trained: all of it, its upper layers, or small matrices added to it (LoRA)."""

import torch
from peft import LoraConfig
from peft.tuners.tuners_utils import BaseTunerLayer
from sentence_transformers import SentenceTransformer
from torch import nn

from studio.errors import ConfigError
from studio.training.config import TrainConfig

EMBEDDINGS = ("embeddings", "embed_tokens", "wte", "wpe", "shared")
"""Attributes of transformers' models that hold what the lowest layer reads."""


def choose_trainable(model: SentenceTransformer, config: TrainConfig) -> None:
    """Add the adapters and freeze the layers that ``config`` asks for, in place.

    Adapters go to every linear layer of the transformer; its own weights stay as they are then.

    Raises:
        ConfigError: the model's layers cannot be told apart.
    """
    if config.lora_rank:
        model.add_adapter(
            LoraConfig(
                r=config.lora_rank,
                lora_alpha=config.lora_alpha,
                lora_dropout=config.lora_dropout,
                target_modules="all-linear",
            )
        )
    if config.freeze_layers:
        _freeze(model.transformers_model, config.freeze_layers)


def compute_twice(model: SentenceTransformer) -> None:
    """Gradient checkpointing: layers are computed again in the backward pass instead of remembered.

    Raises:
        ConfigError: the model does not take it.
    """
    if not can_compute_twice(model):
        raise ConfigError(
            "This base model does not take gradient checkpointing.", hint="Leave 'Gradient checkpointing' off."
        )
    model.transformers_model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})


def can_compute_twice(model: SentenceTransformer) -> bool:
    """Whether :func:`compute_twice` works on the model."""
    return bool(getattr(model.transformers_model, "supports_gradient_checkpointing", False))


def merge_adapters(model: SentenceTransformer) -> None:
    """Add LoRA's matrices to the weights that they belong to and leave a plain model, in place."""
    inner = model.transformers_model
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]
    if not layers:
        return
    for name, layer in layers:
        layer.merge(safe_merge=True)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, layer.get_base_layer())
    del inner.peft_config
    inner._hf_peft_config_loaded = False
    for parameter in model.parameters():
        parameter.requires_grad_(True)


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training moves, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def restore(model: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Put ``weights`` (as :func:`trained` names them) back. Raises KeyError when they are another model's."""
    parameters = trained(model)
    if parameters.keys() != weights.keys():
        raise KeyError("the saved weights are not those of this model")
    for name, parameter in parameters.items():
        parameter.copy_(weights[name])


def frozen_names(inner: nn.Module) -> tuple[list[str], str] | None:
    """Names, in a transformer, of what its lowest layer reads and of the list of its layers; None: they cannot be told."""
    count = getattr(inner.config, "num_hidden_layers", None)
    lists = [
        name for name, module in inner.named_modules() if isinstance(module, nn.ModuleList) and len(module) == count
    ]
    if not lists:
        return None
    below = [name for name, _ in inner.named_modules() if name.rpartition(".")[2] in EMBEDDINGS]
    return below, lists[0]


def _freeze(inner: nn.Module, layers: int) -> None:
    found = frozen_names(inner)
    if found is None:
        raise ConfigError(
            "The layers of this base model cannot be told apart.", hint="Leave 'Frozen layers' at 0, or use LoRA."
        )
    below, blocks = found
    for module in (*map(inner.get_submodule, below), *inner.get_submodule(blocks)[:layers]):
        module.requires_grad_(False)
