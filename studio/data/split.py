"""Training rows and held-out rows, so that no training row gives a held-out one away."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from studio.data import near
from studio.data.classes import choose_by_class
from studio.data.relations import says
from studio.data.rows import class_numbers
from studio.errors import DataError

MAX_HELDOUT = 2_000
LARGEST_GROUP = 0.3
"""Share of all rows above which a group of connected rows leaves too little choice."""


@dataclass(frozen=True)
class _Level:
    shared: str
    kept_apart: tuple[str, ...]
    """Columns whose texts stand on one side only; empty: all."""
    near: bool
    """Near duplicates of these texts stand on one side too."""
    filled: tuple[float, float]
    """Least and most rows held out, as a part of the rows wanted."""
    min_groups: int
    """Groups that should be held out, so that chance and not one text decides."""


LEVELS = (
    _Level("nothing", (), True, (0.8, 1.5), 10),
    _Level("near_duplicates", (), False, (0.8, 1.5), 10),
    _Level("negatives", ("anchor", "positive"), True, (0.8, 1.5), 10),
    _Level("answers", ("anchor",), True, (0.5, 1.5), 1),
    _Level("anchors", ("positive",), True, (0.5, 1.5), 1),
    _Level("answers", ("anchor",), True, (0.0, np.inf), 1),
    _Level("answers", ("anchor",), False, (0.0, np.inf), 1),
)
ONE_TEXT = (
    _Level("nothing", (), True, (0.8, 1.5), 10),
    _Level("near_duplicates", (), False, (0.8, 1.5), 10),
    _Level("nothing", (), True, (0.0, np.inf), 1),
    _Level("near_duplicates", (), False, (0.0, np.inf), 1),
)
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
    """What may stand on both sides: ``nothing``; ``near_duplicates``; ``negatives``; ``answers`` (positives and negatives:
    the usual case of a closed set of answers); ``anchors`` (a few anchors recur, positives are kept apart)."""
    seen: np.ndarray
    """Positions of the held-out rows of which such a text occurs in training."""
    near_apart: bool = True
    """Near duplicates of the texts that are kept apart are kept apart too."""


def split(data: pa.Table, share: float, seed: int) -> Split:
    """Hold out about ``share`` of the rows. The same data, share and seed give the same split.

    Rows that have a text in common (case, white space and punctuation do not count) or near duplicates of each other stay
    on one side. Where that ties too many rows together, near duplicates may part; where that does not help, rows may
    share negatives, and at last only anchors are kept apart.

    Raises:
        DataError: fewer than two rows, or so few different texts that none can be held out.
    """
    rows = len(data)
    if rows < 2:
        raise DataError("One row cannot be split into training and held-out rows.", hint="Use a larger table.")
    target = int(np.clip(round(share * rows), 1, min(MAX_HELDOUT, rows - 1)))
    groups = near.text_groups(data)
    if "part" in data.column_names:
        given = _given(groups.same, data["part"].to_numpy(zero_copy_only=False), seed)
        if given is not None:
            return given
    labels = data["label"].to_numpy() if "label" in data.column_names else None
    if "class" in data.column_names and "anchor" in data.column_names:
        labels = says(data)
    elif "class" in data.column_names:
        return _split_classes(groups, class_numbers(data), target, seed)
    for level in LEVELS if "anchor" in groups.same else ONE_TEXT:
        if level.shared == "negatives" and len(groups.same) == 2:
            continue
        apart = level.near and groups.near is not None
        if level.shared == "near_duplicates" and groups.near is None:
            continue
        codes = groups.near if apart else groups.same
        group = _groups([codes[name] for name in level.kept_apart or codes])
        chosen = _choose(group, target, seed, labels, level)
        if chosen is not None:
            heldout, train = np.flatnonzero(chosen), np.flatnonzero(~chosen)
            seen = heldout[_seen(level.shared, groups.same, train, heldout)]
            note = _note(level.shared, groups.same, len(train), len(heldout), len(seen), apart)
            return Split(train, heldout, note + _not_looked_for(groups), level.shared, seen, apart)
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
    seen = heldout[_seen("answers", codes, train, heldout)]
    some = f"{len(heldout):,} of {total:,}" if len(heldout) < total else f"{total:,}"
    note = f"{some} rows are held out, as the set divides them; the right answers of {len(seen):,} of them are right answers in training too."
    note += f" {left_out:,} rows ask what a held-out row asks and do not train." if left_out else ""
    return Split(train, heldout, note, "answers", seen, near_apart=False)


def _not_looked_for(groups: near.TextGroups) -> str:
    return "" if groups.near is not None else " The table is too large to look for near duplicates of them."


def _split_classes(groups: near.TextGroups, number: np.ndarray, target: int, seed: int) -> Split:
    """Held-out rows of every class; whole classes where those are too small to be divided."""
    for codes in filter(None, (groups.near, groups.same)):
        group = np.unique(codes["text"], return_inverse=True)[1]
        chosen = choose_by_class(group, number, target, seed)
        divided = chosen.sum() >= 0.5 * target
        if not divided:
            tied = _groups([group, group.max() + 1 + number])
            chosen = _choose(tied, target, seed, None, ONE_TEXT[-1])
        if chosen is not None:
            break
    if chosen is None:
        raise DataError(
            "The classes are so few and small that none can be held out to judge the result on.",
            hint="Use a table with more rows, or choose another column as class.",
        )
    heldout, train = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    apart = codes is groups.near
    nor = ", nor a near duplicate of one," if apart else ""
    note = f"{len(heldout):,} of {len(number):,} rows are held out; none of their texts{nor} stands in a training row"
    if divided:
        note += ", and each of their classes has training rows too."
    else:
        note += f". Classes are so small that {len(np.unique(number[heldout])):,} of them are held out whole."
    shared = "nothing" if apart or groups.near is None else "near_duplicates"
    return Split(train, heldout, note + _not_looked_for(groups), shared, heldout[:0], apart)


def _groups(columns: list[np.ndarray]) -> np.ndarray:
    """Number of each row's group: rows with a text in common, directly or through other rows, are one group."""
    rows = len(columns[0])
    text = np.concatenate(columns)
    row = np.tile(np.arange(rows), len(columns))
    nodes = rows + int(text.max()) + 1
    return np.unique(near.components(row, rows + text, nodes)[:rows], return_inverse=True)[1]


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
        if labels is None or all({0, 1} <= set(np.unique(labels[side])) for side in (chosen, ~chosen)):
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


