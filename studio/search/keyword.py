"""The keyword column: BM25 over whole documents, as search engines without embeddings do it. No torch.

bm25/        what bm25s keeps, memory-mapped when it is opened
meta.json    KeywordMeta, written last
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from studio.errors import SearchError
from studio.files import read_json, write_json
from studio.search.encode import Stopped

KEY = "keyword"
"""Key of the keyword index among those of models."""
WORD = re.compile(r"\w+")
AT_ONCE = 10_000


@dataclass(frozen=True)
class KeywordMeta:
    version: str
    rows: int
    words: int
    """Different words."""


def words_of(text: str) -> list[str]:
    """Words as they are compared: letters and digits, in small letters."""
    return WORD.findall(text.casefold())


def build(
    folder: Path,
    texts: pa.ChunkedArray,
    titles: pa.ChunkedArray | None,
    version: str,
    stop: Callable[[], bool],
    progress: Callable[[int, int], None],
) -> KeywordMeta:
    """Index the words of titles and texts. Raises Stopped."""
    import bm25s

    there = read_json(folder / "meta.json")
    if there is not None and there.get("version") == version:
        return KeywordMeta(**there)
    (folder / "meta.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "bm25", ignore_errors=True)
    numbers: dict[str, int] = {}
    documents: list[list[int]] = []
    for start in range(0, len(texts), AT_ONCE):
        if stop():
            raise Stopped
        heads = [None] * AT_ONCE if titles is None else titles.slice(start, AT_ONCE).to_pylist()
        for text, head in zip(texts.slice(start, AT_ONCE).to_pylist(), heads, strict=False):
            words = words_of(f"{head or ''}\n{text}")
            documents.append([numbers.setdefault(word, len(numbers)) for word in words])
        progress(len(documents), len(texts))
    if not numbers:
        raise SearchError("The corpus has no words to look for.", hint="Compare models without the keyword column.")
    scorer = bm25s.BM25(method="lucene")
    scorer.index((documents, numbers), show_progress=False, create_empty_token=False)
    scorer.save(str(folder / "bm25"), show_progress=False)
    meta = KeywordMeta(version, len(texts), len(numbers))
    write_json(folder / "meta.json", asdict(meta))
    return meta


class Keywords:
    """An open keyword index."""

    def __init__(self, folder: Path, version: str):
        import bm25s

        meta = read_json(folder / "meta.json")
        if meta is None or meta["version"] != version:
            raise SearchError("The keyword index is not finished yet.", hint="Search as soon as it is ready.")
        try:
            self._scorer: Any = bm25s.BM25.load(str(folder / "bm25"), mmap=True, load_corpus=False)
        except (OSError, ValueError):
            raise SearchError("The keyword index is damaged.", hint="Delete it and index the corpus again.") from None
        self.rows = meta["rows"]

    def scores(self, query: str) -> np.ndarray:
        """(documents,) float32: BM25 of each; 0 where no word of the query stands in it."""
        known = [self._scorer.vocab_dict[word] for word in words_of(query) if word in self._scorer.vocab_dict]
        if not known:
            return np.zeros(self.rows, np.float32)
        return np.asarray(self._scorer.get_scores(known), np.float32)
