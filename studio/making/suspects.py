"""Rows that are most likely wrong, for a person to look at: what a model finds odd. A hint, never a proof.

review.parquet: ``positions`` (list of int64: the rows of the dataset, from 0, that are judged at once because they hold the
same two texts), ``column`` (the one that is suspected), ``why`` (a sentence), ``similarity`` (float64, the cosine that it is
about), then the columns of the dataset as in the first of the rows; the most suspicious first.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studio.catalog.models import DEFAULT_MODEL
from studio.data.dataset import load_info, load_rows
from studio.data.rows import class_numbers, text_columns
from studio.errors import DataError
from studio.making.kinds import Report

MOST = 200
"""Rows that a person is asked to look at."""
LARGEST_SHARE = 0.2
"""Of the rows: a list of half the table tells nothing."""
FEWEST = 10
DISAGREES = 0.5
"""Least distance between the place by score and the place by similarity, both from 0 to 1."""
MIXED = 0.25
"""Share of the pairs of the other label that a pair must have passed to look like one of them."""


@dataclass(frozen=True)
class Suspect:
    positions: tuple[int, ...]
    """Of the rows in the dataset, from 0."""
    column: str
    """The column that is suspected."""
    why: str
    similarity: float


def make(folder: Path, task: dict[str, Any], report: Report, stopped: Callable[[], bool]) -> dict[str, Any]:
    """A making: ``review.parquet`` lists the rows of the dataset in ``source`` that ``base_model`` finds most doubtful.

    ``task``: ``base_model`` (it may be a folder in this one) and ``base_label``, the model for people.
    """
    from studio.training.bases import resolve_base

    base_model = task.get("base_model", DEFAULT_MODEL)
    name = str(folder / base_model) if (folder / base_model).exists() else base_model
    label = task.get("base_label") or resolve_base(name).label
    info, data = load_info(folder / "source"), load_rows(folder / "source")
    found = find(folder / "vectors", data, info.format, name, info.score_scale or (0.0, 1.0), report, stopped)
    write_review(folder / "review.parquet", data, found)
    shutil.rmtree(folder / "vectors", ignore_errors=True)
    return {"message": summary(found, len(data), info.format, label), "review": len(found), "base_label": label}


def summary(found: Sequence[Suspect], rows: int, format: str, label: str) -> str:
    """What was found, in a sentence."""
    if not found:
        return f"{label} finds no row doubtful: {NOTHING[format]}."
    what = "1 row is" if len(found) == 1 else f"{len(found):,} rows are"
    return f"{what} worth a look, of {rows:,}: those that {label} finds oddest."


HONEST = (
    "A hint and no proof: the model may be wrong, and rows that it gets wrong are often the ones worth training on."
)
NOTHING = {
    "pair": "there are too few rows",
    "triplet": "no negative is nearer to its anchor than the positive is",
    "scored_pair": "scores and similarities go together",
    "labelled_pair": "the labels part similar pairs from others",
    "classed_text": "no text is nearer to another class than to its own",
}


def find(
    folder: Path,
    data: pa.Table,
    format: str,
    name: str,
    scale: tuple[float, float],
    report: Report,
    stopped: Callable[[], bool],
) -> list[Suspect]:
    """The most doubtful rows of a dataset under one model, the most doubtful first.

    Args:
        folder: Vectors are kept there while it lasts.
        name: Base model: id of the catalogue, folder or hub name.
        scale: That scores were given on.

    Raises:
        DataError: a format whose rows no model can doubt.
        ModelError: the model cannot be had.
        Stopped: ``stopped`` said so.
    """
    if format not in NOTHING:
        raise DataError(
            "Plain texts cannot be doubted: nothing says what they belong to.", hint="Choose another dataset."
        )
    if format == "classed_text":
        (vectors,) = read(folder, data, ("text",), name, report, stopped)
        return doubtful_classes(vectors, class_numbers(data), np.unique(data["class"].to_numpy(zero_copy_only=False)))
    names = text_columns(data)
    similar = dict(zip(names[1:], similarities(folder, data, name, report, stopped), strict=True))
    if format == "triplet":
        negatives = names[2:]
        return doubtful_triplets(similar["positive"], np.column_stack([similar[n] for n in negatives]), negatives)
    if format == "scored_pair":
        return doubtful_scores(similar["positive"], data["score"].to_numpy(), scale)
    if format == "labelled_pair":
        return doubtful_labels(similar["positive"], data["label"].to_numpy())
    return doubtful_pairs(similar["positive"])


def similarities(
    folder: Path, data: pa.Table, name: str, report: Report, stopped: Callable[[], bool]
) -> list[np.ndarray]:
    """Cosine of each row's anchor with each of its other texts: one (rows,) array a column."""
    anchor, *others = read(folder, data, text_columns(data), name, report, stopped)
    return [np.einsum("ij,ij->i", anchor, other).astype(np.float64) for other in others]


