"""Build the model that a config asks for."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from tokenizers import Tokenizer

from studio.errors import ConfigError, ModelError
from studio.training.bases import Base, download, limits, resolve_base, tokenizer_file
from studio.training.config import TrainConfig


def build_model(config: TrainConfig, device: str | None = None) -> SentenceTransformer:
    """The base model with the config's pooling and longest text, weights in fp32.

    Raises:
        ModelError: the base model cannot be had or loaded.
        ConfigError: it does not take the pooling or the longest text.
    """
    base = download(resolve_base(config.base_model))
    model = load_base(base, device)
    if config.pooling != "default":
        _replace_pooling(model, config.pooling, base)
    if config.max_seq_length is not None:
        _limit_length(model, config.max_seq_length, base)
    return model


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
    return model.float()


def _static_module(base: Base) -> StaticEmbedding:
    tokenizer = Tokenizer.from_file(str(tokenizer_file(base)))
    tokenizer.no_truncation()
    weights = load_file(Path(base.path))
    name = "embedding.weight" if "embedding.weight" in weights else "embeddings"
    return StaticEmbedding(tokenizer, embedding_weights=weights[name].float())


def _replace_pooling(model: SentenceTransformer, mode: str, base: Base) -> None:
    for name, module in model.named_children():
        if isinstance(module, Pooling):
            model._modules[name] = Pooling(module.embedding_dimension, mode, include_prompt=module.include_prompt)
            return
    raise ConfigError(f"{base.label} has no pooling to choose.", hint="Leave the pooling at the model's own.")


def _limit_length(model: SentenceTransformer, tokens: int, base: Base) -> None:
    first = model[0]
    if isinstance(first, StaticEmbedding):
        first.tokenizer.enable_truncation(tokens)
        return
    position_limit = limits(base).position_limit
    if isinstance(first, Transformer) and position_limit and tokens > position_limit:
        raise ConfigError(
            f"{base.label} takes at most {position_limit} tokens; the longest text is set to {tokens}.",
            hint=f"Choose {position_limit} or less, or leave it empty.",
        )
    model.max_seq_length = tokens


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
