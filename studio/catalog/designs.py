"""Models that are built instead of loaded: nothing is known at first, all is learnt from the dataset's own texts.

A config names one by its id; ``static-of:<base model>`` names one that is distilled from another base model.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Design:
    id: str
    label: str
    kind: str
    """``transformer`` (random weights), ``static`` (one vector a token), ``words`` (one vector a word) or ``bag``."""
    help: str
    layers: int
    """Transformer layers; 0: has none."""
    width: int
    """Numbers in each vector."""
    vocabulary: int
    """Most tokens or words that are told apart."""
    max_tokens: int | None
    learning_rate: float
    epochs: float
    """Times as many as a base model that knows something is given."""
    on_top: str = ""
    """Module of sentence-transformers behind the word vectors: ``WordWeights``, ``CNN`` or ``LSTM``; empty: none."""


DESIGNS = (
    Design(
        "new:bert",
        "New transformer (random weights)",
        "transformer",
        "A small BERT that knows nothing yet, with a tokenizer made from your texts: for a language or a trade that no "
        "model knows. Good at a closed set of topics, poor at open search.",
        2,
        128,
        8_000,
        128,
        1e-3,
        5,
    ),
    Design(
        "new:static",
        "New static model (random vectors)",
        "static",
        "One vector a token, with a tokenizer made from your texts: trains in seconds. Good at a closed set of topics, "
        "poor at open search.",
        0,
        256,
        8_000,
        None,
        5e-2,
        5,
    ),
    Design(
        "new:words",
        "New word vectors",
        "words",
        "One vector for each word of your texts, averaged. The oldest of methods that learn; unknown words are skipped.",
        0,
        256,
        20_000,
        None,
        2e-2,
        5,
    ),
    Design(
        "new:weighted-words",
        "New word vectors, rare words for more",
        "words",
        "Word vectors whose average counts rare words for more, by how few of your texts they stand in. The weights stay as "
        "they are; the vectors learn.",
        0,
        256,
        20_000,
        None,
        2e-2,
        5,
        "WordWeights",
    ),
    Design(
        "new:cnn",
        "New word vectors with a CNN",
        "words",
        "Word vectors seen through windows of one, three, five and seven words: phrases count, far word order does not.",
        0,
        128,
        20_000,
        None,
        2e-3,
        5,
        "CNN",
    ),
    Design(
        "new:lstm",
        "New word vectors with an LSTM",
        "words",
        "Word vectors read from both ends by a recurrent network: word order counts. Slower than a transformer of its size.",
        0,
        128,
        20_000,
        None,
        2e-3,
        5,
        "LSTM",
    ),
    Design(
        "new:bag-of-words",
        "New bag of words",
        "bag",
        "Counts the words of your texts, rare ones for more, and learns to press the counts into a short vector. "
        "Word order does not count.",
        0,
        256,
        2_000,
        None,
        2e-3,
        5,
    ),
)

WINDOWS = (1, 3, 5, 7)
"""Words that a CNN sees at a time; each gives a fourth of the vector."""
PADDING = "[PAD]"
"""First word of a new model with a CNN: no text has it, and its vector stays zero, as what stands beyond a text's end."""

DESIGN = {record.id: record for record in DESIGNS}

NEW = "new:"
DISTIL = "static-of:"
"""Before the name of the base model that a static one is distilled from."""
DISTILLED_WIDTH = 256
DISTILLED_LEARNING_RATE = 2e-2
