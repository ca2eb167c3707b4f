"""What a corpus is made of, by its embeddings: texts that say the same, topics with keywords, texts that fit nowhere.

In the folder lie ``index`` and ``texts.parquet``. Tables are written as Parquet, one a file of :data:`TABLES`.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studio.data import corpus
from studio.data.rows import count
from studio.errors import SearchError
from studio.making.kinds import Report
from studio.making.maker import Stopped
from studio.search.index import open_index
from studio.search.keyword import words_of

TABLES = {
    "duplicates": "Near-duplicate groups",
    "topics": "Topics",
    "documents": "Documents by topic",
    "outliers": "Outliers",
}
ALIKE = 0.95
"""Cosine from which two texts are taken to say the same."""
MOST_TOPICS = 100
KEYWORDS = 8
FEWEST_OUTLIERS, OUTLIER_SHARE, MOST_OUTLIERS = 10, 0.01, 500
ALL_PAIRS = 30_000
"""Of more documents only those of one topic are compared with each other."""
AT_ONCE = 2_000
SMALL_BATCHES_FROM = 20_000
"""Documents from which k-means looks at some of them at a time."""


def make(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """Task: ``version`` (of the corpus), ``alike`` (cosine) and ``topics`` (how many; 0: chosen by the number of texts)."""
    data, info = corpus.load(folder / "texts.parquet"), corpus.load_info(folder / "texts.parquet")
    index = open_index(folder / "index", version=task["version"])
    if index.similarity not in ("cosine", "dot"):
        raise SearchError("This model compares by distances.", hint="Choose a model that compares by cosine.")

    def told(done: int, total: int, words: str) -> None:
        if stopped():
            raise Stopped
        report(done, total, words)

    told(0, 0, "Reading the embeddings")
    vectors = document_vectors(index)
    wanted = task.get("topics") or min(50, round(math.sqrt(len(vectors) / 2)))
    told(0, 0, "Finding topics")
    topic, centres = topics(vectors, max(1, min(wanted, MOST_TOPICS, len(vectors))))
    told(0, 0, "Naming topics")
    texts = data["text"]
    names = keywords(texts, topic, len(centres))
    own = np.einsum("ij,ij->i", vectors, centres[topic])
    groups = duplicates(
        vectors, topic, task.get("alike", ALIKE), lambda done: told(done, len(vectors), "Comparing texts")
    )
    told(0, 0, "Writing the tables")
    sizes = np.bincount(topic, minlength=len(centres))
    order = np.argsort(-sizes, kind="stable")
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(1, len(order) + 1)
    title = data["title"] if info.title else None

    def table(rows: np.ndarray, **more: Sequence[Any]) -> pa.Table:
        picked = data.take(pa.array(rows, pa.int64()))
        columns = {**{name: pa.array(values) for name, values in more.items()}, "row": picked["row"]}
        if title is not None:
            columns["title"] = picked["title"]
        return pa.table({**columns, "text": picked["text"]})

    everything = np.lexsort((-own, number[topic]))
    said = [", ".join(names[t]) for t in range(len(centres))]
    written = {
        "documents": table(
            everything, topic=number[topic[everything]], keywords=[said[t] for t in topic[everything]],
            similarity_to_topic=own[everything].round(4),
        ),
        "topics": pa.table(
            {
                "topic": pa.array(range(1, len(order) + 1)), "documents": pa.array(sizes[order]),
                "keywords": pa.array([said[t] for t in order]),
                "typical": pa.array([texts[int(np.flatnonzero(topic == t)[own[topic == t].argmax()])].as_py() for t in order]),
            }
        ),
    }  # fmt: skip
    rows = np.array([row for group in groups for row, _ in group], np.int64)
    written["duplicates"] = table(
        rows,
        group=np.array([at for at, group in enumerate(groups, 1) for _ in group], np.int64),
        similarity_to_first=np.array([similarity for group in groups for _, similarity in group], np.float64).round(4),
    )
    most = min(MOST_OUTLIERS, max(FEWEST_OUTLIERS, round(OUTLIER_SHARE * len(vectors))), len(vectors) // 2)
    odd = np.argsort(own, kind="stable")[:most]
    written["outliers"] = table(odd, similarity_to_topic=own[odd].round(4), topic=number[topic[odd]])
    for name, made in written.items():
        pq.write_table(made, folder / f"{name}.parquet", compression="zstd")
    alike = sum(len(group) for group in groups)
    message = (
        f"{count(len(order), 'topic', 'topics')} in {count(len(vectors), 'text', 'texts')}; "
        f"{count(len(groups), 'group', 'groups')} of near duplicates ({count(alike, 'text', 'texts')}); {len(odd)} outliers."
    )
    return {
        "message": message,
        "rows": {name: len(made) for name, made in written.items()},
        "topics": [{"keywords": names[t], "documents": int(sizes[t])} for t in order],
    }


def document_vectors(index: Any) -> np.ndarray:
    """(documents, dimension) float32 of length 1: of a document in passages, their mean."""
    vectors = np.asarray(index.vectors, np.float32)
    if index.starts is not None:
        vectors = np.add.reduceat(vectors, index.starts, axis=0)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def topics(vectors: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """(documents,) topic of each, and (topics, dimension) centres of length 1; by k-means, always the same for the same vectors."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if len(vectors) >= SMALL_BATCHES_FROM:
        found = MiniBatchKMeans(number, random_state=0, n_init=3, batch_size=4096)
    else:
        found = KMeans(number, random_state=0, n_init=2, max_iter=100)
    topic = found.fit_predict(vectors)
    used, topic = np.unique(topic, return_inverse=True)
    centres = found.cluster_centers_[used].astype(np.float32)
    lengths = np.linalg.norm(centres, axis=1, keepdims=True)
    return topic, centres / np.where(lengths > 0, lengths, 1)


