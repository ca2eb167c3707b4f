"""Keyword search (BM25) on a task, beside the models: what can be had without any model."""

from collections.abc import Callable

import numpy as np

from studio.data.words import keywords
from studio.evaluation.measure import HITS, Measurement, measure_hits
from studio.evaluation.task import Retrieval, Task

MOST_SEARCHED, MOST_CHARACTERS = 300_000, 300_000_000
"""With more texts, or longer ones, the index takes minutes and gigabytes: keyword search is left out."""
TEXTS_A_STEP = 10_000
QUERIES_A_STEP = 200


def measure_keyword(task: Task, tick: Callable[[], None] = lambda: None) -> Measurement | None:
    """BM25 on what ``task`` searches; None where it searches nothing, or too many texts.

    Lucene's form with k1 = 1.5 and b = 0.75; words as they are spelt, without stems or a list of words that do not count,
    for these would have to be chosen for each language. A text that has no word of the query is no hit.
    Source: Lù, BM25S (2024).
    """
    retrieval = task.retrieval
    if retrieval is None or not retrieval.queries or len(retrieval.corpus) > MOST_SEARCHED:
        return None
    if sum(map(len, retrieval.corpus)) > MOST_CHARACTERS:
        return None
    return measure_hits(retrieval, _search(retrieval, tick))


def _search(retrieval: Retrieval, tick: Callable[[], None]) -> list[list[tuple[int, float]]]:
    import bm25s

    vocabulary: dict[str, str] = {}  # a word of many texts is kept once
    words = []
    for number, text in enumerate(retrieval.corpus):
        if number % TEXTS_A_STEP == 0:
            tick()
        words.append([vocabulary.setdefault(word, word) for word in keywords(text)])
    if not vocabulary:
        return [[] for _ in retrieval.queries]
    index = bm25s.BM25()
    index.index(words, show_progress=False)
    found = []
    for number, query in enumerate(retrieval.queries):
        if number % QUERIES_A_STEP == 0:
            tick()
        known = index.get_tokens_ids(keywords(query))
        found.append(_first(index.get_scores_from_ids(known)) if known else [])
    return found


def _first(scores: np.ndarray) -> list[tuple[int, float]]:
    """The best of the texts that have a word of the query, one more than is looked at."""
    places = np.flatnonzero(scores > 0)
    if len(places) > HITS + 1:
        places = places[np.argpartition(-scores[places], HITS)[: HITS + 1]]
    return [(int(place), float(scores[place])) for place in places]
