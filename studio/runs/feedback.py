"""What people say of hits becomes a dataset: thumbs up are positives, thumbs down hard negatives."""

import json
import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from studio.data.dataset import import_dataset, load_info, load_rows
from studio.data.prepare import prepare
from studio.data.rows import count
from studio.data.table import Dialect, Roles, Table
from studio.data.version import write_version
from studio.errors import DataError, NotFound, SearchError
from studio.files import read_json, write_json
from studio.runs.accounts import check_may_start
from studio.runs.corpora import Corpora
from studio.runs.datasets import Datasets
from studio.runs.records import DatasetRecord, RunRecord
from studio.runs.store import MARKS, Store, new_id
from studio.runs.training_runs import Runs
from studio.search.result import MAX_HITS, check_query, text_key
from studio.training.config import AUTO

MARK_KINDS = ("good", "bad", "first")
"""``first``: this one should be first; what stood above it is not as good."""
LEAST_ROWS = 4
"""Rows that a marked text makes at least, with texts by chance where there are too few that are marked as wrong."""
LEAST_QUERIES = 2
MOST_NEGATIVES = 8
"""Of one positive."""
LEAST_KEPT, KEPT_A_MARK = 500, 10
"""Rows of the run's own dataset that train along: so many at least, and so many for each row of marks."""
KEPT_AS = "feedback.json"
"""In the corpus's folder: owner -> id of the newest version of their dataset."""


@dataclass(frozen=True)
class Summary:
    good: int
    bad: int
    queries: int
    """With at least one good text: those that become rows."""
    dataset_id: str
    """The newest version of the dataset; empty: none was made (or it is gone)."""


