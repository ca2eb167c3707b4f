"""The words of a text as keyword search takes them: case does not matter, nor do punctuation and kinds of characters."""

import re
import unicodedata
from itertools import pairwise

_NO_BLANKS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese: no blanks between words."""
_RUNS = re.compile(f"[{_NO_BLANKS}]+|[^{_NO_BLANKS}]+")
_HAS_NO_BLANKS = re.compile(f"[{_NO_BLANKS}]")


def keywords(text: str) -> list[str]:
    """``text`` in words, in their order. Where a script has no blanks, each two neighbouring characters are a word."""
    found: list[str] = []
    for word in "".join(map(_sign, unicodedata.normalize("NFKC", text).casefold())).split():
        if not _HAS_NO_BLANKS.search(word):
            found.append(word)
            continue
        for run in _RUNS.findall(word):
            if len(run) > 1 and _HAS_NO_BLANKS.match(run):
                found.extend(one + other for one, other in pairwise(run))
            else:
                found.append(run)
    return found


def _sign(character: str) -> str:
    # Marks belong to a word: the vowels of Hindi are some.
    return character if unicodedata.category(character)[0] in "LNM" else " "


ALIKE = 0.8
MIN_WORDS = 4


def alike(one: str, other: str) -> bool:
    """Whether two texts say the same in nearly the same words: as near.py decides it, for two texts at a time."""
    first, second = keywords(one), keywords(other)
    if first == second:
        return True
    shortest, longest = sorted((len(first), len(second)))
    if shortest < max(MIN_WORDS, ALIKE / 2 * longest) or _numbers(first) != _numbers(second):
        return False
    ours, theirs = ({*words, *pairwise(words)} for words in (first, second))
    return len(ours & theirs) >= ALIKE * len(ours | theirs)


def _numbers(words: list[str]) -> set[str]:
    return {word for word in words if any(character.isdigit() for character in word)}
