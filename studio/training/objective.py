"""The loss of a training and the sampler that feeds it. All of them are sentence-transformers' own."""

import inspect
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.losses import BatchHardTripletLossDistanceFunction
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from sentence_transformers.util import pairwise_cos_sim
from torch import nn
from transformers import TrainerCallback

from studio.catalog.losses import LOSS, MODIFIER
from studio.errors import ConfigError
from studio.training.bases import resolve_base
from studio.training.config import TrainConfig
from studio.training.fetch import download
from studio.training.fit import default_dims, dims_misfit
from studio.training.model import load_base
from studio.training.similarity import follow

DIRECTIONS = {
    "answers": ("query_to_doc",),
    "all": ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"),
}
DISTANCES = {
    "triplet": {
        "cosine": losses.TripletDistanceMetric.COSINE,
        "euclidean": losses.TripletDistanceMetric.EUCLIDEAN,
        "manhattan": losses.TripletDistanceMetric.MANHATTAN,
    },
    "labelled_pair": {
        "cosine": losses.SiameseDistanceMetric.COSINE_DISTANCE,
        "euclidean": losses.SiameseDistanceMetric.EUCLIDEAN,
        "manhattan": losses.SiameseDistanceMetric.MANHATTAN,
    },
    "classed_text": {
        "cosine": BatchHardTripletLossDistanceFunction.cosine_distance,
        "euclidean": BatchHardTripletLossDistanceFunction.euclidean_distance,
    },
    "texts": {"cosine": "cosine", "euclidean": "l2"},
}
"""First format of a loss, distance of the config -> what the loss class calls it."""
HEAD = "loss.safetensors"
"""In a checkpoint: weights of the loss that are no part of the model."""


def build_loss(
    model: SentenceTransformer, config: TrainConfig, teacher_dimension: int | None = None, labels: int = 2
) -> nn.Module:
    """The loss that the config names, on ``model``, with its arguments and what is put on top of it.

    ``teacher_dimension``: length of the teacher's embeddings, for losses that compare with them; ``labels``: how many a
    classifier has to tell apart.

    Raises:
        ConfigError: the lengths of embeddings do not fit the model, or no decoder can be made of it.
        ModelError: the guide cannot be had.
    """
    record = LOSS[config.loss]
    kind, arguments = loss_call(model, config, teacher_dimension, labels)
    if "guide" in arguments:
        arguments["guide"] = _guide(arguments["guide"], model)
    try:
        loss = kind(model, **arguments)
    except (ValueError, AssertionError, OSError) as error:
        if "decoder" not in record.needs:
            raise
        raise ConfigError(
            f"No decoder can be made of this base model, which {record.label} needs.",
            hint="Choose a BERT-like base model, or another loss.",
        ) from error
    loss.float()  # a decoder comes in the number format of its file
    if config.modifier == "none":
        return loss
    return getattr(losses, f"{config.modifier}Loss")(model, loss, **modifier_arguments(model, config))


def modifier_arguments(model: SentenceTransformer, config: TrainConfig) -> dict[str, Any]:
    """The settings of what is put on top of the loss, in the words of its class. Raises ConfigError: they do not fit."""
    arguments = config.modifier_arguments()
    if MODIFIER[config.modifier].cuts_dimensions:
        dimension = model.get_embedding_dimension()
        if reason := dims_misfit(config.dims, dimension, "The model"):
            raise ConfigError(reason)
        arguments["matryoshka_dims"] = list(config.dims or default_dims(dimension))
        arguments["matryoshka_weights"] = list(config.weights) or None
        if arguments["n_dims_per_step"] == "all":
            arguments["n_dims_per_step"] = -1
    return arguments


def batch_sampler(config: TrainConfig) -> BatchSamplers:
    """In-batch negatives need batches without a text twice: its own answer would count as a wrong one."""
    return BatchSamplers(LOSS[config.loss].sampler)


def companions(loss: nn.Module) -> list[SentenceTransformer]:
    """Other models that read the same batches: a guide, contrastive tension's second copy."""
    several = loss.values() if isinstance(loss, nn.ModuleDict) else (loss,)
    inner = [_innermost(one) for one in several]
    return [getattr(one, name) for one in inner for name in ("guide", "model1") if hasattr(one, name)]


