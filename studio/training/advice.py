"""What is doubtful of a config and a dataset together, as findings: said beside the estimate, before anything trains. No torch."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from studio.catalog.losses import LOSS
from studio.data import cut, language
from studio.data.check import sort_findings
from studio.data.codes import numbers
from studio.data.cut import TokenLengths
from studio.data.rows import count, finding, text_columns
from studio.data.table import Finding
from studio.training.bases import Base
from studio.training.config import TrainConfig
from studio.training.rows import TOLD_SHARE, RowPlan

FEW_WRONG_ANSWERS, HARDLY_ANY = 16, 8
"""Batch sizes below which a ranking loss is worth a word, and a warning."""
FEW_STEPS = 10
FEW_HELDOUT = 30


def advise(
    data: pa.Table, config: TrainConfig, rows: RowPlan, base: Base, lengths: TokenLengths | None
) -> tuple[Finding, ...]:
    """Findings, worst first. ``lengths``: of a sample of the training rows, in this model's tokens; None: not known."""
    found = [*_batches(data, config, rows), *_steps(rows), *_heldout(rows)]
    if lengths is not None:
        found += cut.find(lengths, len(rows.train))
    if base.record is not None:
        found += [f for f in language.find(data, base.record) if f.code == "unknown_language"]
    return sort_findings(found)


def _batches(data: pa.Table, config: TrainConfig, rows: RowPlan) -> Iterable[Finding]:
    loss = LOSS[config.loss]
    if rows.left_out > TOLD_SHARE * len(rows.train):
        yield Finding(
            "rows_left_out",
            "warning",
            f"About {rows.left_out:,} of {len(rows.train):,} rows are left out of each epoch.",
            rows.left_out,
        )
    if loss.good_batch_size and rows.batch_size < loss.good_batch_size:
        yield Finding(
            "small_batches",
            "warning",
            f"{loss.label} looks for hard negatives in the batch: it wants {loss.good_batch_size} rows or more, batches have "
            f"{rows.batch_size}.",
            len(rows.train),
        )
    if not loss.in_batch_negatives:
        return
    if rows.batch_size < FEW_WRONG_ANSWERS:
        why = (
            ""
            if rows.batch_size == config.batch_size
            else f" The rows have only {rows.batch_size} different texts in a column."
        )
        yield Finding(
            "small_batches",
            "warning" if rows.batch_size < HARDLY_ANY else "info",
            f"A batch has {rows.batch_size} rows: {count(rows.batch_size - 1, 'wrong answer', 'wrong answers')} for each.{why}",
            len(rows.train),
        )
    repeated = {name: _repeated(numbers(data[name])[rows.train]) for name in text_columns(data)[:2]}
    either = np.logical_or.reduce(list(repeated.values()))
    if either.any():
        told = " and ".join(f"{name}s of {count(int(mask.sum()))}" for name, mask in repeated.items() if mask.any())
        yield finding(
            "no_repeats_in_a_batch",
            "info",
            f"The {told} stand in other training rows too.",
            data["row"].to_numpy()[rows.train[either]],
        )


def _repeated(codes: np.ndarray) -> np.ndarray:
    return np.bincount(codes)[codes] > 1


def _steps(rows: RowPlan) -> Iterable[Finding]:
    if rows.steps < FEW_STEPS:
        yield Finding(
            "few_steps", "warning", f"Training makes only {count(rows.steps, 'step', 'steps')}.", len(rows.train)
        )


def _heldout(rows: RowPlan) -> Iterable[Finding]:
    if rows.judging < FEW_HELDOUT:
        told = "held out" if rows.test is None else "in the test data"
        yield Finding(
            "few_heldout", "warning", f"Only {count(rows.judging, 'row is', 'rows are')} {told}.", rows.judging
        )
