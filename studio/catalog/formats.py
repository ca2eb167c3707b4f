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
    Role("text", "Text", "The text to learn from, one a row."),
    Role(
        "class",
        "Class",
        "What kind of text it is: texts of one class belong together. Leave it out if there is none. Of two texts: how they "
        "relate, such as entailment, neutral or contradiction.",
    ),
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
    Format("classed_text", "Texts with classes", "One text a row and the class that it belongs to.", "ndcg@10"),
    Format(
        "classed_pair",
        "Pairs with classes",
        "Two texts a row and how they relate: entailment, neutral, contradiction.",
        "average_precision",
    ),
    Format("texts", "Plain texts", "One text a row and nothing that says what belongs together.", "ndcg@10"),
)

FORMAT = {record.id: record for record in FORMATS}
