"""One model on one task: sentence-transformers' own evaluators, over texts that are embedded once."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import (
    BinaryClassificationEvaluator,
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
    TripletEvaluator,
)
from sentence_transformers.util.similarity import SimilarityFunction

from studio.evaluation.task import Retrieval, Shown, Task

NAME = "held-out"
"""What the evaluators call the rows; it shows in the model card."""
TEXTS_A_STEP = 1024
BATCH_SIZE = 64
SCORES_AT_ONCE = 50_000_000
"""Similarities held in memory during a search."""
HITS = 100
"""Hits of a query that metrics look at: as far as MAP@100 does."""
SHOWN_HITS = 10
"""Hits of a query that are kept to be shown."""


@dataclass(frozen=True)
class Hits:
    """The first hits of each query, best first."""

    places: np.ndarray
    """Positions in the corpus, shape (queries, SHOWN_HITS); -1 where there are fewer."""
    scores: np.ndarray
    """Their scores, of the same shape; higher is better."""


@dataclass(frozen=True)
class Measurement:
    """One model on one task."""

    metrics: dict[str, float]
    """Metric -> value. A metric that these rows do not define (all scores alike, one label only) is left out."""
    values: dict[str, np.ndarray] = field(default_factory=dict)
    """Metric that is a mean -> its value for each query or row; shape (n,)."""
    similarity: np.ndarray | None = None
    """Similarity of each row's two texts, shape (rows,); scored and labelled pairs only."""
    hits: Hits | None = None
    """Where something is searched."""
    seen: "Seen | None" = None
    """What the model makes of the texts that are kept; None unless they were asked for."""
    lengths: dict[int, float] = field(default_factory=dict)
    """Length that the vectors were cut to -> the primary metric with it."""


@dataclass(frozen=True)
class Seen:
    """One model's embeddings of some texts, and what follows from embeddings alone."""

    vectors: np.ndarray
    """Of unit length, float16, shape (texts, dimension)."""
    tells_apart: bool
    """The model embeds a text that is asked with otherwise than the same words as a document."""
    right: np.ndarray | None
    """Similarity of each query, or triplet's anchor, and the most similar of its right texts."""
    wrong: np.ndarray | None = None
    """Similarity of each triplet's anchor and the most similar of its negatives."""


def measure(
    model: SentenceTransformer,
    task: Task,
    *,
    tick: Callable[[], None] = lambda: None,
    record: bool = False,
    keep: Sequence[Shown] = (),
    lengths: Sequence[int] = (),
) -> Measurement:
    """Judge ``model`` on ``task``, with its own prompts and its own similarity.

    ``tick`` is called between portions of the work and may raise to stop it. ``record``: keep the figures for the
    model's card. ``keep``: texts whose embeddings are wanted beside the figures; see evidence.py. ``lengths``: judge its
    vectors cut to so many numbers, too.
    """
    encoded = _Encoded(model, task, tick, record)
    whole = _MEASURES[task.format](encoded, task)
    cut = {}
    for length in lengths:
        tick()
        short = _MEASURES[task.format](encoded.cut(length), task).metrics
        cut |= {length: short[task.primary]} if task.primary in short else {}
    return replace(whole, lengths=cut, seen=encoded.seen(task, keep) if keep else None)


def _searched(encoded: "_Encoded", task: Task) -> Measurement:
    if not task.retrieval.queries:
        return Measurement({})
    return _search(encoded, task.retrieval)


def _triplets(encoded: "_Encoded", task: Task) -> Measurement:
    """A row with several negatives counts when its positive beats all of them, that is: the nearest one."""
    asked, name = encoded.asked(task.anchors), encoded.similarity_fn_name
    anchors, positives = encoded.rows(asked), encoded.rows(task.positives)
    columns = list(zip(*task.negatives, strict=True))
    against = torch.stack([encoded.pairwise(anchors, encoded.rows(column)) for column in columns])
    nearest = [columns[i][row] for row, i in enumerate(against.argmax(dim=0).tolist())]
    evaluator = TripletEvaluator(
        asked, task.positives, nearest, main_similarity_function=name, name=NAME, write_csv=False
    )
    figures = evaluator(encoded)
    right = (encoded.pairwise(anchors, positives) > against.max(dim=0).values).double().numpy()
    found = _search(encoded, task.retrieval)
    return Measurement(
        {"triplet_accuracy": float(figures[f"{NAME}_{name}_accuracy"]), **found.metrics},
        {"triplet_accuracy": right, **found.values},
        hits=found.hits,
    )


