"""Training rows and held-out rows, so that no training row gives a held-out one away."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from studio.data.classes import choose_by_class
from studio.data.rows import class_numbers, text_columns
from studio.errors import DataError

MAX_HELDOUT = 2_000
LARGEST_GROUP = 0.3
"""Share of all rows above which a group of connected rows leaves too little choice."""


@dataclass(frozen=True)
class _Level:
    shared: str
    kept_apart: tuple[str, ...]
    """Columns whose texts stand on one side only; empty: all."""
    filled: tuple[float, float]
    """Least and most rows held out, as a part of the rows wanted."""
    min_groups: int
    """Groups that should be held out, so that chance and not one text decides."""


LEVELS = (
    _Level("nothing", (), (0.8, 1.5), 10),
    _Level("negatives", ("anchor", "positive"), (0.8, 1.5), 10),
    _Level("answers", ("anchor",), (0.5, 1.5), 1),
    _Level("anchors", ("positive",), (0.5, 1.5), 1),
    _Level("answers", ("anchor",), (0.0, np.inf), 1),
)
ONE_TEXT = (_Level("nothing", (), (0.8, 1.5), 10), _Level("nothing", (), (0.0, np.inf), 1))
"""The same for rows of one text."""


@dataclass(frozen=True)
class Split:
    train: np.ndarray
    """Row positions, ascending."""
    heldout: np.ndarray
    """Row positions, ascending; at least 1, at most 2,000, never all."""
    note: str
    """How rows were kept apart, one sentence for people."""
    shared: str
    """What may stand on both sides: ``nothing``; ``negatives``; ``answers`` (positives and negatives: the usual case of
    a closed set of answers); ``anchors`` (a few anchors recur, positives are kept apart)."""


def split(data: pa.Table, share: float, seed: int) -> Split:
    """Hold out about ``share`` of the rows. The same data, share and seed give the same split.

    Rows that have a text in common (upper and lower case and white space do not count) stay on one side. Where that
    ties too many rows together, rows may share negatives; where that does not help either, only anchors are kept apart.

    Raises:
        DataError: fewer than two rows, or so few different texts that none can be held out.
    """
    rows = len(data)
    if rows < 2:
        raise DataError("One row cannot be split into training and held-out rows.", hint="Use a larger table.")
    target = int(np.clip(round(share * rows), 1, min(MAX_HELDOUT, rows - 1)))
    codes = _codes(data)
    if "part" in data.column_names:
        given = _given(codes, data["part"].to_numpy(zero_copy_only=False), seed)
        if given is not None:
            return given
    labels = data["label"].to_numpy() if "label" in data.column_names else None
    if "class" in data.column_names:
        return _split_classes(codes["text"], class_numbers(data), target, seed)
    for level in LEVELS if "anchor" in codes else ONE_TEXT:
        if level.shared == "negatives" and len(codes) == 2:
            continue
        group = _groups([codes[name] for name in level.kept_apart or codes])
        chosen = _choose(group, target, seed, labels, level)
        if chosen is not None:
            heldout, train = np.flatnonzero(chosen), np.flatnonzero(~chosen)
            return Split(train, heldout, _note(level.shared, codes, train, heldout), level.shared)
    raise DataError(
        "The table has so few different texts that none can be held out to judge the result on.",
        hint="Use a table with more different anchors, or choose other columns.",
    )


def _given(codes: dict[str, np.ndarray], part: np.ndarray, seed: int) -> Split | None:
    """The split that a retrieval set comes with; None when it leaves one side without rows.

    Training rows that ask what a held-out row asks are left out. Documents may be right answers on both sides.
    """
    heldout = np.flatnonzero(part == "test")
    asked = np.isin(codes["anchor"], codes["anchor"][heldout])
    train = np.flatnonzero((part != "test") & ~asked)
    if len(train) < 2 or not len(heldout):
        return None
    total = len(heldout)
    if total > MAX_HELDOUT:
        heldout = np.sort(np.random.default_rng(seed).choice(heldout, MAX_HELDOUT, replace=False))
    left_out = len(part) - total - len(train)
    seen = np.isin(codes["positive"][heldout], codes["positive"][train]).sum()
    some = f"{len(heldout):,} of {total:,}" if len(heldout) < total else f"{total:,}"
    note = f"{some} rows are held out, as the set divides them; the right answers of {seen:,} of them are right answers in training too."
    note += f" {left_out:,} rows ask what a held-out row asks and do not train." if left_out else ""
    return Split(train, heldout, note, "answers")


def _split_classes(text: np.ndarray, number: np.ndarray, target: int, seed: int) -> Split:
    """Held-out rows of every class; whole classes where those are too small to be divided."""
    group = np.unique(text, return_inverse=True)[1]
    chosen = choose_by_class(group, number, target, seed)
    divided = chosen.sum() >= 0.5 * target
    if not divided:
        tied = _groups([text, text.max() + 1 + number])
        chosen = _choose(tied, target, seed, None, _Level("nothing", (), (0.0, np.inf), 1))
    if chosen is None:
        raise DataError(
            "The classes are so few and small that none can be held out to judge the result on.",
            hint="Use a table with more rows, or choose another column as class.",
        )
    heldout, train = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    start = f"{len(heldout):,} of {len(text):,} rows are held out; none of their texts stands in a training row"
    if divided:
        return Split(train, heldout, f"{start}, and each of their classes has training rows too.", "nothing")
    few = len(np.unique(number[heldout]))
    return Split(train, heldout, f"{start}. Classes are so small that {few:,} of them are held out whole.", "nothing")


def _codes(data: pa.Table) -> dict[str, np.ndarray]:
    """Text column -> one number a row; texts that differ only in case or white space have the same number."""
    numbers: dict[str, int] = {}
    codes = {}
    for name in text_columns(data):
        encoded = data[name].combine_chunks().dictionary_encode()
        plain = (" ".join(text.casefold().split()) for text in encoded.dictionary.to_pylist())
        known = np.fromiter((numbers.setdefault(text, len(numbers)) for text in plain), dtype=np.int64)
        codes[name] = known[encoded.indices.to_numpy()]
    return codes


def _groups(columns: list[np.ndarray]) -> np.ndarray:
    """Number of each row's group: rows with a text in common, directly or through other rows, are one group."""
    rows = len(columns[0])
    text = np.concatenate(columns)
    row = np.tile(np.arange(rows), len(columns))
    nodes = rows + int(text.max()) + 1
    graph = coo_matrix((np.ones(len(row), dtype=np.int8), (row, rows + text)), shape=(nodes, nodes))
    return np.unique(connected_components(graph, directed=False)[1][:rows], return_inverse=True)[1]


