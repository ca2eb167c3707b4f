"""How a dataset's rows reach the loss, as the record of the loss says: which columns, which labels, which noise.

What is drawn by chance (words left out, partners of a text) follows from the seed, the epoch and the text alone, so that
a training that goes on sees what one that never stopped would have seen. Held-out rows always get the noise of epoch 0:
their loss can be compared between looks. The functions that draw need NumPy alone: a run's script takes them over as they
stand here.
"""

import zlib
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
from datasets import Dataset
from transformers import TrainerCallback

from studio.catalog.losses import LOSS
from studio.training.config import TrainConfig
from studio.training.inputs import DRAWN, inputs

POSITIVE_EVERY = 8
"""One row of so many is a text with itself, as in the paper on contrastive tension."""


class Epoch(TrainerCallback):
    """Which epoch it is, for what is drawn anew in each."""

    def __init__(self) -> None:
        self.number = 0

    def on_epoch_begin(self, args, state, control, **kwargs):
        self.number = int(state.epoch + 1e-6)


def feed(
    data: pa.Table,
    positions: np.ndarray,
    config: TrainConfig,
    taught: np.ndarray | None = None,
    epoch: Epoch | None = None,
) -> Dataset:
    """The rows at ``positions`` as the loss wants them: the texts in order, then a column ``label`` or ``score``.

    ``taught``: the teacher's labels, one a position; see teacher.py. ``epoch``: None for held-out rows.
    """
    feeding = LOSS[config.loss].feeding
    table = inputs(data.take(positions), feeding, taught)
    if feeding in DRAWN:
        return _drawn(table, _drawing(table, feeding, config), config, epoch)
    return _dataset(table)


def leave_out(batch: dict[str, list], seed: int, epoch: int, share: float) -> dict[str, list]:
    """``batch`` with ``share`` of the words of each text left out of the column ``noisy``; one word always stays.

    Words are what white space separates; characters where a language has none (Chinese, Japanese, Thai, Lao).
    """
    return {**batch, "noisy": [thin(text, chance_of(seed, epoch, text), share) for text in batch["text"]]}


def pair_up(batch: dict[str, list], seed: int, epoch: int, among: list[str]) -> dict[str, list]:
    """``batch`` with a column ``other``: the text itself in every eighth row (label 1), else another one (label 0)."""
    others, labels = [], []
    for at, text in enumerate(batch["text"]):
        other = text
        chance = chance_of(seed, epoch, text)
        for _ in range(20 if at % POSITIVE_EVERY else 0):
            other = among[chance.integers(len(among))]
            if other != text:
                break
        others.append(other)
        labels.append(float(other == text))
    return {**batch, "other": others, "label": labels}


def thin(text: str, chance: np.random.Generator, share: float) -> str:
    """The text with ``share`` of its words left out."""
    words, between = text.split(), " "
    if len(words) == 1 and any("\u0e00" <= c <= "\u0eff" or c >= "\u2e80" for c in text):
        words, between = list(text), ""
    if len(words) < 2:
        return text
    kept = chance.random(len(words)) >= share
    if not kept.any():
        kept[chance.integers(len(words))] = True
    return between.join(word for word, stays in zip(words, kept, strict=True) if stays)


def chance_of(seed: int, epoch: int, text: str) -> np.random.Generator:
    """Random numbers that follow from seed, epoch and text."""
    return np.random.default_rng((seed, epoch, zlib.crc32(text.encode("utf-8"))))


def _drawing(table: pa.Table, feeding: str, config: TrainConfig) -> Callable[..., dict[str, list]]:
    if feeding == "noisy":
        return partial(leave_out, share=config.of_loss("noise_ratio"))
    return partial(pair_up, among=table["text"].to_pylist())


def _drawn(table: pa.Table, draw: Callable[..., dict[str, list]], config: TrainConfig, epoch: Epoch | None) -> Dataset:
    """Rows whose columns are drawn anew in each epoch, or once for held-out rows."""
    if epoch is None:
        batch = draw(table.to_pydict(), config.seed, 0)
        return _dataset(
            pa.table({name: pa.array(batch[name], table.schema.field(name).type) for name in table.column_names})
        )
    return _dataset(table).with_transform(lambda batch: draw(batch, config.seed, epoch.number))


def _dataset(table: pa.Table) -> Dataset:
    return Dataset(table.combine_chunks())
