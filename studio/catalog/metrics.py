"""Metrics: all higher-is-better, all in [-1, 1] or [0, 1]."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    id: str
    label: str
    help: str
    formats: tuple[str, ...]


PAIRS_TOLD_APART = ("labelled_pair", "classed_pair")
SEARCHED = ("pair", "triplet", "classed_text", "texts")
"""Formats whose held-out rows are questions with right answers."""

METRICS = (
    Metric(
        "ndcg@10",
        "nDCG@10",
        "How high the right texts stand among the first ten; 1 means always on top.",
        SEARCHED,
    ),
    Metric(
        "mrr@10",
        "MRR@10",
        "One divided by the rank of the first right text, averaged; 0 when it is not in the first ten.",
        SEARCHED,
    ),
    Metric("accuracy@1", "Accuracy@1", "Share of questions whose first hit is a right one.", SEARCHED),
    Metric("recall@10", "Recall@10", "Share of all right texts of a question that are among the first ten.", SEARCHED),
    Metric(
        "map@100",
        "MAP@100",
        "How densely the right texts stand at the top of the first hundred; with one right text as MRR, but further down.",
        SEARCHED,
    ),
    Metric(
        "triplet_accuracy",
        "Triplet accuracy",
        "Share of rows whose positive is closer to the anchor than the negative.",
        ("triplet",),
    ),
    Metric(
        "spearman",
        "Spearman",
        "Whether the model ranks the pairs by similarity as the scores do; 1 means the same order.",
        ("scored_pair",),
    ),
    Metric(
        "pearson",
        "Pearson",
        "Whether the model's similarity grows in a straight line with the scores.",
        ("scored_pair",),
    ),
    Metric(
        "average_precision",
        "Average precision",
        "How well similarity separates pairs that belong together from those that do not.",
        PAIRS_TOLD_APART,
    ),
    Metric("accuracy", "Accuracy", "Share of pairs told right at the best threshold.", PAIRS_TOLD_APART),
    Metric("f1", "F1", "Balance of precision and recall at the best threshold.", PAIRS_TOLD_APART),
)

METRIC = {record.id: record for record in METRICS}