def _choose(group: np.ndarray, target: int, seed: int, labels: np.ndarray | None, level: _Level) -> np.ndarray | None:
    """Mask of the held-out rows: whole groups, by chance, about ``target`` rows. None: these groups are too large for it."""
    sizes = np.bincount(group)
    if len(sizes) < 2 or (level.min_groups > 1 and sizes.max() > LARGEST_GROUP * len(group)):
        return None
    chance = np.random.default_rng(seed)
    best = None
    for _ in range(10 if labels is not None else 1):
        taken = _fill(chance.permutation(len(sizes)), sizes, target)
        chosen = taken[group]
        count = chosen.sum()
        least, most = level.filled
        if not least * target <= count <= most * target or taken.sum() < min(level.min_groups, target):
            return None
        if count > min(MAX_HELDOUT, max(target, len(group) // 2)):
            return None
        best = chosen if best is None else best
        # Both labels are needed on both sides; small tables may need another draw.
        if labels is None or (np.ptp(labels[chosen]) and np.ptp(labels[~chosen])):
            return chosen
    return best


def _fill(order: np.ndarray, sizes: np.ndarray, target: int) -> np.ndarray:
    """Takes groups in ``order`` as long as they fit, the smallest when none does. Mask of groups."""
    taken = np.zeros(len(sizes), dtype=bool)
    count = 0
    for one in order:
        if count + sizes[one] <= target:
            taken[one] = True
            count += sizes[one]
            if count == target:
                break
    if not count:
        taken[np.argmin(sizes)] = True
    return taken


def _note(shared: str, codes: dict[str, np.ndarray], train: np.ndarray, heldout: np.ndarray) -> str:
    start = f"{len(heldout):,} of {len(train) + len(heldout):,} rows are held out"
    if shared == "nothing":
        return f"{start}; none of their texts stands in a training row."
    if shared == "negatives":
        known = np.concatenate([column[train] for column in codes.values()])
        seen = np.zeros(len(heldout), dtype=bool)
        for name, column in codes.items():
            seen |= np.isin(column[heldout], known) & name.startswith("negative")
        return (
            f"{start}; none of their anchors and positives is the anchor or positive of a training row, "
            f"but negatives of {seen.sum():,} of them occur in training too."
        )
    apart, both = ("anchor", "positive") if shared == "answers" else ("positive", "anchor")
    seen = np.isin(codes[both][heldout], codes[both][train])
    return (
        f"{start}; none of their {apart}s is the {apart} of a training row, but the {both}s of {seen.sum():,} of them "
        f"occur in training too: the table has {len(np.unique(codes[both])):,} different {both}s."
    )
