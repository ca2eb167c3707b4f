"""The single looks that the data check takes at a table; each yields findings in words for people."""

from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studio.data.codes import numbers as text_numbers
from studio.data.labels import describe_mapping
from studio.data.prepare import DUPLICATE, NEUTRAL, REASONS, UNPAIRED, Prepared
from studio.data.roles import describe
from studio.data.rows import count, finding, plain_mask, text_columns, where
from studio.data.spool import batches
from studio.data.table import CUT_OFF, Finding, Notes, RowNote, Table

MIN_ROWS, FEW_ROWS, USUAL_BATCH = 4, 50, 32
NARROW = 0.1
"""Part of the scale in which nine of ten scores lie when they hardly differ."""
SHORT_CHARACTERS, LONG_CHARACTERS = 3, 2_000
ONE_SIDED = 0.9
"""Share of one label above which labels are called unbalanced."""
BROKEN = r"\x{fffd}|Ã[\x{80}-\x{bf}©¨ª«¤¶¼±³§¢]|â€|Â[\x{a0}-\x{bf}]"
"""Replaced bytes, and UTF-8 that was once read as a Western encoding."""


def reading(table: Table) -> Iterable[Finding]:
    dialect = table.dialect
    if table.retrieval is not None:
        yield Finding("retrieval_set", "info", table.retrieval.note, len(table.data))
    if dialect.member and dialect.sheet and PurePosixPath(dialect.sheet).name == dialect.member:
        yield Finding(
            "one_of_several_tables",
            "info",
            f"The archive holds several tables; '{dialect.sheet}' was read.",
            len(table.data),
        )
    if table.files:
        told = [f"{part.name} ({part.rows:,} rows)" for part in table.files[:1]]
        told += [f"{p.name} ({p.rows:,} rows, numbered from {p.behind + 1:,} on)" for p in table.files[1:6]]
        more = f" and {len(table.files) - 6} more" if len(table.files) > 6 else ""
        yield Finding(
            "several_files",
            "info",
            f"{len(table.files)} tables were put together: {', '.join(told)}{more}.",
            len(table.data),
        )
    torn = [note.row for note in table.skipped if note.message == CUT_OFF]
    skipped = [note for note in table.skipped if note.message != CUT_OFF]
    if torn:
        yield finding(
            "cut_off",
            "warning",
            "The file ends in the middle of a row.",
            torn,
        )
    if skipped:
        yield finding(
            "skipped_rows",
            "warning",
            f"{count(len(skipped))} could not be read and will not be used. Row {skipped[0].row}: {skipped[0].message}.",
            _numbers(skipped),
        )
    if table.repaired:
        first = table.repaired[0]
        yield finding(
            "repaired_rows",
            "info",
            f"{count(len(table.repaired), 'row did not fit and was mended', 'rows did not fit and were mended')}. Row {first.row}: {first.message}.",
            _numbers(table.repaired),
        )


def _numbers(notes: Sequence[RowNote]) -> Sequence[int] | np.ndarray:
    return notes.rows if isinstance(notes, Notes) else [note.row for note in notes]


def dropped(prepared: Prepared) -> Iterable[Finding]:
    codes = {
        reason: ("empty_text" if role not in ("score", "label", "class") else f"missing_{role}")
        for role, reason in REASONS.items()
    }
    for reason, notes in prepared.dropped.items():
        if reason == DUPLICATE:
            yield finding(
                "duplicate_rows",
                "info",
                f"{count(len(notes), 'row repeats', 'rows repeat')} an earlier row and will be left out.",
                _numbers(notes),
            )
            continue
        if reason == NEUTRAL:
            said = ", ".join(
                sorted(f"'{value[:40]}'" for value, code in prepared.label_mapping.items() if code is None)
            )
            yield finding(
                "neutral_labels",
                "info",
                f"{count(len(notes))} labelled {said} will be left out.",
                _numbers(notes),
            )
            continue
        if reason == UNPAIRED:
            yield finding(
                "unpaired_labels",
                "info",
                f"{count(len(notes))} will be left out: they have no counterpart with the other label.",
                _numbers(notes),
            )
            continue
        share = len(notes) / (len(notes) + len(prepared.data))
        yield finding(
            codes[reason],
            "warning",
            f"{count(len(notes))} ({share:.0%}) will be left out: {reason}.",
            _numbers(notes),
        )