def keywords(texts: pa.ChunkedArray, topic: np.ndarray, number: int) -> list[list[str]]:
    """The words that are frequent in a topic and rare elsewhere. Source: c-TF-IDF, Grootendorst 2022, BERTopic, eq. 2."""
    from scipy.sparse import coo_matrix

    known: dict[str, int] = {}
    rows, columns = [], []
    start = 0
    for chunk in texts.chunks:
        for at, text in enumerate(chunk.to_pylist(), start):
            for word in set(words_of(text)):  # a word counts once a text: one long text does not name a topic
                if len(word) > 2 and not word.isdigit():
                    rows.append(topic[at])
                    columns.append(known.setdefault(word, len(known)))
        start += len(chunk)
    if not known:
        return [[] for _ in range(number)]
    counted = coo_matrix((np.ones(len(rows)), (rows, columns)), (number, len(known))).tocsr()
    words = np.array(list(known), dtype=object)
    total = np.asarray(counted.sum(axis=0)).ravel()
    usual = counted.sum() / number
    found = []
    for at in range(number):
        row = counted[at]
        weight = row.data / max(row.data.sum(), 1) * np.log(1 + usual / total[row.indices])
        found.append(words[row.indices[np.argsort(-weight, kind="stable")[:KEYWORDS]]].tolist())
    return found


def duplicates(
    vectors: np.ndarray, topic: np.ndarray, alike: float, told: Callable[[int], None]
) -> list[list[tuple[int, float]]]:
    """Groups of documents of which each is ``alike`` an earlier one, with its cosine with the first; largest groups first."""
    parts = (
        [np.arange(len(vectors))]
        if len(vectors) <= ALL_PAIRS
        else [np.flatnonzero(topic == t) for t in np.unique(topic)]
    )
    first = np.arange(len(vectors))
    done = 0
    for part in parts:
        for start in range(0, len(part), AT_ONCE):
            told(done + start)
            block = part[start : start + AT_ONCE]
            near = vectors[block] @ vectors[part[: start + len(block)]].T >= alike
            near &= np.arange(start + len(block))[None] < (start + np.arange(len(block)))[:, None]
            for at in np.flatnonzero(near.any(axis=1)):
                first[block[at]] = first[part[near[at].argmax()]]
        done += len(part)
    groups: dict[int, list[tuple[int, float]]] = {}
    for row in np.flatnonzero(first != np.arange(len(vectors))):
        head = int(first[row])
        groups.setdefault(head, [(head, 1.0)]).append((int(row), float(vectors[row] @ vectors[head])))
    return sorted(groups.values(), key=lambda group: (-len(group), group[0][0]))
