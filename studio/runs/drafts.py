"""Edits of datasets that are not saved yet: one draft a dataset, on the disk after every step."""

import threading
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from studio.data.dataset import load_rows
from studio.data.edit import (
    Column,
    Counts,
    EditRow,
    Step,
    check_step,
    columns_of,
    counts,
    find_rows,
    fold,
    read_row,
    save_edits,
)
from studio.files import read_json, write_json
from studio.recent import Recent
from studio.runs.datasets import Datasets
from studio.runs.records import DatasetRecord
from studio.runs.workspace import Workspace

PAGE_ROWS = 50
KEPT_TABLES = 4


@dataclass(frozen=True)
class DraftPage:
    """Some rows of a dataset as its draft has them."""

    columns: tuple[Column, ...]
    rows: tuple[EditRow, ...]
    offset: int
    total: int
    """Rows that the search found."""
    counts: Counts
    steps: int
    """That can be undone."""


@dataclass(frozen=True)
class Edited:
    """What a step, or taking one back, came to."""

    row: EditRow | None
    """The row that it was about; None: it was a row added, which is there no more, or there was nothing to take back."""
    counts: Counts
    steps: int


class Drafts:
    def __init__(self, datasets: Datasets, workspace: Workspace):
        self._datasets = datasets
        self._workspace = workspace
        self._tables: Recent[str, pa.Table] = Recent(KEPT_TABLES)
        self._lock = threading.Lock()

    def page(self, owner: str, dataset_id: str, offset: int = 0, query: str = "", edited: bool = False) -> DraftPage:
        """At most PAGE_ROWS rows from ``offset`` on, of those that ``query`` and ``edited`` leave (see data/edit.py)."""
        record = self._datasets.get(owner, dataset_id)
        steps, data = self._steps(record.id), self._table(record)
        edits, columns = fold(steps), columns_of(record.info, data)
        keys = find_rows(data, edits, columns, query, edited)
        last_page = (len(keys) - 1) // PAGE_ROWS * PAGE_ROWS if keys else 0
        offset = max(0, min(offset, last_page))
        rows = tuple(read_row(data, key, edits, columns) for key in keys[offset : offset + PAGE_ROWS])
        return DraftPage(columns, rows, offset, len(keys), counts(data, edits, columns), len(steps))

    def edit(self, owner: str, dataset_id: str, step: Step) -> Edited:
        """Take one step more; it is on the disk when this returns. Raises DataError: it cannot be made."""
        record = self._datasets.get(owner, dataset_id)
        with self._lock:
            steps, data = self._steps(record.id), self._table(record)
            columns = columns_of(record.info, data)
            taken = check_step(step, columns, len(data), steps)
            steps = [*steps, taken]
            write_json(self._file(record.id), steps)
        edits = fold(steps)
        key = taken.get("row", -len(edits.added))
        return Edited(read_row(data, key, edits, columns), counts(data, edits, columns), len(steps))

    def undo(self, owner: str, dataset_id: str) -> Edited:
        """Take the last step back, if there is one."""
        record = self._datasets.get(owner, dataset_id)
        data = self._table(record)
        columns = columns_of(record.info, data)
        with self._lock:
            steps = self._steps(record.id)
            key = steps.pop().get("row") if steps else None
            write_json(self._file(record.id), steps)
        edits = fold(steps)
        row = None if key is None else read_row(data, key, edits, columns)
        return Edited(row, counts(data, edits, columns), len(steps))

    def discard(self, owner: str, dataset_id: str) -> None:
        """Forget all edits that are not saved."""
        self._file(self._datasets.get(owner, dataset_id).id).unlink(missing_ok=True)

    def save(self, owner: str, dataset_id: str) -> DatasetRecord:
        """A new version of the dataset with the edits; the dataset stays, and the draft is gone.

        Raises:
            DataError: nothing was edited, or the rows cannot be trained on; the draft is as it was then.
        """
        from studio.training.estimate import row_lengths

        id = self._datasets.get(owner, dataset_id).id
        steps = self._steps(id)

        def write(record: DatasetRecord, folder: Path, name: str) -> None:
            save_edits(record.folder, folder, steps, name, row_lengths, record.id)

        made = self._datasets.new_version(owner, id, write)
        with self._lock:
            if self._steps(id) == steps:  # nobody went on editing meanwhile
                self._file(id).unlink(missing_ok=True)
        return made

    def _steps(self, dataset_id: str) -> list[Step]:
        return read_json(self._file(dataset_id), [])

    def _file(self, dataset_id: str) -> Path:
        return self._workspace.drafts / f"{dataset_id}.json"

    def _table(self, record: DatasetRecord) -> pa.Table:
        return self._tables.get(record.id, lambda: load_rows(record.folder))
