"""Large uploads become datasets in the background, with progress and Stop."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from studio.data.table import Dialect, Roles
from studio.errors import NotFound
from studio.files import read_json
from studio.runs.datasets import Datasets
from studio.runs.makings import Makings
from studio.runs.names import display_name
from studio.runs.records import DatasetRecord, MakingRecord

KIND = "import"
"""See studio/making/kinds.py."""


class Imports:
    def __init__(self, datasets: Datasets, makings: Makings):
        self._datasets = datasets
        self._makings = makings

    def takes_time(self, owner: str, upload_id: str) -> bool:
        """Whether an upload is so large that :meth:`begin` is for it."""
        from studio.data.read import is_large

        return is_large(self._datasets.upload(owner, upload_id).paths)

    def begin(
        self, owner: str, upload_id: str, roles: Roles, name: str, dialect: Dialect | None = None
    ) -> MakingRecord:
        """Import an upload in a process of its own; its dataset appears when it has succeeded."""
        from studio.data.several import together_name
        from studio.making.importing import task_of

        upload = self._datasets.upload(owner, upload_id)
        places = {f"files/{number}/{path.name}": path for number, path in enumerate(upload.paths)}
        files = [(place, path.name) for place, path in places.items()]
        task = task_of(files, together_name([path.name for path in upload.paths]), roles, dialect)
        title = display_name(name, Path(upload.file_name).stem)
        return self._makings.create(owner, KIND, title, task, files=places)

    def running(self, owner: str) -> MakingRecord | None:
        """The newest import that has not ended."""
        return next(
            (making for making in self._makings.list(owner) if making.kind == KIND and not making.is_over), None
        )

    def has_left_out(self, record: DatasetRecord) -> bool:
        """Whether :meth:`left_out` has rows to tell of: not of a dataset that was imported long ago, or at once."""
        return bool(record.info.skipped or record.info.dropped) and self._task(record.owner, record.id) is not None

    def left_out(self, owner: str, dataset_id: str) -> Iterator[pa.Table]:
        """Rows that the import of a dataset skipped, mended or left out, with reasons (see data/export.py).

        Raises:
            NotFound: it was not imported in the background, or its files are gone.
        """
        from studio.data.export import left_out
        from studio.data.prepare import prepare
        from studio.making.importing import read

        task = self._task(owner, dataset_id)
        if task is None:
            raise NotFound("The file of this dataset is not there any more.", hint="Upload it again.")
        table, roles = read(self._makings.get(owner, dataset_id).folder, task)
        return left_out(table, prepare(table, roles))

    def _task(self, owner: str, dataset_id: str) -> dict[str, Any] | None:
        """What the making of a dataset was asked for (it has the dataset's id), where its files are still there."""
        try:
            making = self._makings.get(owner, dataset_id)
        except NotFound:
            return None
        task = read_json(making.folder / "task.json", {})
        there = making.kind == KIND and all((making.folder / place).is_file() for place, _ in task["files"])
        return task if there else None