def _seen(shared: str, codes: dict[str, np.ndarray], train: np.ndarray, heldout: np.ndarray) -> np.ndarray:
    """Mask of the held-out rows that share with training what ``shared`` says."""
    if shared in ("nothing", "near_duplicates"):
        return np.zeros(len(heldout), dtype=bool)
    if shared == "negatives":
        known = np.concatenate([column[train] for column in codes.values()])
        columns = [column for name, column in codes.items() if name.startswith("negative")]
    else:
        columns = [codes["positive" if shared == "answers" else "anchor"]]
        known = columns[0][train]
    return np.logical_or.reduce([np.isin(column[heldout], known) for column in columns])


def _note(shared: str, codes: dict[str, np.ndarray], train: int, heldout: int, seen: int, near: bool) -> str:
    start = f"{heldout:,} of {train + heldout:,} rows are held out"
    nor = ", nor a near duplicate of one," if near else ""
    if shared == "nothing":
        return f"{start}; none of their texts{nor} stands in a training row."
    if shared == "near_duplicates":
        return (
            f"{start}; none of their texts stands in a training row, but near duplicates of them may: so many texts are "
            "nearly the same that they could not be kept apart."
        )
    if shared == "negatives":
        return (
            f"{start}; none of their anchors and positives{nor} is the anchor or positive of a training row, "
            f"but negatives of {seen:,} of them occur in training too."
        )
    apart, both = ("anchor", "positive") if shared == "answers" else ("positive", "anchor")
    return (
        f"{start}; none of their {apart}s{nor} is the {apart} of a training row, but the {both}s of {seen:,} of them "
        f"occur in training too: the table has {len(np.unique(codes[both])):,} different {both}s."
    )
