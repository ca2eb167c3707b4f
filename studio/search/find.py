"""One query, several ways to search, side by side over the same documents."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from studio.data.corpus import CorpusInfo, matching
from studio.errors import SearchError
from studio.search import quick
from studio.search.encode import encode_one
from studio.search.index import Index, top
from studio.search.keyword import WORD, Keywords, words_of
from studio.search.result import Asked, Column, Found, Hit, check_query, text_key

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEPTH = 200
"""Hits of each column that ranks are told of, and that are fused."""
RERANKED = 50
RRF = 60
"""Source: Cormack, Clarke and Buettcher 2009, Reciprocal Rank Fusion: 1 / (60 + rank)."""
SHOWN = 700
"""Longest text of a hit, in characters."""
BEFORE = 80
"""Characters shown before the first word that matches, where a text is cut."""


@dataclass(frozen=True)
class Ranked:
    """What one way of searching says of one query."""

    documents: np.ndarray
    """Best first, at most DEPTH; those that pass the filters."""
    scores: np.ndarray
    lower: Callable[[float], float]
    """Per cent of all documents that score lower."""
    passage: Callable[[int], tuple[int, int] | None]
    """(begin, end) of a document's best passage; None: the whole of it."""
    note: str = ""

    @cached_property
    def ranks(self) -> dict[int, int]:
        return {int(document): rank for rank, document in enumerate(self.documents, 1)}


class Way(Protocol):
    """A way to search: ``id``, ``label``, ``kind``, and what it says of a query."""

    id: str
    label: str
    kind: str

    def rank(self, query: str, mask: np.ndarray | None) -> Ranked: ...


@dataclass
class KeywordWay:
    index: Keywords
    id: str = "keyword"
    label: str = "Keywords"
    kind: str = "keyword"

    def rank(self, query: str, mask: np.ndarray | None) -> Ranked:
        """Only documents in which a word of the query stands."""
        scores = self.index.scores(query)
        found = scores > 0 if mask is None else mask & (scores > 0)
        places = np.flatnonzero(found)
        best = places[top(scores[places], DEPTH)]
        return Ranked(best, scores[best], lambda score: _share_below(scores, score), lambda document: None)


@dataclass
class ModelWay:
    id: str
    label: str
    index: Index
    model: "SentenceTransformer"
    quick: Any = None
    """The compressed copy of a large index; None: all entries are scored."""
    recall: float | None = None
    kind: str = "model"

    def rank(self, query: str, mask: np.ndarray | None) -> Ranked:
        vector = encode_one(self.model, query, query=True)
        index = self.index
        if index.similarity == "cosine" and not vector.any():
            raise SearchError(f"The model of '{self.label}' knows no word of this query.", hint="Ask with other words.")
        if self.quick is not None and mask is None:
            if vector.shape != (index.vectors.shape[1],):
                index.scores(vector)  # says what is wrong
            return self._quickly(vector)
        entries = index.scores(vector)
        starts = index.starts
        scores = entries if starts is None else np.maximum.reduceat(entries, starts)
        documents = index.positions if starts is None else index.positions[starts]
        places = np.arange(len(scores)) if mask is None else np.flatnonzero(mask[documents])
        best = places[top(scores[places], DEPTH)]
        passage_of = {int(documents[place]): self._best_entry(entries, place) for place in best}
        return Ranked(
            documents[best], scores[best], lambda score: _share_below(scores, score), self._passage(passage_of)
        )

    def _quickly(self, vector: np.ndarray) -> Ranked:
        index = self.index
        entries, scores = quick.nearest(self.quick, index.vectors, vector, 2 * DEPTH)
        _, first = np.unique(index.positions[entries], return_index=True)
        order = np.sort(first)[:DEPTH]  # entries come best first: a document's first is its best
        passage_of = {int(index.positions[entries[at]]): int(entries[at]) for at in order}
        some = index.some @ vector
        note = f"quick search, recall@10 {self.recall:.3f} against exact" if self.recall is not None else "quick search"
        return Ranked(
            index.positions[entries[order]],
            scores[order],
            lambda score: _share_below(some, score),
            self._passage(passage_of),
            note,
        )

    def _best_entry(self, entries: np.ndarray, place: int) -> int:
        starts = self.index.starts
        if starts is None:
            return int(place)
        start = starts[place]
        end = starts[place + 1] if place + 1 < len(starts) else len(entries)
        return int(start + entries[start:end].argmax())

    def _passage(self, entry_of: dict[int, int]) -> Callable[[int], tuple[int, int] | None]:
        spans = self.index.spans

        def passage(document: int) -> tuple[int, int] | None:
            if spans is None or document not in entry_of:
                return None
            begin, end = spans[entry_of[document]].tolist()
            return begin, end

        return passage


