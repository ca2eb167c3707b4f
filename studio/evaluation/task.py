"""What a model is judged on: the held-out rows, arranged as questions with right answers or as scored pairs. No torch."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.catalog.formats import FORMAT
from studio.catalog.metrics import METRICS


@dataclass(frozen=True)
class Retrieval:
    """Questions, the texts they are searched in, and which of them are right."""

    queries: tuple[str, ...]
    corpus: tuple[str, ...]
    relevant: tuple[frozenset[int], ...]
    """Positions in ``corpus``, one set a query, none empty."""


@dataclass(frozen=True)
class Task:
    """Held-out rows of one dataset."""

    format: str
    anchors: tuple[str, ...]
    positives: tuple[str, ...]
    negatives: tuple[tuple[str, ...], ...]
    """One tuple a row; empty where the format has none."""
    targets: np.ndarray | None
    """Scores (float64) or labels (int64), one a row; None where the format has none."""
    retrieval: Retrieval | None

    @property
    def rows(self) -> int:
        return len(self.anchors)

    @property
    def primary(self) -> str:
        """Id of the metric that counts."""
        return FORMAT[self.format].primary_metric

    @property
    def metric_ids(self) -> tuple[str, ...]:
        """The primary metric first."""
        ids = [metric.id for metric in METRICS if self.format in metric.formats]
        return (self.primary, *(i for i in ids if i != self.primary))

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that has to be embedded, each once."""
        texts = dict.fromkeys(self.anchors + self.positives)
        for row in self.negatives:
            texts.update(dict.fromkeys(row))
        if self.retrieval is not None:
            texts.update(dict.fromkeys(self.retrieval.corpus))
        return tuple(texts)


def make_task(
    data: pa.Table, format: str, heldout: np.ndarray, shared: str = "nothing", most_others: int | None = None
) -> Task:
    """The task that the rows at positions ``heldout`` of ``data`` (all rows of a dataset) make.

    ``shared``: what held-out rows have in common with training rows, as studio.data.split says. With ``answers``
    questions are searched in all answers of the dataset, as the few of the held-out rows would be too easy.
    ``most_others``: search in at most this many of those, drawn by chance; for quick looks in between.
    """
    rows = data.take(heldout)
    anchors, positives = (tuple(rows[name].to_pylist()) for name in ("anchor", "positive"))
    columns = [rows[name].to_pylist() for name in data.column_names if name.startswith("negative")]
    negatives = tuple(zip(*columns, strict=True)) if columns else ()
    targets = next((rows[name].to_numpy() for name in ("score", "label") if name in data.column_names), None)
    retrieval = None
    if "ndcg@10" in {metric.id for metric in METRICS if format in metric.formats}:
        others = data["positive"].unique().to_pylist() if shared == "answers" else []
        if most_others is not None and len(others) > most_others:
            chosen = np.random.default_rng(0).choice(len(others), most_others, replace=False)
            others = [others[i] for i in np.sort(chosen)]
        others = [*others, *(text for row in negatives for text in row)]
        retrieval = _retrieval(data, anchors, positives, others)
    return Task(format, anchors, positives, negatives, targets, retrieval)


def _retrieval(data: pa.Table, anchors: tuple[str, ...], positives: tuple[str, ...], others: list[str]) -> Retrieval:
    """Every positive that an anchor has anywhere in the dataset is a right answer for it."""
    corpus = {text: position for position, text in enumerate(dict.fromkeys((*positives, *others)))}
    relevant: dict[str, set[int]] = {anchor: set() for anchor in anchors}
    known = data.filter(pc.is_in(data["anchor"], value_set=pa.array(list(relevant), data.schema.field("anchor").type)))
    for anchor, positive in zip(known["anchor"].to_pylist(), known["positive"].to_pylist(), strict=True):
        if positive in corpus:
            relevant[anchor].add(corpus[positive])
    return Retrieval(tuple(relevant), tuple(corpus), tuple(frozenset(found) for found in relevant.values()))
