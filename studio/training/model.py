"""Build the model that a config asks for."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import (
    CNN,
    BoW,
    LayerNorm,
    Pooling,
    StaticEmbedding,
    WeightedLayerPooling,
    WordWeights,
)
from tokenizers import Tokenizer
from torch import nn

from studio.catalog.poolings import JOIN
from studio.errors import ConfigError, ModelError
from studio.training.bases import Base, base_of, limits, tokenizer_file
from studio.training.config import FIELD, TrainConfig
from studio.training.fetch import download
from studio.training.prompts import set_prompts

FIRST_MIXED = 1
"""First layer that counts in a mean of layers: 0 would be the embeddings below them."""
ACTIVATIONS = {"none": nn.Identity, "tanh": nn.Tanh}


def build_model(config: TrainConfig, device: str | None = None, base: Base | None = None) -> SentenceTransformer:
    """The base model with the config's pooling, projection, length, prompts and similarity; weights in fp32.

    ``base``: the config's, with its files here; needed where it is built (see fresh.py), else found by its name.

    Raises:
        ModelError: the base model cannot be had or loaded.
        ConfigError: it does not take the pooling or the longest text.
    """
    base = base or download(base_of(config))
    model = load_base(base, device)
    if config.pooling != "default":
        _replace_pooling(model, config.pooling, base)
    if config.token_layers == "weighted":
        _mix_layers(model, base)
    if config.projection is not None or config.normalize != "keep":
        _replace_ending(model, config)
    if config.max_seq_length is not None:
        _limit_length(model, config.max_seq_length, base)
    set_prompts(model, config.query_prompt, config.document_prompt)
    if config.similarity != "default":
        model.similarity_fn_name = config.similarity
    return model


def changes_base(config: TrainConfig) -> bool:
    """Whether the model that :func:`build_model` makes embeds texts otherwise than the base model does."""
    return (
        config.pooling != "default"
        or config.token_layers != "last"
        or config.projection is not None
        or config.normalize != "keep"
        or config.similarity != "default"
        or (config.query_prompt, config.document_prompt) != (None, None)
    )


def load_base(base: Base, device: str | None = None) -> SentenceTransformer:
    """A base whose files are here. Raises ModelError when they cannot be loaded."""
    try:
        if base.path.is_file():
            modules = [_static_module(base)]
            model = SentenceTransformer(modules=modules, device=device, similarity_fn_name="cosine")
        else:
            model = SentenceTransformer(
                str(base.path),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True, "dtype": torch.float32},
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise ModelError(
            f"The model {base.label} could not be loaded.", hint=f"Its files may be damaged: {_first_line(error)}"
        ) from error
    # No request to the hub while a model card is written.
    model.model_card_data.local_files_only = True
    if base.record is not None:
        set_prompts(model, base.record.query_prompt or None, base.record.document_prompt or None)
    hold_fixed(model)
    return model.float()


def hold_fixed(model: SentenceTransformer) -> None:
    """Keep from training what would not be what it was once the model is loaded again, or encoded in another batch."""
    for module in model:
        if isinstance(module, WordWeights):  # made anew from its settings when it is loaded
            module.requires_grad_(False)
        if isinstance(module, CNN):  # it sees the padding behind a text: that has to stay zero
            model[0].emb_layer.padding_idx = 0


def _static_module(base: Base) -> StaticEmbedding:
    tokenizer = Tokenizer.from_file(str(tokenizer_file(base)))
    tokenizer.no_truncation()
    weights = load_file(Path(base.path))
    name = "embedding.weight" if "embedding.weight" in weights else "embeddings"
    return StaticEmbedding(tokenizer, embedding_weights=weights[name].float())


def _replace_pooling(model: SentenceTransformer, modes: str, base: Base) -> None:
    names = list(model._modules)
    for place, (name, module) in enumerate(model.named_children()):
        if isinstance(module, Pooling):
            pooling = Pooling(
                module.embedding_dimension, tuple(modes.split(JOIN)), include_prompt=module.include_prompt
            )
            made, wanted = pooling.get_embedding_dimension(), module.get_embedding_dimension()
            if made != wanted and any(isinstance(model._modules[n], Dense | LayerNorm) for n in names[place + 1 :]):
                raise ConfigError(
                    f"{base.label} has a layer behind its pooling that takes {wanted} numbers; this pooling gives {made}.",
                    hint="Choose a single pooling instead of a combination.",
                )
            model._modules[name] = pooling
            return
    raise ConfigError(f"{base.label} has no pooling to choose.", hint="Leave the pooling at the model's own.")


def _replace_ending(model: SentenceTransformer, config: TrainConfig) -> None:
    """Put the projection where the vectors leave the model, and unit length last or not at all."""
    modules = list(model.children())
    normalized = any(isinstance(module, Normalize) for module in modules)
    modules = [module for module in modules if not isinstance(module, Normalize)]
    if config.projection is not None:
        activation = ACTIVATIONS[config.projection_activation]()
        modules.append(Dense(model.get_embedding_dimension(), config.projection, activation_function=activation))
    if config.normalize == "on" or (normalized and config.normalize == "keep"):
        modules.append(Normalize())
    _put_in(model, modules)


def _mix_layers(model: SentenceTransformer, base: Base) -> None:
    """Put a learnt mean of all layers' vectors before the pooling."""
    first, *rest = model
    if not isinstance(first, Transformer) or any(isinstance(module, WeightedLayerPooling) for module in rest):
        what = "already has a mean of its layers" if isinstance(first, Transformer) else "has no layers to mix"
        raise ConfigError(f"{base.label} {what}.", hint=f"Leave '{FIELD['token_layers'].label}' at the last layer.")
    settings = model.transformers_model.config
    settings.output_hidden_states = True
    mixed = WeightedLayerPooling(first.get_embedding_dimension(), settings.num_hidden_layers, FIRST_MIXED)
    _put_in(model, [first, mixed, *rest])


def _put_in(model: SentenceTransformer, modules: Sequence[nn.Module]) -> None:
    """Make ``model`` consist of ``modules``."""
    device = model.device
    model._modules.clear()
    for place, module in enumerate(modules):
        model.add_module(str(place), module)
    model.to(device)


def _limit_length(model: SentenceTransformer, tokens: int, base: Base) -> None:
    first = model[0]
    if isinstance(first, StaticEmbedding):
        first.tokenizer.enable_truncation(tokens)
        return
    if isinstance(first, BoW):
        raise ConfigError(f"{base.label} counts all words of a text.", hint="Leave the longest text empty.")
    position_limit = limits(base).position_limit
    if isinstance(first, Transformer) and position_limit and tokens > position_limit:
        raise ConfigError(
            f"{base.label} takes at most {position_limit} tokens; the longest text is set to {tokens}.",
            hint=f"Choose {position_limit} or less, or leave it empty.",
        )
    model.max_seq_length = tokens


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
