"""Which roles a dataset can have, and what each format is for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Role:
    id: str
    label: str
    help: str


ROLES = (
    Role("anchor", "Anchor", "The text to start from: a question, a query, the first sentence."),
    Role("positive", "Positive", "The text that belongs to the anchor: its answer, its match, the second sentence."),
    Role("negative", "Negative", "A text that does not belong to the anchor. There may be several."),
    Role("score", "Score", "A number that says how similar the two texts are."),
    Role("label", "Label", "1 when the two texts belong together, 0 when they do not."),
)


@dataclass(frozen=True)
class Format:
    id: str
    label: str
    help: str
    primary_metric: str
    """Name of the metric that the verdict is about; see metrics.py."""


FORMATS = (
    Format("pair", "Pairs", "Two texts a row that belong together.", "ndcg@10"),
    Format(
        "scored_pair",
        "Scored pairs",
        "Two texts a row and how similar they are.",
        "spearman",
    ),
    Format(
        "labelled_pair",
        "Labelled pairs",
        "Two texts a row and whether they belong together (1) or not (0).",
        "average_precision",
    ),
    Format(
        "triplet",
        "Triplets",
        "An anchor, a text that belongs to it and one or more that do not.",
        "triplet_accuracy",
    ),
)

FORMAT = {record.id: record for record in FORMATS}
