"""Which encoding a file's bytes are in. Binary files are told from text here."""

import codecs
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from charset_normalizer import from_bytes

from studio.errors import DataError

SAMPLE_BYTES = 256 * 1024
HEAD_CHUNKS = 1
"""Chunks of four megabytes that a look at the beginning takes in."""
MAGIC = (
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office file (.xls or .doc)"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"ARROW1", "an Arrow file"),
)
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LETTERS = {
    "cp1252": (
        "àâæçéèêëîïôœùûüÿ", "äöüßé", "áéíñóúüçàèïòªº", "àèéìíîòóùú", "ãáàâçéêíóôõúü", "åäöæøéüà", "áéíóúýþæöð", "éëïóöüèê",
    ),
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "čćđšž", "ăâîşţșț"),
}  # fmt: skip
"""Letters beyond ASCII of single languages. Statistics on short texts mistake Western for Central European; these do not."""
OTHER_SCRIPTS = re.compile(
    r"cp125[13456]|cp86[246]|cp874|koi8|mac_(cyrillic|greek)|iso8859_[5678]|tis|gb|big5|hz|euc|cp9|johab|shift|ptcp|kz"
)
"""Encodings that are taken from charset-normalizer; its guesses among Latin ones are not used."""
TABLE_HINT = "Choose a table: CSV, TSV, JSONL, JSON, Parquet or Excel (.xlsx)."


@dataclass(frozen=True)
class Encoding:
    name: str
    """Python codec name."""
    torn: bool = False
    """The file ends in the middle of a character."""


