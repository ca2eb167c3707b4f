"""A loss computes with the similarity that the model is judged and searched with."""

import inspect
from typing import Any

from sentence_transformers.sentence_transformer.losses import SiameseDistanceMetric, TripletDistanceMetric
from sentence_transformers.util.similarity import SimilarityFunction

from studio.catalog.similarities import LOSS_TAKES
from studio.training.config import TrainConfig

PLAIN_SCALE = 1.0
"""Scale of a loss whose similarities are not cosines, and so not between -1 and 1."""


def follow(loss: type, arguments: dict[str, Any], similarity: str, config: TrainConfig) -> dict[str, Any]:
    """What of ``arguments`` changes for ``loss`` (a class of sentence-transformers) to compute with ``similarity``.

    Nothing for cosine, which is every loss's own, and for losses that know nothing else. A distance that was chosen for
    the loss itself, and a scale, are kept.
    """
    if similarity == "cosine" or similarity not in LOSS_TAKES.get(config.loss, ()):
        return {}
    changed: dict[str, Any] = {}
    if "scale" in arguments and config.loss_scale is None:
        changed["scale"] = PLAIN_SCALE
    parameters = inspect.signature(loss.__init__).parameters
    if "similarity_fct" in parameters:
        pairwise = parameters["similarity_fct"].default.__name__.startswith("pairwise")
        find = SimilarityFunction.to_similarity_pairwise_fn if pairwise else SimilarityFunction.to_similarity_fn
        changed["similarity_fct"] = find(similarity)
    elif config.loss_distance is None:
        kinds = TripletDistanceMetric if loss.__name__ == "TripletLoss" else SiameseDistanceMetric
        changed["distance_metric"] = getattr(kinds, similarity.upper())
    return changed
