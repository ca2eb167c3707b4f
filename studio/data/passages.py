"""Sections cut into passages and sentences of a length that a model can read."""

import re
from collections.abc import Sequence
from functools import lru_cache

BLANKLESS = re.compile(r"[\u3041-\u30ff\u3400-\u9fff\u0e00-\u0eff\u1780-\u17ff]")
"""Scripts without blanks between words: two characters count as a word."""


def words_in(text: str) -> int:
    return len(text.split()) + len(BLANKLESS.findall(text)) // 2


@lru_cache(maxsize=200_000)
def sentences(text: str) -> tuple[str, ...]:
    """By sentencex's rules, which know abbreviations. It is told English: the rules of most languages differ in abbreviations."""
    from sentencex import segment

    return tuple(filter(None, (part.strip() for part in segment("en", text))))


def passages(paragraphs: Sequence[str], least: int, most: int) -> tuple[list[str], list[str]]:
    """(passages, texts that are left out because they are too short or too long and cannot be cut).

    Paragraphs that are too short, or lead over with a colon, are joined with the next one; those that are too long are cut at ends of sentences.
    Passages share no text.
    """
    found: list[str] = []
    left_out: list[str] = []
    waiting: list[str] = []
    for part in _whole(paragraphs, most, left_out):
        joined = [*waiting, part]
        size = sum(map(words_in, joined))
        if size > most and waiting:
            rest = " ".join(waiting)
            (found if words_in(rest) >= least else left_out).append(rest)
            joined, size = [part], words_in(part)
        if size >= least and not part.endswith(":"):
            found.append(" ".join(joined))
            waiting = []
        else:
            waiting = joined
    if waiting:
        rest = " ".join(waiting)
        if found and words_in(found[-1]) + words_in(rest) <= most:
            found[-1] = f"{found[-1]} {rest}"
        elif words_in(rest) >= least:
            found.append(rest)
        else:
            left_out.append(rest)
    return found, left_out


def opening(paragraphs: Sequence[str], most: int) -> str:
    """The beginning of a section, as far as whole sentences fit into ``most`` words."""
    taken: list[str] = []
    size = 0
    for part in _whole(paragraphs, most, []):
        size += words_in(part)
        if size > most:
            break
        taken.append(part)
    return " ".join(taken)


def _whole(paragraphs: Sequence[str], most: int, left_out: list[str]):
    """Paragraphs of at most ``most`` words, longer ones in pieces of whole sentences."""
    for paragraph in paragraphs:
        if words_in(paragraph) <= most:
            yield paragraph
            continue
        piece: list[str] = []
        size = 0
        for sentence in sentences(paragraph):
            length = words_in(sentence)
            if length > most:
                left_out.append(sentence)
                continue
            if size + length > most:
                yield " ".join(piece)
                piece, size = [], 0
            piece.append(sentence)
            size += length
        if piece:
            yield " ".join(piece)
