"""Which rows train, which are held out, and how many steps that makes. No torch."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from studio.catalog.losses import LOSS
from studio.data.codes import numbers
from studio.data.rows import class_numbers, text_columns
from studio.data.split import Split, split
from studio.errors import ConfigError, DataError
from studio.training.config import AUTO, TrainConfig
from studio.training.judging import OwnTest

LIVE_ROWS = 1000
"""Most rows that are looked at while training runs."""
MOST_ROWS = 256
"""Largest automatic batch: beyond it a step rarely teaches more."""
LEAST_STEPS = 20
"""Steps that an automatic batch size leaves an epoch."""
START_BATCH_SIZE = 32
"""Stands for an automatic batch size until the largest that fits is known."""
TOLD_SHARE = 0.02
"""Share of rows left out of an epoch from which on a person is told."""


@dataclass(frozen=True)
class RowPlan:
    """What one training does with a dataset's rows."""

    split: Split
    train: np.ndarray
    """Positions of the rows that train, ascending."""
    heldout: np.ndarray
    """Positions of the rows that judge."""
    validation: np.ndarray
    """Positions of the rows that choose when to stop and what to keep; they neither train nor judge. Often none."""
    looks_shared: str
    """What the rows that are looked at during training may share with those that train; see Split."""
    batch_size: int
    """The config's, or less where a batch could not be filled with different texts."""
    drop_last: bool
    """Leave out a last batch of one row: a loss that compares rows would learn nothing from it."""
    steps_per_epoch: int
    steps: int
    notes: tuple[str, ...]
    """What a person should know of it; one sentence each."""
    left_out: int = 0
    """Rows that an epoch leaves out, because their texts stand in more rows than there are batches."""
    test: OwnTest | None = None
    """Test data of the person's own, all of whose rows judge; then none are held out of the dataset."""

    @property
    def looked_at(self) -> np.ndarray:
        """Positions of the rows that checks during training may look at: those that choose, else those that judge."""
        if len(self.validation):
            return self.validation
        return self.heldout if self.test is None else np.arange(len(self.test.data))

    @property
    def looks_at_test(self) -> bool:
        """Whether those are rows of the test data and not of the dataset."""
        return self.test is not None and not len(self.validation)

    @property
    def judging(self) -> int:
        """How many rows judge."""
        return len(self.heldout) if self.test is None else len(self.test.data)

    @property
    def split_note(self) -> str:
        """How rows were kept apart, for the verdict."""
        if not len(self.validation):
            return self.split.note
        return (
            f"{self.split.note} When to stop and what to keep was chosen on {len(self.validation):,} other rows, "
            "which neither trained nor judged."
        )


def part_rows(
    data: pa.Table, config: TrainConfig, test: OwnTest | None = None
) -> tuple[Split, np.ndarray, Split | None]:
    """(split, positions that train, their split into those that train and those that choose, None without a choice).

    Before any are left out for ``max_train_rows``. ``test``: what judges instead of held-out rows.

    Raises:
        ConfigError: so few different texts that no rows are left to choose on.
        DataError: nothing is left to train on.
    """
    parts = split(data, config.heldout_share, config.seed) if test is None else test.keep_apart(data)
    train = np.sort(np.asarray(parts.train, dtype=np.int64))
    if not config.chooses:
        return parts, train, None
    # Those that judge stay the same whether or not something is chosen: verdicts can be compared.
    taken = len(parts.heldout) if test is None else max(1, round(config.heldout_share * len(train)))
    share = min(taken, LIVE_ROWS) / len(train)
    try:
        again = split(data.take(train), min(share, 0.5), config.seed)
    except DataError:
        raise ConfigError(
            "Too few rows: early stopping and keeping the best check need rows that neither train nor judge.",
            hint="Switch both off, or bring more rows.",
        ) from None
    again = replace(again, train=train[np.sort(again.train)], heldout=train[np.sort(again.heldout)])
    return parts, again.train, again


