"""Several datasets that train one model together. No torch.

A run's first dataset is the one that it is about: its held-out rows give the verdict. Each further one (a part) trains
along with the loss that suits it, and is judged by its own held-out rows besides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from studio.catalog.losses import LOSS, MODIFIER
from studio.data.dataset import DatasetInfo, load_corpus, load_info, load_rows
from studio.data.rows import class_numbers, text_columns
from studio.errors import StudioError
from studio.training.bases import resolve_base
from studio.training.config import AUTO, LOSS_FIELDS, TrainConfig, make_config
from studio.training.fit import loss_misfit, modifier_misfit
from studio.training.folder import RunFolder
from studio.training.rows import RowPlan, grouped, plan_rows
from studio.training.suggest import check_fit, suggest_loss

FIRST = "first"
"""What the Trainer calls the first dataset; the others are ``also_1``, ``also_2`` ..."""
MOST_PARTS = 8


@dataclass(frozen=True)
class Part:
    """A further dataset of a run."""

    key: str
    info: DatasetInfo
    data: pa.Table
    config: TrainConfig
    """The run's, with the loss that suits this dataset."""
    rows: RowPlan
    corpus: pa.ChunkedArray | None = None
    """Documents of a retrieval set."""

    @property
    def words(self) -> str:
        """What it does in the run, one sentence."""
        return f"'{self.info.name}' trains along: {len(self.rows.train):,} rows with the loss {LOSS[self.config.loss].label}."


def config_of_part(info: DatasetInfo, config: TrainConfig) -> TrainConfig:
    """The run's config for a further dataset: with the run's loss where it fits, else the one that is suggested for it.

    A teacher teaches the first dataset alone.
    """
    base, own = resolve_base(config.base_model), LOSS[config.loss]
    negatives = sum(role.startswith("negative") for role in info.roles)
    if not loss_misfit(own, info.format, negatives, base) and not own.feeding.startswith("teacher"):
        return config
    best = LOSS[suggest_loss(info.format, base)]
    modifier = "none" if modifier_misfit(MODIFIER[config.modifier], best, base) else config.modifier
    kept = {parameter.id for parameter in MODIFIER[modifier].parameters}
    values = {name: value for name, value in config.model_dump().items() if name not in LOSS_FIELDS or name in kept}
    size = config.batch_size
    if size != AUTO:
        size = max(size, best.min_batch_size)
        size += size % 2 if best.by_class else 0
    return make_config({**values, "loss": best.id, "modifier": modifier, "batch_size": size})


def check_part(info: DatasetInfo, config: TrainConfig, data: pa.Table | None = None) -> None:
    """Raises what :func:`check_fit` does when a further dataset cannot train along, naming it."""
    try:
        check_fit(info, config_of_part(info, config), data)
    except StudioError as error:
        raise type(error)(f"'{info.name}' cannot train along: {error.message}", hint=error.hint) from error


def load_parts(folder: RunFolder, config: TrainConfig, data: pa.Table, rows: RowPlan) -> tuple[Part, ...]:
    """The further datasets in a run's folder, in their order; see :func:`make_parts`."""
    places = sorted(folder.datasets.glob("*"), key=lambda path: int(path.name)) if folder.datasets.is_dir() else []
    parts = make_parts([(load_info(place), load_rows(place)) for place in places], config, data, rows)
    return tuple(replace(part, corpus=load_corpus(place)) for part, place in zip(parts, places, strict=True))