def _scored(encoded: "_Encoded", task: Task) -> Measurement:
    similarity = encoded.similarity(task)
    if not (np.ptp(task.targets) > 0 and np.ptp(similarity) > 0):
        return Measurement({}, {}, similarity)
    kind = encoded.similarity_fn_name
    evaluator = EmbeddingSimilarityEvaluator(
        encoded.asked(task.anchors), list(task.positives), task.targets.tolist(),
        main_similarity=kind, name=NAME, write_csv=False,
    )  # fmt: skip
    figures = evaluator(encoded)
    return Measurement(
        {name: float(figures[f"{NAME}_{name}_{kind}"]) for name in ("spearman", "pearson")}, {}, similarity
    )


def _labelled(encoded: "_Encoded", task: Task) -> Measurement:
    similarity = encoded.similarity(task)
    labels = task.targets.astype(np.int64)
    if not (np.ptp(labels) > 0 and np.isfinite(similarity).all()):
        return Measurement({}, {}, similarity)
    kind = encoded.similarity_fn_name
    evaluator = BinaryClassificationEvaluator(
        encoded.asked(task.anchors), list(task.positives), labels.tolist(),
        similarity_fn_names=[kind], name=NAME, write_csv=False,
    )  # fmt: skip
    figures = {name: float(figures) for name, figures in evaluator(encoded).items()}
    # The evaluator's thresholds of distances are distances; ours are similarities, higher is better.
    sign = -1 if kind in ("euclidean", "manhattan") else 1
    told = similarity >= sign * figures[f"{NAME}_{kind}_accuracy_threshold"]
    chosen = similarity >= sign * figures[f"{NAME}_{kind}_f1_threshold"]
    return Measurement(
        {
            "average_precision": figures[f"{NAME}_{kind}_ap"],
            "accuracy": figures[f"{NAME}_{kind}_accuracy"],
            "f1": figures[f"{NAME}_{kind}_f1"],
        },
        {"accuracy": (told == (labels == 1)).astype(np.float64), "chosen": chosen.astype(np.float64)},
        similarity,
    )


_MEASURES = {
    "pair": _searched,
    "triplet": _triplets,
    "scored_pair": _scored,
    "labelled_pair": _labelled,
    "classed_text": _searched,
    "texts": _searched,
}


