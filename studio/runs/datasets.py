"""Uploads and datasets as a person deals with them. Readers and checks are those of studio.data."""

import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from studio.data.dataset import DatasetInfo, load_info, load_numbered, load_sample, load_slice
from studio.data.table import Dialect, Roles, Table
from studio.errors import DataError, HostError, NotFound
from studio.recent import Recent
from studio.runs.accounts import check_may_start
from studio.runs.names import display_name, safe_file_name
from studio.runs.records import DatasetRecord, UploadRecord, when
from studio.runs.samples import SAMPLE
from studio.runs.store import DATASETS, UPLOADS, Row, Store, new_id
from studio.runs.workspace import STALE_S, Workspace, remove
from studio.settings import ASSETS

if TYPE_CHECKING:
    from studio.data.check import FileReport

KEPT_TABLES = 4
"""Parsed tables of uploads that are kept in memory."""
MORE = "more"
"""Folder in an upload's for the files that came with the first one."""
MAX_ROWS_AT_ONCE = 10_000
_VERSION = re.compile(r" \(version \d+\)$")


def next_name(record: DatasetRecord) -> str:
    """What the version after this dataset is called."""
    stem = _VERSION.sub("", record.name)
    return display_name(f"{stem} (version {len(record.info.history) + 2})", record.name)


