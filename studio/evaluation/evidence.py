"""What a verdict rests on, row by row, as a folder: RUN_DIR/evidence. No torch.

    texts.parquet   text (cut after MOST_CHARACTERS), asked: distinct texts of the task in the order of the embeddings,
                    those that are asked with first, then right answers, then others
    base.npy        their embeddings by the base model: float16, unit length, shape (texts, dimension); memory-mapped
    tuned.npy       the same by the tuned model
    rows.parquet    what was judged, one query, pair or triplet a row; see ROWS
    hits.parquet    query, model (base | tuned | bm25), rank (from 1), text, score, right: the first ten hits of each
    slices.json     base against tuned on parts of the rows: length bands, languages, values of columns; see slices.py
    meta.json       format, primary, by, metrics, models, columns, texts, searched; written last

The folder is written aside and renamed: it is whole or not there at all. Runs of earlier versions have none.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studio.data.language import text_languages
from studio.evaluation.agreement import agreement
from studio.evaluation.doubts import doubts
from studio.evaluation.slices import Part, Slices, make_slices
from studio.evaluation.task import Shown, Task
from studio.files import read_json, write_json

MOST_TEXTS = 20_000
MOST_CHARACTERS = 2_000
"""Of a text that is kept."""
MOST_RIGHT = 5
"""Right texts that a row names."""

ROWS = """
Columns of rows.parquet:

numbers                   numbers of the rows in the file
query                     number of the query in hits.parquet; null for pairs
anchor, anchor_at         the text that is asked with, or the first text; its position in texts.parquet
positive, positive_at     lists: right texts (MOST_RIGHT at most), or the second text; -1 where a text is not kept
negative, negative_at     lists: negatives of a triplet
right                     how many right texts there are; null for pairs
target                    score or label of a pair
base:similarity, ...      of the anchor and its most similar right text, or of the two texts of a pair
base:<metric>, ...        what the row adds to a metric; 'agreement' where a metric is not made of rows
length                    characters of the anchor
language                  its language; empty: too short to tell
doubt, doubt_text         why the row's label may be wrong (a key of doubts.DOUBTS), and the text that it is about
in:<column>               value of a column of the table that is not trained on; of 'class', and of 'positive' where few
                          answers serve all rows