def head(loss: nn.Module, model: SentenceTransformer) -> dict[str, nn.Parameter]:
    """Weights that train with the loss and are no part of ``model``: a classifier, a decoder, a second copy.

    A loss in portions calls them as the loss itself does.
    """
    own = {id(parameter) for parameter in model.parameters()}
    return {_plain(name): p for name, p in loss.named_parameters() if p.requires_grad and id(p) not in own}


def _plain(name: str) -> str:
    """A parameter's name without what is put on top of the loss."""
    return ".".join(part for part in name.split(".") if part != "loss")


class Heads(TrainerCallback):
    """Adds the loss's own weights to each checkpoint, which holds the model's alone. Before the Checkpoints callback."""

    def __init__(self, loss: nn.Module, model: SentenceTransformer):
        self._loss, self._model = loss, model

    def on_save(self, args, state, control, **kwargs):
        weights = {name: p.detach().contiguous() for name, p in head(self._loss, self._model).items()}
        if weights:
            save_file(weights, Path(args.output_dir) / f"checkpoint-{state.global_step}" / HEAD)


def restore_head(loss: nn.Module, model: SentenceTransformer, checkpoint: Path) -> None:
    """Give the loss its own weights back; does nothing for a loss that has none."""
    weights = head(loss, model)
    if weights:
        saved = {_plain(name): weight for name, weight in load_file(checkpoint / HEAD).items()}
        for name, parameter in weights.items():
            parameter.data.copy_(saved[name])


def loss_call(
    model: SentenceTransformer, config: TrainConfig, teacher_dimension: int | None, labels: int
) -> tuple[type[nn.Module], dict[str, Any]]:
    """The class of the loss and the config's settings in its words; a guide is named and not loaded."""
    record = LOSS[config.loss]
    kind = getattr(losses, record.cls or record.id)
    arguments = _arguments(model, config, teacher_dimension)
    if "num_labels" in inspect.signature(kind.__init__).parameters:
        arguments["num_labels"] = labels
    return kind, arguments | follow(kind, arguments, model.similarity_fn_name, config)


def _arguments(model: SentenceTransformer, config: TrainConfig, teacher_dimension: int | None) -> dict[str, Any]:
    record = LOSS[config.loss]
    arguments = {**config.loss_arguments(), **record.fixed}
    for name in ("teacher", "noise_ratio"):  # these are for feeding.py
        arguments.pop(name, None)
    if "distance_metric" in arguments:
        arguments["distance_metric"] = DISTANCES[record.formats[0]][arguments["distance_metric"]]
    if "similarity_fct" in arguments:
        arguments["similarity_fct"] = pairwise_cos_sim
    if "size_average" in arguments:
        arguments["size_average"] = arguments["size_average"] == "mean"
    if arguments.get("hardness_mode") == "none":
        del arguments["hardness_mode"], arguments["hardness_strength"]
    if "guide" in arguments:
        apart = arguments.pop("contrast") == "all"
        arguments |= {"contrast_anchors": apart, "contrast_positives": apart}
    elif "contrast" in arguments:
        arguments["directions"] = DIRECTIONS[arguments.pop("contrast")]
    dimension = model.get_embedding_dimension()
    if record.id == "SoftmaxLoss":
        arguments["embedding_dimension"] = dimension
    if record.id == "MegaBatchMarginLoss":
        arguments["use_mini_batched_version"] = not isinstance(model[0], StaticEmbedding)
    if record.feeding == "teacher_vectors" and teacher_dimension not in (None, dimension):
        arguments["projection_dim"] = teacher_dimension
    return arguments


def _guide(name: str, model: SentenceTransformer) -> SentenceTransformer:
    """A model that is asked and never trained."""
    return load_base(download(resolve_base(name)), str(model.device)).eval().requires_grad_(False)


def _innermost(loss: nn.Module) -> nn.Module:
    """The loss itself, without what is put on top of it."""
    while isinstance(inner := getattr(loss, "loss", None), nn.Module):
        loss = inner
    return loss
