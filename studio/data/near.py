"""Near duplicates: rows whose texts say the same in nearly the same words.

MinHash with locality-sensitive hashing finds candidates (rensa, in Rust), word sets decide. Source: Broder 1997.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import rensa

from studio.data.rows import class_numbers, count, finding, text_columns, where
from studio.data.table import Finding

ALIKE = 0.8
"""Least Jaccard similarity of single words and pairs of neighbouring words, in every text of the row."""
SIGNATURE, BANDS, SEED = 64, 16, 7
ESTIMATE = 0.6
"""Estimated similarity below which a candidate is not looked at: two standard deviations under ALIKE."""
SAME_SCORE = 0.25
MAX_ROWS = 250_000
"""Rows that are compared, from the first on: about ten seconds."""
MAX_BYTES = 20_000_000
"""Of the texts of these rows: comparing takes some 20 times as much memory."""
SEVERAL = 0.05
"""Share of the rows from which near duplicates are a warning."""
NOT_A_WORD = r"[^\pL\pN\pM]+"
NO_BLANKS = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}])"
"""Scripts without blanks between words: each character counts as a word."""


@dataclass(frozen=True)
class _Words:
    """Word numbers of all texts of a column; those of row i are ``words[offsets[i]:offsets[i + 1]]``."""

    words: np.ndarray
    offsets: np.ndarray
    numeric: np.ndarray
    """Mask of the word numbers that have a digit."""

    def shingles(self, row: int) -> set[int]:
        """Single words and pairs of neighbours."""
        words = self.words[self.offsets[row] : self.offsets[row + 1]].tolist()
        return {*words, *(-1 - one * len(self.numeric) - other for one, other in pairwise(words))}

    def numbers(self, row: int) -> set[int]:
        words = self.words[self.offsets[row] : self.offsets[row + 1]]
        return set(words[self.numeric[words]].tolist())


def near_duplicates(data: pa.Table) -> np.ndarray:
    """Mask of the rows that nearly repeat an earlier row that is not itself such a row.

    Each text must be near its counterpart, with the same numbers in it; labels and classes must be equal, scores close. Some seconds
    for 100,000 rows; no more than :func:`compared` are looked at.
    """
    most = compared(data)
    columns = [_words(data[name].slice(0, most)) for name in text_columns(data)]
    repeats = np.zeros(len(data), dtype=bool)
    value = next((data[name].to_numpy() for name in ("label", "score") if name in data.column_names), None)
    if "class" in data.column_names:
        value = class_numbers(data)
    for row, earlier in _candidates(columns):
        if repeats[row] or repeats[earlier]:
            continue
        if value is not None and abs(float(value[row]) - float(value[earlier])) >= SAME_SCORE:
            continue
        repeats[row] = all(_alike(words, row, earlier) for words in columns)
    return repeats


def compared(data: pa.Table) -> int:
    """How many rows are looked at, from the first on."""
    lengths = [pc.binary_length(data[name].slice(0, MAX_ROWS)).to_numpy() for name in text_columns(data)]
    return int(np.searchsorted(np.cumsum(sum(lengths)), MAX_BYTES, side="right")) if lengths else 0


def find(data: pa.Table) -> Iterable[Finding]:
    """At most one finding."""
    rows = where(data, near_duplicates(data))
    most = compared(data)
    among = f"Among the first {most:,} rows " if most < len(data) else ""
    if len(rows):
        yield finding(
            "near_duplicates",
            "warning" if len(rows) > SEVERAL * len(data) else "info",
            f"{among}{count(len(rows), 'row repeats', 'rows repeat')} an earlier row in nearly the same words. They count several times and "
            "teach little; where one is held out and the other is not, the result looks better than it is. Leave them out unless "
            "the small differences matter.",
            rows,
        )


def _words(column: pa.ChunkedArray) -> _Words:
    whole = pc.utf8_lower(column).combine_chunks()
    texts = whole
    if pc.any(pc.match_substring_regex(texts, NO_BLANKS)).as_py():
        texts = pc.replace_substring_regex(texts, NO_BLANKS, r" \1 ")
    texts = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, NOT_A_WORD, " "))
    # A text without any word, such as an emoji, is one word.
    texts = pc.if_else(pc.equal(texts, ""), pc.replace_substring_regex(whole, r"\s+", ""), texts)
    lists = pc.split_pattern(texts, " ")
    coded = lists.flatten().dictionary_encode()
    numeric = pc.match_substring_regex(coded.dictionary, r"\pN").to_numpy(zero_copy_only=False).astype(bool)
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return _Words(coded.indices.to_numpy().astype(np.int64), offsets - offsets[0], numeric)


def _candidates(columns: list[_Words]) -> Iterator[tuple[int, int]]:
    """Pairs (row, earlier row) that may be alike, by row."""
    hashes, offsets = _row_hashes(columns)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), SIGNATURE, SEED)
    index = rensa.RMinHashLSH(threshold=ALIKE, num_perm=SIGNATURE, num_bands=BANDS)
    flagged = np.flatnonzero(np.array(index.query_duplicate_flags_matrix_one_shot(matrix), dtype=bool))
    if not len(flagged):
        return
    # Signatures are taken out of the library for flagged rows only: it hands them out as lists.
    lengths = np.diff(offsets)
    chosen = np.zeros(len(lengths), dtype=bool)
    chosen[flagged] = True
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(
        hashes[np.repeat(chosen, lengths)],
        np.concatenate([[0], np.cumsum(lengths[flagged])]).astype(np.uint64),
        SIGNATURE,
        SEED,
    )
    signatures = np.array(matrix.to_rows(), dtype=np.uint32)
    pairs = np.unique(np.concatenate(list(_in_one_band(signatures))), axis=0)
    likely = (signatures[pairs[:, 0]] == signatures[pairs[:, 1]]).mean(axis=1) >= ESTIMATE
    yield from map(tuple, flagged[pairs[likely]].tolist())


def _row_hashes(columns: list[_Words]) -> tuple[np.ndarray, np.ndarray]:
    """64-bit hashes of each row's words and neighbours, all texts together, and where each row begins."""
    parts, owners = [], []
    for salt, column in enumerate(columns, 1):
        lengths = np.diff(column.offsets)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        words = column.words.astype(np.uint64) + np.uint64(1)
        # The first word of a text is followed by no neighbour of another text.
        neighbours = _mix(words[:-1] * np.uint64(0x9E3779B97F4A7C15) + words[1:] + np.uint64(salt << 56))
        inside = owner[:-1] == owner[1:]
        parts += [_mix(words + np.uint64(salt << 48)), neighbours[inside]]
        owners += [owner, owner[:-1][inside]]
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    sizes = np.bincount(owner, minlength=len(columns[0].offsets) - 1)
    return np.concatenate(parts)[order], np.concatenate([[0], np.cumsum(sizes)])


def _mix(values: np.ndarray) -> np.ndarray:
    """Spreads numbers over 64 bits. Source: splitmix64."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _in_one_band(signatures: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs (row, earlier row) that agree in a band: each row with the first of its bucket and with the one before it."""
    width = SIGNATURE // BANDS
    for start in range(0, SIGNATURE, width):
        band = np.ascontiguousarray(signatures[:, start : start + width]).view(np.dtype((np.void, 4 * width))).ravel()
        _, first, bucket = np.unique(band, return_index=True, return_inverse=True)
        row = np.arange(len(band))
        order = np.argsort(bucket, kind="stable")
        before = np.empty_like(order)
        before[order[1:]] = order[:-1]
        before[first] = first
        for earlier in (first[bucket], before):
            yield np.column_stack([row, earlier])[earlier < row]


def _alike(words: _Words, row: int, earlier: int) -> bool:
    if words.numbers(row) != words.numbers(earlier):
        return False
    one, other = words.shingles(row), words.shingles(earlier)
    return len(one & other) >= ALIKE * len(one | other)
