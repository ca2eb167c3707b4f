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
            f"The archive holds several tables; '{dialect.sheet}' was read. Choose another one as the sheet.",
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
            "The file ends in the middle of a row: the upload or download was probably cut off. The rows before it are used, "
            "those after it are missing. Upload the whole file again.",
            torn,
        )
    if skipped:
        yield finding(
            "skipped_rows",
            "warning",
            f"{count(len(skipped))} could not be read and will not be used. Row {skipped[0].row}: {skipped[0].message}. "
            "Correct these rows in the file, or go on without them.",
            _numbers(skipped),
        )
    if table.repaired:
        first = table.repaired[0]
        yield finding(
            "repaired_rows",
            "info",
            f"{count(len(table.repaired))} did not fit and were mended. Row {first.row}: {first.message}. "
            "Look at them in the preview.",
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
                f"{count(len(notes), 'row repeats', 'rows repeat')} an earlier row and will be left out: a row counts once.",
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
                f"{count(len(notes))} labelled {said} will be left out: such a pair says neither that its texts belong together "
                "nor that they do not, and no loss for labelled pairs learns from it.",
                _numbers(notes),
            )
            continue
        if reason == UNPAIRED:
            yield finding(
                "unpaired_labels",
                "info",
                f"{count(len(notes))} will be left out: a triplet needs an anchor with a text labelled 1 and one labelled 0, and these "
                "have no counterpart. Train on the labelled pairs instead if they are too many to lose.",
                _numbers(notes),
            )
            continue
        share = len(notes) / (len(notes) + len(prepared.data))
        yield finding(
            codes[reason],
            "warning",
            f"{count(len(notes))} ({share:.0%}) will be left out: {reason}. Complete them in the file, or go on without them.",
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
            f"Only {have}: a model learns little from so few, and the comparison on held-out rows will be a matter of chance. "
            "Some hundred rows are a good start.",
            rows,
        )
    if MIN_ROWS <= rows < USUAL_BATCH:
        yield Finding(
            "less_than_a_batch",
            "warning",
            f"{rows} rows are fewer than the usual batch of {USUAL_BATCH}: choose a smaller batch size, or no step is made.",
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
                f"In {count(len(short))} the {role} has fewer than {SHORT_CHARACTERS} characters: there is hardly anything to learn "
                "from it. Check that this is the right column.",
                short,
            )
        long = where(data, pc.greater(lengths, LONG_CHARACTERS))
        if len(long):
            yield finding(
                "very_long_texts",
                "info",
                f"In {count(len(long))} the {role} has more than {LONG_CHARACTERS:,} characters. Models read only the first "
                "some hundred words; the rest is not seen. Cut such texts into passages if what matters stands further down.",
                long,
            )
        broken = where(data, pc.match_substring_regex(data[name], BROKEN))
        if len(broken):
            yield finding(
                "broken_characters",
                "warning" if len(broken) > 0.01 * len(data) else "info",
                f"In {count(len(broken))} the {role} has characters that were broken when the file was made or read (such as "
                "\ufffd or Ã©). Choose another encoding, or save the file as UTF-8.",
                broken,
            )
        kind = describe(name, data[name]).kind
        if kind in ("id", "number", "binary"):
            yield Finding(
                "looks_like_numbers",
                "warning",
                f"The {role} column looks like numbers or ids, not like texts: a model learns nothing from it. Choose another column.",
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
            f"In {count(len(same))} anchor and positive are the same text: nothing is learnt from them. Remove them, or check "
            "the choice of columns.",
            same,
        )
    for name in text_columns(data)[2:]:
        for other in ("positive", "anchor"):
            same = where(data, same_text(data, other, name))
            if len(same):
                yield finding(
                    f"{other}_equals_negative",
                    "error" if len(same) == len(data) else "warning",
                    f"In {count(len(same))} {other} and {name.replace('_', ' ')} are the same text: the model is told to bring it "
                    "near and to push it away at once. Remove them or correct the negative.",
                    same,
                )
    if prepared.format not in ("pair", "triplet"):
        return
    for role, other in (("anchor", "positive"), ("positive", "anchor")):
        code = text_numbers(data[role])
        numbers = np.bincount(code)
        if len(numbers) == 1 and len(data) > 1:
            yield Finding(
                f"one_{role}_only",
                "error",
                f"All rows have the same {role}: the rows of a batch cannot be told apart, so nothing can be learnt. Choose "
                "another column.",
                len(data),
            )
            continue
        if len(numbers) < USUAL_BATCH < len(data):
            yield Finding(
                f"few_{role}s",
                "warning",
                f"There are only {len(numbers)} different {role}s. A batch holds each of them once at most, so batches cannot be "
                f"larger than {len(numbers)} rows, whatever the batch size. Ranking losses learn little from small batches.",
                len(data),
            )
        if (numbers > 1).any():
            yield finding(
                f"repeated_{role}s",
                "info",
                f"{count(int((numbers > 1).sum()), role + ' stands', role + 's stand')} in several rows "
                f"({int(numbers[numbers > 1].sum()):,} rows, {len(numbers):,} different {role}s in all). In one batch they would be "
                f"taken as wrong {other}s for each other, so they are kept out of one batch automatically.",
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
            "All scores are equal: there is no order to learn. Choose another column as score, or none to train on plain pairs.",
            len(data),
        )
    elif (low, high) != (0.0, 1.0):
        yield Finding(
            "score_scale",
            "info",
            f"Scores were taken to be on a scale from {low:g} to {high:g} and brought to 0 to 1, which the losses expect.",
            len(data),
        )
    rows = where(data, contradictions(data))
    if len(rows):
        yield finding(
            "contradictory_scores",
            "warning",
            f"{count(len(rows))} have the same two texts as another row but a clearly different score: the model is told both. "
            "Keep one of each, or their mean.",
            rows,
        )


def labels(prepared: Prepared) -> Iterable[Finding]:
    data = prepared.data
    if told := describe_mapping(prepared.label_mapping):
        yield Finding(
            "labels_read_as",
            "info",
            f"Labels were read as follows: {told}; 1 says that the texts belong together, 0 that they do not. If it is the other "
            "way round, write 1 and 0 into the file.",
            len(data),
        )
    positive = pc.mean(data["label"]).as_py()
    if positive in (0.0, 1.0):
        advice = " Without the label column they train as plain pairs." if positive else ""
        yield Finding(
            "one_label_only",
            "error",
            f"All labels are {positive:.0f}: the model needs pairs that belong together and pairs that do not.{advice}",
            len(data),
        )
    elif not 1 - ONE_SIDED <= positive <= ONE_SIDED:
        rare = 1 if positive < 0.5 else 0
        rows = where(data, pc.equal(data["label"], rare))
        yield finding(
            "unbalanced_labels",
            "warning",
            f"Only {min(positive, 1 - positive):.1%} of the labels are {rare}: the model may learn to give all pairs the same "
            "similarity. Add rows with this label, or leave some of the others out.",
            rows,
        )
    rows = where(data, contradictions(data))
    if len(rows):
        yield finding(
            "contradictory_labels",
            "warning",
            f"{count(len(rows))} have the same two texts as another row but the other label: the model is told both. Keep one of "
            "each.",
            rows,
        )
