"""From a table and its roles to the rows that training sees, with a reason for every row left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.cells import spelt_lists
from studio.data.codes import numbers, row_numbers
from studio.data.labels import NUMBER, Labels, read_labels, refuse
from studio.data.relations import check_classes
from studio.data.spool import kept, spooled
from studio.data.table import Notes, Roles, RowNote, Table
from studio.data.triplets import make_triplets
from studio.errors import DataError

MAX_NEGATIVES = 10
PART = "part"
"""Column of retrieval sets that says which rows train and which judge: ``train`` or ``test``."""
MISSING = ("", "nan", "null", "none", "na", "n/a", "-", "?")
"""What a score or label that is not there looks like, lower case."""
NO_CLASS = ("", "nan", "null")
"""The same for a class: 'none' and '-' may be classes."""
REASONS = {
    "anchor": "anchor is empty",
    "positive": "positive is empty",
    "negative": "a negative is empty",
    "score": "score is missing",
    "label": "label is missing",
    "text": "text is empty",
    "class": "class is missing",
}
NEUTRAL = "the label says neither"
"""Neutral and undecided pairs: no loss learns from them."""
DUPLICATE = "the same row again"
UNPAIRED = "no text of the other label for the same anchor"
"""Where triplets are made of labelled pairs."""


@dataclass(frozen=True)
class Prepared:
    """``data``: the columns that dataset.py names. Every row of the table is in it or in ``dropped``."""

    data: pa.Table
    format: str
    dropped: dict[str, Sequence[RowNote]]
    """Reason -> rows left out."""
    score_scale: tuple[float, float] | None = None
    """Lowest and highest value of the scale that scores were normalised from."""
    notes: tuple[str, ...] = ()
    """What else was done to the rows, in sentences."""
    label_mapping: dict[str, int | None] = field(default_factory=dict)
    """Spelling of a label -> 1, 0 or None (neither), where the column has others than 0 and 1."""


def prepare(table: Table, roles: Roles) -> Prepared:
    """Texts stripped, scores in [0, 1], labels 0 or 1; rows that cannot be used left out. Classes stay as they are spelt.

    Raises:
        DataError: roles that make no format, a column that is missing or has two roles, labels of unknown spelling, scores
            that are not numbers, a role that is empty in every row, no rows left.
    """
    chosen = check_roles(table, roles)
    notes: list[str] = []
    divided = table.retrieval is not None and PART in table.columns
    source = table.data.select(list(dict.fromkeys([*chosen.values(), *([PART] if divided else [])])))
    for name in dict.fromkeys((roles.positive, *roles.negatives)):
        if name is not None:
            source = source.set_column(source.column_names.index(name), name, spelt_lists(source[name]))
    source = source.append_column("\0row", table.rows)
    source = _one_positive_a_row(source, roles, notes)
    rows = source["\0row"].combine_chunks()

    columns: dict[str, pa.Array | pa.ChunkedArray] = {}
    for role in ("anchor", "positive", "text"):
        if role in chosen:
            columns[role] = _texts(source[chosen[role]], role, chosen[role])
    columns |= _negatives(source, roles, notes)
    scale = None
    if roles.score:
        columns["score"], scale = _scores(source[roles.score], roles.score, rows)
    labels: Labels | None = None
    if roles.label:
        labels = read_labels(_present(source[roles.label], "label", roles.label), roles.label, rows)
        columns["label"] = labels.values
    if roles.class_:
        nothing = NO_CLASS if roles.text else MISSING
        columns["class"] = _present(source[roles.class_], "class", roles.class_, nothing)

    reason = np.full(len(rows), "", dtype=object)
    for role, values in columns.items():
        empty = values.is_null().to_numpy(zero_copy_only=False)
        if empty.all() and not (labels is not None and role == "label" and pc.any(labels.neutral).as_py()):
            column = chosen.get(role, chosen.get("negative", ""))
            raise DataError(
                f"The column '{column}' ({role.replace('_', ' ')}) is empty in every row.",
                hint="Choose another column.",
            )
        if labels is not None and role == "label":
            neutral = labels.neutral.to_numpy(zero_copy_only=False)
            reason[neutral & (reason == "")] = NEUTRAL
        reason[empty & (reason == "")] = REASONS[role.split("_")[0]]
    first = _first_equal(columns, np.flatnonzero(reason == ""))
    again = first >= 0
    reason[again] = DUPLICATE

    keep = reason == ""
    if divided:
        columns[PART] = source[PART].combine_chunks()
    data = kept(pa.table({**columns, "row": rows}), keep)
    if roles.as_triplets and roles.label:
        made = make_triplets(data)
        reason[np.flatnonzero(keep)[~made.used]] = UNPAIRED
        notes.append(
            f"{int(made.used.sum()):,} labelled pairs make {len(made.data):,} triplets: an anchor with a text labelled 1 and one "
            f"labelled 0. A pair labelled 0 holds in both directions. {int((~made.used).sum()):,} pairs have no counterpart."
        )
        data = made.data.combine_chunks()
    dropped = _notes(reason, rows, first)
    if not len(data):
        told = "; ".join(f"{len(found):,} rows: {why}" for why, found in dropped.items())
        raise DataError(f"No row is left to train on ({told}).", hint="Choose other columns, or complete the table.")
    if roles.format == "classed_pair":
        check_classes(data, roles.class_)
    return Prepared(data, roles.format or "", dropped, scale, tuple(notes), labels.mapping if labels else {})


def check_roles(table: Table, roles: Roles) -> dict[str, str]:
    """Role -> column. Raises DataError unless the roles make a format with columns of this table."""
    chosen = roles.columns
    for role, column in chosen.items():
        if column not in table.columns:
            raise DataError(
                f"There is no column '{column}' (given as {role.replace('_', ' ')}).",
                hint=f"Columns are: {', '.join(table.columns[:30])}.",
            )
    by_column: dict[str, str] = {}
    for role, column in chosen.items():
        if column in by_column:
            raise DataError(
                f"The column '{column}' was chosen twice: as {by_column[column].replace('_', ' ')} and as "
                f"{role.replace('_', ' ')}.",
                hint="Choose a different column for each role.",
            )
        by_column[column] = role
    if roles.format is None:
        raise no_format(table, roles)
    return chosen


def no_format(table: Table, roles: Roles) -> DataError:
    """The error for roles that make no format, in words that help."""
    if roles.text is None and roles.class_ is not None:
        return DataError(
            f"'{roles.class_}' is the class, no column is the text.", hint="Choose the column that holds the texts."
        )
    if roles.text is not None:
        others = " and ".join(role.replace("_", " ") for role in roles.columns if role not in ("text", "class"))
        return DataError(
            f"A row has either one text, with or without a class, or two texts; here it has a text and {others}.",
            hint="Choose text (and class), or anchor and positive.",
        )
    if len(table.columns) == 1:
        return DataError(
            f"The table has one column only ('{table.columns[0]}'): two texts a row are needed.",
            hint="Add a column with the text that belongs to each, or choose the column as text: it then trains by itself.",
        )
    if roles.anchor is None and roles.positive is None:
        return DataError(
            "No column was found that holds texts.", hint="Choose a column for anchor and one for positive."
        )
    if roles.anchor is None or roles.positive is None:
        have, lack = ("anchor", "positive") if roles.positive is None else ("positive", "anchor")
        return DataError(
            f"Two texts a row are needed: '{roles.columns[have]}' is the {have}, no column is the {lack}.",
            hint=f"Choose a column for {lack}.",
        )
    extra = [name for name in ("negative", "negative_1", "score", "label", "class") if name in roles.columns]
    named = " and ".join(name.removesuffix("_1") for name in extra)
    return DataError(
        f"Rows cannot have {named} at once: no loss learns from both.",
        hint="Keep one of them and take the others away.",
    )


def _one_positive_a_row(source: pa.Table, roles: Roles, notes: list[str]) -> pa.Table:
    """A list of positives becomes as many rows, all with the number of the row they came from."""
    if roles.positive is None or not pa.types.is_list(source[roles.positive].type):
        return source
    column = source[roles.positive]
    lists = column.combine_chunks()
    # A null or empty list keeps its row, which is then dropped with a reason.
    counts = np.maximum(pc.fill_null(pc.list_value_length(lists), 0).to_numpy(), 1)
    if counts.max(initial=1) > 1:
        notes.append(
            f"'{roles.positive}' holds lists: each positive of a row became a row of its own "
            f"({len(lists):,} rows of the file make {int(counts.sum()):,})."
        )
    parent = np.repeat(np.arange(len(lists)), counts)
    within = np.arange(len(parent)) - np.repeat(np.cumsum(counts) - counts, counts)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    offsets = lists.offsets.to_numpy()[:-1]
    place = pa.array(offsets[parent] + within, mask=within >= lengths[parent])
    texts = lists.values.take(place)
    source = source.take(pa.array(parent))
    return source.set_column(source.column_names.index(roles.positive), roles.positive, texts)


def _texts(column: pa.ChunkedArray | pa.Array, role: str, name: str) -> pa.ChunkedArray:
    """Stripped texts; empty ones are null."""
    if pa.types.is_list(column.type):
        raise DataError(
            f"The column '{name}' ({role}) holds lists of texts.", hint="Choose a column with one text a row."
        )
    return spooled(map(_trimmed, column.chunks if isinstance(column, pa.ChunkedArray) else [column]))


def _trimmed(texts: pa.Array) -> pa.Array:
    texts = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def _negatives(source: pa.Table, roles: Roles, notes: list[str]) -> dict[str, Any]:
    found: list[pa.Array | pa.ChunkedArray] = []
    for name in roles.negatives:
        column = source[name]
        found += (
            _from_lists(column, name, notes) if pa.types.is_list(column.type) else [_texts(column, "negative", name)]
        )
    if len(found) > MAX_NEGATIVES:
        notes.append(f"A row has {len(found)} negatives; the first {MAX_NEGATIVES} are used.")
        found = found[:MAX_NEGATIVES]
    if len(found) == 1:
        return {"negative": found[0]}
    return {f"negative_{i}": texts for i, texts in enumerate(found, 1)}


def _from_lists(column: pa.ChunkedArray, name: str, notes: list[str]) -> list[pa.Array]:
    """Columns of a list column: as many as every row that has any can fill."""
    lists = [[text for text in map(str.strip, items or ()) if text] for items in column.to_pylist()]
    lengths = {len(items) for items in lists if items}
    if not lengths:
        raise DataError(f"The column '{name}' (negative) is empty in every row.", hint="Choose another column.")
    use = min(min(lengths), MAX_NEGATIVES)
    if use < max(lengths):
        notes.append(f"'{name}' holds up to {max(lengths)} negatives a row; the first {use} of each row are used.")
    return [pa.array([items[i] if items else None for items in lists], pa.string()) for i in range(use)]


def _present(column: pa.ChunkedArray, role: str, name: str, nothing: tuple[str, ...] = MISSING) -> pa.Array:
    """Trimmed; null where there is nothing."""
    texts = _texts(column, role, name).combine_chunks()
    missing = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(nothing))
    return pc.if_else(missing, pa.scalar(None, pa.string()), texts)


def _scores(column: pa.ChunkedArray, name: str, rows: pa.Array) -> tuple[pa.Array, tuple[float, float]]:
    texts = _present(column, "score", name)
    hint = "Correct the values, or choose another column for the score (or none)."
    refuse(texts, pc.match_substring_regex(texts, NUMBER), rows, "not a number", name, hint)
    values = pc.cast(pc.replace_substring(texts, ",", "."), pa.float64())
    refuse(texts, pc.is_finite(values), rows, "not a number that can be used", name, hint)
    if values.null_count == len(values):
        return values, (0.0, 1.0)
    scale = score_scale(pc.min(values).as_py(), pc.max(values).as_py())
    low, high = scale
    return pc.divide(pc.subtract(values, low), (high - low) or 1.0), scale


def score_scale(low: float, high: float) -> tuple[float, float]:
    """The scale that scores from ``low`` to ``high`` are most likely on; the two themselves when it is no usual one."""
    if low >= -1 and high <= 1:
        return (0.0, 1.0) if low >= 0 else (-1.0, 1.0)
    if low >= 0:
        for top, reached in ((5, 4), (10, 8), (100, 50)):
            # A scale that is used only in its lower part is more likely another one.
            if reached < high <= top:
                return (1.0 if top == 5 and low >= 1 else 0.0, float(top))
    return (float(low), float(high))


def _first_equal(columns: dict[str, Any], among: np.ndarray) -> np.ndarray:
    """For each row the position of an earlier row that is equal in every column, -1 when there is none."""
    parts = [numbers(values) for values in columns.values()]
    _, first, inverse = np.unique(row_numbers([part[among] for part in parts]), return_index=True, return_inverse=True)
    equal = np.full(len(parts[0]), -1, dtype=np.int64)
    again = first[inverse] != np.arange(len(among))
    equal[among[again]] = among[first[inverse[again]]]
    return equal


def _notes(reason: np.ndarray, rows: pa.Array, first: np.ndarray) -> dict[str, Sequence[RowNote]]:
    numbers = rows.to_numpy()
    dropped: dict[str, Sequence[RowNote]] = {}
    for why in (*dict.fromkeys(REASONS.values()), NEUTRAL, UNPAIRED, DUPLICATE):
        at = np.flatnonzero(reason == why)
        if len(at):
            same = numbers[first[at]] if why == DUPLICATE else None
            dropped[why] = Notes(numbers[at], why if same is None else "the same as row {}", same)
    return dropped
