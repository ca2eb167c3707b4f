"""How two vectors are compared. Ids are sentence-transformers' own; every score is higher-is-better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Similarity:
    id: str
    label: str
    help: str


SIMILARITIES = (
    Similarity("default", "The model's own", "Keep what the model was made with; cosine where it does not say."),
    Similarity("cosine", "Cosine", "The angle between two vectors; their length does not count."),
    Similarity("dot", "Dot product", "Angle and length: longer vectors are found more often."),
    Similarity("euclidean", "Euclidean distance", "How near the vectors' ends are to each other."),
    Similarity("manhattan", "Manhattan distance", "The same, added up dimension by dimension."),
)

SIMILARITY = {record.id: record for record in SIMILARITIES}

_ALL = ("cosine", "dot", "euclidean", "manhattan")
_DISTANCES = ("cosine", "euclidean", "manhattan")

LOSS_TAKES = {
    "MultipleNegativesRankingLoss": _ALL,
    "CachedMultipleNegativesRankingLoss": _ALL,
    "CoSENTLoss": _ALL,
    "TripletLoss": _DISTANCES,
    "ContrastiveLoss": _DISTANCES,
    "OnlineContrastiveLoss": _DISTANCES,
}
"""Similarities that a loss can compute with; a loss that is not named computes with cosines."""