def make_parts(
    also: Sequence[tuple[DatasetInfo, pa.Table]], config: TrainConfig, data: pa.Table, rows: RowPlan
) -> tuple[Part, ...]:
    """The further datasets with their plans. ``data``, ``rows``: of the first one, which judges.

    Rows that hold a text that a held-out row of the first dataset asks with do not train; held-out rows of a part that
    ask with a text that trains elsewhere do not judge.

    Raises:
        ConfigError: one of them cannot train along.
    """
    asked, trained = _asked(data, np.concatenate([rows.heldout, rows.validation])), _texts(data, rows.train)
    test = rows.test
    parts = []
    for number, (info, table) in enumerate(also, 1):
        check_part(info, config, table)
        own = config_of_part(info, config)
        # What is kept is chosen on rows of the first dataset.
        plan = plan_rows(table, own.model_copy(update={"early_stopping": 0, "keep_best": False}))
        known = ~_any_in(table, plan.train, asked, text_columns(table))
        if test is not None:
            known &= np.isin(plan.train, test.keep_apart(table).train)
        fresh = ~_any_in(table, plan.heldout, trained, text_columns(table)[:1])
        notes = []
        held = "hold a text that a held-out row asks with" if test is None else f"give rows of '{test.info.name}' away"
        if not known.all():
            notes.append(f"{int((~known).sum()):,} rows of '{info.name}' {held}: they do not train.")
        heldout = plan.heldout[fresh] if fresh.any() else plan.heldout
        parts.append(
            Part(
                f"also_{number}",
                info,
                table,
                own,
                replace(plan, train=plan.train[known], heldout=heldout, notes=(*notes, *plan.notes)),
            )
        )
        trained |= _texts(table, plan.train)
    return tuple(parts)


def plan_together(data: pa.Table, config: TrainConfig, rows: RowPlan, parts: Sequence[Part]) -> RowPlan:
    """The first dataset's plan with the batch size and the steps that all datasets make together."""
    if not parts:
        return rows
    batch_size = min(plan.batch_size for plan in (rows, *(part.rows for part in parts)))
    by_class = [LOSS[one.loss].by_class for one in (config, *(part.config for part in parts))]
    if any(by_class):
        batch_size = max(4, batch_size - batch_size % 2)
    everything = [(data, config, rows), *((part.data, part.config, part.rows) for part in parts)]
    drop_last = any(
        LOSS[one.loss].min_batch_size > 1 and len(plan.train) > batch_size and len(plan.train) % batch_size == 1
        for _, one, plan in everything
    )
    batches = [_batches(table, one, plan, batch_size, drop_last) for table, one, plan in everything]
    total = min(batches) * len(batches) if config.dataset_turns == "round_robin" else sum(batches)
    steps_per_epoch = max(1, math.ceil(total / config.gradient_accumulation_steps))
    notes = list(rows.notes)
    for part in parts:
        notes += part.rows.notes
    if config.dataset_turns == "round_robin" and min(batches) < max(batches):
        notes.append(
            f"Datasets take turns until the smallest is through: {min(batches):,} batches of each, of {max(batches):,} that "
            "the largest has."
        )
    return replace(
        rows,
        batch_size=batch_size,
        drop_last=drop_last,
        steps_per_epoch=steps_per_epoch,
        steps=math.ceil(config.epochs * steps_per_epoch),
        notes=tuple(notes),
    )


def trained_rows(rows: RowPlan, parts: Sequence[Part]) -> int:
    """Training rows of all datasets."""
    return len(rows.train) + sum(len(part.rows.train) for part in parts)


def _batches(data: pa.Table, config: TrainConfig, plan: RowPlan, batch_size: int, drop_last: bool) -> int:
    """Batches of one dataset in an epoch, as its sampler makes them."""
    loss, rows = LOSS[config.loss], len(plan.train)
    if loss.by_class:
        rows = grouped(class_numbers(data.take(plan.train)))
        return rows // batch_size + (not drop_last and rows % batch_size >= loss.min_batch_size)
    return rows // batch_size if drop_last else math.ceil(rows / batch_size)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _texts(data: pa.Table, positions: np.ndarray) -> set[str]:
    """All texts of these rows; case and white space do not count."""
    return {_plain(text) for name in text_columns(data) for text in data[name].take(positions).unique().to_pylist()}


def _asked(data: pa.Table, positions: np.ndarray) -> set[str]:
    """What these rows ask with: their first text."""
    return {_plain(text) for text in data[text_columns(data)[0]].take(positions).unique().to_pylist()}


def _any_in(data: pa.Table, positions: np.ndarray, known: set[str], columns: Sequence[str]) -> np.ndarray:
    """Mask of the rows at ``positions`` that have a known text in one of the columns."""
    found = np.zeros(len(positions), dtype=bool)
    for name in columns:
        coded = data[name].take(positions).combine_chunks().dictionary_encode()
        there = np.array([_plain(text) in known for text in coded.dictionary.to_pylist()], dtype=bool)
        found |= there[coded.indices.to_numpy()] if len(there) else False
    return found