class Datasets:
    def __init__(self, store: Store, workspace: Workspace, *, max_upload_mb: int):
        self._store = store
        self._workspace = workspace
        self._max_upload_mb = max_upload_mb
        self._tables: Recent[tuple[str, Dialect | None], Table] = Recent(KEPT_TABLES)
        self._sheets: Recent[str, list[tuple[str, str]]] = Recent(100)
        self._infos: Recent[str, DatasetInfo] = Recent(1000)

    # uploads

    def stage(self, owner: str, path: Path, file_name: str, more: Sequence[tuple[Path, str]] = ()) -> UploadRecord:
        """Take in a file. The one given stays, unless it lies in the workspace's tmp: then it is moved.

        What the page took in is reached by its path alone, whoever names it; staged, it is its owner's.

        ``more``: further files and their names, to be read as one table with the first.

        Raises:
            DataError: too large, or not a file.
            HostError: the disk is too full.
        """
        check_may_start(self._store, owner)
        self._workspace.check_quota(owner)
        path = path.resolve()
        ours = path.is_relative_to(self._workspace.tmp.resolve())
        if not self._workspace.may_come_in(path):
            raise DataError("There is no such file.", hint="Upload it again.")
        size_mb = path.stat().st_size / 1e6
        if size_mb > self._max_upload_mb:
            raise DataError(
                f"The file has {size_mb:,.0f} MB; at most {self._max_upload_mb:,} MB can be uploaded.",
                hint="Split it, or save only the columns that matter. Whoever hosts the studio can raise the limit "
                "(STUDIO_MAX_UPLOAD_MB).",
            )
        if not ours:
            self._workspace.check_room(size_mb, "this file")
        name = safe_file_name(file_name, "table")
        id = new_id()
        folder = self._workspace.uploads / id
        try:
            folder.mkdir()
            (shutil.move if ours else shutil.copyfile)(path, folder / name)
        except OSError as error:
            remove(folder)
            raise HostError(f"The file could not be stored: {error.strerror}.") from error
        record = self._upload(self._store.add(UPLOADS, id=id, owner=owner, file_name=name, created=time.time()))
        for number, (other, other_name) in enumerate(more):
            part = self.stage(owner, other, other_name)
            place = folder / MORE / f"{number:04}"
            place.mkdir(parents=True)
            part.path.rename(place / part.file_name)
            self._store.remove(UPLOADS, owner, part.id)
            remove(part.path.parent)
        return self.upload(owner, id) if more else record

    def table(self, owner: str, upload_id: str, dialect: Dialect | None = None) -> Table:
        """The upload as a table, of a large one the first rows. Raises DataError when it cannot be read."""
        from studio.data.read import FIRST_ROWS, is_large, read_tables

        upload = self.upload(owner, upload_id)

        def read() -> Table:
            limit = FIRST_ROWS if is_large(upload.paths) else None
            names = [path.name for path in upload.paths]
            return read_tables(upload.paths, names=names, dialect=dialect, limit=limit)

        return self._tables.get((upload.id, dialect), read)

    def _whole(self, owner: str, upload_id: str, dialect: Dialect | None) -> Table:
        from studio.data.read import read_tables

        table = self.table(owner, upload_id, dialect)
        if not table.partial:
            return table
        paths = self.upload(owner, upload_id).paths
        return read_tables(paths, names=[path.name for path in paths], dialect=dialect)

    def sheets(self, owner: str, upload_id: str) -> list[tuple[str, str]]:
        """(words, value of ``Dialect.sheet``) of the sheets of a workbook, or the tables of an archive, that can be chosen."""
        from studio.data.read import agreeing, sheet_names
        from studio.data.several import ALL, ALL_WORDS

        upload = self.upload(owner, upload_id)

        def look() -> list[tuple[str, str]]:
            names = sheet_names(upload.path)
            return [(name, name) for name in names] + ([(ALL_WORDS, ALL)] if agreeing(upload.path, names) else [])

        return self._sheets.get(upload.id, look)

    def report(
        self, owner: str, upload_id: str, roles: Roles | None = None, dialect: Dialect | None = None
    ) -> "FileReport":
        """What the upload is and what is wrong with it; ``roles`` None: they are guessed."""
        from studio.data.check import inspect_table
        from studio.training.estimate import row_lengths

        return inspect_table(self.table(owner, upload_id, dialect), roles, row_lengths)

    def left_out(
        self, owner: str, upload_id: str, roles: Roles | None = None, dialect: Dialect | None = None
    ) -> Iterator[pa.Table]:
        """Rows of an upload, of a large one too all, that were skipped or mended, or would not be trained on, with reasons
        (see data/export.py)."""
        from studio.data.export import left_out
        from studio.data.prepare import prepare

        table = self._whole(owner, upload_id, dialect)
        return left_out(table, prepare(table, roles) if roles is not None and roles.format else None)

    def upload(self, owner: str, upload_id: str) -> UploadRecord:
        return self._upload(self._store.get(UPLOADS, owner, upload_id))

    def sweep(self) -> None:
        """Remove uploads that are more than a day old."""
        for id in self._store.remove_uploads_before(time.time() - STALE_S):
            self._workspace.discard(self._workspace.uploads / id)

    # datasets

    def create(
        self, owner: str, upload_id: str, roles: Roles, name: str, dialect: Dialect | None = None
    ) -> DatasetRecord:
        """Make a dataset of an upload. Raises DataError; nothing is left of a dataset that could not be made.

        Large uploads are imported in the background: see imports.py.
        """
        table = self._whole(owner, upload_id, dialect)
        return self._import(owner, table, roles, display_name(name, Path(table.name).stem))

    def create_sample(self, owner: str, sample_id: str) -> DatasetRecord:
        """A dataset of one of SAMPLES."""
        from studio.data.read import read_table

        sample = SAMPLE.get(sample_id)
        if sample is None:
            raise NotFound("There is no such sample.")
        return self._import(owner, read_table(ASSETS / "samples" / sample.file), sample.roles, sample.label)

    def list(self, owner: str) -> list[DatasetRecord]:
        """Newest first."""
        return [self._record(row) for row in self._store.all_of(DATASETS, owner)]

    def get(self, owner: str, dataset_id: str) -> DatasetRecord:
        return self._record(self._store.get(DATASETS, owner, dataset_id))

    def see(self, viewer: str, dataset_id: str) -> DatasetRecord:
        """One of the viewer's own, or one that is shared with the lab: to be looked at, searched and trained on."""
        return self._record(self._store.see(DATASETS, viewer, dataset_id))

    def shared(self, viewer: str) -> Sequence[DatasetRecord]:
        """What others share with the lab, newest first."""
        return [self._record(row) for row in self._store.shared_with(DATASETS, viewer)]

    def rows(self, owner: str, dataset_id: str, offset: int, limit: int) -> pa.Table:
        """At most ``limit`` (and MAX_ROWS_AT_ONCE) rows from ``offset`` on, as training will see them."""
        record = self.see(owner, dataset_id)
        return load_slice(record.folder, max(0, offset), max(0, min(limit, MAX_ROWS_AT_ONCE)))

    def sample(self, owner: str, dataset_id: str, limit: int) -> pa.Table:
        """At most ``limit`` rows from all over the dataset."""
        return load_sample(self.see(owner, dataset_id).folder, limit)

    def examples(self, owner: str, dataset_id: str, numbers: Sequence[int]) -> pa.Table:
        """The rows with these numbers of the file, as training will see them; those that were left out are not there."""
        return load_numbered(self.see(owner, dataset_id).folder, numbers)

    def fix(self, owner: str, dataset_id: str, ids: Sequence[str]) -> DatasetRecord:
        """A new dataset in which what its findings say is mended (see data/fix.py); this one stays.

        Raises:
            DataError: no such fix, nothing to mend, or too little left.
        """
        from studio.data.fix import apply_fixes
        from studio.training.estimate import row_lengths

        def write(record: DatasetRecord, folder: Path, name: str) -> None:
            apply_fixes(record.folder, folder, ids, name, row_lengths, record.id)

        return self.new_version(owner, dataset_id, write)

    def new_version(
        self, owner: str, dataset_id: str, write: Callable[[DatasetRecord, Path, str], object]
    ) -> DatasetRecord:
        """A dataset that ``write(record of this one, folder, name)`` makes of this one, which stays."""
        record = self.get(owner, dataset_id)
        name = next_name(record)
        size_mb = sum(path.stat().st_size for path in record.folder.iterdir()) / 1e6
        return self.add(owner, name, size_mb, lambda folder: write(record, folder, name))

    def delete(self, owner: str, dataset_id: str) -> None:
        """Put a dataset into the trash (see trash.py). Runs made from it keep their copy."""
        if not self._store.put_away(DATASETS, owner, dataset_id):
            self.get(owner, dataset_id)

    def _import(self, owner: str, table: Table, roles: Roles, name: str) -> DatasetRecord:
        from studio.data.dataset import import_dataset
        from studio.training.estimate import row_lengths

        size_mb = table.data.nbytes / 1e6
        return self.add(owner, name, size_mb, lambda folder: import_dataset(folder, table, roles, name, row_lengths))

    def add(self, owner: str, name: str, size_mb: float, write: Callable[[Path], object]) -> DatasetRecord:
        """A dataset that ``write`` makes in a folder (see data/dataset.py); nothing is left when it fails."""
        check_may_start(self._store, owner)
        self._workspace.check_quota(owner)
        id = new_id()
        aside = self._workspace.tmp / id
        self._workspace.check_room(size_mb, "this dataset")
        try:
            write(aside)
            aside.rename(self._workspace.datasets / id)
        except OSError as error:
            raise HostError(f"The dataset could not be stored: {error.strerror}.") from error
        finally:
            remove(aside)
        return self._record(self._store.add(DATASETS, id=id, owner=owner, name=name, created=time.time()))

    def _record(self, row: Row) -> DatasetRecord:
        folder = self._workspace.datasets / row["id"]
        info = self._infos.get(row["id"], lambda: load_info(folder))
        return DatasetRecord(row["id"], row["owner"], row["name"], info, folder, when(row["created"]))

    def _upload(self, row: Row) -> UploadRecord:
        folder = self._workspace.uploads / row["id"]
        more = tuple(sorted((folder / MORE).glob("*/*")))
        return UploadRecord(
            row["id"], row["owner"], row["file_name"], folder / row["file_name"], when(row["created"]), more
        )
