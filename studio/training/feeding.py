"""How a dataset's rows reach the loss, as the record of the loss says: which columns, which labels, which noise.

What is drawn by chance (words left out, partners of a text) follows from the seed, the epoch and the text alone, so that
a training that goes on sees what one that never stopped would have seen. Held-out rows always get the noise of epoch 0:
their loss can be compared between looks.
"""

import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset
from transformers import TrainerCallback

from studio.catalog.losses import LOSS
from studio.data.rows import class_numbers, text_columns
from studio.training.config import TrainConfig

POSITIVE_EVERY = 8
"""One row of so many is a text with itself, as in the paper on contrastive tension."""

Columns = dict[str, list[Any]]


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

    Any other column (the row's number, the part of a retrieval set) would be taken for a text. ``taught``: the teacher's labels, one a position; see
    teacher.py. ``epoch``: None for held-out rows.
    """
    rows = data.select([name for name in data.column_names if name not in ("row", "part")]).take(positions)
    return _FEEDS[LOSS[config.loss].feeding](rows, config, taught, epoch)


def _columns(rows: pa.Table, *_: Any) -> Dataset:
    return _dataset(rows)


def _texts_and_classes(rows: pa.Table, *_: Any) -> Dataset:
    return _dataset(pa.table({"text": rows["text"], "label": class_numbers(rows)}))


def _once(rows: pa.Table, *_: Any) -> Dataset:
    return _dataset(rows.select(["text"]))


def _twice(rows: pa.Table, *_: Any) -> Dataset:
    return _dataset(pa.table({"text": rows["text"], "again": rows["text"]}))


def _noisy(rows: pa.Table, config: TrainConfig, _: Any, epoch: Epoch | None) -> Dataset:
    texts = pa.table({"noisy": rows["text"], "text": rows["text"]})
    return _drawn(texts, partial(leave_out, share=config.of_loss("noise_ratio")), config, epoch)


def _contrasts(rows: pa.Table, config: TrainConfig, _: Any, epoch: Epoch | None) -> Dataset:
    texts = pa.table({"text": rows["text"], "other": rows["text"], "label": pa.array(np.ones(len(rows)))})
    return _drawn(texts, partial(pair_up, among=rows["text"].to_pylist()), config, epoch)


def _taught(rows: pa.Table, _: TrainConfig, taught: np.ndarray | None, *__: Any) -> Dataset:
    label = pa.array(np.ascontiguousarray(taught, dtype=np.float32).ravel())
    for size in reversed(taught.shape[1:]):
        label = pa.FixedSizeListArray.from_arrays(label, size)
    return _dataset(rows.select(text_columns(rows)).append_column("label", label))


_FEEDS: dict[str, Callable[..., Dataset]] = {
    "columns": _columns,
    "class": _texts_and_classes,
    "once": _once,
    "twice": _twice,
    "noisy": _noisy,
    "contrasts": _contrasts,
    "teacher_scores": _taught,
    "teacher_vectors": _taught,
    "teacher_vector": _taught,
}


def leave_out(batch: Columns, seed: int, epoch: int, share: float) -> Columns:
    """``batch`` with ``share`` of the words of each text left out of the column ``noisy``; one word always stays.

    Words are what white space separates; characters where a language has none (Chinese, Japanese, Thai, Lao).
    """
    return {**batch, "noisy": [_thin(text, _chance(seed, epoch, text), share) for text in batch["text"]]}


def pair_up(batch: Columns, seed: int, epoch: int, among: list[str]) -> Columns:
    """``batch`` with a column ``other``: the text itself in every eighth row (label 1), else another one (label 0)."""
    others, labels = [], []
    for at, text in enumerate(batch["text"]):
        other = text
        chance = _chance(seed, epoch, text)
        for _ in range(20 if at % POSITIVE_EVERY else 0):
            other = among[chance.integers(len(among))]
            if other != text:
                break
        others.append(other)
        labels.append(float(other == text))
    return {**batch, "other": others, "label": labels}


def _thin(text: str, chance: np.random.Generator, share: float) -> str:
    words, between = text.split(), " "
    if len(words) == 1 and any("\u0e00" <= c <= "\u0eff" or c >= "\u2e80" for c in text):
        words, between = list(text), ""
    if len(words) < 2:
        return text
    kept = chance.random(len(words)) >= share
    if not kept.any():
        kept[chance.integers(len(words))] = True
    return between.join(word for word, stays in zip(words, kept, strict=True) if stays)


def _chance(seed: int, epoch: int, text: str) -> np.random.Generator:
    return np.random.default_rng((seed, epoch, zlib.crc32(text.encode("utf-8"))))


def _drawn(table: pa.Table, draw: Callable[..., Columns], config: TrainConfig, epoch: Epoch | None) -> Dataset:
    """Rows whose columns are drawn anew in each epoch, or once for held-out rows."""
    if epoch is None:
        batch = draw(table.to_pydict(), config.seed, 0)
        return _dataset(
            pa.table({name: pa.array(batch[name], table.schema.field(name).type) for name in table.column_names})
        )
    return _dataset(table).with_transform(lambda batch: draw(batch, config.seed, epoch.number))


def _dataset(table: pa.Table) -> Dataset:
    return Dataset(table.combine_chunks())
