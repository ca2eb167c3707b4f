"""What a model is judged on: the held-out rows, arranged as questions with right answers or as scored pairs. No torch."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.catalog.formats import FORMAT
from studio.catalog.metrics import METRICS
from studio.data.relations import NEITHER, says
from studio.data.rows import class_numbers


@dataclass(frozen=True)
class Retrieval:
    """Questions, the texts they are searched in, and which of them are right."""

    queries: tuple[str, ...]
    corpus: tuple[str, ...]
    relevant: tuple[frozenset[int], ...]
    """Positions in ``corpus``, one set a query, none empty."""
    own: tuple[int, ...] = ()
    """Position of each query's own text in ``corpus``, which is no hit for it; empty where queries do not stand there."""


@dataclass(frozen=True)
class Shown:
    """A text that evidence keeps."""

    text: str
    asked: bool
    """It is asked with; False: it is a document, or the second text of a pair."""


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
    note: str = ""
    """What a person must know of how this judges; empty where the rows themselves say what is right."""
    numbers: tuple[int, ...] = ()
    """Number in the file of each row."""
    classes: tuple[str, ...] = ()
    """Class of each row, where rows have one."""

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
            texts.update(dict.fromkeys(self.retrieval.queries + self.retrieval.corpus))
        return tuple(texts)


def make_task(
    data: pa.Table,
    format: str,
    heldout: np.ndarray,
    shared: str = "nothing",
    most_others: int | None = None,
    corpus: pa.ChunkedArray | None = None,
) -> Task:
    """The task that the rows at positions ``heldout`` of ``data`` (all rows of a dataset) make.

    ``format``: what they are judged as (DatasetInfo.judged_as); triplets may be judged as pairs, without their negatives.
    ``shared``: what held-out rows have in common with training rows, as studio.data.split says. With ``answers``
    questions are searched in all answers of the dataset, as the few of the held-out rows would be too easy.
    ``most_others``: search in at most this many of those, drawn by chance; for quick looks in between. ``corpus``: the
    documents of a retrieval set, all of which are searched.
    """
    if format == "classed_text":
        return by_class(data, heldout, most_others)
    if format == "texts":
        return by_halves(data, heldout, most_others)
    note, classes = "", None
    if "class" in data.column_names:
        classes = says(data)
        told = heldout[classes[heldout] != NEITHER]
        note, heldout = _by_relation(len(told), len(heldout) - len(told)), told
    rows = data.take(heldout)
    anchors, positives = (tuple(rows[name].to_pylist()) for name in ("anchor", "positive"))
    names = [name for name in data.column_names if name.startswith("negative")] if format == "triplet" else []
    columns = [rows[name].to_pylist() for name in names]
    negatives = tuple(zip(*columns, strict=True)) if columns else ()
    targets = next((rows[name].to_numpy() for name in ("score", "label") if name in data.column_names), None)
    if classes is not None:
        targets = classes[heldout]
    retrieval = None
    if "ndcg@10" in {metric.id for metric in METRICS if format in metric.formats}:
        others = [] if corpus is None else corpus.to_pylist()
        if corpus is None and shared == "answers":
            others = data["positive"].unique().to_pylist()
        others = [others[i] for i in _some(len(others), most_others)]
        others = [*others, *(text for row in negatives for text in row)]
        retrieval = _retrieval(data, anchors, positives, others)
    return Task(format, anchors, positives, negatives, targets, retrieval, note, numbers=_numbers(data, heldout))


def _by_relation(told: int, others: int) -> str:
    left = f" {others:,} held-out pairs of other classes do not judge." if others else ""
    return f"Judged by {told:,} pairs whose class says that the texts belong together, or that they do not.{left}"


