"""The loss of a training and the sampler that feeds it. Both are sentence-transformers' own."""

from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.training_args import BatchSamplers
from torch import nn

from studio.catalog.losses import LOSS
from studio.training.config import TrainConfig


def build_loss(model: SentenceTransformer, config: TrainConfig) -> nn.Module:
    """The loss that the config names, on ``model``, with its arguments."""
    record = LOSS[config.loss]
    arguments: dict[str, Any] = config.loss_arguments()
    if "mini_batch_size" in arguments:
        arguments["mini_batch_size"] = int(arguments["mini_batch_size"])
    if "distance" in record.fixed:
        arguments["distance_metric"] = getattr(losses.TripletDistanceMetric, record.fixed["distance"])
    if "batch_distance" in record.fixed:
        distances = losses.BatchHardTripletLossDistanceFunction
        arguments["distance_metric"] = getattr(distances, record.fixed["batch_distance"])
    return getattr(losses, record.id)(model, **arguments)


def batch_sampler(config: TrainConfig) -> BatchSamplers:
    """In-batch negatives need batches without a text twice: its own answer would count as a wrong one.

    Losses that compare classes need several texts of each.
    """
    loss = LOSS[config.loss]
    if loss.by_class:
        return BatchSamplers.GROUP_BY_LABEL
    return BatchSamplers.NO_DUPLICATES if loss.in_batch_negatives else BatchSamplers.BATCH_SAMPLER
