"""Rows that may train where a person brings test data of their own: none that gives a test row away."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from studio.data import near
from studio.data.rows import count, text_columns
from studio.data.split import Split
from studio.errors import DataError

MOST_TEST_ROWS = 10_000
"""Rows of test data that judge; of larger tables as many are drawn by chance."""
LEFT_OUT = {"nothing": 0.1, "negatives": 0.1, "answers": 0.3, "anchors": 0.3}
"""What is kept apart -> largest share of the rows that is left out for it, besides those that repeat a whole test row."""


@dataclass(frozen=True)
class _Level:
    shared: str
    """As in studio.data.split.Split."""
    trained: tuple[str, ...]
    """Columns of a training row that are compared; empty: all."""
    tested: tuple[str, ...]
    """With which columns of the test rows; empty: all."""
    words: str
    """What such a training row does."""


_WHOLE = _Level("both", (), (), "repeat a row of it")
LEVELS = (
    _Level("nothing", (), (), "hold a text of it"),
    _Level("negatives", ("anchor", "positive", "text"), ("anchor", "positive", "text"), "hold an anchor or positive of it"),
    _Level("answers", (), ("anchor", "text"), "hold a text that it asks with"),
    _Level("anchors", ("positive", "text"), ("positive", "text"), "hold one of its positives"),
    _WHOLE,
)  # fmt: skip
"""Strictest first."""


def judging_rows(data: pa.Table, seed: int) -> tuple[pa.Table, int]:
    """Those rows of a dataset that judge when it is test data, and how many could: the test part of a set that has one, else
    all."""
    if "part" in data.column_names:
        tested = np.flatnonzero(data["part"].to_numpy(zero_copy_only=False) == "test")
        data = data.take(tested) if len(tested) else data
    total = len(data)
    if len(data) > MOST_TEST_ROWS:
        data = data.take(np.sort(np.random.default_rng(seed).choice(len(data), MOST_TEST_ROWS, replace=False)))
    return data, total


def keep_apart(data: pa.Table, test: pa.Table, name: str, total: int | None = None) -> Split:
    """The rows of ``data`` that may train when all rows of ``test`` judge; none of ``data`` is held out.

    A row does not train when it holds a text of the test data or a near duplicate of one. Where that would leave out most
    rows, as with a closed set of answers, only texts that are asked with are kept apart, as :func:`studio.data.split.split`
    does; whole rows of the test data never train. ``total``: rows that the test data have, where not all of them judge.

    Raises:
        DataError: fewer than two rows are left.
    """
    train, known = _codes(data, test)
    whole = _repeat(train, known)
    near_apart = known.near
    level, left_out = _WHOLE, whole
    for one in LEVELS[:-1]:
        if one.shared == "negatives" and not any(c.startswith("negative") for c in (*train, *known.columns)):
            continue
        found = _hold(train, known, one) | whole
        if (found & ~whole).sum() <= LEFT_OUT[one.shared] * (~whole).sum():
            level, left_out = one, found
            break
    part = data["part"].to_numpy(zero_copy_only=False) == "test" if "part" in data.column_names else None
    kept = ~left_out if part is None else ~left_out & ~part
    if kept.sum() < 2:
        raise DataError(
            f"Nothing is left to train on: {count(int(left_out.sum()))} of {len(data):,} {level.words} ('{name}').",
            hint="Choose test data that does not stand in the training table.",
        )
    drawn = "" if total is None or total <= len(test) else f", {len(test):,} of {total:,} rows drawn by chance"
    note = _note(f"'{name}'{drawn}", len(data), int(left_out.sum()), level, near_apart)
    if part is not None and (others := int((part & ~left_out).sum())):
        note += f" {count(others)} that the set itself marks as test do not train either."
    seen = _seen(train, known, kept, level)
    if seen:
        what = {"answers": "positives", "both": "texts"}.get(level.shared, level.shared)
        note += f" The {what} of {seen:,} of the test rows stand in training rows too."
    nothing = np.empty(0, dtype=np.int64)
    shared = "answers" if level.shared == "both" else level.shared
    return Split(np.flatnonzero(kept), nothing, note, shared, nothing, near_apart)


@dataclass(frozen=True)
class _Known:
    columns: dict[str, np.ndarray]
    """Column of the test data -> numbers of its texts."""
    near: bool
    """Near duplicates have the same number."""


def _codes(data: pa.Table, test: pa.Table) -> tuple[dict[str, np.ndarray], _Known]:
    """Numbers of all texts of both tables: texts that say the same have the same."""
    columns = [data[name] for name in text_columns(data)] + [test[name] for name in text_columns(test)]
    chunks = [chunk for column in columns for chunk in column.cast(pa.string()).chunks]
    groups = near.text_groups(pa.table({"text": pa.chunked_array(chunks, pa.string())}))
    code = (groups.same if groups.near is None else groups.near)["text"]
    parts = iter(np.split(code, np.cumsum([len(column) for column in columns])[:-1]))
    train = {name: next(parts) for name in text_columns(data)}
    return train, _Known({name: next(parts) for name in text_columns(test)}, groups.near is not None)


def _hold(train: dict[str, np.ndarray], known: _Known, level: _Level) -> np.ndarray:
    """Mask of the training rows that have a text in common with the test data, in the columns of ``level``."""
    texts = [codes for name, codes in known.columns.items() if not level.tested or name in level.tested]
    if not texts:
        return _hold(train, known, LEVELS[0])
    found = np.unique(np.concatenate(texts))
    columns = [codes for name, codes in train.items() if not level.trained or name in level.trained]
    return np.logical_or.reduce([np.isin(codes, found) for codes in columns])


def _repeat(train: dict[str, np.ndarray], known: _Known) -> np.ndarray:
    """Mask of the training rows that stand in the test data as a whole, negatives aside, in whatever order."""
    if "anchor" in train and "anchor" in known.columns:
        rows, tested = (_pair(columns["anchor"], columns["positive"]) for columns in (train, known.columns))
        return np.isin(rows, tested)
    found = np.unique(np.concatenate(list(known.columns.values())))
    columns = [codes for name, codes in train.items() if not name.startswith("negative")]
    return np.logical_and.reduce([np.isin(codes, found) for codes in columns])


def _pair(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One number for two texts."""
    return (np.minimum(one, other).astype(np.uint64) << np.uint64(32)) | np.maximum(one, other).astype(np.uint64)


def _seen(train: dict[str, np.ndarray], known: _Known, kept: np.ndarray, level: _Level) -> int:
    """Test rows of which a text that was not kept apart trains."""
    if level.shared == "nothing":
        return 0
    if level.shared == "negatives":
        columns = [codes for name, codes in known.columns.items() if name.startswith("negative")]
    else:
        apart = set(level.tested)
        columns = [
            codes for name, codes in known.columns.items() if name not in apart and name in ("anchor", "positive")
        ]
    trained = np.unique(np.concatenate([codes[kept] for codes in train.values()]))
    masks = [np.isin(codes, trained) for codes in columns]
    return int(np.logical_or.reduce(masks).sum()) if masks else 0


def _note(test: str, rows: int, left_out: int, level: _Level, near_apart: bool) -> str:
    nor = " or a near duplicate of one" if near_apart else ""
    start = f"They are the test data {test}."
    if left_out:
        told = f"{left_out:,} of the table's {rows:,} rows do not train, because they {level.words}{nor}."
    else:
        told = f"Of the table's {rows:,} rows none had to be left out because they {level.words}{nor}."
    return f"{start} {told}" + ("" if near_apart else " The tables are too large to look for near duplicates.")
