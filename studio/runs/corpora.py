"""Corpora as a person deals with them: texts to search, their indexes, a query."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio.data.dataset import load_corpus, load_rows
from studio.data.rows import text_columns
from studio.data.table import Dialect
from studio.errors import DataError, HostError, SearchError
from studio.recent import Recent
from studio.runs.accounts import check_may_start, may_start
from studio.runs.datasets import Datasets
from studio.runs.indexes import Indexes, base_key, tuned_key
from studio.runs.names import display_name
from studio.runs.records import CorpusRecord, IndexRecord, RunRecord, when
from studio.runs.store import CORPORA, Row, Store, new_id
from studio.runs.training_runs import Runs
from studio.runs.workspace import Workspace, remove
from studio.search.warm import WarmModels

if TYPE_CHECKING:
    from studio.search.result import Comparison

KEPT_CORPORA = 4


@dataclass(frozen=True)
class Model:
    """One of the two models of a comparison."""

    key: str
    name: str
    """What search loads: id of the catalogue, folder or hub name."""


class Corpora:
    def __init__(
        self,
        store: Store,
        workspace: Workspace,
        datasets: Datasets,
        runs: Runs,
        indexes: Indexes,
        *,
        max_rows: int,
        warm_models: int,
    ):
        self._store = store
        self._workspace = workspace
        self._datasets = datasets
        self._runs = runs
        self._indexes = indexes
        self._max_rows = max_rows
        self._texts: Recent[str, pa.ChunkedArray] = Recent(KEPT_CORPORA)
        self._opened: Recent[tuple[str, str, int], Any] = Recent(2 * KEPT_CORPORA)
        self._warm = WarmModels(warm_models)

    def create_from_dataset(self, owner: str, dataset_id: str, roles: Sequence[str] | None = None) -> CorpusRecord:
        """The distinct texts of a dataset's roles; without ``roles``, those that people would search.

        That is the documents of a retrieval set, or the positives and negatives; for scored and labelled pairs both sides, which are alike.
        """
        check_may_start(self._store, owner)
        self._workspace.check_quota(owner)
        dataset = self._datasets.see(owner, dataset_id)
        documents = load_corpus(dataset.folder) if roles is None else None
        if documents is not None:
            found = pa.table({"text": documents, "row": pa.array(range(1, len(documents) + 1), pa.int64())})
            return self._create(owner, found, dataset.name, f"The documents of '{dataset.name}'.", dataset.id)
        rows = load_rows(dataset.folder)
        texts = text_columns(rows)
        if roles is None:
            roles = _searchable(texts, dataset.info.format)
        elif not roles or not set(roles) <= set(texts):
            raise SearchError(f"This dataset has no such texts. It has {', '.join(texts)}.")
        found = pa.concat_tables([rows.select([role, "row"]).rename_columns(["text", "row"]) for role in roles])
        where = f"The {_and(roles)} texts of '{dataset.name}'."
        return self._create(owner, found, dataset.name, where, dataset.id)

    def create_from_upload(
        self, owner: str, upload_id: str, column: str, name: str, dialect: Dialect | None = None
    ) -> CorpusRecord:
        """The distinct texts of one column of an uploaded table. Raises DataError, SearchError."""
        check_may_start(self._store, owner)
        self._workspace.check_quota(owner)
        table = self._datasets.table(owner, upload_id, dialect)
        if column not in table.columns:
            raise DataError(f"{table.name} has no column '{column}'.", hint=f"It has {', '.join(table.columns)}.")
        values = table.data[column]
        if not pa.types.is_string(values.type) and not pa.types.is_large_string(values.type):
            raise DataError(f"The column '{column}' holds lists, not texts.", hint="Choose another column.")
        found = pa.table({"text": values.cast(pa.string()), "row": table.rows.cast(pa.int64())})
        where = f"The column '{column}' of {table.name}."
        return self._create(owner, found, display_name(name, Path(table.name).stem), where, None)

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

    def delete(self, owner: str, corpus_id: str) -> None:
        """Remove a corpus and its indexes; what is being built is ended."""
        self.get(owner, corpus_id)
        self._indexes.drop(corpus_id=corpus_id)
        if self._store.remove(CORPORA, owner, corpus_id):
            self._workspace.discard(self._workspace.corpora / corpus_id)
            self._workspace.discard(self._workspace.indexes / corpus_id)
        self._texts.forget(lambda id: id == corpus_id)
        self._opened.forget(lambda key: key[0] == corpus_id)

    def ensure_index(
        self, owner: str, corpus_id: str, run_id: str, retry: bool = False
    ) -> tuple[IndexRecord, IndexRecord]:
        """How far the indexes of a run's base and tuned model are; queued when they are not there.

        Corpus and run are the owner's own or shared with the lab; a viewer's call queues nothing.

        Args:
            retry: Try again those that failed.

        Raises:
            RunError: the run has no model.
            SearchError: a viewer asks for what nobody has begun.
        """
        corpus = self.see(owner, corpus_id)
        models = self._models(self._runs.see(owner, run_id))
        start = may_start(self._store, owner)
        base, tuned = (
            self._indexes.ensure(owner, corpus.id, m.key, m.name, rows=corpus.rows, retry=retry, start=start)
            for m in models
        )
        return base, tuned

    def search(self, owner: str, corpus_id: str, run_id: str, query: str, top_k: int = 10) -> "Comparison":
        """What the run's base and tuned model find for ``query``, side by side.

        Raises:
            SearchError: a bad query, or indexes that are not ready, with their progress.
        """
        from studio.search.compare import check_query, compare

        corpus = self.see(owner, corpus_id)
        query = check_query(query, top_k)
        models = self._models(self._runs.see(owner, run_id))
        records = self.ensure_index(owner, corpus_id, run_id)
        _check_ready(records)
        texts = self._texts.get(
            corpus.id, lambda: pq.read_table(corpus.folder / "texts.parquet", columns=["text"])["text"]
        )
        indexes = [self._open(record) for record in records]
        loaded = [self._warm.get(model.name) for model in models]
        return compare(query, texts, *indexes, *loaded, top_k)

    def encoder(self, owner: str, run_id: str) -> Any:
        """The tuned model (a SentenceTransformer) of a run that is the owner's own or shared with the lab, loaded. Raises RunError: it has none."""
        run = self._runs.see(owner, run_id)
        return self._warm.get(str(self._runs.model_folder(run.owner, run.id)))

    def _models(self, run: RunRecord) -> tuple[Model, Model]:
        folder = self._runs.model_folder(run.owner, run.id)
        earlier = self._runs.base_folder(run)
        base = run.config.base_model if earlier is None else str(earlier)
        name = run.config.base_model
        return Model(base_key(name if name.startswith("run:") else base), base), Model(tuned_key(run.id), str(folder))

    def _open(self, record: IndexRecord) -> Any:
        from studio.search.index import open_index

        made = (record.folder / "meta.json").stat().st_mtime_ns
        return self._opened.get((record.corpus_id, record.model_key, made), lambda: open_index(record.folder))

    def let_idle_models_go(self, idle_s: float) -> None:
        """Models that nobody has searched with for so long leave memory; the next search loads them again."""
        self._warm.drop_idle(idle_s)

    def _create(self, owner: str, found: pa.Table, name: str, note: str, dataset_id: str | None) -> CorpusRecord:
        """``found``: text, row. Too many texts of a dataset are cut off, and that is said; those of a table are refused."""
        kept, empty, repeated = _distinct(found)
        if not len(kept):
            raise SearchError("There are no texts to search.", hint="Choose a column that has texts in it.")
        if len(kept) > self._max_rows and dataset_id is None:
            raise SearchError(
                f"There are {len(kept):,} different texts; at most {self._max_rows:,} can be searched here.",
                hint="Upload a smaller table.",
            )
        if empty or repeated:
            note += f" Left out: {empty:,} empty, {repeated:,} repeated."
        if len(kept) > self._max_rows:
            note += f" Only the first {self._max_rows:,} of {len(kept):,} texts."
            kept = kept.slice(0, self._max_rows)
        id = new_id()
        aside = self._workspace.tmp / id
        self._workspace.check_room(kept.nbytes / 1e6, "this corpus")
        try:
            aside.mkdir()
            pq.write_table(kept, aside / "texts.parquet", compression="zstd")
            aside.rename(self._workspace.corpora / id)
        except OSError as error:
            remove(aside)
            raise HostError(f"The corpus could not be stored: {error.strerror}.") from error
        row = self._store.add(
            CORPORA, id=id, owner=owner, name=name, rows=len(kept), note=note, dataset_id=dataset_id,
            created=time.time(),
        )  # fmt: skip
        return self._record(row)

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
    if format in ("scored_pair", "labelled_pair"):
        return ["anchor", "positive"]
    return [name for name in texts if name != "anchor"]


def _distinct(found: pa.Table) -> tuple[pa.Table, int, int]:
    """The first of every text that is not empty, in order; how many were empty, and how many repeated."""
    text = pc.utf8_trim_whitespace(pc.fill_null(found["text"], ""))
    filled = pc.not_equal(text, "")
    table = pa.table({"text": text, "row": found["row"]}).filter(filled)
    places = table.append_column("place", pa.array(np.arange(len(table))))
    first = places.group_by("text").aggregate([("place", "min")])["place_min"]
    kept = table.take(np.sort(first.to_numpy()))
    return kept, len(found) - len(table), len(table) - len(kept)


def _check_ready(records: Sequence[IndexRecord]) -> None:
    for record in records:
        if record.state == "failed":
            raise SearchError(f"The index could not be built. {record.message}", hint="Build it again.")
    if any(record.state != "ready" for record in records):
        done, rows = (sum(getattr(record, name) for record in records) for name in ("done", "rows"))
        raise SearchError(
            f"The indexes of both models are being built: {done:,} of {rows:,} texts.",
            hint="Search as soon as they are ready.",
        )


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
