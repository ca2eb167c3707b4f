"""An index: the vectors of a corpus under one model, in one folder, searched exactly.

    vectors.npy      (distinct texts, dimension) float32, memory-mapped; of length 1 for models that compare by cosine
    positions.npy    (distinct texts,) int64: where in the corpus each text stands first
    partial.json     how far building has come; gone when it is done
    meta.json        IndexMeta, written last: without it there is no index

Equal texts are one entry, so that a repeated text does not fill a list of hits. No torch here unless something is built.
"""

import errno
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from studio.errors import SearchError
from studio.files import read_json, write_json

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


VALUES_AT_ONCE = 4_000_000
"""Numbers of an index that distances are computed of at a time."""


@dataclass(frozen=True)
class IndexMeta:
    model: str
    """Name or folder that the index was built with."""
    model_hash: str
    texts_hash: str
    rows: int
    """Texts of the corpus, repeated and empty ones included."""
    entries: int
    """Distinct texts that are not empty: what is searched."""
    dimension: int
    similarity: str = "cosine"
    """How the model compares vectors: cosine, dot, euclidean or manhattan."""


@dataclass(frozen=True)
class Index:
    vectors: np.ndarray
    """(entries, dimension) float32; rows of length 1 where they are compared by cosine."""
    positions: np.ndarray
    """(entries,) int64, ascending: where each entry's text stands in the corpus."""
    rows: int
    """Texts of the corpus."""
    similarity: str = "cosine"

    def scores(self, vector: np.ndarray) -> np.ndarray:
        """Similarity of every entry with a vector: (entries,) float32, higher is better.

        Cosines are in [-1, 1]; a distance d stands as 1 / (1 + d), in (0, 1].
        """
        if vector.shape != (self.vectors.shape[1],):
            raise SearchError(
                f"The index has {self.vectors.shape[1]} dimensions, the model {vector.shape[-1]}.",
                hint="It was built with another model: index the corpus again.",
            )
        if self.similarity in ("euclidean", "manhattan"):
            order = 2 if self.similarity == "euclidean" else 1
            parts = np.array_split(self.vectors, max(1, self.vectors.size // VALUES_AT_ONCE))
            return np.concatenate([1 / (1 + np.linalg.norm(part - vector, order, axis=1)) for part in parts])
        products = self.vectors @ vector
        return np.clip(products, -1, 1) if self.similarity == "cosine" else products

    def search(self, vector: np.ndarray, top_k: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions in the corpus and scores of the best entries, best first; equal scores by position."""
        scores = self.scores(vector)
        best = top(scores, top_k)
        return self.positions[best], scores[best]

    def ranks(self, vector: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Rank (from 1) of texts given by their positions, as ``search`` would list them."""
        return ranks(self.scores(vector), np.searchsorted(self.positions, positions))


def top(scores: np.ndarray, top_k: int) -> np.ndarray:
    """Places of the ``top_k`` largest scores, largest first; equal scores in order of place."""
    if top_k < len(scores):
        least = np.partition(scores, len(scores) - top_k)[len(scores) - top_k]
        candidates = np.flatnonzero(scores >= least)
    else:
        candidates = np.arange(len(scores))
    return candidates[np.argsort(-scores[candidates], kind="stable")][:top_k]


def ranks(scores: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rank (from 1) of each place in the order that ``top`` gives."""
    return np.array(
        [1 + np.count_nonzero(scores > scores[p]) + np.count_nonzero(scores[:p] == scores[p]) for p in places],
        dtype=np.int64,
    )


def distinct(texts: pa.Array | pa.ChunkedArray | Sequence[str | None]) -> tuple[list[str], np.ndarray]:
    """The distinct texts that are not empty, and the position of each one's first occurrence.

    Raises:
        SearchError: There are none.
    """
    values = texts.to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else texts
    first: dict[str, int] = {}
    for position, text in enumerate(values):
        if text is not None and text.strip():
            first.setdefault(text, position)
    if not first:
        raise SearchError("The corpus holds no texts.", hint="Choose a column that has texts in it.")
    return list(first), np.fromiter(first.values(), dtype=np.int64, count=len(first))


def build_index(
    folder: Path,
    texts: pa.Array | pa.ChunkedArray | Sequence[str | None],
    model_name: str,
    *,
    model: "SentenceTransformer | None" = None,
    query: bool = False,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> IndexMeta:
    """Build the index of a corpus, or finish one that was begun with the same texts and the same model.

    Args:
        folder: Made when it does not exist. One writer at a time.
        texts: The corpus; empty texts are left out.
        model_name: A base of the catalogue, a folder or a hub name.
        model: The same, loaded already.
        query: Encode the texts as queries; not noted in the index, so keep it apart from one of documents.
        stop: Asked between chunks; the rows done by then are kept for next time.
        progress: Told how many distinct texts are done, and of how many.

    Raises:
        SearchError: No texts, a model that gives no numbers, no room on the disk.
        ModelError: The model cannot be had.
        Stopped: ``stop`` said so.
    """
    from studio.search.encode import dimension, encode_chunks, longest_first
    from studio.search.warm import load

    entries, positions = distinct(texts)
    model = model or load(model_name)
    meta = IndexMeta(
        model_name,
        model_hash(model_name),
        _texts_hash(entries),
        len(texts),
        len(entries),
        dimension(model),
        model.similarity_fn_name,
    )
    folder.mkdir(parents=True, exist_ok=True)
    if read_json(folder / "meta.json") == asdict(meta):
        return meta

    done = _resume(folder, meta)
    vectors = _rows_on_disk(folder / "vectors.npy", (meta.entries, meta.dimension), fresh=not done)
    np.save(folder / "positions.npy", positions)
    write_json(folder / "partial.json", {**asdict(meta), "done": done})
    for rows, chunk in encode_chunks(model, entries, longest_first(entries)[done:], query=query, stop=stop):
        vectors[rows] = chunk
        vectors.flush()
        done += len(rows)
        write_json(folder / "partial.json", {**asdict(meta), "done": done})
        if progress:
            progress(done, meta.entries)
    write_json(folder / "meta.json", asdict(meta))
    (folder / "partial.json").unlink()
    return meta


def open_index(folder: Path, model_name: str | None = None) -> Index:
    """Open an index without reading its vectors.

    Raises:
        SearchError: None there, half built, damaged, or (when ``model_name`` is given) built with another model.
    """
    value = read_json(folder / "meta.json")
    if value is None:
        begun = (folder / "partial.json").exists()
        raise SearchError(
            "The index is not finished yet." if begun else "This corpus is not indexed for this model.",
            hint="Start indexing again: it goes on where it was." if begun else "Index it first.",
        )
    meta = IndexMeta(**value)
    if model_name is not None and model_hash(model_name) != meta.model_hash:
        raise SearchError("The index was built with another model.", hint="Index the corpus again.")
    try:
        vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        positions = np.load(folder / "positions.npy")
    except (OSError, ValueError, EOFError):
        vectors = positions = np.empty((0, 0))
    if vectors.shape != (meta.entries, meta.dimension) or positions.shape != (meta.entries,):
        raise SearchError("The index is damaged.", hint="Delete it and index the corpus again.")
    return Index(vectors, positions, meta.rows, meta.similarity)


def model_hash(name: str) -> str:
    """Identity of a model: of its weights and settings when they are on this machine, else of its name."""
    from studio.training.bases import resolve_base

    path = resolve_base(name).path
    if path is None:
        return hashlib.sha256(name.encode()).hexdigest()
    files = [path] if path.is_file() else sorted(f for f in path.rglob("*") if f.suffix in (".safetensors", ".json"))
    total = hashlib.sha256()
    for file in files:
        stat = file.stat()
        total.update(f"{file.name}:{_file_hash(file, stat.st_size, stat.st_mtime_ns)}\n".encode())
    return total.hexdigest()


@lru_cache(maxsize=1024)
def _file_hash(file: Path, size: int, changed_ns: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _texts_hash(texts: list[str]) -> str:
    total = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        total.update(len(data).to_bytes(8, "little") + data)
    return total.hexdigest()


def _resume(folder: Path, meta: IndexMeta) -> int:
    """Rows done by an earlier try that may be kept; an index of something else is removed."""
    partial = read_json(folder / "partial.json", {})
    done = partial.pop("done", 0)
    if partial == asdict(meta) and _shape(folder / "vectors.npy") == (meta.entries, meta.dimension):
        return done
    for name in ("meta.json", "partial.json", "vectors.npy"):
        (folder / name).unlink(missing_ok=True)
    return 0


def _shape(path: Path) -> tuple[int, ...] | None:
    try:
        return np.load(path, mmap_mode="r").shape
    except (OSError, ValueError, EOFError):
        return None


def _rows_on_disk(path: Path, shape: tuple[int, int], *, fresh: bool) -> np.memmap:
    """A writable, memory-mapped array. Its room is taken at once: later, a full disk would end the process."""
    if not fresh:
        return np.lib.format.open_memmap(path, mode="r+")
    try:
        vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        path.unlink(missing_ok=True)
        size_mb = shape[0] * shape[1] * 4 / 1e6
        raise SearchError(
            f"The disk is too full for an index of {size_mb:,.0f} MB.", hint="Free some room, or use a smaller corpus."
        ) from None
    return vectors
