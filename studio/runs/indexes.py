"""Indexes: which model's, how far, and their end. Built by studio.search.indexer in processes of their own."""

import hashlib
import signal
import time
from pathlib import Path

from studio.errors import NotFound, SearchError
from studio.files import read_json, write_json
from studio.runs.executors.local import LocalExecutor
from studio.runs.records import CorpusRecord, IndexRecord
from studio.runs.store import INDEXES, Row, Store
from studio.runs.supervisor import Supervisor
from studio.runs.workspace import Workspace, size_mb

IN_USE_S = 600
"""An index that was searched so recently is not freed, however little room there is."""
NOTED_S = 60
"""How exactly it is noted when an index was used."""
AGAIN = ("failed", "stopped")


def tuned_key(run_id: str) -> str:
    """Key of a tuned model."""
    return hashlib.sha256(f"run:{run_id}".encode()).hexdigest()[:16]


def base_key(base_model: str) -> str:
    """Key of the model that a run started from; ``base_model``: as in the run's config.

    Another model in the same folder has another key: it is made of what the files hold.
    """
    if base_model.startswith("run:"):
        return tuned_key(base_model.removeprefix("run:"))
    from studio.search.index import model_hash

    return model_hash(base_model)[:16]


class Indexes:
    def __init__(
        self, store: Store, workspace: Workspace, executor: LocalExecutor, supervisor: Supervisor, *, disk_mb: float
    ):
        """``disk_mb``: above so much room for all indexes together, the least recently used is freed."""
        self._store = store
        self._workspace = workspace
        self._executor = executor
        self._supervisor = supervisor
        self._disk_mb = disk_mb

    def folder(self, corpus_id: str, model_key: str) -> Path:
        return self._workspace.indexes / corpus_id / model_key

    def ensure(
        self,
        owner: str,
        corpus: CorpusRecord,
        key: str,
        model: str,
        label: str,
        version: str,
        *,
        retry: bool,
        start: bool = True,
    ) -> IndexRecord:
        """Queue the index unless it is there, under way, or (without ``retry``) failed or stopped before.

        Args:
            model: What the indexer loads: id of the catalogue, folder or hub name; or ``keyword``.
            label: The model for people.
            version: Of the corpus: an index of another one is built again, of what has changed.
            start: Without it nothing is queued, and what nobody has begun raises SearchError.
        """
        row = self._store.index(corpus.id, key)
        of = ("freed", *(AGAIN if retry else ()))
        if row is not None and row["state"] == "ready" and not self._is_of(corpus.id, key, version):
            of = (*of, "ready")
        if not start and (row is None or (row["state"] in ("freed", "ready") and row["state"] in of)):
            raise SearchError(
                "These texts have not been read by this model yet.",
                hint="Somebody who may start work here has to search them with it once.",
            )
        if start and (row is None or row["state"] in of):
            self._write_task(owner, corpus, key, model, label, version)
            if row is None:
                self._store.add_index(owner, corpus.id, key)
            else:
                self._store.move(INDEXES, _key(row), to="queued", of=of, message="", attempt=0, queued=time.time())
            self.free()
            self._supervisor.wake()
            row = self._store.index(corpus.id, key)
        elif time.time() - (row["used"] or 0) > NOTED_S:
            self._store.use_index(corpus.id, key)
        return self._record(row, corpus.rows)

    def of_corpus(self, owner: str, corpus: CorpusRecord) -> list[IndexRecord]:
        """Those that this owner has asked for."""
        return [self._record(row, corpus.rows) for row in self._store.indexes_of(owner, corpus.id)]

    def stop(self, owner: str, corpus: CorpusRecord, key: str) -> None:
        """Stop building; what is done is kept. Raises NotFound, or SearchError when it is not being built."""
        row = self._store.index(corpus.id, key)
        if row is None or owner not in (row["owner"], corpus.owner):
            raise NotFound("There is no such index.", hint="It may have been deleted.")
        words = {"message": "Stopped. Index it again to go on where it was."}
        with self._supervisor.lock:
            done = self._store.move(INDEXES, _key(row), to="stopped", of=("queued",), **words) or self._store.move(
                INDEXES, _key(row), to="stopping", of=("building",)
            )
        if not done and row["state"] != "stopping":
            raise SearchError("This index is not being built.")
        self._supervisor.wake()

    def free(self) -> list[Row]:
        """Remove the least recently used indexes while all together take more room than they may; which these were.

        They are built again when they are searched next. Of what is being built, nothing is removed.
        """
        ready = sorted(self._store.in_states(INDEXES, "ready"), key=lambda row: row["used"] or 0)
        sizes = [self._size_mb(row) for row in ready]
        total, freed = sum(sizes), []
        for row, size in zip(ready, sizes, strict=True):
            if total <= self._disk_mb:
                break
            if time.time() - (row["used"] or 0) < IN_USE_S:
                continue
            day = time.strftime("%d %B %Y", time.gmtime())
            words = f"Freed on {day}: all indexes together may take {self._disk_mb:,.0f} MB. Searching builds it again."
            with self._supervisor.lock:
                if self._store.move(INDEXES, _key(row), to="freed", of=("ready",), message=words):
                    folder = self.folder(**_key(row))
                    label = read_json(folder / "task.json", {}).get("label", "")
                    self._workspace.discard(folder)
                    write_json(folder / "task.json", {"label": label})
                    total -= size
                    freed.append(row)
        return freed

    def drop(self, **key: str) -> None:
        """End and remove the indexes of a corpus (``corpus_id=``) or of a model (``model_key=``), whoever asked for them."""
        with self._supervisor.lock:
            for row in self._store.remove_indexes(**key):
                folder = self.folder(row["corpus_id"], row["model_key"])
                self._executor.signal(folder, signal.SIGKILL)
                self._workspace.discard(folder)

    def _write_task(self, owner: str, corpus: CorpusRecord, key: str, model: str, label: str, version: str) -> None:
        """Vectors of equal texts are taken from the owner's other indexes of the model."""
        same = [row for row in self._store.in_states(INDEXES, "ready") if row["model_key"] == key]
        known = [
            str(self.folder(row["corpus_id"], key))
            for row in same
            if row["owner"] == owner and row["corpus_id"] != corpus.id
        ]
        (self.folder(corpus.id, key) / "progress.json").unlink(missing_ok=True)
        write_json(
            self.folder(corpus.id, key) / "task.json",
            {"texts": str(corpus.file), "model": model, "label": label, "version": version, "known": known},
        )

    def _is_of(self, corpus_id: str, key: str, version: str) -> bool:
        meta = read_json(self.folder(corpus_id, key) / "meta.json")
        return meta is not None and meta.get("version", "") == version

    def _size_mb(self, row: Row) -> float:
        folder = self.folder(**_key(row))
        return size_mb(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0.0

    def _record(self, row: Row, rows: int) -> IndexRecord:
        folder = self.folder(**_key(row))
        progress, meta = read_json(folder / "progress.json", {}), read_json(folder / "meta.json", {})
        total = progress.get("total", rows)
        going = row["state"] == "building"
        return IndexRecord(
            row["corpus_id"],
            row["model_key"],
            row["state"],
            total if row["state"] == "ready" else progress.get("done", 0),
            total,
            row["message"],
            folder,
            label=read_json(folder / "task.json", {}).get("label", ""),
            per_s=progress.get("per_s") if going else None,
            eta_s=progress.get("eta_s") if going else None,
            size_mb=round(self._size_mb(row), 1),
            reused=meta.get("reused", 0),
            recall=meta.get("recall"),
        )


def _key(row: Row) -> Row:
    return {name: row[name] for name in ("corpus_id", "model_key")}