def size(prepared: Prepared) -> Iterable[Finding]:
    rows = len(prepared.data)
    have = f"{count(rows)} can be used"
    if rows < MIN_ROWS:
        yield Finding(
            "too_few_rows", "error", f"Only {have}: at least {MIN_ROWS} are needed to train and to judge.", rows
        )
    elif rows < FEW_ROWS:
        yield Finding(
            "too_few_rows",
            "warning",
            f"Only {have}.",
            rows,
        )


def too_short(texts: pa.ChunkedArray) -> np.ndarray:
    """Mask. Two characters of Chinese or Japanese are a word; only short Latin texts count."""
    latin = pc.match_substring_regex(texts, r"^[\x{20}-\x{24f}]*$")
    return plain_mask(pc.and_(pc.less(pc.utf8_length(texts), SHORT_CHARACTERS), latin))


def texts(prepared: Prepared) -> Iterable[Finding]:
    data = prepared.data
    for name in text_columns(data):
        role = name.replace("_", " ")
        lengths = pc.utf8_length(data[name])
        short = where(data, too_short(data[name]))
        if len(short):
            yield finding(
                "very_short_texts",
                "warning" if len(short) > 0.05 * len(data) else "info",
                f"In {count(len(short))} the {role} has fewer than {SHORT_CHARACTERS} characters.",
                short,
            )
        long = where(data, pc.greater(lengths, LONG_CHARACTERS))
        if len(long):
            yield finding(
                "very_long_texts",
                "info",
                f"In {count(len(long))} the {role} has more than {LONG_CHARACTERS:,} characters.",
                long,
            )
        broken = where(data, pc.match_substring_regex(data[name], BROKEN))
        if len(broken):
            yield finding(
                "broken_characters",
                "warning" if len(broken) > 0.01 * len(data) else "info",
                f"In {count(len(broken))} the {role} has characters that were broken when the file was made or read (such as "
                "\ufffd or Ã©).",
                broken,
            )
        kind = describe(name, data[name]).kind
        if kind in ("id", "number", "binary"):
            yield Finding(
                "looks_like_numbers",
                "warning",
                f"The {role} column looks like numbers or ids, not like texts.",
                len(data),
            )


def same_text(data: pa.Table, one: str, other: str) -> np.ndarray:
    """Mask of the rows in which two columns hold the same text; upper and lower case do not count."""
    pairs = data.select([one, other])
    same = [plain_mask(pc.equal(pc.utf8_lower(a), pc.utf8_lower(b))) for a, b in map(_columns, batches(pairs))]
    return np.concatenate([np.zeros(0, bool), *same])


def _columns(batch: pa.RecordBatch) -> list[pa.Array]:
    return batch.columns


def repeats(prepared: Prepared) -> Iterable[Finding]:
    data = prepared.data
    if "positive" not in data.column_names:
        return
    same = where(data, same_text(data, "anchor", "positive"))
    if len(same) and prepared.format in ("pair", "triplet"):
        yield finding(
            "anchor_equals_positive",
            "warning",
            f"In {count(len(same))} anchor and positive are the same text.",
            same,
        )
    for name in text_columns(data)[2:]:
        for other in ("positive", "anchor"):
            same = where(data, same_text(data, other, name))
            if len(same):
                yield finding(
                    f"{other}_equals_negative",
                    "error" if len(same) == len(data) else "warning",
                    f"In {count(len(same))} {other} and {name.replace('_', ' ')} are the same text.",
                    same,
                )
    if prepared.format not in ("pair", "triplet"):
        return
    for role in ("anchor", "positive"):
        code = text_numbers(data[role])
        numbers = np.bincount(code)
        if len(numbers) == 1 and len(data) > 1:
            yield Finding(
                f"one_{role}_only",
                "error",
                f"All rows have the same {role}.",
                len(data),
            )
            continue
        if len(numbers) < USUAL_BATCH < len(data):
            yield Finding(
                f"few_{role}s",
                "warning",
                f"There are only {len(numbers)} different {role}s: batches cannot be larger than {len(numbers)} rows.",
                len(data),
            )
        if (numbers > 1).any():
            yield finding(
                f"repeated_{role}s",
                "info",
                f"{count(int((numbers > 1).sum()), role + ' stands', role + 's stand')} in several rows "
                f"({int(numbers[numbers > 1].sum()):,} rows, {len(numbers):,} different {role}s in all). They are kept out of one "
                "batch automatically.",
                where(data, numbers[code] > 1),
            )


