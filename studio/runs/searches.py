"""Searches as a person makes them: which models, how far their indexes are, hits, history, questions to begin with."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from studio.errors import NotFound, SearchError
from studio.recent import Recent
from studio.runs.accounts import may_start
from studio.runs.corpora import Corpora
from studio.runs.datasets import Datasets
from studio.runs.indexes import Indexes, base_key, tuned_key
from studio.runs.records import CorpusRecord, IndexRecord
from studio.runs.store import SEARCHES, Store, new_id
from studio.runs.training_runs import Runs
from studio.search.result import MAX_COLUMNS, Asked, Found, check_query
from studio.search.warm import WarmModels

if TYPE_CHECKING:
    from studio.search.find import Way

KEYWORD = "keyword"
KEPT_SEARCHES = 200
"""Of a corpus, in its history."""
SHORT = 80
"""Longest question that is offered to begin with, in characters."""


@dataclass(frozen=True)
class Source:
    """What a column searches with."""

    id: str
    """``keyword``, ``run:<id>``, ``base:<id of a run>`` or ``model:<base model>``."""
    key: str
    """Of its index."""
    model: str
    """What search loads: id of the catalogue, folder or hub name."""
    label: str


class Searches:
    def __init__(
        self,
        store: Store,
        datasets: Datasets,
        corpora: Corpora,
        runs: Runs,
        indexes: Indexes,
        *,
        warm_models: int,
        warm_indexes: int,
        reranker: str,
    ):
        self._store = store
        self._datasets = datasets
        self._corpora = corpora
        self._runs = runs
        self._indexes = indexes
        self._warm = WarmModels(warm_models)
        self._opened: Recent[tuple[str, str, int], Any] = Recent(warm_indexes)
        self._reranker = reranker
        self._cross: Recent[str, Callable] = Recent(1)

    def why_no_reranking(self) -> str:
        """Empty: there is a cross-encoder, or it can be fetched."""
        from studio.search.rerank import why_not

        return why_not(self._reranker)

    def source(self, owner: str, column: str) -> Source:
        """What a column means.

        Raises:
            SearchError: nothing by that name, or a model that was deleted.
        """
        kind, _, name = column.partition(":")
        if column == KEYWORD:
            return Source(column, KEYWORD, KEYWORD, "Keywords")
        if kind == "model" and name:
            label, folder = self._runs.base_model(owner, name)
            if folder is not None:
                raise SearchError("A tuned model is named by its run.", hint="Choose it from the list.")
            return Source(column, base_key(name), name, label)
        if kind not in ("run", "base") or not name:
            raise SearchError(
                f"There is nothing to search with that is called '{column}'.", hint="Choose from the list."
            )
        try:
            run = self._runs.see(owner, name)
            folder = self._runs.model_folder(run.owner, run.id)
        except NotFound as error:
            raise NotFound(
                f"The model of this column is not there any more. {error.message}",
                hint="Take the column away, or choose another model.",
            ) from None
        if kind == "run":
            return Source(column, tuned_key(run.id), str(folder), run.name)
        earlier = self._runs.base_folder(run)
        base, asked = run.config.base_model if earlier is None else str(earlier), run.config.base_model
        return Source(column, base_key(asked if asked.startswith("run:") else base), base, run.base_label)

    def ensure(self, owner: str, corpus_id: str, columns: Sequence[str], retry: bool = False) -> list[IndexRecord]:
        """How far the index of each column is; queued when it is not there.

        Corpus and runs are the owner's own or shared with the lab; a viewer's call queues nothing.

        Args:
            retry: Try again those that failed, go on with those that were stopped.
        """
        record, version = self._corpora.see(owner, corpus_id), self._corpora.info(owner, corpus_id).version
        sources = [self.source(owner, column) for column in self._some(columns)]
        may = {"retry": retry, "start": may_start(self._store, owner)}
        return [self._indexes.ensure(owner, record, s.key, s.model, s.label, version, **may) for s in sources]

    def indexes(self, owner: str, corpus_id: str) -> list[IndexRecord]:
        """All of a corpus."""
        return self._indexes.of_corpus(owner, self._corpora.see(owner, corpus_id))

    def stop(self, owner: str, corpus_id: str, key: str) -> None:
        """Stop building an index; what is done is kept."""
        self._indexes.stop(owner, self._corpora.see(owner, corpus_id), key)

    def search(self, owner: str, corpus_id: str, columns: Sequence[str], asked: Asked, noted: bool = False) -> Found:
        """What the columns find, side by side.

        Args:
            noted: Write it into the history.

        Raises:
            SearchError: a bad query, a model that is gone, or indexes that are not ready, with their progress.
        """
        from studio.search.find import find

        asked = replace(asked, query=check_query(asked.query, asked.top_k))
        if asked.rerank and self.why_no_reranking():
            raise SearchError(self.why_no_reranking(), hint="Search without reranking.")
        with_words = [*columns, *([KEYWORD] if asked.hybrid and KEYWORD not in columns else [])]
        columns = self._some(columns)
        records = self.ensure(owner, corpus_id, with_words)
        _check_ready(records)
        record, info, data = self._corpora.open(owner, corpus_id)
        ways = [
            self._way(self.source(owner, column), at, info.version)
            for column, at in zip(with_words, records, strict=True)
        ]
        keyword = next((way for way in ways if way.kind == KEYWORD), None)
        rerank = self._cross.get(self._reranker, self._load_reranker) if asked.rerank else None
        found = find(asked, data, info, ways[: len(columns)], keyword, rerank)
        if noted:
            self._note(owner, record, columns, asked)
        return found

    def encoder(self, owner: str, run_id: str) -> Any:
        """The tuned model (a SentenceTransformer) of a run that is the owner's own or shared with the lab, loaded. Raises RunError: it has none."""
        run = self._runs.see(owner, run_id)
        return self._warm.get(str(self._runs.model_folder(run.owner, run.id)))

    def let_idle_models_go(self, idle_s: float) -> None:
        """Models that nobody has searched with for so long leave memory; the next search loads them again."""
        self._warm.drop_idle(idle_s)

    def history(self, owner: str, corpus_id: str, most: int = 20) -> list[dict[str, Any]]:
        """The last searches, newest first, each query once: query, columns, and how it was asked."""
        self._corpora.see(owner, corpus_id)
        rows = self._store.of_corpus(SEARCHES, owner, corpus_id, KEPT_SEARCHES)
        found = {row["query"]: json.loads(row["asked"]) for row in reversed(rows)}
        newest = list(dict.fromkeys(row["query"] for row in rows))[:most]
        return [{"query": query, **found[query]} for query in newest]

    def forget(self, owner: str, corpus_id: str) -> None:
        """Empty the history of a corpus."""
        self._corpora.see(owner, corpus_id)
        self._store.remove_all_but(SEARCHES, owner, corpus_id, 0)

    def samples(self, owner: str, corpus_id: str, run_id: str, most: int = 8) -> dict[str, list[str]]:
        """Questions to begin with: ``base_wrong``, held-out ones that the base got wrong and the tuned model right,
        ``tuned_wrong``, the other way round, and ``others`` of the dataset."""
        record, run = self._corpora.see(owner, corpus_id), self._runs.see(owner, run_id)
        of_anchors = "anchor texts" in record.note
        verdict = None if of_anchors else self._runs.verdict(owner, run_id)
        right, wrong = ([], []) if verdict is None else (_short(verdict.now_right), _short(verdict.now_wrong))
        try:
            rows = self._datasets.rows(owner, run.dataset_id, 0, 2000)
        except NotFound:
            rows = None
        others: list[str] = []
        if rows is not None:
            asks = "text" if "text" in rows.column_names else "positive" if of_anchors else "anchor"
            others = _short(rows[asks].to_pylist())
            others = others[:: max(1, len(others) // most)]
        return {"base_wrong": right[:most], "tuned_wrong": wrong[:most], "others": others[:most]}

    def _some(self, columns: Sequence[str]) -> list[str]:
        columns = list(dict.fromkeys(columns))
        if not columns:
            raise SearchError("There is nothing to search with.", hint="Add a column: keywords or a model.")
        if len(columns) > MAX_COLUMNS + 1:
            raise SearchError(f"{len(columns)} columns are too many.", hint=f"Compare at most {MAX_COLUMNS}.")
        return columns

    def _way(self, source: Source, record: IndexRecord, version: str) -> "Way":
        from studio.search.find import KeywordWay, ModelWay

        try:
            made = (record.folder / "meta.json").stat().st_mtime_ns
        except FileNotFoundError:
            raise SearchError("The index is not there any more.", hint="Search again: it is built anew.") from None
        key = (record.corpus_id, record.model_key, made)
        if source.id == KEYWORD:
            from studio.search.keyword import Keywords

            return KeywordWay(self._opened.get(key, lambda: Keywords(record.folder, version)))
        index, quick, recall = self._opened.get(key, lambda: _open(record, version))
        return ModelWay(source.id, source.label, index, self._warm.get(source.model), quick, recall)

    def _load_reranker(self) -> Callable:
        from studio.search.rerank import load

        return load(self._reranker)

    def _note(self, owner: str, record: CorpusRecord, columns: Sequence[str], asked: Asked) -> None:
        how = {name: value for name, value in asdict(asked).items() if name != "query"}
        words = json.dumps({"columns": list(columns), **how}, default=list)
        self._store.add(
            SEARCHES, id=new_id(), owner=owner, corpus_id=record.id, query=asked.query, asked=words, created=time.time()
        )
        self._store.remove_all_but(SEARCHES, owner, record.id, KEPT_SEARCHES)


def _open(record: IndexRecord, version: str) -> tuple[Any, Any, float | None]:
    from studio.search import quick
    from studio.search.index import open_index, read_meta

    index = open_index(record.folder, version=version)
    path = record.folder / quick.FILE
    return index, quick.open_quick(path) if path.exists() else None, read_meta(record.folder).recall


def _check_ready(records: Sequence[IndexRecord]) -> None:
    for record in records:
        if record.state == "failed":
            raise SearchError(f"The index could not be built. {record.message}", hint="Build it again.")
        if record.state in ("stopped", "stopping"):
            raise SearchError("Indexing was stopped.", hint="Start it again: it goes on where it was.")
    waiting = [record for record in records if record.state != "ready"]
    if waiting:
        done, rows = (sum(getattr(record, name) for record in waiting) for name in ("done", "rows"))
        names = " and ".join(record.label or "a model" for record in waiting)
        raise SearchError(
            f"The texts are being read for {names}: {done:,} of {rows:,}.", hint="Search as soon as that is done."
        )


def _short(texts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text and len(text) <= SHORT))