def read(
    folder: Path, data: pa.Table, columns: Sequence[str], name: str, report: Report, stopped: Callable[[], bool]
) -> list[np.ndarray]:
    """Unit vectors of each row's texts: one (rows, dimension) array a column. Anchors are read as queries."""
    from studio.making.embed import embed
    from studio.search.warm import load

    coded = {column: data[column].combine_chunks().dictionary_encode() for column in columns}
    sides: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for column, texts in coded.items():
        places = sides[column == "anchor"]
        for text in texts.dictionary.to_pylist():
            places.setdefault(text, len(places))
    model, total, before = load(name), sum(map(len, sides.values())), 0
    vectors = {}
    for query, places in sides.items():
        if places:
            report_on = partial(_reading, report, before, total)
            where = folder / ("queries" if query else "documents")
            vectors[query] = embed(where, list(places), name, model, query=query, stopped=stopped, progress=report_on)
        before += len(places)
    found = []
    for column, texts in coded.items():
        query = column == "anchor"
        place = np.array([sides[query][text] for text in texts.dictionary.to_pylist()])
        found.append(vectors[query][place[texts.indices.to_numpy()]])
    return found


def _reading(report: Report, before: int, total: int, done: int, _: int) -> None:
    report(before + done, total, "reading the texts")


def doubtful_classes(vectors: np.ndarray, number: np.ndarray, spelt: Sequence[str]) -> list[Suspect]:
    """Texts that are nearer to another class than to the rest of their own.

    Args:
        vectors: (rows, dimension), rows of length 1.
        number: (rows,) of each row's class, 0 to C - 1.
        spelt: The classes' names by their numbers.
    """
    sums = np.zeros((len(spelt), vectors.shape[1]))
    np.add.at(sums, number, vectors)
    lengths = np.linalg.norm(sums, axis=1)
    near = (vectors @ sums.T) / np.where(lengths > 0, lengths, 1)
    rest = sums[number] - vectors  # a text does not speak for itself
    length = np.linalg.norm(rest, axis=1)
    row = np.arange(len(number))
    own = np.einsum("ij,ij->i", vectors, rest) / np.where(length > 0, length, 1)
    near[row, number] = -np.inf
    other = near.argmax(axis=1)
    alone = np.bincount(number, minlength=len(spelt))[number] < 2
    wrong = np.flatnonzero((near[row, other] > own) & ~alone)
    found = []
    for i, _ in _first((own - near[row, other])[wrong], own[wrong], of=len(number)):
        at = int(wrong[i])
        s = float(near[at, other[at]])
        why = f"Nearer to the class '{spelt[other[at]]}' ({figure(s)}) than to its own, '{spelt[number[at]]}' ({figure(own[at])})."
        found.append(Suspect((at,), "class", why, s))
    return found


def doubtful_pairs(similarity: np.ndarray) -> list[Suspect]:
    """The least similar pairs. ``similarity``: (rows,) cosine of anchor and positive."""
    usual = float(np.median(similarity))
    return [
        Suspect(
            (i,),
            "positive",
            f"The two texts are little alike: similarity {figure(s)}, half of the rows have {figure(usual)} or more.",
            s,
        )
        for i, s in _first(similarity, similarity)
    ]


def doubtful_triplets(positive: np.ndarray, negatives: np.ndarray, names: Sequence[str]) -> list[Suspect]:
    """Rows whose negative is nearer to the anchor than the positive is, by most.

    Args:
        positive: (rows,) cosine of anchor and positive.
        negatives: (rows, negatives) cosine of anchor and each negative.
        names: Columns of the negatives.
    """
    nearest = negatives.argmax(axis=1)
    near = negatives[np.arange(len(negatives)), nearest]
    wrong = np.flatnonzero(near > positive)
    return [
        Suspect(
            (int(wrong[i]),),
            names[nearest[wrong[i]]],
            f"The negative is nearer to the anchor ({figure(near[wrong[i]])}) than the positive is ({figure(positive[wrong[i]])}). It may be "
            "right too, or the two may be swapped.",
            float(near[wrong[i]]),
        )
        for i, _ in _first((positive - near)[wrong], near[wrong], of=len(positive))
    ]


def doubtful_scores(similarity: np.ndarray, score: np.ndarray, scale: tuple[float, float]) -> list[Suspect]:
    """Pairs whose place by score is far from their place by similarity. ``score``: (rows,) in [0, 1]."""
    from scipy.stats import rankdata  # takes long to import, and the page imports this module

    if len(score) < 2:
        return []
    by_score, by_similarity = ((rankdata(values) - 1) / (len(values) - 1) for values in (score, similarity))
    apart = by_score - by_similarity
    wrong = np.flatnonzero(np.abs(apart) > DISAGREES)
    low, high = scale
    found = []
    for i, s in _first(-np.abs(apart[wrong]), similarity[wrong], of=len(score)):
        row = int(wrong[i])
        rated = f"{low + score[row] * (high - low):.3g} on a scale from {low:g} to {high:g}"
        side = "less similar" if apart[row] > 0 else "more similar"
        share = 1 - by_similarity[row] if apart[row] > 0 else by_similarity[row]
        why = f"Scored {rated}, but {side} ({figure(s)}) than {share:.0%} of the other pairs."
        found.append(Suspect((row,), "score", why, s))
    return found


