"""Differences between the models of several runs, row by row: what evidence/rows.parquet of each run says of the same rows.

The same held-out rows are drawn for all models in every resample, as for base against tuned (see evaluation/intervals.py),
so that what is hard for all of them does not widen the interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studio.evaluation.intervals import bounds, resampled

OF_SIMILARITIES = ("spearman", "pearson", "average_precision")
"""Metrics that are no mean over rows, but follow from each row's similarity and score or label."""
SAME = ("numbers", "anchor", "positive")
"""Columns in which two runs that were judged on the same rows are equal."""


@dataclass(frozen=True)
class Difference:
    """Of one model to another, on the same rows; ``low``..``high``: 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class _Measured:
    """What intervals.py asks of a Measurement."""

    values: dict[str, np.ndarray] = field(default_factory=dict)
    similarity: np.ndarray | None = None


def differences(first: tuple[Path, str], others: Sequence[tuple[Path, str]], metric: str) -> list[Difference | None]:
    """How far each of ``others`` is from ``first`` in ``metric``.

    Args:
        first, others: (folder of a run's evidence, ``base`` or ``tuned``).

    Returns:
        One for each of ``others``; None where the rows were not recorded, are others, or do not tell this metric.
    """
    known = _read(first[0], first[1], metric)
    read = [None if known is None else _read(folder, model, metric) for folder, model in others]
    alike = [one is not None and one[0].equals(known[0]) for one in read]
    if not any(alike):
        return [None] * len(others)
    task = SimpleNamespace(rows=len(known[0]), targets=known[1])
    measured = [known[2], *(one[2] for one, same in zip(read, alike, strict=True) if same)]
    drawn = resampled(task, metric, measured)
    found = iter([Difference(*bounds(values - drawn[0])) for values in drawn[1:]])
    return [next(found) if same else None for same in alike]


def _read(folder: Path, model: str, metric: str) -> tuple[pa.Table, np.ndarray | None, _Measured] | None:
    """(what names the rows, scores or labels, the model's values); None: not recorded."""
    path = folder / "rows.parquet"
    if not path.is_file():
        return None
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        needed = f"{model}:similarity" if metric in OF_SIMILARITIES else f"{model}:{metric}"
        if needed not in names or not set(SAME) <= set(names):
            return None
        rows = file.read([*SAME, needed, *(name for name in ("query", "target") if name in names)])
    if metric not in OF_SIMILARITIES:
        rows = _of_queries(rows, metric)
        return rows.select(list(SAME)), None, _Measured({metric: rows[needed].to_numpy()})
    target = rows["target"].to_numpy() if "target" in rows.column_names else None
    if target is None or not np.isfinite(target).all():
        return None
    return rows.select(list(SAME)), target, _Measured(similarity=rows[needed].to_numpy())


def _of_queries(rows: pa.Table, metric: str) -> pa.Table:
    """A query that several triplets share is one row of what is searched."""
    if metric == "triplet_accuracy" or "query" not in rows.column_names or rows["query"].null_count:
        return rows
    _, first = np.unique(rows["query"].to_numpy(), return_index=True)
    return rows.take(np.sort(first))