class Feedback:
    def __init__(self, store: Store, datasets: Datasets, corpora: Corpora, runs: Runs):
        self._store = store
        self._datasets = datasets
        self._corpora = corpora
        self._runs = runs

    def mark(
        self,
        owner: str,
        corpus_id: str,
        version: str,
        query: str,
        mark: str,
        document: int,
        span: tuple[int, int] | None = None,
        above: Sequence[int] = (),
    ) -> Summary:
        """Say something of a hit; ``mark`` empty: take it back.

        Args:
            version: Of the corpus that was searched.
            span: (begin, end) of the passage in the document; None: the whole.
            above: Documents that stood above it, best first.

        Raises:
            SearchError: no such mark or document, or the corpus has changed since the search.
        """
        check_may_start(self._store, owner)
        query = check_query(query, 1)
        if mark and mark not in MARK_KINDS:
            raise SearchError(f"There is no mark '{mark}'.", hint=f"Marks are {', '.join(MARK_KINDS)}.")
        _, info, data = self._corpora.open(owner, corpus_id)
        if version != info.version:
            raise SearchError("The corpus has changed since this search.", hint="Search again.")
        above = list(above)[:MAX_HITS]
        if not all(0 <= place < len(data) for place in (document, *above)):
            raise SearchError("There is no such document in the corpus.", hint="Search again.")
        rows = data.take(pa.array([document, *above], pa.int64())).to_pylist()
        text, *others = [_text(row, span if at == 0 else None) for at, row in enumerate(rows)]
        passage = _part(rows[0]["text"], span)
        if not passage.strip():
            raise SearchError("There is no such passage in the document.", hint="Search again.")
        key = text_key((rows[0].get("title") or "").strip(), passage)
        values = {
            "id": new_id(),
            "text": text,
            "mark": mark,
            "above": json.dumps(others if mark == "first" else []),
            "created": time.time(),
        }
        self._store.set_mark(owner, corpus_id, query, key, values if mark else None)
        return self.summary(owner, corpus_id)

    def of_query(self, owner: str, corpus_id: str, query: str) -> dict[str, str]:
        """Key of a hit -> mark, for one query."""
        self._corpora.see(owner, corpus_id)
        rows = self._store.of_corpus(MARKS, owner, corpus_id)
        return {row["key"]: row["mark"] for row in rows if row["query"] == query.strip()}

    def summary(self, owner: str, corpus_id: str) -> Summary:
        record = self._corpora.see(owner, corpus_id)
        rows = self._store.of_corpus(MARKS, owner, corpus_id)
        kinds = Counter("bad" if row["mark"] == "bad" else "good" for row in rows)
        queries = {row["query"] for row in rows if row["mark"] != "bad"}
        made = read_json(record.folder / KEPT_AS, {}).get(owner, "")
        return Summary(kinds["good"], kinds["bad"], len(queries), made if self._is_there(owner, made) else "")

    def rows(self, owner: str, corpus_id: str) -> pa.Table:
        """Rows of the dataset: anchor, positive, negative, and where the negative is from.

        Texts that were marked as wrong come first, then those that stood above a text that should be first. Where
        these are too few, texts by chance from the corpus are added: always the same for the same marks.
        """
        _, _, data = self._corpora.open(owner, corpus_id)
        marks: dict[str, list[dict[str, Any]]] = {}
        for row in reversed(self._store.of_corpus(MARKS, owner, corpus_id)):
            marks.setdefault(row["query"], []).append(row)
        found: dict[str, list[str]] = {name: [] for name in ("anchor", "positive", "negative", "negative_is")}
        for query, rows in marks.items():
            good = [row for row in rows if row["mark"] != "bad"]
            texts = {row["text"] for row in good}
            bad = [row["text"] for row in rows if row["mark"] == "bad"]
            chance = random.Random(query)
            for row in good:
                passed = [text for text in json.loads(row["above"]) if text not in texts and text not in bad]
                chosen = [*((text, "marked as wrong") for text in bad), *((text, "stood above it") for text in passed)]
                chosen = chosen[:MOST_NEGATIVES]
                used = {*texts, *(text for text, _ in chosen)}
                for _ in range(20 * LEAST_ROWS):
                    if len(chosen) >= LEAST_ROWS:
                        break
                    place = chance.randrange(len(data))
                    text = _text(data.slice(place, 1).to_pylist()[0], None)
                    if text not in used:
                        used.add(text)
                        chosen.append((text, "by chance"))
                for text, kind in chosen:
                    for name, value in zip(found, (query, row["text"], text, kind), strict=True):
                        found[name].append(value)
        return pa.table({name: pa.array(values, pa.string()) for name, values in found.items()})

    def dataset(self, owner: str, corpus_id: str) -> DatasetRecord:
        """The marks as a dataset of triplets: a new one, or the next version of the last.

        Raises:
            DataError: nothing was marked as good, or too little to train on.
        """
        from studio.training.estimate import row_lengths

        check_may_start(self._store, owner)
        record = self._corpora.see(owner, corpus_id)
        rows = self.rows(owner, corpus_id)
        if not len(rows):
            raise DataError("No hit is marked as right.", hint="Search, and mark what is right.")
        if (queries := self.summary(owner, corpus_id).queries) < LEAST_QUERIES:
            raise DataError(
                f"Marks on {count(queries, 'query', 'queries')} are too few to train on.",
                hint=f"Mark hits of at least {LEAST_QUERIES} queries.",
            )
        done = f"{count(len(rows))} of {count(queries, 'query', 'queries')} with marked hits"
        table = Table(
            f"marks on {record.name}", rows.select(["anchor", "positive", "negative"]),
            pa.array(range(1, len(rows) + 1), pa.int64()), Dialect("csv"),
        )  # fmt: skip
        roles = Roles(anchor="anchor", positive="positive", negatives=("negative",))
        last = self.summary(owner, corpus_id).dataset_id
        if last:
            before = self._datasets.get(owner, last)
            prepared = prepare(table, roles).data
            if prepared.drop_columns("row").equals(_rows_of(before)):
                return before

            def write(old: DatasetRecord, folder: Path, name: str) -> None:
                write_version(
                    load_info(old.folder), prepared, folder, done=done, after="taking the marks", name=name,
                    measure=row_lengths, parent=old.id,
                )  # fmt: skip

            made = self._datasets.new_version(owner, last, write)
        else:
            name = f"Feedback on {record.name}"
            made = self._datasets.add(
                owner, name, rows.nbytes / 1e6, lambda folder: import_dataset(folder, table, roles, name, row_lengths)
            )
        write_json(record.folder / KEPT_AS, {**read_json(record.folder / KEPT_AS, {}), owner: made.id})
        return made

    def train(self, owner: str, corpus_id: str, run_id: str) -> RunRecord:
        """Train a tuned model on with the marks. Rows of its own dataset train along, so that it forgets nothing, and judge.

        A batch must not hold a query twice, so there is no more in it than there are queries with marks; of the run's own
        dataset no more rows train than take reasonable time with that. Where it is gone, the marks train alone.
        """
        from studio.training.rows import part_rows

        run = self._runs.see(owner, run_id)
        marks = self.dataset(owner, corpus_id)
        data = load_rows(marks.folder)
        trained = data.take(pa.array(part_rows(data, run.config)[1]))
        size = max(2, len(pc.unique(trained["anchor"])))
        config = run.config.model_copy(
            update={
                "base_model": f"run:{run.id}",
                "batch_size": size if run.config.batch_size == AUTO else min(run.config.batch_size, size),
                "max_train_rows": min(run.config.max_train_rows or math.inf, max(LEAST_KEPT, KEPT_A_MARK * len(data))),
            }
        )
        name = f"{run.name} with feedback"
        if self._is_there(owner, run.dataset_id):
            return self._runs.create(owner, run.dataset_id, config, name, also=[marks.id])
        return self._runs.create(owner, marks.id, config, name)

    def _is_there(self, owner: str, dataset_id: str) -> bool:
        try:
            return bool(dataset_id) and bool(self._datasets.see(owner, dataset_id))
        except NotFound:
            return False


def _rows_of(record: DatasetRecord) -> pa.Table:
    return load_rows(record.folder).drop_columns("row")


def _text(row: dict[str, Any], span: tuple[int, int] | None) -> str:
    """What a model reads of a document, or of one of its passages."""
    text = _part(row["text"], span)
    title = (row.get("title") or "").strip()
    return f"{title}\n{text}" if title else text


def _part(text: str, span: tuple[int, int] | None) -> str:
    return text if span is None else text[max(0, span[0]) : max(0, span[1])]
