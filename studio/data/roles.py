"""Which column is for what, guessed from names and content. The order of columns in the file plays no part."""

import re
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.codes import picked
from studio.data.labels import NUMBER, says_a_label
from studio.data.prepare import score_scale
from studio.data.table import Roles, Table
from studio.data.vocabulary import name_fit, plain_name

SAMPLE_ROWS = 2_000
USUAL_SCALES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 5.0), (1.0, 5.0), (0.0, 10.0), (0.0, 100.0), (0.0, 4.0), (0.0, 3.0))
CANDIDATES = 12
"""Columns compared pair by pair; wider tables have their likeliest texts looked at."""
FEW_TOPICS = 10
"""With fewer different topics they are classes, however readable: as answers they would fill no batch."""
MOST_NUMBERS = 0.3
"""Different numbers divided by rows up to which numbers can be classes."""


@dataclass(frozen=True)
class Column:
    """What a sample of a column's values looks like. Shares are of the values that are there."""

    name: str
    filled: float
    """Share of the rows that have a value."""
    kind: str
    """``text``, ``class`` (few different values), ``id``, ``number``, ``binary`` (0 and 1), ``lists`` or ``empty``."""
    length: float
    """Mean number of characters."""
    unique: float
    """Different values divided by values."""
    spaced: float
    """Share of values of more than one word."""
    scale: tuple[float, float] | None = None
    """Of numbers."""
    values: frozenset[str] = frozenset()
    """All different values, lower case, when there are at most 20."""
    whole: bool = False
    """Whole numbers."""


def guess_roles(table: Table, texts_a_row: int | None = None) -> Roles:
    """The likeliest roles. ``texts_a_row``: 1 or 2 where a person has said so.

    They may make no format yet: a table of one text column, taken for two texts a row, has an anchor only.
    """
    if table.retrieval is not None:
        return Roles("query", "document")
    columns = [describe(name, table.data[name]) for name in sorted(table.columns, key=_natural)]
    negatives = [
        c
        for c in columns
        if name_fit(c.name, "negative") == 1 and c.kind in ("text", "lists", "class") and c.filled > 0
    ]
    texts = [c for c in columns if c not in negatives and _may_be_text(c)]
    texts.sort(key=lambda c: -_textness(c))
    texts = sorted(texts[:CANDIDATES], key=lambda c: _natural(c.name))
    if not texts:
        return Roles()
    # A column that is called a role and is empty was meant to be filled: that is said, not passed over.
    empty = next((c for c in columns if c.kind == "empty" and name_fit(c.name, "positive") == 1), None)
    if len(texts) == 1 and empty is not None and texts_a_row != 1:
        return Roles(texts[0].name, empty.name)
    if texts_a_row == 1 or (len(texts) == 1 and texts_a_row is None):
        return _one_text(columns, texts)
    if len(texts) == 1:
        return Roles(anchor=texts[0].name)
    anchor, positive = max(permutations(texts, 2), key=lambda pair: round(_pair_fit(*pair), 6))
    if negatives:
        lists = [c.name for c in negatives if c.kind == "lists"]
        return Roles(anchor.name, positive.name, tuple(lists[:1] or [c.name for c in negatives]))
    if positive.kind == "class" and name_fit(positive.name, "positive") < 1:
        readable = texts_a_row == 2 or _are_topics(table.data[positive.name])
        return Roles(anchor.name, positive.name) if readable else Roles(text=anchor.name, class_=positive.name)
    rest = [c for c in columns if c not in (anchor, positive)]
    score = _best(rest, _score_fit)
    label = _best(rest, _label_fit)
    if score and label:
        # A score says more than a label; but a column that only may be a score gives way to a named label.
        keep_score = _score_fit(score) >= _label_fit(label)
        score, label = (score, None) if keep_score else (None, label)
    return Roles(anchor.name, positive.name, (), score.name if score else None, label.name if label else None)


def _one_text(columns: list[Column], texts: list[Column]) -> Roles:
    """The text that looks most like one, and the column that looks most like its class."""
    text = max(texts, key=lambda c: (round(_textness(c) + name_fit(c.name, "text"), 6), c.kind == "text"))
    found = _best([c for c in columns if c is not text], _class_fit)
    return Roles(text=text.name, class_=found.name if found else None)


