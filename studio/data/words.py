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
