"""Corpora as a person deals with them: texts to search, made of a dataset, a table or documents, and changed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from studio.data import corpus
from studio.data.dataset import load_corpus, load_rows
from studio.data.rows import text_columns
from studio.data.table import Dialect
from studio.errors import HostError, SearchError
from studio.recent import Recent
from studio.runs.accounts import check_may_start
from studio.runs.datasets import Datasets
from studio.runs.indexes import Indexes
from studio.runs.makings import Makings
from studio.runs.names import display_name
from studio.runs.records import CorpusRecord, MakingRecord, when
from studio.runs.store import CORPORA, Row, Store, new_id
from studio.runs.workspace import Workspace, remove

if TYPE_CHECKING:
    from studio.data.documents import Library

MAKING = "corpus"
"""See studio/making/kinds.py."""


class Corpora:
    def __init__(
        self,
        store: Store,
        workspace: Workspace,
        datasets: Datasets,
        makings: Makings,
        indexes: Indexes,
        *,
        max_rows: int,
        kept: int,
    ):
        """``kept``: corpora that are kept open."""
        self._store = store
        self._workspace = workspace
        self._datasets = datasets
        self._makings = makings
        self._indexes = indexes
        self._max_rows = max_rows
        self._infos: Recent[tuple[str, int], corpus.CorpusInfo] = Recent(200)
        self._opened: Recent[tuple[str, str], pa.Table] = Recent(kept)

    def create_from_dataset(self, owner: str, dataset_id: str, roles: Sequence[str] | None = None) -> CorpusRecord:
        """The distinct texts of a dataset's roles; without ``roles``, those that people would search.

        That is the documents of a retrieval set, or the positives and negatives; for scored and labelled pairs both sides, which are alike.
        """
        check_may_start(self._store, owner)
        self._workspace.check_quota(owner)
        dataset = self._datasets.see(owner, dataset_id)
        documents = load_corpus(dataset.folder) if roles is None else None
        if documents is not None:
            row = pa.chunked_array([pa.array(range(1, len(documents) + 1), pa.int64())])
            where, columns = f"The documents of '{dataset.name}'.", {"text": documents, "row": row}
        else:
            rows = load_rows(dataset.folder)
            texts = text_columns(rows)
            if roles is None:
                roles = _searchable(texts, dataset.info.format)
            elif not roles or not set(roles) <= set(texts):
                raise SearchError(f"This dataset has no such texts. It has {', '.join(texts)}.")
            parts = pa.concat_tables([rows.select([role, "row"]).rename_columns(["text", "row"]) for role in roles])
            where = f"The {_and(roles)} texts of '{dataset.name}'."
            columns = {"text": parts["text"], "row": parts["row"]}
        found = corpus.documents(columns, {})
        total = found.info.rows
        if total > self._max_rows:
            found = corpus.first(found, self._max_rows)
        note = corpus.note_of(where, found, total if total > self._max_rows else None)
        return self._create(owner, found, dataset.name, note, dataset.id)

    def create_from_upload(
        self,
        owner: str,
        upload_id: str,
        column: str,
        name: str,
        dialect: Dialect | None = None,
        *,
        title: str = "",
        fields: Sequence[str] = (),
        update: str = "",
    ) -> CorpusRecord | MakingRecord:
        """The texts of one column of an uploaded table, each with its title and the columns to filter by.

        A large table is read in the background: then the making is returned, and the corpus has its id once it has succeeded.

        Args:
            update: Id of a corpus that takes these texts instead of its own. Its indexes are built again of what is new.

        Raises:
            DataError, SearchError
        """
        from studio.data.read import is_large

        check_may_start(self._store, owner)
        self._workspace.check_quota(owner)
        if update:
            self.get(owner, update)
        upload = self._datasets.upload(owner, upload_id)
        name = display_name(name, Path(upload.file_name).stem)
        if is_large(upload.paths):
            head = self._datasets.table(owner, upload_id, dialect)
            corpus.of_table(head, column, title, fields)  # what is wrong with the columns is said at once
            files = {f"files/{at}/{path.name}": path for at, path in enumerate(upload.paths)}
            task = {
                "files": [(place, path.name) for place, path in files.items()], "text": column, "title": title,
                "dialect": None if dialect is None else asdict(dialect), "fields": list(fields),
                "most_rows": self._max_rows, "update": update,
            }  # fmt: skip
            return self._makings.create(owner, MAKING, name, task, files=files)
        table = self._datasets.table(owner, upload_id, dialect)
        found = corpus.of_table(table, column, title, fields)
        return self._bring(owner, found, name, f"The column '{column}' of {table.name}.", update)

    def create_from_library(self, owner: str, library: "Library", name: str, update: str = "") -> CorpusRecord:
        """The documents of a set of files, each with its title. ``update``: as for an upload."""
        where = f"{len(library.documents):,} documents."
        return self._bring(owner, corpus.of_library(library), display_name(name, "Documents"), where, update)

    def bring(self, owner: str, found: corpus.Documents, name: str, update: str = "") -> CorpusRecord:
        """Documents that a program has sent. ``update``: as for an upload."""
        return self._bring(owner, found, display_name(name, "Documents"), f"{found.info.rows:,} documents.", update)

    def list(self, owner: str) -> list[CorpusRecord]:
        """Newest first."""
        return [self._record(row) for row in self._store.all_of(CORPORA, owner)]

    def get(self, owner: str, corpus_id: str) -> CorpusRecord:
        return self._record(self._store.get(CORPORA, owner, corpus_id))

    def see(self, viewer: str, corpus_id: str) -> CorpusRecord:
        """One of the viewer's own, or one that is shared with the lab."""
        return self._record(self._store.see(CORPORA, viewer, corpus_id))

    def shared(self, viewer: str) -> Sequence[CorpusRecord]:
        """What others share with the lab, newest first."""
        return [self._record(row) for row in self._store.shared_with(CORPORA, viewer)]

    def info(self, owner: str, corpus_id: str) -> corpus.CorpusInfo:
        """Its columns, and its version. Raises SearchError: its file is gone."""
        record = self.see(owner, corpus_id)
        try:
            made = record.file.stat().st_mtime_ns
        except FileNotFoundError:
            raise SearchError("The texts of the corpus cannot be read.", hint="Import the corpus again.") from None
        return self._infos.get((record.id, made), lambda: corpus.load_info(record.file))

    def open(self, owner: str, corpus_id: str) -> tuple[CorpusRecord, corpus.CorpusInfo, pa.Table]:
        """A corpus with its texts; of a large one they are mapped from disk."""
        record, info = self.see(owner, corpus_id), self.info(owner, corpus_id)
        return record, info, self._opened.get((record.id, info.version), lambda: corpus.load(record.file))

    def delete(self, owner: str, corpus_id: str) -> None:
        """Remove a corpus and its indexes; what is being built is ended. Marks on its hits stay."""
        self.get(owner, corpus_id)
        self._indexes.drop(corpus_id=corpus_id)
        if self._store.remove(CORPORA, owner, corpus_id):
            self._workspace.discard(self._workspace.corpora / corpus_id)
            self._workspace.discard(self._workspace.indexes / corpus_id)
        self._opened.forget(lambda key: key[0] == corpus_id)

    def _bring(self, owner: str, found: corpus.Documents, name: str, where: str, update: str) -> CorpusRecord:
        check_may_start(self._store, owner)
        self._workspace.check_quota(owner)
        corpus.check_size(found, self._max_rows)
        note = corpus.note_of(where, found)
        if not update:
            return self._create(owner, found, name, note, None)
        target = self.get(owner, update).file
        self._store_file(found, lambda aside: (aside / "texts.parquet").replace(target))
        self._store.change_corpus(owner, update, rows=found.info.rows, note=note)
        return self.get(owner, update)

    def _create(
        self, owner: str, found: corpus.Documents, name: str, note: str, dataset_id: str | None
    ) -> CorpusRecord:
        id = new_id()
        self._store_file(found, lambda aside: aside.rename(self._workspace.corpora / id))
        row = self._store.add(
            CORPORA, id=id, owner=owner, name=name, rows=found.info.rows, note=note, dataset_id=dataset_id,
            created=time.time(),
        )  # fmt: skip
        return self._record(row)

    def _store_file(self, found: corpus.Documents, move: Callable[[Path], object]) -> None:
        aside = self._workspace.tmp / new_id()
        self._workspace.check_room(found.data.nbytes / 1e6, "this corpus")
        try:
            aside.mkdir()
            corpus.save(aside / "texts.parquet", found)
            move(aside)
        except OSError as error:
            raise HostError(f"The corpus could not be stored: {error.strerror}.") from error
        finally:
            remove(aside)

    def _record(self, row: Row) -> CorpusRecord:
        folder = self._workspace.corpora / row["id"]
        return CorpusRecord(
            row["id"],
            row["owner"],
            row["name"],
            row["rows"],
            row["note"],
            row["dataset_id"],
            folder,
            when(row["created"]),
        )


def _searchable(texts: Sequence[str], format: str) -> list[str]:
    if format in ("scored_pair", "labelled_pair", "classed_pair"):
        return ["anchor", "positive"]
    return [name for name in texts if name != "anchor"]


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