def _class_fit(column: Column) -> float:
    if column.filled < 0.5 or column.kind not in ("class", "number", "binary"):
        return 0.0
    named = max(name_fit(column.name, "class"), name_fit(column.name, "label"))
    if column.kind == "class":
        return max(0.4, named)
    if name_fit(column.name, "other") or name_fit(column.name, "score") or not column.whole:
        return 0.0
    if column.unique > MOST_NUMBERS and column.kind == "number":
        return 0.0
    # Numbers that nothing says are classes may be anything: ratings, counts, years.
    return named or (0.3 if _is_nameless(column.name) else 0.0)


def _are_topics(column: pa.ChunkedArray) -> bool:
    """Whether a closed set of values is words that can be read, and enough of them to be answers: topics, not codes."""
    values = pc.unique(pc.utf8_trim_whitespace(column.drop_null())).to_pylist()
    readable = sum(re.search(r"[^\W\d_]{3}|[\u3040-\u9fff\uac00-\ud7af]", value) is not None for value in values)
    return len(values) >= FEW_TOPICS and readable > 0.8 * len(values)


def describe(name: str, column: pa.ChunkedArray) -> Column:
    """Looks at no more than 2,000 rows, spread over the whole column."""
    rows = len(column)
    filled = 1 - column.null_count / max(rows, 1)
    if pa.types.is_list(column.type):
        return Column(name, filled, "lists" if filled else "empty", 0.0, 0.0, 0.0)
    present = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    if len(present) > SAMPLE_ROWS:
        present = present[np.linspace(0, len(present) - 1, SAMPLE_ROWS).astype(np.int64)]
    texts = pc.utf8_trim_whitespace(picked(column, present))
    texts = texts.filter(pc.not_equal(texts, ""))
    count = len(texts)
    if not count:
        return Column(name, 0.0, "empty", 0.0, 0.0, 0.0)
    unique = pc.count_distinct(texts).as_py()
    spaced = pc.mean(pc.cast(pc.match_substring_regex(texts, r"\S\s+\S"), pa.float64())).as_py()
    # Scripts such as Japanese have no spaces: a long value is as good as several words.
    long = pc.greater_equal(pc.utf8_length(texts), 12)
    beyond = pc.match_substring_regex(texts, r"[\x{3040}-\x{30ff}\x{3400}-\x{9fff}\x{0e00}-\x{0e7f}]")
    spaced = max(spaced, pc.mean(pc.cast(pc.and_(long, beyond), pa.float64())).as_py())
    length = pc.mean(pc.utf8_length(texts)).as_py()
    values = frozenset(v.casefold() for v in pc.unique(texts).to_pylist()) if unique <= 20 else frozenset()
    numeric = pc.match_substring_regex(texts, NUMBER)
    share = pc.mean(pc.cast(numeric, pa.float64())).as_py()
    scale, whole = None, False
    if share > 0.95:
        numbers = pc.cast(pc.replace_substring(texts.filter(numeric), ",", "."), pa.float64())
        low, high = pc.min(numbers).as_py(), pc.max(numbers).as_py()
        scale = score_scale(low, high)
        only = set(pc.unique(numbers).to_pylist())
        whole = all(number.is_integer() for number in only)
        if only <= {0.0, 1.0}:
            kind = "binary"
        elif whole and unique > 0.95 * count and count > 20:
            kind = "id"
        else:
            kind = "number"
    elif _looks_like_id(texts, unique / count, spaced):
        kind = "id"
    elif count >= 8 and unique <= max(2, 0.3 * count) and (spaced < 0.5 or unique <= 0.1 * count) and length < 60:
        kind = "class"
    else:
        kind = "text"
    return Column(name, filled, kind, length, unique / count, spaced, scale, values, whole)


ID_VALUE = r"^(https?://\S+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|[0-9a-fA-F]{16,}|[\w.:/#-]*\d[\w.:/#-]*)$"


def _looks_like_id(texts: pa.ChunkedArray, unique: float, spaced: float) -> bool:
    """Nearly all different, without spaces, nearly all with digits in them: numbers of records, links, hashes."""
    if unique < 0.5 or spaced > 0.05:
        return False
    return pc.mean(pc.cast(pc.match_substring_regex(texts, ID_VALUE), pa.float64())).as_py() > 0.9


def _may_be_text(column: Column) -> bool:
    if column.kind == "lists":
        return name_fit(column.name, "positive") == 1
    if column.kind not in ("text", "class") or column.filled < 0.02:
        return False
    words = set(plain_name(column.name).split("_"))
    if column.spaced < 0.5 and words & {
        "id",
        "ids",
        "uuid",
        "key",
        "url",
        "link",
        "href",
        "code",
        "date",
        "email",
        "qid",
    }:
        return False
    return name_fit(column.name, "other") < 1 or column.kind == "text"