def pair_numbers(data: pa.Table) -> np.ndarray:
    """One number a row: equal where the two texts are, in either order and in any case."""
    code = text_numbers(pa.chunked_array([*data["anchor"].chunks, *data["positive"].chunks]), pc.utf8_lower)
    one, other = code[: len(data)], code[len(data) :]
    key = np.minimum(one, other) * (int(code.max(initial=0)) + 1) + np.maximum(one, other)
    return np.unique(key, return_inverse=True)[1]


def contradictions(data: pa.Table) -> np.ndarray:
    """Mask of the rows whose two texts stand in another row with the other label, or a clearly different score."""
    value, tolerance = ("label", 0.5) if "label" in data.column_names else ("score", 0.25)
    pair = pair_numbers(data)
    values = data[value].to_numpy().astype(np.float64)
    low, high = np.full(len(data), np.inf), np.full(len(data), -np.inf)
    np.minimum.at(low, pair, values)
    np.maximum.at(high, pair, values)
    return (high - low)[pair] > tolerance


def scores(prepared: Prepared) -> Iterable[Finding]:
    data = prepared.data
    low, high = prepared.score_scale or (0.0, 1.0)
    if pc.min(data["score"]).as_py() == pc.max(data["score"]).as_py():
        yield Finding(
            "all_scores_equal",
            "error",
            f"All scores are {pc.min(data['score']).as_py():g}.",
            len(data),
        )
    elif (low, high) != (0.0, 1.0):
        yield Finding(
            "score_scale",
            "info",
            f"Scores were taken to be on a scale from {low:g} to {high:g} and brought to 0 to 1.",
            len(data),
        )
    yield from _spread(data["score"])
    rows = where(data, contradictions(data))
    if len(rows):
        yield finding(
            "contradictory_scores",
            "warning",
            f"{count(len(rows), 'row has', 'rows have')} the same two texts as another row but a clearly different score.",
            rows,
        )


def _spread(values: pa.ChunkedArray) -> Iterable[Finding]:
    """Scores that lie so near each other that their order says little."""
    low, high = np.quantile(values.to_numpy(), [0.05, 0.95])
    if values.to_numpy().min() < values.to_numpy().max() and high - low < NARROW:
        yield Finding(
            "narrow_scores",
            "warning",
            f"Nine of ten scores lie between {low:.2f} and {high:.2f} on the scale from 0 to 1.",
            len(values),
        )


def labels(prepared: Prepared) -> Iterable[Finding]:
    data = prepared.data
    if told := describe_mapping(prepared.label_mapping):
        yield Finding(
            "labels_read_as",
            "info",
            f"Labels were read as follows: {told}.",
            len(data),
        )
    positive = pc.mean(data["label"]).as_py()
    if positive in (0.0, 1.0):
        yield Finding("one_label_only", "error", f"All labels are {positive:.0f}.", len(data))
    elif not 1 - ONE_SIDED <= positive <= ONE_SIDED:
        rare = 1 if positive < 0.5 else 0
        rows = where(data, pc.equal(data["label"], rare))
        yield finding(
            "unbalanced_labels",
            "warning",
            f"Only {min(positive, 1 - positive):.1%} of the labels are {rare}.",
            rows,
        )
    rows = where(data, contradictions(data))
    if len(rows):
        yield finding(
            "contradictory_labels",
            "warning",
            f"{count(len(rows), 'row has', 'rows have')} the same two texts as another row but the other label.",
            rows,
        )