def doubtful_labels(similarity: np.ndarray, label: np.ndarray) -> list[Suspect]:
    """Pairs that belong together and look unlike, and the other way round: odd among their own, usual among the others."""
    together, apart = (np.sort(similarity[label == value]) for value in (1, 0))
    if not (len(together) and len(apart)):
        return []
    # How much of either side lies beyond each pair, seen from where its label says that it should be.
    beyond = {
        side: np.where(
            label == 1,
            1 - np.searchsorted(values, similarity, side="right") / len(values),
            np.searchsorted(values, similarity, side="left") / len(values),
        )
        for side, values in ((1, together), (0, apart))
    }
    own, other = np.where(label == 1, beyond[1], beyond[0]), np.where(label == 1, beyond[0], beyond[1])
    wrong = np.flatnonzero(other > MIXED)
    found = []
    for i, s in _first(-(own + other)[wrong], similarity[wrong], of=len(label)):
        row = int(wrong[i])
        told, side = ("1 (belong together)", "less similar") if label[row] else ("0 (do not)", "more similar")
        why = (
            f"Labelled {told}, but {side} ({figure(s)}) than {own[row]:.0%} of the pairs labelled {label[row]} and "
            f"{other[row]:.0%} of those labelled {1 - label[row]}."
        )
        found.append(Suspect((row,), "label", why, s))
    return found


def doubtful_negatives(
    data: pa.Table, names: Sequence[str], to_anchor: np.ndarray, to_positive: np.ndarray, positive: np.ndarray
) -> list[Suspect]:
    """Mined negatives that are most likely right answers: those nearest to the anchor or to the positive.

    Rows with the same two texts (two answers of a closed set, say) are one entry.

    Args:
        data: The rows.
        names: Columns of the mined negatives.
        to_anchor: (rows, negatives) cosine with the anchor.
        to_positive: (rows, negatives) cosine with the positive.
        positive: (rows,) cosine of anchor and positive.
    """
    near = np.maximum(to_anchor, to_positive)
    worst = near.argmax(axis=1)
    at = np.arange(len(near)), worst
    alike = (to_positive >= to_anchor)[at]
    columns = {name: data[name].to_pylist() for name in ("anchor", "positive", *names)}
    rows: dict[tuple[str, str], list[int]] = {}
    most = _most(len(near))
    for row in np.argsort(-near[at], kind="stable").tolist():
        key = columns["positive" if alike[row] else "anchor"][row], columns[names[worst[row]]][row]
        if key in rows or len(rows) < most:
            rows.setdefault(key, []).append(row)
    found = []
    for same in rows.values():
        row = same[0]
        s = float(near[at][row])
        if alike[row]:
            why = f"The negative is much like the positive (similarity {figure(s)}): it may be right too."
        else:
            why = f"The negative is near to the anchor ({figure(s)}; the positive: {figure(positive[row])}): it may be right too."
        found.append(Suspect(tuple(same), names[worst[row]], why, s))
    return found


def figure(cosine: float) -> str:
    """Two decimals; never -0.00."""
    return f"{round(float(cosine), 2) + 0.0:.2f}"


def write_review(path: Path, data: pa.Table, found: Sequence[Suspect]) -> None:
    """Write review.parquet, as the head of this module says."""
    columns = {
        "positions": pa.array([suspect.positions for suspect in found], pa.list_(pa.int64())),
        "column": pa.array([suspect.column for suspect in found], pa.string()),
        "why": pa.array([suspect.why for suspect in found], pa.string()),
        "similarity": pa.array([suspect.similarity for suspect in found], pa.float64()),
    }
    rows = data.take(pa.array([suspect.positions[0] for suspect in found], pa.int64()))
    pq.write_table(pa.table([*columns.values(), *rows.columns], names=[*columns, *rows.column_names]), path)


def _first(order: np.ndarray, value: np.ndarray, of: int | None = None) -> list[tuple[int, float]]:
    """Places and values of those that come first by ``order``; ``of``: rows of the dataset, when these are some of them."""
    most = min(_most(len(order) if of is None else of), len(order))
    return [(int(i), float(value[i])) for i in np.argsort(order, kind="stable")[:most]]


def _most(rows: int) -> int:
    return min(MOST, max(FEWEST, int(LARGEST_SHARE * rows)))