def _textness(column: Column) -> float:
    """0 to about 3: how much a column looks like texts worth learning."""
    if column.kind == "lists":
        return 2.0
    closed = 0.0 if column.kind == "class" else 0.8
    return (
        closed
        + column.spaced
        + min(column.length, 200) / 400
        + 0.3 * column.unique
        - 2.5 * max(0.0, 0.9 - column.filled)
    )


def _pair_fit(anchor: Column, positive: Column) -> float:
    """How well two columns go together as anchor and positive."""
    fit = _textness(anchor) + _textness(positive)
    if (anchor.name, positive.name) == ("anchor", "positive"):
        return fit + 10.0  # our own words, as in tables that the studio wrote
    stem, mark = _stem(anchor.name)
    other_stem, other_mark = _stem(positive.name)
    related = stem == other_stem and mark != other_mark and anchor.kind == positive.kind
    if related and (mark.isdigit() or len(mark) == 1):
        return fit + (4.5 if mark < other_mark else 3.5)  # sentence1 and sentence2
    fit += 2.0 * name_fit(anchor.name, "anchor") - 1.0 * name_fit(anchor.name, "positive")
    fit += 2.0 * name_fit(positive.name, "positive") - 1.0 * name_fit(positive.name, "anchor")
    if anchor.kind == "class":
        fit -= 2.5
    if anchor.kind == "lists":
        fit -= 5.0
    if positive.kind == "class":
        # Only worth it when there is no second text.
        fit += 0.3 * max(name_fit(positive.name, "class"), name_fit(positive.name, "label")) - 1.0
    if related:
        fit += 1.0 if mark < other_mark else 0.5  # name_en and name_fr
    elif mark and mark == other_mark:
        fit += 0.4  # the same language
    # The shorter text is usually what people ask with.
    ratio = np.log(max(positive.length, 1) / max(anchor.length, 1))
    fit += 0.25 * float(np.clip(ratio, -2, 2)) if positive.kind != "class" and abs(ratio) > 0.4 else 0.0
    return fit


def _stem(name: str) -> tuple[str, str]:
    """``question2`` -> (question, 2); ``text_a`` -> (text, a); ``name_en`` -> (name, en)."""
    plain = plain_name(name)
    if re.fullmatch(r"column_\d+", plain):
        return plain, ""
    found = re.fullmatch(r"(.*?[^\d_])_?(\d+|(?<=_)[a-z]{1,2})", plain)
    return (found[1], found[2].zfill(4) if found[2].isdigit() else found[2]) if found else (plain, "")


def _best(columns: list[Column], fit) -> Column | None:
    """The column that fits best; None when none does, or when several fit no better than by content."""
    fits = sorted(((fit(column), column.name, column) for column in columns), key=lambda item: -item[0])
    if not fits or fits[0][0] <= 0:
        return None
    alike = [item for item in fits if item[0] == fits[0][0]]
    return None if len(alike) > 1 and fits[0][0] < 0.5 else fits[0][2]


def _is_nameless(name: str) -> bool:
    return re.fullmatch(r"column_\d+", name) is not None


def _score_fit(column: Column) -> float:
    named = name_fit(column.name, "score")
    if column.kind not in ("number", "binary", "id") or column.scale is None or column.filled < 0.5:
        return 0.0
    if column.kind == "binary":
        return 0.4 * named if named == 1 else 0.0
    if named:
        return named
    if column.kind == "id" or name_fit(column.name, "other") or name_fit(column.name, "label") == 1:
        return 0.0
    # Without a name that says so, only numbers on a scale that people judge on.
    whole_range = column.scale in USUAL_SCALES and column.filled > 0.95
    return (0.45 if _is_nameless(column.name) else 0.3) if whole_range else 0.0


def _label_fit(column: Column) -> float:
    named = name_fit(column.name, "label")
    if column.filled < 0.5 or column.kind in ("lists", "empty", "id"):
        return 0.0
    if column.values and says_a_label(column.values):
        return max(0.95 * named, 0.0 if name_fit(column.name, "other") else 0.35)
    if column.kind == "binary":
        return max(named, 0.0 if name_fit(column.name, "other") or name_fit(column.name, "score") == 1 else 0.35)
    if named == 1 and column.values and column.kind == "number":
        # Not 0 and 1: preparing the rows then says what is wrong, rather than that they train as if all belonged together.
        return 0.9
    return 0.0


def _natural(name: str) -> list:
    """Sorts ``neg_2`` before ``neg_10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", plain_name(name))] + [
        (-1, name)
    ]
