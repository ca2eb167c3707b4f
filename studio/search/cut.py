"""Documents as a model reads them: whole, or in passages where they are longer than it can read. The document is the hit."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from studio.errors import SearchError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

USUAL_TOKENS = 512
"""Of a passage, for models that read any length: one vector does not hold a book."""
TITLE_SHARE = 4
"""A title takes at most one in so many tokens of a passage."""
AT_ONCE = 2_000
"""Texts that are tokenised at a time."""
ENDS = re.compile(r"[.!?…]['\")\]]*(?=\s)|[。！？]|(?=\n)")
"""Up to the blank, not beyond it: some tokenizers count a blank to the word that follows."""


@dataclass(frozen=True)
class Entries:
    """What is embedded: the documents' passages, in their order."""

    texts: list[str]
    """Each with its document's title in front."""
    positions: np.ndarray
    """(entries,) int64, ascending: the document of each."""
    spans: np.ndarray
    """(entries, 2) int32: where in the document's text a passage begins and ends, in characters."""
    rows: int
    """Documents of the corpus."""


def limit_of(model: "SentenceTransformer") -> int:
    """Tokens of a text that the model reads, without those it adds itself."""
    most = model.max_seq_length
    if not isinstance(most, int) or most > 1_000_000:
        return USUAL_TOKENS
    prompt = model.prompts.get("document") or model.prompts.get("passage") or ""
    return max(16, most - 2 - len(prompt.split()) * 2)


def cut(texts: pa.ChunkedArray, titles: pa.ChunkedArray | None, model: "SentenceTransformer") -> Entries:
    """The passages of a corpus for one model: at most as many tokens as it reads, ended where a sentence does if one can.

    Raises:
        SearchError: no texts.
    """
    limit, offsets_of = limit_of(model), _offsets(model)
    found: list[str] = []
    positions: list[int] = []
    spans: list[tuple[int, int]] = []
    for start in range(0, len(texts), AT_ONCE):
        part = texts.slice(start, AT_ONCE).to_pylist()
        heads = [None] * len(part) if titles is None else titles.slice(start, AT_ONCE).to_pylist()
        # A token has at least one character, so most texts need not be tokenised to know that they fit.
        long = [
            i
            for i, (text, head) in enumerate(zip(part, heads, strict=True))
            if len(text or "") + len(head or "") > limit
        ]
        tokens = dict(zip(long, offsets_of([part[i] for i in long]), strict=True)) if long else {}
        for i, (text, head) in enumerate(zip(part, heads, strict=True)):
            if not text or not text.strip():
                continue
            head = (head or "").strip()
            room = limit
            if head:
                head = _short(head, limit // TITLE_SHARE, offsets_of) if i in tokens else head
                room = max(8, limit - len(offsets_of([head])[0]) - 1) if i in tokens else limit
            for span in passages(text, tokens[i], room) if i in tokens else [(0, len(text))]:
                piece = text[span[0] : span[1]]
                found.append(f"{head}\n{piece}" if head else piece)
                positions.append(start + i)
                spans.append(span)
    if not found:
        raise SearchError("The corpus holds no texts.", hint="Choose a column that has texts in it.")
    return Entries(found, np.array(positions, np.int64), np.array(spans, np.int32), len(texts))


def passages(text: str, offsets: list[tuple[int, int]], room: int) -> list[tuple[int, int]]:
    """(begin, end) of passages of at most ``room`` tokens. ``offsets``: of each token, in characters.

    A passage ends at the last end of a sentence in its second half, else at the last blank there, else where room ends.
    """
    offsets = [(begin, end) for begin, end in offsets if end > begin]
    if len(offsets) <= room:
        return [(0, len(text))]
    found, first = [], 0
    while first < len(offsets):
        begin = offsets[first][0]
        if first + room >= len(offsets):
            found.append((begin, len(text)))
            break
        last = offsets[first + room - 1][1]
        half = begin + (last - begin) // 2
        ends = [match.end() for match in ENDS.finditer(text, half, last)]
        blank = text.rfind(" ", half, last)
        end = ends[-1] if ends else blank if blank > half else last
        found.append((begin, end))
        while first < len(offsets) and offsets[first][0] < end:
            first += 1
    return found


def _short(head: str, most: int, offsets_of) -> str:
    offsets = offsets_of([head])[0]
    return head if len(offsets) <= most else head[: offsets[most - 1][1]]


def _offsets(model: "SentenceTransformer"):
    """A function from texts to their tokens' places. Without a tokenizer that tells them, words stand for tokens."""
    tokenizer = getattr(model[0], "tokenizer", None)
    inner = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(inner, "encode_batch"):
        return lambda texts: [[match.span() for match in re.finditer(r"\w+|[^\w\s]", text)] for text in texts]
    import json

    from tokenizers import Tokenizer

    plain = Tokenizer.from_str(json.dumps({**json.loads(inner.to_str()), "truncation": None, "padding": None}))

    def offsets(texts: list[str]) -> list[list[tuple[int, int]]]:
        return [each.offsets for each in plain.encode_batch(texts, add_special_tokens=False)]

    return offsets
