"""A static model trains faster: texts are cut into tokens once, and only rows of the table that some text reads take part.

Stock, each step makes a gradient of the whole table, takes its norm and moves every row, though most belong to tokens
that no text of the dataset has: their gradient and Adam's moments are zero, so they never move. Here the rows that are
read come first in the table, and the parameter is that part of it. What is computed is the same, to rounding.

Measured on the banking77 sample (WordLlama, 32,000 rows of 256, batch 64; benchmarks/train.py, interleaved, one thread of
a busy machine): 19 times the stock step (median of 19, between 9 and 28), the losses alike. The fewer of the table's rows
a dataset reads, the more; where nearly all are read, what remains is that texts are cut once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from torch import Tensor, nn

from studio.training.engine.tokens import Tokens

MOST_SHARE = 0.8
"""Where more of the table's rows are read than that, it stays as it is."""


def is_static(model: SentenceTransformer) -> bool:
    """Whether :func:`static` can serve the model."""
    return type(model[0]) is StaticEmbedding and model.device.type == "cpu" and not any(model.prompts.values())


def cut_with(module: StaticEmbedding):
    """The module's own way to cut texts, as tokens.py wants it."""

    def cut(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        features = module.preprocess(list(texts))
        ids, starts = features["input_ids"].numpy(), features["offsets"].numpy()
        return ids, np.diff(np.append(starts, len(ids)))

    return cut


@contextmanager
def static(model: SentenceTransformer, tokens: Tokens, decays: bool) -> Iterator[None]:
    """Within, ``model`` (for which :func:`is_static` holds) takes its tokens from ``tokens``, and the optimizer sees the
    rows that these texts read. ``decays``: weight decay moves all rows, so all take part."""
    module: StaticEmbedding = model[0]
    stock = module.preprocess

    def preprocess(inputs: list[str], prompt: str | None = None, **more) -> dict[str, Tensor]:
        known = None if prompt else tokens.of(inputs)
        if known is None:
            return stock(inputs, prompt=prompt, **more)
        ids, lengths = known
        return {"input_ids": torch.from_numpy(ids), "offsets": torch.from_numpy(np.cumsum(lengths) - lengths)}

    module.preprocess = preprocess
    whole = decays or tokens.used.mean() > MOST_SHARE
    try:
        if whole:
            yield
        else:
            with _part(module, torch.from_numpy(np.flatnonzero(tokens.used))):
                yield
    finally:
        del module.preprocess


@contextmanager
def _part(module: StaticEmbedding, rows: Tensor) -> Iterator[None]:
    """Within, the parameter of ``module`` is the part of its table with these rows."""
    before = module.embedding.weight
    read = torch.zeros(len(before), dtype=torch.bool)
    read[rows] = True
    order = torch.cat([rows, (~read).nonzero().flatten()])
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    table = before.detach()[order]
    part = nn.Parameter(table[: len(rows)], requires_grad=before.requires_grad)  # shares the table's memory
    module.embedding.weight = part

    def forward(features: dict[str, Tensor], **_: object) -> dict[str, Tensor]:
        ids, weight = place[features["input_ids"]], part
        if not module.training or (len(ids) and int(ids.max()) >= len(part)):
            # A text that does not train may have other tokens.
            weight = torch.cat([part, table[len(part) :]]) if torch.is_grad_enabled() and module.training else table
        features["sentence_embedding"] = nn.functional.embedding_bag(ids, weight, features["offsets"], mode="mean")
        return features

    module.forward = forward
    try:
        yield
    finally:
        del module.forward
        with torch.no_grad():
            module.embedding.weight = nn.Parameter(table[place], requires_grad=before.requires_grad)