"""


@dataclass(frozen=True)
class Meta:
    """What meta.json says."""

    format: str
    primary: str
    """Id of the metric that the verdict is about."""
    by: str
    """Column of rows.parquet (without ``base:``) that says how a row went; higher is better."""
    metrics: tuple[str, ...]
    """Those that rows.parquet has, with ``by``."""
    models: tuple[str, ...]
    """Those that hits.parquet has."""
    columns: tuple[str, ...]
    """Columns of the table that rows.parquet has as ``in:<column>``."""
    texts: int
    """Texts of the task; more than are kept where they are many."""
    searched: int | None
    """Texts that each query is searched in."""


def texts_to_keep(task: Task, seed: int) -> tuple[Shown, ...]:
    """At most MOST_TEXTS texts of ``task``: what is asked with, right answers, negatives, then others by chance."""
    retrieval = task.retrieval
    asked = (*(retrieval.queries if retrieval else ()), *task.anchors)
    shown = dict.fromkeys(Shown(text, True) for text in asked)
    if task.format == "classed_text":  # anchors that have no other text of their class are no queries
        shown = dict.fromkeys(Shown(text, True) for text in retrieval.queries)
    shown.update(dict.fromkeys(Shown(text, False) for text in task.positives))
    shown.update(dict.fromkeys(Shown(text, False) for row in task.negatives for text in row))
    if retrieval is not None:
        right = dict.fromkeys(place for found in retrieval.relevant for place in sorted(found)[:MOST_RIGHT])
        others = np.random.default_rng(seed).permutation(len(retrieval.corpus))
        for place in (*right, *others.tolist()):
            if len(shown) >= MOST_TEXTS:
                break
            shown[Shown(retrieval.corpus[place], False)] = None
    return tuple(shown)[:MOST_TEXTS]


def write_evidence(
    folder: Path,
    task: Task,
    texts: Sequence[Shown],
    models: Mapping[str, Any],
    extra: pa.Table | None = None,
) -> Meta:
    """Write ``folder`` whole or not at all.

    Args:
        texts: As texts_to_keep chose them; the base and tuned Measurement have ``seen`` them.
        models: ``base``, ``tuned`` and, where there is one, ``bm25``: a Measurement each, of ``task``.
        extra: Columns of the table that are not trained on, with a column ``row``.
    """
    base, tuned = models["base"], models["tuned"]
    keep = np.arange(len(texts))
    if not (base.seen.tells_apart or tuned.seen.tells_apart):
        keep = np.array(_once(texts), dtype=np.int64)
    kept = [texts[i] for i in keep]
    place = _Places(kept)
    searched = [name for name in models if models[name].hits is not None]
    rows, by, metrics, columns = _rows(task, models, place, extra)
    meta = Meta(
        task.format, task.primary, by, metrics, tuple(searched), columns,
        len(task.texts), len(task.retrieval.corpus) if task.retrieval else None,
    )  # fmt: skip
    aside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        _write(aside / "texts.parquet", {"text": [cut(one.text) for one in kept], "asked": [one.asked for one in kept]})
        for name in ("base", "tuned"):
            np.save(aside / f"{name}.npy", models[name].seen.vectors[keep])
        _write(aside / "rows.parquet", rows)
        if searched:
            _write(aside / "hits.parquet", _hits(task, {name: models[name].hits for name in searched}))
        write_json(aside / "slices.json", [asdict(one) for one in _slices(task, models, rows, columns)])
        write_json(aside / "meta.json", asdict(meta))
        for path in aside.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    return meta


def load_meta(folder: Path) -> Meta | None:
    """None: nothing was recorded, as by earlier versions."""
    value = read_json(folder / "meta.json")
    if value is None:
        return None
    lists = {name: tuple(value[name]) for name in ("metrics", "models", "columns")}
    return Meta(**{**value, **lists})


def load_slices(folder: Path) -> tuple[Slices, ...]:
    """None where all rows are alike, or nothing was recorded."""
    found = read_json(folder / "slices.json", [])
    return tuple(
        Slices(
            one["by"],
            tuple(
                Part(part["value"], part["rows"], {name: tuple(values) for name, values in part["metrics"].items()})
                for part in one["parts"]
            ),
        )
        for one in found
    )


def _slices(task: Task, models: Mapping[str, Any], rows: pa.Table, columns: Sequence[str]) -> tuple[Slices, ...]:
    sorting = {name: rows[name].to_pylist() for name in ("length", "language")}
    sorting |= {name: rows[f"in:{name}"].to_pylist() for name in columns}
    queries = None if task.retrieval is None else rows["query"].to_numpy()
    return make_slices(task, models, sorting, queries)


def cut(text: str) -> str:
    """A text as it is kept."""
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + "…"


class _Places:
    """Where a text stands among those that are kept; -1 where it does not."""

    def __init__(self, kept: Sequence[Shown]):
        self._at = {one: at for at, one in enumerate(kept)}

    def __call__(self, text: str, asked: bool) -> int:
        return self._at.get(Shown(text, asked), self._at.get(Shown(text, not asked), -1))


def _once(texts: Sequence[Shown]) -> list[int]:
    """Positions of the first of each text: models that do not tell queries and documents apart embed a text once."""
    first: dict[str, int] = {}
    for at, one in enumerate(texts):
        first.setdefault(one.text, at)
    return list(first.values())


def _rows(
    task: Task, models: Mapping[str, Any], place: _Places, extra: pa.Table | None
) -> tuple[pa.Table, str, tuple[str, ...], tuple[str, ...]]:
    """(rows.parquet, column that says how a row went, metrics, columns of the table)."""
    if task.retrieval is None:
        columns, values = _pairs(task, place), {name: _agreement(task, one) for name, one in models.items()}
        by, anchors, numbers = "agreement", task.anchors, [[number] for number in task.numbers]
    else:
        triplets = task.format == "triplet"
        columns = _triplets(task, place) if triplets else _queries(task, place)
        by = "triplet_accuracy" if triplets else task.primary
        anchors = task.anchors if triplets else task.retrieval.queries
        values = {name: _searched(task, one, columns["query"]) for name, one in models.items()}
        numbers = [[number] for number in task.numbers] if triplets else _numbers_of(task)
    table: dict[str, Any] = {
        "numbers": pa.array(numbers, pa.list_(pa.int64())),
        "query": pa.array(columns.pop("query", [None] * len(anchors)), pa.int32()),
        "anchor": [cut(text) for text in anchors],
        "anchor_at": pa.array([place(text, True) for text in anchors], pa.int32()),
        **columns,
    }
    metrics = tuple(values["tuned"])
    for name, found in values.items():
        table |= {f"{name}:{metric}": pa.array(value, pa.float64()) for metric, value in found.items()}
    table["length"] = pa.array([len(text) for text in anchors], pa.int32())
    table["language"] = pa.array(text_languages(pa.chunked_array([pa.array(anchors, pa.string())])), pa.string())
    found = doubts(task, models)
    table["doubt"], table["doubt_text"] = ([one[part] for one in found] for part in (0, 1))
    table["doubt_text"] = [cut(text) for text in table["doubt_text"]]
    sorting = _sorting(task, numbers, extra)
    table |= {f"in:{name}": pa.array(values, pa.string()) for name, values in sorting.items()}
    return pa.table(table), by, metrics, tuple(sorting)


def _sorting(task: Task, numbers: list[list[int]], extra: pa.Table | None) -> dict[str, list[str | None]]:
    """Columns that sort the rows: the class, the right answer where there are few, and what the table has besides.

    ``numbers``: of the dataset's rows, a list a row; the first one's value counts.
    """
    first = [next(iter(found), None) for found in numbers]
    columns: dict[str, dict[int, str | None]] = {}
    if task.classes:
        columns["class"] = dict(zip(task.numbers, task.classes, strict=True))
    elif task.format in ("pair", "triplet") and 2 * len(set(task.positives)) <= task.rows:
        columns["positive"] = dict(zip(task.numbers, task.positives, strict=True))
    if extra is not None:
        rows = extra["row"].to_pylist()
        for name in extra.column_names:
            if name != "row" and name not in columns:
                columns[name] = dict(zip(rows, extra[name].to_pylist(), strict=True))
    return {name: [values.get(number) for number in first] for name, values in columns.items()}


def _pairs(task: Task, place: _Places) -> dict[str, Any]:
    return {
        **_texts("positive", [[text] for text in task.positives], place),
        **_texts("negative", [[] for _ in task.positives], place),
        "right": pa.nulls(task.rows, pa.int32()),
        "target": pa.array(task.targets, pa.float64()),
    }


def _queries(task: Task, place: _Places) -> dict[str, Any]:
    retrieval = task.retrieval
    right = [[retrieval.corpus[at] for at in sorted(found)[:MOST_RIGHT]] for found in retrieval.relevant]
    return {
        "query": list(range(len(retrieval.queries))),
        **_texts("positive", right, place),
        **_texts("negative", [[] for _ in right], place),
        "right": pa.array([len(found) for found in retrieval.relevant], pa.int32()),
        "target": pa.nulls(len(right), pa.float64()),
    }


def _triplets(task: Task, place: _Places) -> dict[str, Any]:
    number = {query: at for at, query in enumerate(task.retrieval.queries)}
    queries = [number[anchor] for anchor in task.anchors]
    return {
        "query": queries,
        **_texts("positive", [[text] for text in task.positives], place),
        **_texts("negative", [list(row) for row in task.negatives], place),
        "right": pa.array([len(task.retrieval.relevant[at]) for at in queries], pa.int32()),
        "target": pa.nulls(task.rows, pa.float64()),
    }


def _texts(name: str, texts: list[list[str]], place: _Places) -> dict[str, pa.Array]:
    return {
        name: pa.array([[cut(text) for text in row] for row in texts], pa.list_(pa.string())),
        f"{name}_at": pa.array([[place(text, False) for text in row] for row in texts], pa.list_(pa.int32())),
    }


def _numbers_of(task: Task) -> list[list[int]]:
    """Numbers of the rows that each query stands for."""
    found: dict[str, list[int]] = {query: [] for query in task.retrieval.queries}
    for anchor, number in zip(task.anchors, task.numbers, strict=True):
        if anchor in found:
            found[anchor].append(number)
    return list(found.values())


def _searched(task: Task, measured: Any, queries: list[int]) -> dict[str, np.ndarray]:
    """Values of each row; a triplet has those of its query too."""
    found = {}
    for metric in task.metric_ids:
        if metric in measured.values:
            value = measured.values[metric]
            found[metric] = value if metric == "triplet_accuracy" else value[queries]
    if measured.seen is not None:
        found["similarity"] = measured.seen.right
        if measured.seen.wrong is not None:
            found["margin"] = measured.seen.right - measured.seen.wrong
    return found


def _agreement(task: Task, measured: Any) -> dict[str, np.ndarray]:
    found = {"agreement": agreement(task, measured)}
    if "accuracy" in measured.values:
        found["accuracy"] = measured.values["accuracy"]
    return {**found, "similarity": measured.similarity}


def _hits(task: Task, found: Mapping[str, Any]) -> pa.Table:
    """hits.parquet. Texts that many queries find are spelt once."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("query", "model", "rank", "place", "score")}
    names = list(found)
    for number, hits in enumerate(found.values()):
        query, rank = np.nonzero(hits.places >= 0)
        parts["query"].append(query)
        parts["rank"].append(rank + 1)
        parts["model"].append(np.full(len(query), number))
        parts["place"].append(hits.places[query, rank])
        parts["score"].append(hits.scores[query, rank])
    query, model, rank, place, score = (np.concatenate(values) for values in parts.values())
    order = np.lexsort((rank, model, query))
    query, model, rank, place, score = (values[order] for values in (query, model, rank, place, score))
    relevant = task.retrieval.relevant
    distinct, at = np.unique(place, return_inverse=True)
    texts = pa.array([cut(task.retrieval.corpus[one]) for one in distinct.tolist()], pa.string())
    return pa.table(
        {
            "query": pa.array(query, pa.int32()),
            "model": pa.DictionaryArray.from_arrays(pa.array(model, pa.int8()), pa.array(names)),
            "rank": pa.array(rank, pa.int8()),
            "text": pa.DictionaryArray.from_arrays(pa.array(at, pa.int32()), texts),
            "score": pa.array(score, pa.float32()),
            "right": [one in relevant[number] for number, one in zip(query.tolist(), place.tolist(), strict=True)],
        }
    )


def _write(path: Path, columns: dict[str, Any] | pa.Table) -> None:
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, compression="zstd")
