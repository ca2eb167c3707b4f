"""Near duplicates: texts that say the same in nearly the same words, and rows in which all texts do.

MinHash with locality-sensitive hashing finds candidates (rensa, in Rust), word sets decide. Source: Broder 1997.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import rensa

from studio.data.codes import numbers, row_numbers
from studio.data.rows import class_numbers, count, digest, finding, text_columns, where
from studio.data.table import Finding
from studio.recent import Recent

ALIKE = 0.8
"""Least Jaccard similarity of single words and pairs of neighbouring words."""
MIN_WORDS = 4
"""Shorter texts are near duplicates only when they are the same words."""
SIGNATURE, BANDS, SEED = 64, 16, 7
ESTIMATE = 0.6
"""Estimated similarity below which a candidate is not looked at: more than two standard deviations under ALIKE."""
SAME_SCORE = 0.25
MAX_ROWS = 250_000
"""Rows that are compared, from the first on: some seconds."""
MAX_BYTES = 20_000_000
"""Of the texts of these rows: comparing takes some 20 times as much memory."""
COMPARED = 20
"""Kept rows that a row is compared with, where many say nearly the same."""
BATCH = 10_000
SEVERAL = 0.05
"""Share of the rows from which near duplicates are a warning."""
NOT_A_WORD = r"[^\pL\pN\pM]+"
NO_BLANKS = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}])"
"""Scripts without blanks between words: each character counts as a word."""


@dataclass(frozen=True)
class TextGroups:
    """Which texts of a table say the same: one number a row for each text column, of one numbering."""

    same: dict[str, np.ndarray]
    """Equal where the words are the same, whatever the case, white space and punctuation."""
    near: dict[str, np.ndarray] | None
    """Equal where texts are near duplicates, of each other or in a chain; None: the table is too large to compare all."""
    words: "_Words | None"
    """Of the distinct texts, by number of ``same``; None where ``near`` is."""


@dataclass(frozen=True)
class _Words:
    """Word numbers of distinct texts; those of text i are ``words[offsets[i]:offsets[i + 1]]``."""

    words: np.ndarray
    offsets: np.ndarray
    numeric: np.ndarray
    """Mask of the word numbers that have a digit."""

    def shingles(self, text: int) -> set[int]:
        """Single words and pairs of neighbours."""
        words = self.words[self.offsets[text] : self.offsets[text + 1]].tolist()
        return {*words, *(-1 - one * len(self.numeric) - other for one, other in pairwise(words))}

    def numbers(self, text: int) -> set[int]:
        words = self.words[self.offsets[text] : self.offsets[text + 1]]
        return set(words[self.numeric[words]].tolist())

    def alike(self, one: int, other: int) -> bool:
        """Whether two texts are near duplicates: nearly the same words, and the same numbers among them."""
        if one == other:
            return True
        lengths = [self.offsets[text + 1] - self.offsets[text] for text in (one, other)]
        if min(lengths) < max(MIN_WORDS, ALIKE / 2 * max(lengths)) or self.numbers(one) != self.numbers(other):
            return False
        first, second = self.shingles(one), self.shingles(other)
        return len(first & second) >= ALIKE * len(first | second)


def text_groups(data: pa.Table) -> TextGroups:
    """What texts of ``data`` say the same, across all its text columns.

    Some seconds for 100,000 rows, and at once when the same texts were asked for before; of tables that are too large
    (see :func:`compared`) only texts of the same words are put together.
    """
    names = text_columns(data)
    if compared(data) < len(data):
        return TextGroups(_same_words(data, names), None, None)
    distinct, codes = _distinct([data[name] for name in names])
    same = dict(zip(names, codes, strict=True))
    words = _words(distinct)
    groups = _remembered(distinct, words)
    return TextGroups(same, {name: groups[code] for name, code in same.items()}, words)


def near_duplicates(data: pa.Table) -> np.ndarray:
    """Mask of the rows that nearly repeat an earlier row that is not itself such a row.

    Each text must be near its counterpart, with the same numbers in it; labels and classes must be equal, scores close. Some seconds
    for 100,000 rows; no more than :func:`compared` are looked at.
    """
    looked_at = data.slice(0, compared(data))
    groups = text_groups(looked_at)
    repeats = np.zeros(len(data), dtype=bool)
    value = next((looked_at[name].to_numpy() for name in ("label", "score") if name in data.column_names), None)
    if "class" in data.column_names:
        value = class_numbers(looked_at)
    texts = np.column_stack(list(groups.same.values()))
    for rows in _buckets(list(groups.near.values())):
        kept: list[int] = []
        for row in rows:
            repeats[row] = any(
                (value is None or abs(float(value[row]) - float(value[earlier])) < SAME_SCORE)
                and all(map(groups.words.alike, texts[row].tolist(), texts[earlier].tolist()))
                for earlier in kept[:COMPARED]
            )
            if not repeats[row]:
                kept.append(row)
    return repeats


def compared(data: pa.Table) -> int:
    """How many rows are looked at, from the first on."""
    lengths = [pc.binary_length(data[name].slice(0, MAX_ROWS)).to_numpy() for name in text_columns(data)]
    return int(np.searchsorted(np.cumsum(sum(lengths)), MAX_BYTES, side="right")) if lengths else 0


def _buckets(codes: list[np.ndarray]) -> Iterator[list[int]]:
    """Rows, ascending, that have all codes in common with another row."""
    key = row_numbers(codes)
    several = np.flatnonzero(np.bincount(key)[key] > 1)
    order = several[np.argsort(key[several], kind="stable")]
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    yield from (rows.tolist() for rows in np.split(order, starts[1:]) if len(rows))


def find(data: pa.Table) -> Iterable[Finding]:
    """At most one finding."""
    rows = where(data, near_duplicates(data))
    most = compared(data)
    among = f"Among the first {most:,} rows " if most < len(data) else ""
    if len(rows):
        yield finding(
            "near_duplicates",
            "warning" if len(rows) > SEVERAL * len(data) else "info",
            f"{among}{count(len(rows), 'row repeats', 'rows repeat')} an earlier row in nearly the same words.",
            rows,
        )


def _same_words(data: pa.Table, names: list[str]) -> dict[str, np.ndarray]:
    """The numbers of ``TextGroups.same`` without holding the texts."""
    chunks = [b.column(0) for name in names for b in data.select([name]).to_batches(max_chunksize=BATCH)]
    codes = numbers(pa.chunked_array(chunks, pa.string()), _plain_chunk)
    return dict(zip(names, np.split(codes, len(names)), strict=True))


def _distinct(columns: list[pa.ChunkedArray]) -> tuple[pa.StringArray, list[np.ndarray]]:
    """The distinct texts of all columns as words between single blanks, and for each column the number of each row's text."""
    plain = pa.chunked_array([chunk for column in columns for chunk in _plain(column).chunks], pa.string())
    encoded = plain.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy().astype(np.int64)
    return encoded.dictionary, np.split(codes, len(columns)) if len(columns[0]) else [codes] * len(columns)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lower case, words between single blanks, nothing else."""
    return pa.chunked_array([_plain_chunk(chunk) for chunk in column.chunks], pa.string())


def _plain_chunk(texts: pa.StringArray) -> pa.StringArray:
    ascii = pc.string_is_ascii(texts)
    quick = _plain_ascii(texts.filter(ascii))
    if len(quick) < len(texts):
        return pc.replace_with_mask(
            pc.replace_with_mask(texts, ascii, quick), pc.invert(ascii), _plain_unicode(texts.filter(pc.invert(ascii)))
        )
    return quick


def _plain_ascii(texts: pa.StringArray) -> pa.StringArray:
    """Byte by byte, four times as fast as regular expressions."""
    if not len(texts):
        return texts
    _, offsets, characters = texts.buffers()
    mapped = pa.py_buffer(_WORD_BYTES[np.frombuffer(characters, dtype=np.uint8)])
    words = pa.StringArray.from_buffers(len(texts), offsets, mapped, offset=texts.offset)
    return _with_wordless(pc.binary_join(pc.ascii_split_whitespace(pc.ascii_trim_whitespace(words)), " "), texts)


def _plain_unicode(texts: pa.StringArray) -> pa.StringArray:
    words = pc.utf8_lower(texts)
    if pc.any(pc.match_substring_regex(words, NO_BLANKS)).as_py():
        words = pc.replace_substring_regex(words, NO_BLANKS, r" \1 ")
    return _with_wordless(pc.utf8_trim_whitespace(pc.replace_substring_regex(words, NOT_A_WORD, " ")), texts)


def _with_wordless(plain: pa.StringArray, texts: pa.StringArray) -> pa.StringArray:
    """A text without any word, such as an emoji, is one word."""
    wordless = pc.equal(plain, "")
    if not pc.any(wordless).as_py():
        return plain
    return pc.replace_with_mask(plain, wordless, pc.replace_substring_regex(texts.filter(wordless), r"\s+", ""))


_WORD_BYTES = np.array(
    [b if b > 127 else ord(chr(b).lower()) if chr(b).isalnum() else 32 for b in range(256)], dtype=np.uint8
)
"""What becomes of each byte of an ASCII text."""


def _words(distinct: pa.StringArray) -> _Words:
    lists = pc.split_pattern(distinct, " ")
    coded = lists.flatten().dictionary_encode()
    numeric = pc.match_substring_regex(coded.dictionary, r"\pN").to_numpy(zero_copy_only=False).astype(bool)
    offsets = lists.offsets.to_numpy().astype(np.int64)
    return _Words(coded.indices.to_numpy().astype(np.int64), offsets - offsets[0], numeric)


_known: Recent[bytes, np.ndarray] = Recent(4)


def _remembered(distinct: pa.StringArray, words: _Words) -> np.ndarray:
    """Group of each distinct text. The last few tables' are remembered: a page asks for the split again and again."""
    return _known.get(digest(distinct), lambda: _near_groups(words))