def find(
    asked: Asked,
    data: pa.Table,
    info: CorpusInfo,
    ways: Sequence[Way],
    keyword: Way | None = None,
    rerank: Callable[[str, list[str]], np.ndarray] | None = None,
) -> Found:
    """The best hits of every way to search, each with its rank in the other columns.

    Args:
        data: The corpus, as studio.data.corpus loads it.
        keyword: What models are fused with; needed for ``asked.hybrid``.
        rerank: (query, texts) -> a score for each; needed for ``asked.rerank``.

    Raises:
        SearchError: A bad query or filter, or indexes that do not belong to these texts or models.
    """
    started = time.perf_counter()
    query = check_query(asked.query, asked.top_k)
    mask = matching(data, info, asked.filters)
    by_words = keyword.rank(query, mask) if asked.hybrid and keyword is not None else None
    kept: list[tuple[Way, Ranked, Ranked, float]] = []
    for way in ways:
        begun = time.perf_counter()
        own = way.rank(query, mask)
        ranked = own
        if asked.threshold is not None and way.kind == "model":
            enough = own.scores >= asked.threshold
            ranked = replace(own, documents=own.documents[enough], scores=own.scores[enough])
        if by_words is not None and way.kind == "model":
            ranked = _fused(ranked, by_words)
        if asked.rerank and rerank is not None:
            ranked = _reranked(query, ranked, data, rerank)
        kept.append((way, own, ranked, time.perf_counter() - begun))
    shown = {int(document) for _, _, ranked, _ in kept for document in ranked.documents[: asked.top_k]}
    rows = _rows(data, sorted(shown))
    words = frozenset(words_of(query))
    columns = []
    for way, own, ranked, seconds in kept:
        scored = dict(zip(own.documents.tolist(), own.scores.tolist(), strict=True))
        hits = []
        for rank, document in enumerate(ranked.documents[: asked.top_k].tolist(), 1):
            similarity = scored.get(document)
            others = {o.id: r.ranks[document] for o, _, r, _ in kept if o.id != way.id and document in r.ranks}
            hits.append(
                Hit(
                    rank, document, float(ranked.scores[rank - 1]),
                    similarity if way.kind == "model" else None,
                    None if similarity is None else own.lower(similarity), others,
                    **_shown(rows[document], info, own.passage(document), words),
                )
            )  # fmt: skip
        columns.append(Column(way.id, way.label, way.kind, hits, seconds, own.note))
    passed = len(data) if mask is None else int(mask.sum())
    return Found(query, columns, len(data), passed, time.perf_counter() - started)


def _fused(own: Ranked, other: Ranked) -> Ranked:
    points: dict[int, float] = {}
    for ranked in (own, other):
        for document, rank in ranked.ranks.items():
            points[document] = points.get(document, 0.0) + 1 / (RRF + rank)
    best = sorted(points, key=lambda document: (-points[document], document))[:DEPTH]
    return replace(own, documents=np.array(best, np.int64), scores=np.array([points[d] for d in best]))


def _reranked(query: str, ranked: Ranked, data: pa.Table, rerank: Callable[[str, list[str]], np.ndarray]) -> Ranked:
    first = ranked.documents[:RERANKED]
    rows = _rows(data, sorted(first.tolist()))
    texts = []
    for document in first.tolist():
        span = ranked.passage(document)
        text = rows[document]["text"]
        piece = text if span is None else text[span[0] : span[1]]
        title = rows[document].get("title")
        texts.append(f"{title}\n{piece}" if title else piece)
    scores = np.asarray(rerank(query, texts), np.float64) if texts else np.zeros(0)
    order = np.argsort(-scores, kind="stable")
    return replace(ranked, documents=first[order], scores=scores[order])


def _rows(data: pa.Table, documents: Sequence[int]) -> dict[int, dict[str, Any]]:
    found = data.take(pa.array(documents, pa.int64())).to_pylist()
    return dict(zip(documents, found, strict=True))


def _shown(
    row: dict[str, Any], info: CorpusInfo, span: tuple[int, int] | None, words: frozenset[str]
) -> dict[str, Any]:
    """What a hit shows of its document."""
    whole = row["text"]
    begin, end = span or (0, len(whole))
    text = whole[begin:end].strip()
    title = (row.get("title") or "").strip()
    key = text_key(title, whole[begin:end])
    marks = matches(text, words)
    cut = len(text) > SHOWN
    if cut:
        first = max(0, marks[0][0] - BEFORE) if marks and marks[0][0] > SHOWN - BEFORE else 0
        text = text[first : first + SHOWN]
        marks = matches(text, words)
    fields = {field.name: row[f"field_{at}"] for at, field in enumerate(info.fields)}
    fields = {name: value for name, value in fields.items() if value is not None and value == value}
    return {
        "title": title,
        "text": text,
        "whole": not cut and end - begin >= len(whole.strip()),
        "marks": marks,
        "title_marks": matches(title, words),
        "fields": fields,
        "row": int(row.get("row") or 0),
        "span": span,
        "key": key,
    }


def matches(text: str, words: frozenset[str]) -> list[tuple[int, int]]:
    """Where ``words`` (in small letters) stand in a text."""
    return [found.span() for found in WORD.finditer(text) if found.group().casefold() in words]


def _share_below(scores: np.ndarray, score: float) -> float:
    return round(100 * float(np.count_nonzero(scores < score)) / max(len(scores), 1), 2)