def plan_rows(data: pa.Table, config: TrainConfig, test: OwnTest | None = None) -> RowPlan:
    """Split ``data`` (a dataset's rows) and count the steps, exactly as training will make them."""
    parts, train, choosing = part_rows(data, config, test)
    train = drawn(train, config)
    loss = LOSS[config.loss]
    batch_size, left_out = START_BATCH_SIZE if config.batch_size == AUTO else config.batch_size, 0
    notes: list[str] = []
    if loss.in_batch_negatives and len(train):
        batch_size, notes, left_out = _fill([numbers(data[name])[train] for name in text_columns(data)[:2]], batch_size)
    if loss.good_batch_size and batch_size < loss.good_batch_size:
        notes.append(
            f"{loss.label} looks for hard negatives in the batch: it wants {loss.good_batch_size} rows or more, "
            f"batches have {batch_size}."
        )
    drop_last = loss.min_batch_size > 1 and len(train) > batch_size and len(train) % batch_size == 1
    batches = len(train) // batch_size if drop_last else math.ceil(len(train) / batch_size)
    if loss.by_class:
        rows = grouped(class_numbers(data.take(train)))
        batches, drop_last = rows // batch_size + (rows % batch_size >= loss.min_batch_size), False
        if len(train) - rows > TOLD_SHARE * len(train):
            left_out = len(train) - rows
            notes.append(
                f"Batches take texts of a class two by two, from as many classes as have some left: about {len(train) - rows:,} of "
                f"{len(train):,} rows, mostly of the largest class, are left out in each epoch."
            )
    steps_per_epoch = max(1, math.ceil(batches / config.gradient_accumulation_steps))
    return RowPlan(
        parts,
        train,
        np.sort(np.asarray(parts.heldout, dtype=np.int64)),
        np.empty(0, dtype=np.int64) if choosing is None else choosing.heldout,
        (choosing or parts).shared,
        batch_size,
        drop_last,
        steps_per_epoch,
        math.ceil(config.epochs * steps_per_epoch),
        tuple(notes),
        left_out,
        test,
    )


def drawn(train: np.ndarray, config: TrainConfig) -> np.ndarray:
    """Those of the rows that may train that the config asks for, ascending."""
    train = np.sort(np.asarray(train, dtype=np.int64))
    if config.max_train_rows is not None and config.max_train_rows < len(train):
        train = np.sort(np.random.default_rng(config.seed).choice(train, config.max_train_rows, replace=False))
    return train


def grouped(number: np.ndarray) -> int:
    """Rows that batches by class hold in an epoch; 0 when there are no two classes of two rows.

    ``number``: of each row's class. Classes give two rows in turn until only one has some left.
    Source: sentence_transformers.base.sampler, GroupByLabelBatchSampler.
    """
    pairs = np.sort(np.bincount(number) // 2)[::-1] if len(number) else np.zeros(0, dtype=np.int64)
    return 2 * int(np.minimum(pairs, pairs[1]).sum()) if len(pairs) > 1 else 0


def most_rows(data: pa.Table, config: TrainConfig, test: OwnTest | None = None) -> int:
    """The largest batch that an automatic batch size may become: a power of two that leaves an epoch enough steps."""
    rows = plan_rows(data, config.model_copy(update={"batch_size": MOST_ROWS}), test)
    wanted = min(rows.batch_size, len(rows.train) // LEAST_STEPS)
    return 2 ** int(math.log2(max(wanted, LOSS[config.loss].min_batch_size, 1)))


def _fill(columns: list[np.ndarray], batch_size: int) -> tuple[int, list[str], int]:
    """Batch size that different texts can fill, what to say of it, and how many rows an epoch leaves out.

    ``columns``: numbers of the texts of the rows that train; equal texts have the same.

    The other rows of a batch serve as wrong answers, so no text may stand in it twice. With 77 different positives a
    batch holds at most 77 rows; asking for more would silently train on a part of the rows only.
    """
    counts = [np.unique(column, return_counts=True)[1] for column in columns]
    rows = len(columns[0])
    distinct = min(len(c) for c in counts)
    notes = []
    if distinct < batch_size:
        batch_size = max(2, distinct)
        notes.append(
            f"The rows have only {distinct} different texts in a column and a batch must not hold one twice: "
            f"batches have {batch_size} rows."
        )
    batches = math.ceil(rows / batch_size)
    left_out = max(int(np.maximum(c - batches, 0).sum()) for c in counts)
    if left_out > TOLD_SHARE * rows:
        notes.append(
            f"Some texts stand in more rows than there are batches ({batches}), and a batch takes each once: "
            f"about {left_out:,} of {rows:,} rows are left out in each epoch. Smaller batches leave out fewer."
        )
    return batch_size, notes, left_out
