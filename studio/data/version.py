"""A new version of a dataset: other rows, checked again, with a line of history more. The dataset that it comes from stays."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from studio.catalog.findings import FINDINGS, KIND
from studio.data.check import Measure, check, sort_findings
from studio.data.dataset import DatasetInfo, save_dataset
from studio.data.prepare import Prepared
from studio.errors import DataError

IMPORTED = (*(kind.code for kind in FINDINGS if kind.group == "file"), "labels_read_as")
"""Findings about how the file became a dataset: true of every version of it."""


def write_version(
    info: DatasetInfo,
    data: pa.Table,
    target: Path,
    *,
    done: str,
    after: str,
    name: str = "",
    measure: Measure | None = None,
    parent: str = "",
    corpus: pa.Array | None = None,
    extra: pa.Table | None = None,
    **changes: Any,
) -> DatasetInfo:
    """Write ``data`` as the version that follows the dataset of ``info`` into ``target``.

    Args:
        data: Columns as dataset.py says.
        done: What was done to the rows, for the history.
        after: What people call that, to begin an error with.
        parent: Id of the dataset of ``info``, where it has one.
        corpus: Documents of a retrieval set, where it is one.
        extra: Columns that sort the rows of the dataset of ``info``, where it has some.
        changes: Fields of DatasetInfo that differ, such as ``roles``.

    Raises:
        DataError: the rows cannot be trained on; nothing is written then.
    """
    made = replace(
        info, name=name or info.name, rows=len(data), history=(*info.history, done), parent=parent, **changes
    )
    found = check(Prepared(data, made.format, {}, made.score_scale), None, measure(data) if measure else None)
    problem = next((finding for finding in found if finding.severity == "error"), None)
    if problem:
        raise DataError(f"After {after}: {problem.message}", hint=KIND[problem.code].advice)
    kept = tuple(finding for finding in info.findings if finding.code in IMPORTED)
    made = replace(made, findings=sort_findings((*found, *kept)))
    save_dataset(target, data, made, corpus, extra)
    return made