def by_class(data: pa.Table, heldout: np.ndarray, most_others: int | None = None) -> Task:
    """Each held-out text asks for texts of its class, among the other held-out ones and, where those are few, all texts."""
    number = class_numbers(data)
    places = _searched(len(data), heldout, most_others)
    text = data["text"].take(places).to_pylist()
    corpus = {one: position for position, one in enumerate(dict.fromkeys(text))}
    members: dict[int, set[int]] = {}
    for one, kind in zip(text, number[places].tolist(), strict=True):
        members.setdefault(kind, set()).add(corpus[one])
    relevant: dict[str, set[int]] = {}
    for one, kind in zip(text[: len(heldout)], number[heldout].tolist(), strict=True):
        relevant.setdefault(one, set()).update(members[kind] - {corpus[one]})
    relevant = {one: found for one, found in relevant.items() if found}
    retrieval = Retrieval(
        tuple(relevant), tuple(corpus), tuple(map(frozenset, relevant.values())), tuple(corpus[one] for one in relevant)
    )
    others = len(places) - len(heldout)
    among = f"and {others:,} training texts, for they are few" if others else "held-out texts"
    note = f"A held-out text asks for texts of its class among the other {f'held-out {among}' if others else among}."
    return Task(
        "classed_text", tuple(text[: len(heldout)]), (), (), None, retrieval, note,
        numbers=_numbers(data, heldout), classes=tuple(data["class"].take(heldout).to_pylist()),
    )  # fmt: skip


def by_halves(data: pa.Table, heldout: np.ndarray, most_others: int | None = None) -> Task:
    """Nothing says what belongs together in plain texts: the first half of each held-out one asks for its second half."""
    halves = [halve(one) for one in data["text"].take(_searched(len(data), heldout, most_others)).to_pylist()]
    corpus = {second: position for position, second in enumerate(dict.fromkeys(second for _, second in halves))}
    relevant: dict[str, set[int]] = {}
    for first, second in halves[: len(heldout)]:
        relevant.setdefault(first, set()).add(corpus[second])
    retrieval = Retrieval(tuple(relevant), tuple(corpus), tuple(map(frozenset, relevant.values())))
    firsts, seconds = zip(*halves[: len(heldout)], strict=True)
    return Task("texts", firsts, seconds, (), None, retrieval, HALVES, numbers=_numbers(data, heldout))


HALVES = (
    "Plain texts do not say what belongs together, so this is a stand-in: the first half of each held-out text has to find its "
    "second half. That is weaker evidence than labelled rows; try the model in Search before you rely on it."
)
FEW_TEXTS = 500
"""With fewer held-out texts, training texts are searched as well: to find one of few is too easy."""
MOST_SEARCHED = 5_000


def halve(text: str) -> tuple[str, str]:
    """Two halves of about as many words, or characters where there is one word only (or a script without blanks)."""
    words = text.split()
    if len(words) > 1:
        return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])
    middle = len(text) // 2
    return (text[:middle], text[middle:]) if middle else (text, text)


def _numbers(data: pa.Table, heldout: np.ndarray) -> tuple[int, ...]:
    return tuple(data["row"].take(heldout).to_pylist()) if "row" in data.column_names else ()


def _searched(rows: int, heldout: np.ndarray, most_others: int | None) -> np.ndarray:
    """Positions of the held-out rows and, where those are few, of others behind them."""
    if len(heldout) >= FEW_TEXTS:
        return heldout
    others = np.setdiff1d(np.arange(rows), heldout)
    return np.concatenate([heldout, others[_some(len(others), MOST_SEARCHED if most_others is None else most_others)]])


def _some(total: int, most: int | None) -> np.ndarray:
    """Positions of at most ``most`` of ``total``, drawn by chance, ascending."""
    if most is None or total <= most:
        return np.arange(total)
    return np.sort(np.random.default_rng(0).choice(total, most, replace=False))


def _retrieval(data: pa.Table, anchors: tuple[str, ...], positives: tuple[str, ...], others: list[str]) -> Retrieval:
    """Every positive that an anchor has anywhere in the dataset is a right answer for it."""
    corpus = {text: position for position, text in enumerate(dict.fromkeys((*positives, *others)))}
    relevant: dict[str, set[int]] = {anchor: set() for anchor in anchors}
    known = data.filter(pc.is_in(data["anchor"], value_set=pa.array(list(relevant), data.schema.field("anchor").type)))
    for anchor, positive in zip(known["anchor"].to_pylist(), known["positive"].to_pylist(), strict=True):
        if positive in corpus:
            relevant[anchor].add(corpus[positive])
    return Retrieval(tuple(relevant), tuple(corpus), tuple(frozenset(found) for found in relevant.values()))