def detect_encoding(path: Path, given: str | None = None, *, head_only: bool = False) -> Encoding:
    """The encoding of a text file; ``given`` overrides the guess. ``head_only``: some megabytes are looked at, not all.

    Raises:
        DataError: the file is empty or binary, or there is no encoding ``given``.
    """
    with path.open("rb") as file:
        head = file.read(SAMPLE_BYTES)
    if not head:
        raise DataError("The file is empty.", hint=TABLE_HINT)
    if given is not None:
        try:
            name = codecs.lookup(given).name
            "".encode(name)
        except (LookupError, TypeError):
            raise DataError(
                f"There is no encoding '{given}'.", hint="Common ones are utf-8, cp1252 and utf-16."
            ) from None
        name = "utf-8-sig" if name == "utf-8" and head.startswith(codecs.BOM_UTF8) else name
        return Encoding(name, not head_only and _is_torn(path, name))
    for start, what in MAGIC:
        if head.startswith(start):
            raise DataError(f"This file is {what}, not a table.", hint=TABLE_HINT)
    name = next((name for bom, name in BOMS if head.startswith(bom)), None) or _wide(head)
    if name is None:
        if _controls(head.decode("latin-1")) > 0.02:
            raise DataError("This is a binary file, not a table of text.", hint=TABLE_HINT)
        most = HEAD_CHUNKS if head_only else None
        name = "utf-8" if _is_utf8(path, most) else _eight_bit(head, path, most)
    sample = head[: len(head) // 4 * 4].decode(name, "replace")
    if _controls(sample) > 0.02:
        raise DataError("This is a binary file, not a table of text.", hint=TABLE_HINT)
    return Encoding(name, not head_only and _is_torn(path, name))


def _controls(text: str) -> float:
    """Share of control characters. White space and NUL (stray ones are mended) do not count, unless NULs abound."""
    bad = len(re.findall(r"[\x01-\x08\x0b\x0e-\x1f\x7f]", text))
    nul = text.count("\0")
    return (bad + (nul if nul > 0.05 * len(text) else 0)) / max(len(text), 1)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a byte order mark: ASCII characters then have a zero byte on always the same side."""
    sample = head[: len(head) // 2 * 2]
    if len(sample) < 4 or b"\0" not in sample:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    pairs = len(sample) // 2
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        # Texts in other scripts have few zero bytes, but their line ends and delimiters have one each.
        if zeros > 4 * others and zeros > 0.02 * pairs:
            text = sample.decode(name, "replace")
            if (
                ("\n" in text or "\r" in text or zeros > 0.3 * pairs)
                and text.count("\ufffd") < 3
                and _controls(text) < 0.01
            ):
                return name
    return None


def _chunks(path: Path, most: int | None = None):
    with path.open("rb") as file:
        yield from islice(iter(lambda: file.read(1 << 22), b""), most)


def _is_utf8(path: Path, most: int | None) -> bool:
    """Strict UTF-8 all through (a torn last character is allowed), or nearly so: some programs cut characters in two."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in _chunks(path, most):
            if not chunk.isascii() or decoder.getstate()[0]:
                decoder.decode(chunk)
        return True
    except UnicodeDecodeError:
        pass
    lenient = codecs.getincrementaldecoder("utf-8")("replace")
    wrong = right = 0
    for chunk in _chunks(path, most):
        text = lenient.decode(chunk)
        wrong += text.count("\ufffd")
        right += len(text) - len(text.encode("ascii", "ignore"))
    return wrong * 50 < right - wrong


def _decodes(path: Path, name: str, most: int | None) -> bool:
    decoder = codecs.getincrementaldecoder(name)()
    try:
        for chunk in _chunks(path, most):
            decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _eight_bit(head: bytes, path: Path, most: int | None) -> str:
    """Encoding of bytes that are neither Unicode nor binary."""
    # Only bytes beyond ASCII tell encodings apart, and they may begin after the head.
    if not any(byte > 127 for byte in head):
        head = next((chunk for chunk in _chunks(path, most) if not chunk.isascii()), head)[:SAMPLE_BYTES]
    for name in ("shift_jis", "cp932", "euc_jp"):
        if _kana(head, name) and _decodes(path, name, most):
            return name
    fits = {name: _fit(head, name, languages) for name, languages in LETTERS.items()}
    latin = "cp1250" if fits["cp1250"] > fits["cp1252"] + 0.02 else "cp1252"
    best = from_bytes(head).best()
    other = best.encoding if best and fits[latin] < 0.95 and OTHER_SCRIPTS.match(best.encoding) else latin
    return next((name for name in (other, latin, "cp1252") if _decodes(path, name, most)), "latin-1")


def _fit(head: bytes, name: str, languages: tuple[str, ...]) -> float:
    """Largest share of the characters beyond ASCII that are letters of one language; quotes, dashes and the like left out."""
    text = re.sub(r"[\x00-\x7f\u2000-\u2122\xa0«»°§·]", "", head.decode(name, "replace")).lower()
    return max(sum(c in letters for c in text) for letters in languages) / len(text) if text else 1.0


def _kana(head: bytes, name: str) -> bool:
    """Whether the bytes make Japanese text: Western bytes read as Japanese give ideographs, never this many kana."""
    text = head.decode(name, "ignore")
    beyond = [c for c in text if c > "\x7f"]
    kana = sum("\u3041" <= c <= "\u30fe" for c in beyond)
    lost = len(head) - len(text.encode(name, "ignore"))
    return kana > 0.25 * len(beyond) and kana >= 4 and lost <= 2


def _is_torn(path: Path, name: str) -> bool:
    """Whether the file ends inside a character."""
    decoder = codecs.getincrementaldecoder(name)("replace")
    if name in ("utf-8", "utf-8-sig"):
        with path.open("rb") as file:
            file.seek(-min(4, path.stat().st_size), 2)
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            decoder.decode(file.read())
    elif any(_waits(decoder, byte) for byte in range(256)):
        for chunk in _chunks(path):
            decoder.decode(chunk)
    return bool(decoder.getstate()[0])


def _waits(decoder: codecs.IncrementalDecoder, byte: int) -> bool:
    """Whether a character may begin with this byte and go on; it leaves the decoder as it was."""
    decoder.decode(bytes([byte]))
    waits = bool(decoder.getstate()[0])
    decoder.reset()
    return waits
