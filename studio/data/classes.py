"""Classes of texts: what is odd about them, and which rows of each are held out."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.rows import class_numbers, count, finding, where
from studio.data.table import Finding

LEAST_TRAINED = 2
"""Rows of a class that must train: a class is learnt by comparing its texts with each other."""
ONE_SIDED = 0.9
"""Share of one class above which classes are called unbalanced."""
LARGER = 20
"""Times by which the largest class must be larger than the middle one to be called unbalanced."""
KEPT_LARGER = 10
"""The same for what a fix leaves of it."""
MOST_CLASSES = 0.5
"""Share of the rows above which so many classes look like texts or ids of their own."""


def several_classes(data: pa.Table) -> np.ndarray:
    """Mask of the rows whose text (upper and lower case do not count) stands under another class, too."""
    text = pc.utf8_lower(data["text"]).combine_chunks().dictionary_encode().indices.to_numpy()
    number = class_numbers(data)
    low, high = np.full(len(data), len(data)), np.full(len(data), -1)
    np.minimum.at(low, text, number)
    np.maximum.at(high, text, number)
    return (low != high)[text]


def alone_in_class(data: pa.Table) -> np.ndarray:
    """Mask of the rows that are the only ones of their class."""
    number = class_numbers(data)
    return np.bincount(number)[number] == 1


def without_most_of_the_largest(data: pa.Table, seed: int) -> pa.Table:
    """At most ten times as many rows of a class as the middle class has, drawn by chance."""
    number = class_numbers(data)
    sizes = np.bincount(number)
    most = int(KEPT_LARGER * max(1, np.median(sizes)))
    chance = np.random.default_rng(seed).permutation(len(data))
    order = chance[np.argsort(number[chance], kind="stable")]
    place = np.arange(len(data)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return data.take(pa.array(np.sort(order[place < most])))


def find(data: pa.Table) -> Iterable[Finding]:
    """``data``: rows of a dataset with classes."""
    number = class_numbers(data)
    sizes = np.bincount(number)
    names = pc.unique(data["class"]).to_pylist()
    if len(sizes) < 2:
        yield Finding(
            "one_class_only",
            "error",
            f"All rows have the class '{names[0][:60]}'.",
            len(data),
        )
        return
    if (sizes >= LEAST_TRAINED).sum() < 2:
        yield Finding(
            "classes_too_small",
            "error",
            f"The {len(sizes):,} classes have one text each, but for one at most.",
            len(data),
        )
        return
    if len(sizes) > MOST_CLASSES * len(data):
        yield Finding(
            "many_classes",
            "warning",
            f"There are {len(sizes):,} classes for {len(data):,} rows.",
            len(data),
        )
    rare = where(data, alone_in_class(data))
    if len(rare):
        yield finding(
            "rare_classes",
            "warning" if len(rare) > 0.05 * len(data) else "info",
            f"{count(len(rare), 'class has', 'classes have')} one row only.",
            rare,
        )
    if sizes.max() > ONE_SIDED * len(data) or (len(sizes) > 2 and sizes.max() > LARGER * np.median(sizes)):
        largest = sorted(names)[int(sizes.argmax())]
        yield finding(
            "unbalanced_classes",
            "warning",
            f"The class '{largest[:60]}' has {sizes.max():,} of {len(data):,} rows.",
            where(data, number == sizes.argmax()),
        )
    rows = where(data, several_classes(data))
    if len(rows):
        yield finding(
            "contradictory_classes",
            "warning",
            f"{count(len(rows), 'row has', 'rows have')} a text that stands under another class as well.",
            rows,
        )


def choose_by_class(group: np.ndarray, number: np.ndarray, target: int, seed: int) -> np.ndarray:
    """Mask of about ``target`` held-out rows, so that every class keeps at least two rows that train.

    ``group``: number of each row's text; rows of one text stay on one side. ``number``: of each row's class. Each class
    gives in proportion to its rows. Fewer than ``target`` where classes are too small to give more.
    """
    chance = np.random.default_rng(seed)
    sizes = np.bincount(number)
    left = sizes - LEAST_TRAINED
    chosen = np.zeros(len(number), dtype=bool)
    gives = np.where(left > 0, sizes, 0)
    if not gives.any():
        return chosen
    wanted = gives * target / gives.sum()
    # A class that owes a part of a row gives a whole one or none: those that owe most give it, chance decides between equals.
    luck = chance.random(len(sizes))
    members = np.argsort(group, kind="stable")
    first = np.searchsorted(group[members], np.arange(group.max() + 1))
    last = np.append(first[1:], len(group))
    quota = np.floor(wanted).astype(np.int64)
    short = target - quota.sum()
    quota[np.argsort(-(wanted - quota) - 1e-9 * luck, kind="stable")[: max(0, short)]] += 1
    given = np.zeros(len(sizes), dtype=np.int64)
    for text in chance.permutation(len(first)):
        rows = members[first[text] : last[text]]
        takes = np.bincount(number[rows], minlength=len(sizes)) if len(rows) > 1 else None
        if takes is None:
            one = number[rows[0]]
            if given[one] >= quota[one] or left[one] < 1:
                continue
            given[one] += 1
            left[one] -= 1
        else:
            some = takes > 0
            if (given[some] + takes[some] > quota[some]).any() or (left[some] < takes[some]).any():
                continue
            given += takes
            left -= takes
        chosen[rows] = True
    return chosen