def _search(encoded: "_Encoded", retrieval: Retrieval) -> Measurement:
    kind = encoded.similarity_fn_name
    evaluator = _evaluator(
        retrieval,
        encoded.asked(retrieval.queries),
        corpus_chunk_size=max(100, SCORES_AT_ONCE // len(retrieval.queries)),
        score_functions={kind: SimilarityFunction.to_similarity_fn(kind)},
    )
    figures = evaluator(encoded)
    return _found(evaluator, retrieval, {name: figures[f"{NAME}_{kind}_{name}"] for name in SEARCH_METRICS})


def measure_hits(retrieval: Retrieval, hits: Sequence[Sequence[tuple[int, float]]]) -> Measurement:
    """What another way to search than by embeddings comes to, by the same evaluator.

    ``hits``: of each query (position in the corpus, score), at most HITS and one more where queries stand in the corpus.
    """
    evaluator = _evaluator(retrieval, retrieval.queries)
    figures = evaluator.compute_metrics(
        [[{"corpus_id": str(place), "score": score} for place, score in found] for found in hits]
    )
    named = {name: figures[f"{name.partition('@')[0]}@k"][int(name.partition("@")[2])] for name in SEARCH_METRICS}
    return _found(evaluator, retrieval, named)


SEARCH_METRICS = ("ndcg@10", "mrr@10", "accuracy@1", "recall@10", "map@100")


def _evaluator(retrieval: Retrieval, asked: Sequence[str], **more: Any) -> "_Search":
    return _Search(
        {str(i): text for i, text in enumerate(asked)},
        {str(i): text for i, text in enumerate(retrieval.corpus)},
        {str(i): {str(j) for j in found} for i, found in enumerate(retrieval.relevant)},
        own={str(i): str(j) for i, j in enumerate(retrieval.own)},
        mrr_at_k=[10], ndcg_at_k=[10], accuracy_at_k=[1, 10], precision_recall_at_k=[1, 10], map_at_k=[HITS],
        name=NAME, write_csv=False, **more,
    )  # fmt: skip


def _found(evaluator: "_Search", retrieval: Retrieval, figures: dict[str, Any]) -> Measurement:
    """The figures, with what each query adds to them."""
    places = np.full((len(retrieval.queries), HITS), -1, dtype=np.int64)
    scores = np.full(places.shape, np.nan)
    for query, hits in enumerate(evaluator.kept):
        places[query, : len(hits)] = [int(hit["corpus_id"]) for hit in hits]
        scores[query, : len(hits)] = [hit["score"] for hit in hits]
    right = np.array(
        [[place in found for place in row] for row, found in zip(places.tolist(), retrieval.relevant, strict=True)]
    )
    total = np.array([len(found) for found in retrieval.relevant])
    ten = right[:, :10]
    gains = 1 / np.log2(np.arange(2, 12))
    best = np.cumsum(gains)[np.minimum(total, 10) - 1]
    precision = np.cumsum(right, axis=1) / np.arange(1, HITS + 1)
    values = {
        "ndcg@10": ten @ gains / best,
        "mrr@10": np.where(ten.any(axis=1), 1 / (ten.argmax(axis=1) + 1), 0.0),
        "accuracy@1": right[:, 0].astype(np.float64),
        "recall@10": ten.sum(axis=1) / total,
        "map@100": (right * precision).sum(axis=1) / np.minimum(total, HITS),
    }
    shown = Hits(places[:, :SHOWN_HITS], scores[:, :SHOWN_HITS].astype(np.float32))
    return Measurement({name: float(value) for name, value in figures.items()}, values, hits=shown)


class _Search(InformationRetrievalEvaluator):
    """The library's evaluator, which also keeps the hits of each query that its means are made of.

    ``own``: query -> the text of the corpus that is the query itself, which is no hit for it.
    """

    description = "Information Retrieval"

    def __init__(self, *args: Any, own: dict[str, str], accuracy_at_k: list[int], **kwargs: Any):
        self.own = own
        # The library keeps as many hits as the largest k: one more, for a query's own text is taken out of them.
        super().__init__(*args, accuracy_at_k=[*accuracy_at_k, HITS + 1] if own else accuracy_at_k, **kwargs)

    def compute_metrics(self, queries_result_list: list[list[dict[str, Any]]]) -> dict[str, dict[int, float]]:
        self.kept = [
            sorted(
                (hit for hit in hits if hit["corpus_id"] != self.own.get(query)),
                key=lambda hit: (-hit["score"], hit["corpus_id"]),
            )[:HITS]
            for query, hits in zip(self.queries_ids, queries_result_list, strict=True)
        ]
        return super().compute_metrics(self.kept)


class _Asked(str):
    """A text that is asked with, for a model that embeds queries otherwise than documents: another text than the same
    words as a document."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is _Asked and str.__eq__(self, other)

    def __hash__(self) -> int:
        return hash((_Asked, str(self)))


class _Encoded:
    """A model for the evaluators to ask: every text of the task embedded once, looked up afterwards.

    A model with prompts embeds anchors and questions with its query prompt, all others with that for documents.
    """

    def __init__(self, model: SentenceTransformer, task: Task, tick: Callable[[], None], record: bool):
        self.similarity_fn_name = model.similarity_fn_name
        self.pairwise = SimilarityFunction.to_similarity_pairwise_fn(model.similarity_fn_name)
        self._query_prompt, self._document_prompt = prompts_of(model)
        self._tells_apart = self._query_prompt != self._document_prompt
        texts: dict[str, None] = dict.fromkeys(task.texts)
        if self._tells_apart:
            queries = task.anchors if task.retrieval is None else (*task.anchors, *task.retrieval.queries)
            found = {*task.positives, *(text for row in task.negatives for text in row)}
            found.update(task.retrieval.corpus if task.retrieval is not None else ())
            texts = dict.fromkeys((*self.asked(queries), *(text for text in task.texts if text in found)))
        ordered = sorted(texts, key=len, reverse=True)  # texts of like length together: little padding
        parts = []
        was_training = model.training
        for start in range(0, len(ordered), TEXTS_A_STEP):
            tick()
            parts.append(self._embed(model, ordered[start : start + TEXTS_A_STEP]))
        tick()
        model.train(was_training)
        self._embeddings = torch.cat(parts)
        self._position = {text: position for position, text in enumerate(ordered)}
        self.model_card_data = model.model_card_data if record else _NoCard()

    def _embed(self, model: SentenceTransformer, texts: list[str]) -> torch.Tensor:
        queries = [i for i, text in enumerate(texts) if type(text) is _Asked]
        documents = [i for i, text in enumerate(texts) if type(text) is not _Asked]
        parts = [
            model.encode(
                [str(texts[i]) for i in rows],
                prompt=prompt, batch_size=BATCH_SIZE, show_progress_bar=False, convert_to_tensor=True,
            )
            .float()
            .cpu()
            for rows, prompt in ((queries, self._query_prompt), (documents, self._document_prompt))
            if rows
        ]  # fmt: skip
        return torch.cat(parts)[torch.tensor(queries + documents).argsort()]

    def asked(self, texts: Sequence[str]) -> list[str]:
        """``texts`` as those that are asked with."""
        return [_Asked(text) for text in texts] if self._tells_apart else list(texts)

    def rows(self, texts: Sequence[str]) -> torch.Tensor:
        """Embeddings of ``texts``, shape (n, dimension)."""
        return self._embeddings[torch.tensor([self._position[text] for text in texts])]

    def seen(self, task: Task, texts: Sequence[Shown]) -> Seen:
        """What is kept of ``texts`` and, where something is searched, of the right texts."""
        keys = [_Asked(one.text) if one.asked and self._tells_apart else one.text for one in texts]
        vectors = torch.nn.functional.normalize(self.rows(keys), dim=1).half().numpy()
        if task.format == "triplet":
            anchors = self.rows(self.asked(task.anchors))
            right = self.pairwise(anchors, self.rows(task.positives))
            columns = (self.pairwise(anchors, self.rows(column)) for column in zip(*task.negatives, strict=True))
            wrong = torch.stack(list(columns)).max(dim=0).values
            return Seen(vectors, self._tells_apart, right.double().numpy(), wrong.double().numpy())
        return Seen(vectors, self._tells_apart, self._right(task.retrieval) if task.retrieval else None)

    def _right(self, retrieval: Retrieval) -> np.ndarray:
        asked = self.rows(self.asked(retrieval.queries))
        compare = SimilarityFunction.to_similarity_fn(self.similarity_fn_name)
        found = (self.rows([retrieval.corpus[place] for place in places]) for places in retrieval.relevant)
        return np.array([compare(one[None], right).max().item() for one, right in zip(asked, found, strict=True)])

    def cut(self, length: int) -> "_Encoded":
        """The same with the first ``length`` numbers of each vector; figures of it are not the model's."""
        short = copy(self)
        short._embeddings, short.model_card_data = self._embeddings[:, :length], _NoCard()
        return short

    def similarity(self, task: Task) -> np.ndarray:
        return self.pairwise(self.rows(self.asked(task.anchors)), self.rows(task.positives)).double().numpy()

    def encode(self, texts: Sequence[str], convert_to_tensor: bool = False, **_: Any) -> torch.Tensor | np.ndarray:
        found = self.rows(texts)
        return found if convert_to_tensor else found.numpy()

    encode_query = encode_document = encode


def prompts_of(model: SentenceTransformer) -> tuple[str, str]:
    """What stands before a query and before a document; see SentenceTransformer.encode_query and encode_document."""
    default = model.prompts.get(model.default_prompt_name or "", "")
    document = next(
        (model.prompts[name] for name in ("document", "passage", "corpus") if name in model.prompts), default
    )
    return model.prompts.get("query", default) or "", document or ""


class _NoCard:
    """Looks during training are not figures of the final model."""

    def set_evaluation_metrics(self, *_: Any) -> None:
        return None
