"""An index: the vectors of a corpus under one model, in one folder, searched exactly.

    vectors.npy      (entries, dimension) float32, memory-mapped; of length 1 for models that compare by cosine
    positions.npy    (entries,) int64, ascending: the document that each entry belongs to
    spans.npy        (entries, 2) int32: where in the document it begins and ends; not there: every entry is a whole one
    hashes.npy       (entries, 2) uint64 of each entry's text, by which another index of the same model takes over vectors
    quick.faiss      of many entries a compressed copy of the vectors, which says where to look (see quick.py)
    todo.npy         entries still to be encoded when building began, in that order; gone when it is done
    partial.json     how far building has come; gone when it is done
    meta.json        IndexMeta, written last: without it there is no index
    old/             the index of the corpus as it was before, while that of the changed one is built

Equal texts are encoded once. No torch here unless something is built.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from studio.errors import SearchError
from studio.files import read_json, sha256_of, write_json

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from studio.search.cut import Entries


SAMPLE = 5_000
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
    version: str = ""
    """Of the corpus, as its file says; empty: it was built of bare texts."""
    reused: int = 0
    """Entries whose vectors were taken from another index of the same model."""
    precision: str = "fp32"
    """What the model computed in: fp32 or bf16."""
    recall: float | None = None
    """Share of the exact ten best that the quick search found, measured on this corpus; None: it is searched exactly."""


@dataclass(frozen=True)
class Index:
    vectors: np.ndarray
    """(entries, dimension) float32; rows of length 1 where they are compared by cosine."""
    positions: np.ndarray
    """(entries,) int64, ascending: where each entry's text stands in the corpus."""
    rows: int
    """Texts of the corpus."""
    similarity: str = "cosine"
    spans: np.ndarray | None = None
    """(entries, 2) int32: see the head of this module."""

    @cached_property
    def starts(self) -> np.ndarray | None:
        """First entry of each document; None: every document is one entry."""
        if len(self.positions) < 2 or (np.diff(self.positions) > 0).all():
            return None
        return np.flatnonzero(np.concatenate([[True], np.diff(self.positions) > 0]))

    @cached_property
    def some(self) -> np.ndarray:
        """Vectors from all over the index, from which a percentile is estimated where not all were scored."""
        return np.ascontiguousarray(self.vectors[:: max(1, len(self.vectors) // SAMPLE)])

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
    """Build the index of texts, each distinct one an entry, or finish one that was begun with the same texts and model.

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
    from studio.search.cut import Entries
    from studio.search.warm import load

    entries, positions = distinct(texts)
    model = model or load(model_name)
    found = Entries(entries, positions, None, len(texts))
    return build_entries(folder, found, model_name, model, query=query, stop=stop, progress=progress)


def build_entries(
    folder: Path,
    entries: "Entries",
    model_name: str,
    model: "SentenceTransformer",
    *,
    version: str = "",
    known: Sequence[Path] = (),
    query: bool = False,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> IndexMeta:
    """As :func:`build_index`, of texts that are cut for the model already.

    Args:
        version: Of the corpus.
        known: Folders of other indexes; vectors of equal texts are taken from those of the same model.
    """
    from studio.search.encode import dimension, encode_chunks, longest_first, precision

    hashes = text_hashes(entries.texts)
    meta = IndexMeta(
        model_name, model_hash(model_name), hashlib.sha256(hashes.tobytes()).hexdigest(), entries.rows, len(entries.texts),
        dimension(model), model.similarity_fn_name, version, precision=precision(model),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    there = read_json(folder / "meta.json")
    if there is not None and _same(there, meta):
        return IndexMeta(**there)

    partial = _resume(folder, meta)
    vectors = _rows_on_disk(folder / "vectors.npy", (meta.entries, meta.dimension), fresh=partial is None)
    if partial is None:
        _set_aside(folder)
        todo, reused = _take_over(vectors, hashes, meta, [folder / "old", *known])
        texts = [entries.texts[row] for row in todo]
        np.save(folder / "todo.npy", todo[longest_first(texts)])
        partial = {**asdict(meta), "reused": reused, "done": 0}
    np.save(folder / "positions.npy", entries.positions)
    np.save(folder / "hashes.npy", hashes)
    if entries.spans is not None:
        np.save(folder / "spans.npy", entries.spans)
    write_json(folder / "partial.json", partial)
    todo, done = np.load(folder / "todo.npy"), partial["done"]
    kept = meta.entries - len(todo)
    for rows, chunk in encode_chunks(model, entries.texts, todo[done:], query=query, stop=stop):
        vectors[rows] = chunk
        vectors.flush()
        done += len(rows)
        write_json(folder / "partial.json", {**partial, "done": done})
        if progress:
            progress(kept + done, meta.entries)
    _repeat(vectors, hashes, todo)
    if progress and kept == meta.entries:
        progress(meta.entries, meta.entries)
    meta = replace(meta, reused=partial["reused"], recall=_quick(folder, vectors, meta, entries, model, stop))
    write_json(folder / "meta.json", asdict(meta))
    for name in ("partial.json", "todo.npy"):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "old", ignore_errors=True)
    return meta


def text_hashes(texts: Sequence[str]) -> np.ndarray:
    """(texts, 2) uint64: what tells texts apart."""
    digests = (hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts)
    return np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)


def open_index(folder: Path, model_name: str | None = None, version: str | None = None) -> Index:
    """Open an index without reading its vectors.

    Raises:
        SearchError: None there, half built, damaged, or (when these are given) built with another model or of another
            ``version`` of the corpus.
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
    if version is not None and meta.version != version:
        raise SearchError(
            "The corpus has changed since it was indexed.", hint="Index it again: only new texts are read."
        )
    spans = None
    try:
        vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        positions = np.load(folder / "positions.npy")
        if (folder / "spans.npy").exists():
            spans = np.load(folder / "spans.npy")
    except (OSError, ValueError, EOFError):
        vectors = positions = np.empty((0, 0))
    spans_fit = spans is None or spans.shape == (meta.entries, 2)
    if vectors.shape != (meta.entries, meta.dimension) or positions.shape != (meta.entries,) or not spans_fit:
        raise SearchError("The index is damaged.", hint="Delete it and index the corpus again.")
    return Index(vectors, positions, meta.rows, meta.similarity, spans)


def read_meta(folder: Path) -> IndexMeta | None:
    """What an index says of itself; None: it is not there, or not finished."""
    value = read_json(folder / "meta.json")
    return None if value is None else IndexMeta(**value)


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
    return sha256_of(file)


def _same(there: dict, meta: IndexMeta) -> bool:
    """Whether what is there was built of the same texts with the same model."""
    return all(there.get(name) == value for name, value in asdict(meta).items() if name not in ("reused", "recall"))


def _resume(folder: Path, meta: IndexMeta) -> dict | None:
    """What an earlier try for the same texts and model says of itself; None: there is none to go on with."""
    partial = read_json(folder / "partial.json")
    shapes = _shape(folder / "vectors.npy"), _shape(folder / "todo.npy")
    if partial is not None and _same(partial, meta) and shapes[0] == (meta.entries, meta.dimension) and shapes[1]:
        return partial
    if partial is not None:  # of something else
        for name in ("vectors.npy", "hashes.npy", "todo.npy", "partial.json"):
            (folder / name).unlink(missing_ok=True)
    _set_aside(folder)
    return None


def _set_aside(folder: Path) -> None:
    """An index that is to be built anew lends its vectors. Its meta.json goes first: from then on nobody searches it."""
    old = folder / "old"
    if (folder / "meta.json").exists():
        shutil.rmtree(old, ignore_errors=True)
        old.mkdir()
        (folder / "meta.json").rename(old / "meta.json")
    if (old / "meta.json").exists() and not (folder / "partial.json").exists():
        for name in ("hashes.npy", "vectors.npy"):
            if (folder / name).exists() and not (old / name).exists():
                (folder / name).rename(old / name)
    for name in ("spans.npy", "quick.faiss"):
        (folder / name).unlink(missing_ok=True)


def _take_over(
    vectors: np.ndarray, hashes: np.ndarray, meta: IndexMeta, known: Sequence[Path]
) -> tuple[np.ndarray, int]:
    """Fill in vectors that other indexes of the model have. Returns the entries left to encode, equal ones once, and how
    many were taken over."""
    keys = hashes[:, 0] ^ (hashes[:, 1] << np.uint64(1))
    _, first = np.unique(keys, return_index=True)
    missing = np.zeros(len(keys), bool)
    missing[first] = True
    for place in known:
        other = read_meta(place)
        if other is None or (other.model_hash, other.dimension, other.precision) != (
            meta.model_hash, meta.dimension, meta.precision,
        ):  # fmt: skip
            continue
        try:
            theirs, their_vectors = np.load(place / "hashes.npy"), np.load(place / "vectors.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError):
            continue
        their_keys = theirs[:, 0] ^ (theirs[:, 1] << np.uint64(1))
        order = np.argsort(their_keys, kind="stable")
        rows = np.flatnonzero(missing)
        at = order[np.minimum(np.searchsorted(their_keys, keys[rows], sorter=order), len(order) - 1)]
        same = (theirs[at] == hashes[rows]).all(axis=1)
        for part in np.array_split(np.flatnonzero(same), max(1, int(same.sum()) // 20_000)):
            vectors[rows[part]] = their_vectors[at[part]]
        missing[rows[same]] = False
    todo = np.flatnonzero(missing)
    return todo, len(first) - len(todo)


def _repeat(vectors: np.ndarray, hashes: np.ndarray, todo: np.ndarray) -> None:
    """Equal texts get the vector of the first of them."""
    _, first, inverse = np.unique(hashes[:, 0] ^ (hashes[:, 1] << np.uint64(1)), return_index=True, return_inverse=True)
    if len(first) < len(vectors):
        again = np.flatnonzero(first[inverse] != np.arange(len(vectors)))
        for part in np.array_split(again, max(1, len(again) // 20_000)):
            vectors[part] = vectors[first[inverse[part]]]
        vectors.flush()


def _quick(
    folder: Path,
    vectors: np.ndarray,
    meta: IndexMeta,
    entries: "Entries",
    model: "SentenceTransformer",
    stop: Callable[[], bool] | None,
) -> float | None:
    from studio.search import quick

    if not quick.pays(meta.entries, meta.similarity, meta.dimension):
        return None
    return quick.build(folder / quick.FILE, vectors, entries.texts, model, stop)


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