def _near_groups(words: _Words) -> np.ndarray:
    """(n_texts,) texts that are near duplicates, of each other or in a chain, have the same number."""
    total = len(words.offsets) - 1
    alike = [(one, other) for one, other in _candidates(words) if words.alike(one, other)]
    if not alike:
        return np.arange(total)
    one, other = np.array(alike).T
    return components(one, other, total)


def components(one: np.ndarray, other: np.ndarray, total: int) -> np.ndarray:
    """(total,) number of the group of each node, where ``one[i]`` and ``other[i]`` are joined."""
    from scipy.sparse import coo_matrix  # the first page can do without
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(one), dtype=np.int8), (one, other)), shape=(total, total))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _candidates(words: _Words) -> Iterator[tuple[int, int]]:
    """Pairs (text, earlier text) that may be alike."""
    long = np.flatnonzero(np.diff(words.offsets) >= MIN_WORDS)
    if not len(long):
        return
    hashes, offsets = _hashes(words, long)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), SIGNATURE, SEED)
    index = rensa.RMinHashLSH(threshold=ALIKE, num_perm=SIGNATURE, num_bands=BANDS)
    flagged = np.flatnonzero(np.array(index.query_duplicate_flags_matrix_one_shot(matrix), dtype=bool))
    if not len(flagged):
        return
    # Signatures are taken out of the library for flagged texts only: it hands them out as lists.
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
    yield from map(tuple, long[flagged[pairs[likely]]].tolist())


def _hashes(words: _Words, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """64-bit hashes of the words and neighbours of ``texts``, one text after the other, and where each begins."""
    lengths = np.diff(words.offsets)[texts]
    begins = np.cumsum(lengths) - lengths
    at = np.arange(lengths.sum()) + np.repeat(words.offsets[texts] - begins, lengths)
    numbers = words.words[at].astype(np.uint64) + np.uint64(1)
    owner = np.repeat(np.arange(len(texts)), lengths)
    # The first word of a text is no neighbour of the last word of another one.
    neighbours = _mix(numbers[:-1] * np.uint64(0x9E3779B97F4A7C15) + numbers[1:] + np.uint64(1 << 56))
    inside = owner[:-1] == owner[1:]
    owner = np.concatenate([owner, owner[:-1][inside]])
    order = np.argsort(owner, kind="stable")
    hashes = np.concatenate([_mix(numbers), neighbours[inside]])[order]
    return hashes, np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(texts)))])


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
