"""What the texts of a whole column have in common: words that all of them begin with, columns that look swapped."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.codes import numbers, picked
from studio.data.rows import finding, text_columns, where
from studio.data.table import Finding

SAMPLE = 2_000
COMMON = 0.9
"""Share of the texts that must begin alike."""
MIN_CHARACTERS = 6
MIN_DIFFERENT = 20
"""Closed sets of answers begin alike for good reasons."""
LONGER = 4.0
"""Times by which anchors must be longer than positives to look like the answers."""


def common_beginning(texts: pa.ChunkedArray) -> str:
    """Whole words, with the white space behind them, that at least nine of ten texts begin with; ``""`` for none."""
    sample = picked(texts, np.linspace(0, len(texts) - 1, min(len(texts), SAMPLE)).astype(np.int64)).to_pylist()
    if len(set(sample)) < MIN_DIFFERENT:
        return ""
    prefix = ""
    while True:
        ends = (_next_word(text, len(prefix)) for text in sample if text.startswith(prefix))
        word, often = max(Counter(filter(None, ends)).items(), key=lambda item: item[1], default=("", 0))
        if often < COMMON * len(sample):
            break
        prefix += word
    plain = prefix.strip()
    long = len(plain) >= MIN_CHARACTERS and (plain.endswith((":", "-", ">", "]")) or len(plain.split()) > 1)
    return prefix if long else ""


def _next_word(text: str, start: int) -> str:
    """The word from ``start`` on with the white space behind it; nothing when it is the last: some text must remain."""
    end = start
    while end < len(text) and not text[end].isspace():
        end += 1
    behind = end
    while behind < len(text) and text[behind].isspace():
        behind += 1
    return text[start:behind] if behind < len(text) and end > start else ""


def find_beginnings(data: pa.Table) -> Iterable[Finding]:
    """At most one finding a column."""
    for name in text_columns(data):
        prefix = common_beginning(data[name])
        if prefix:
            rows = where(data, pc.starts_with(data[name], prefix))
            yield finding(
                "same_beginning",
                "info",
                f"In {len(rows) / len(data):.0%} of the rows the {name.replace('_', ' ')} begins with "
                f"'{prefix.strip()[:80]}'.",
                rows,
            )


def look_swapped(data: pa.Table) -> str:
    """Why anchor and positive look swapped; ``""`` when they do not. For pairs only: both are asked with, or neither."""
    asked = [pc.mean(pc.cast(pc.match_substring_regex(data[n], r"[?？؟]\s*$"), pa.float64())).as_py() for n in _PAIR]
    if asked[1] > 0.5 and asked[0] < 0.1:
        return f"{asked[1]:.0%} of the positives end with a question mark, {asked[0]:.0%} of the anchors do"
    different = [int(numbers(data[name]).max(initial=-1)) + 1 for name in _PAIR]
    length = [pc.approximate_median(pc.cast(pc.utf8_length(data[name]), pa.float64())).as_py() for name in _PAIR]
    if length[0] > LONGER * length[1] and length[0] > 100 and min(different) > 0.5 * len(data):
        return f"half of the anchors have more than {length[0]:,.0f} characters, half of the positives fewer than {length[1]:,.0f}"
    return ""


_PAIR = ("anchor", "positive")


def find_swapped(data: pa.Table) -> Iterable[Finding]:
    """At most one finding."""
    why = look_swapped(data)
    if why:
        yield Finding(
            "swapped_columns",
            "warning" if "question mark" in why else "info",
            f"{why[0].upper()}{why[1:]}.",
            len(data),
        )
