"""Indexes: which model's, how far, and their end. Built by studio.search.indexer in processes of their own."""

import hashlib
import signal
import time
from pathlib import Path

from studio.errors import SearchError
from studio.files import read_json, write_json
from studio.runs.executors.local import LocalExecutor
from studio.runs.records import IndexRecord
from studio.runs.store import INDEXES, Row, Store
from studio.runs.supervisor import Supervisor
from studio.runs.workspace import Workspace


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
    def __init__(self, store: Store, workspace: Workspace, executor: LocalExecutor, supervisor: Supervisor):
        self._store = store
        self._workspace = workspace
        self._executor = executor
        self._supervisor = supervisor

    def folder(self, corpus_id: str, model_key: str) -> Path:
        return self._workspace.indexes / corpus_id / model_key

    def ensure(
        self, owner: str, corpus_id: str, key: str, model: str, *, rows: int, retry: bool, start: bool = True
    ) -> IndexRecord:
        """Queue the index unless it is there, under way, or (without ``retry``) failed before.

        Args:
            model: What the indexer loads: id of the catalogue, folder or hub name.
            rows: Texts of the corpus.
            start: Without it nothing is queued, and what nobody has begun raises SearchError.
        """
        row = self._store.index(corpus_id, key)
        if row is None and not start:
            raise SearchError(
                "These texts have not been read by this model yet.",
                hint="Somebody who may start work here has to search them with it once.",
            )
        retry = retry and start
        if row is None or (retry and row["state"] == "failed"):
            texts = self._workspace.corpora / corpus_id / "texts.parquet"
            write_json(self.folder(corpus_id, key) / "task.json", {"texts": str(texts), "model": model})
            if row is None:
                self._store.add_index(owner, corpus_id, key)
            else:
                again = {"message": "", "attempt": 0, "queued": time.time()}
                self._store.move(INDEXES, _key(row), to="queued", of=("failed",), **again)
            self._supervisor.wake()
            row = self._store.index(corpus_id, key)
        progress = read_json(self.folder(corpus_id, key) / "progress.json", {})
        rows = progress.get("total", rows)
        done = rows if row["state"] == "ready" else progress.get("done", 0)
        return IndexRecord(corpus_id, key, row["state"], done, rows, row["message"], self.folder(corpus_id, key))

    def drop(self, **key: str) -> None:
        """End and remove the indexes of a corpus (``corpus_id=``) or of a model (``model_key=``), whoever asked for them."""
        with self._supervisor.lock:
            for row in self._store.remove_indexes(**key):
                folder = self.folder(row["corpus_id"], row["model_key"])
                self._executor.signal(folder, signal.SIGKILL)
                self._workspace.discard(folder)


def _key(row: Row) -> Row:
    return {name: row[name] for name in ("corpus_id", "model_key")}
