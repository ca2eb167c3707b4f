"""How token embeddings become one vector. Ids are sentence-transformers' own pooling modes, joined with ``+``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pooling:
    id: str
    label: str
    help: str


JOIN = "+"
"""Between modes whose vectors are put one after the other: ``max+mean`` is twice as long as ``mean``."""

POOLINGS = (
    Pooling("default", "The model's own", "Keep what the model was made with; mean pooling for a plain transformer."),
    Pooling("mean", "Mean", "The average of all token embeddings. A good choice for most models."),
    Pooling(
        "cls", "First token (CLS)", "The embedding of the first token. For BERT-like models that were trained for it."
    ),
    Pooling("max", "Max", "The largest value of each dimension over all tokens."),
    Pooling(
        "mean_sqrt_len_tokens",
        "Mean, by square root of length",
        "The sum divided by the square root of the number of tokens: longer texts get longer vectors.",
    ),
    Pooling(
        "weightedmean", "Weighted mean", "An average in which later tokens count more. For decoder models such as GPT."
    ),
    Pooling("lasttoken", "Last token", "The embedding of the last token. For decoder models that were trained for it."),
    Pooling("max+mean", "Mean and max", "Both vectors, one after the other: twice the dimensions."),
    Pooling("cls+mean", "First token and mean", "Both vectors, one after the other: twice the dimensions."),
    Pooling(
        "cls+max+mean", "First token, mean and max", "Three vectors, one after the other: three times the dimensions."
    ),
)

POOLING = {record.id: record for record in POOLINGS}
MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
"""In the order in which all versions of sentence-transformers join their vectors."""
