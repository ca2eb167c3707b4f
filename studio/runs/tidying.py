"""Near duplicates, topics and outliers of a corpus: asked for, and taken along as tables."""

import pyarrow as pa
import pyarrow.parquet as pq

from studio.errors import NotFound, SearchError
from studio.files import read_json
from studio.runs.corpora import Corpora
from studio.runs.makings import Makings
from studio.runs.records import MakingRecord
from studio.runs.searches import KEYWORD, Searches

MAKING = "tidy"
LEAST_ALIKE = 0.5


class Tidying:
    def __init__(self, corpora: Corpora, searches: Searches, makings: Makings):
        self._corpora = corpora
        self._searches = searches
        self._makings = makings

    def begin(self, owner: str, corpus_id: str, column: str, alike: float = 0.95, topics: int = 0) -> MakingRecord:
        """Look through a corpus by the embeddings of a column's model.

        Args:
            alike: Cosine from which two texts are taken to say the same.
            topics: How many; 0: chosen by the number of texts.

        Raises:
            SearchError: the keyword column, an index that is not ready, or a number out of bounds.
        """
        if column == KEYWORD:
            raise SearchError("Keywords have no embeddings.", hint="Choose a model.")
        if not LEAST_ALIKE <= alike <= 1 or not 0 <= topics <= 100:
            raise SearchError(f"Alike is between {LEAST_ALIKE} and 1, topics between 0 and 100.")
        (index,) = self._searches.ensure(owner, corpus_id, [column])
        if index.state != "ready":
            raise SearchError("The texts are still being read.", hint="Begin as soon as that is done.")
        record, info = self._corpora.see(owner, corpus_id), self._corpora.info(owner, corpus_id)
        kept = [path for path in index.folder.iterdir() if path.name in ("vectors.npy", "positions.npy", "meta.json")]
        files = {"texts.parquet": record.file, **{f"index/{path.name}": path for path in kept}}
        task = {"corpus": corpus_id, "version": info.version, "alike": alike, "topics": topics, "model": index.label}
        return self._makings.create(owner, MAKING, f"A look through {record.name}", task, files=files)

    def latest(self, owner: str, corpus_id: str) -> MakingRecord | None:
        """The last one of a corpus."""
        self._corpora.see(owner, corpus_id)
        return next(
            (
                making
                for making in self._makings.list(owner)
                if making.kind == MAKING and read_json(making.folder / "task.json", {}).get("corpus") == corpus_id
            ),
            None,
        )

    def table(self, owner: str, making_id: str, name: str) -> pa.Table:
        """One of the tables that it made. Raises NotFound."""
        from studio.making.tidy import TABLES

        making = self._makings.get(owner, making_id)
        path = making.folder / f"{name}.parquet"
        if making.kind != MAKING or making.state != "succeeded" or name not in TABLES or not path.is_file():
            raise NotFound("There is no such table.", hint="Look through the corpus again.")
        return pq.read_table(path)
