"""Large uploads become datasets in the background, with progress and Stop."""

from pathlib import Path

from studio.data.table import Dialect, Roles
from studio.runs.datasets import Datasets
from studio.runs.makings import Makings
from studio.runs.names import display_name
from studio.runs.records import MakingRecord

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
