"""Milliseconds a query, recall, memory and disk of ways to search: python benchmarks/search.py [ROWS ...]

Ours (exact below 150,000 entries, the quick scan with exact rescoring above) against numpy, sentence-transformers' own
semantic_search, FAISS's flat index and, where it is installed, LanceDB. One query at a time, warm, every way on the same
vectors and queries in turn. Vectors: texts of a table where one is given (each once, then with noise), else drawn by chance
around some centres. The query's encoding is not in the figures, except in the line that says so.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np

DIMENSION = 384
TOP = 10


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def drawn(rows: int, chance: np.random.Generator) -> np.ndarray:
    """Vectors around as many centres as topics that many texts have, of length 1."""
    centres = unit(chance.normal(size=(max(10, rows // 500), DIMENSION)).astype(np.float32))
    found = np.empty((rows, DIMENSION), np.float32)
    for start in range(0, rows, 50_000):
        part = centres[chance.integers(0, len(centres), min(50_000, rows - start))]
        found[start : start + len(part)] = unit(part + chance.normal(scale=0.045, size=part.shape).astype(np.float32))
    return found


def read(table: str, rows: int, chance: np.random.Generator) -> np.ndarray:
    """Embeddings of a table's longest column; when they are too few, again with a little noise."""
    from studio.catalog.models import DEFAULT_MODEL
    from studio.data.read import read_table
    from studio.search.encode import encode, quicken
    from studio.search.warm import load
    from studio.ui.newcorpus import longest_column

    data = read_table(Path(table))
    texts = [text for text in data.data[longest_column(data)].to_pylist() if text and text.strip()][: min(rows, 20_000)]
    real = encode(quicken(load(DEFAULT_MODEL)), texts)
    again = real[chance.integers(0, len(real), rows - len(real))]
    return np.concatenate([real, unit(again + chance.normal(scale=0.02, size=again.shape).astype(np.float32))])


def ways(vectors: np.ndarray, folder: Path) -> dict[str, Callable[[], Callable[[np.ndarray], np.ndarray]]]:
    """Name -> builds an index and returns a function from a query to its best entries."""

    def numpy_exact():
        from studio.search.index import top

        return lambda query: top(vectors @ query, TOP)

    def ours():
        from studio.search import quick
        from studio.search.index import Index

        index = Index(vectors, np.arange(len(vectors)), len(vectors))
        if not quick.pays(len(vectors), "cosine", DIMENSION):
            return lambda query: index.search(query, TOP)[0]
        scan = quick.make(vectors, folder / quick.FILE)
        return lambda query: quick.nearest(scan, vectors, query, TOP)[0]

    def semantic_search():
        from sentence_transformers.util import semantic_search as search

        return lambda query: np.array([hit["corpus_id"] for hit in search(query[None], vectors, top_k=TOP)[0]])

    def faiss_flat():
        import faiss

        flat = faiss.IndexFlatIP(DIMENSION)
        flat.add(vectors)
        return lambda query: flat.search(query[None], TOP)[1][0]

    def lancedb():
        import lancedb
        import pyarrow as pa

        values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION)
        table = lancedb.connect(folder / "lance").create_table(
            "t", pa.table({"id": pa.array(range(len(vectors))), "vector": values})
        )
        return lambda query: np.array(
            [row["id"] for row in table.search(query).distance_type("dot").limit(TOP).to_list()]
        )

    return {
        "ours": ours,
        "numpy": numpy_exact,
        "semantic_search": semantic_search,
        "faiss flat": faiss_flat,
        "lancedb flat": lancedb,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", type=int, default=[20_000], help="default: 20,000")
    parser.add_argument("--table", help="texts that are embedded instead of vectors by chance")
    parser.add_argument("--queries", type=int, default=50)
    given = parser.parse_args()
    for rows in given.rows:
        chance = np.random.default_rng(0)
        vectors = drawn(rows, chance) if given.table is None else read(given.table, rows, chance)
        queries = unit(
            vectors[chance.integers(0, rows, given.queries)]
            + chance.normal(scale=0.03, size=(given.queries, DIMENSION)).astype(np.float32)
        )
        exact = [set(np.argsort(-(vectors @ query), kind="stable")[:TOP].tolist()) for query in queries]
        print(f"{rows:,} rows of {DIMENSION}, {vectors.nbytes / 1e6:,.0f} MB, {given.queries} queries")
        print(f"{'':>16}  build_s  disk_mb   p50_ms   p99_ms  recall@{TOP}")
        with tempfile.TemporaryDirectory() as place:
            ready, built = {}, {}
            for name, make in ways(vectors, Path(place)).items():
                begun = time.perf_counter()
                try:
                    ready[name] = make()
                except ImportError:
                    print(f"{name:>16}  is not installed")
                    continue
                built[name] = time.perf_counter() - begun
            times: dict[str, list[float]] = {name: [] for name in ready}
            right = dict.fromkeys(ready, 0)
            for query, best in zip(queries, exact, strict=True):
                for name, search in ready.items():
                    begun = time.perf_counter()
                    found = search(query)
                    times[name].append(1000 * (time.perf_counter() - begun))
                    right[name] += len(best & set(np.asarray(found).tolist()))
            disk = {
                "ours": (Path(place) / "quick.faiss").stat().st_size / 1e6
                if (Path(place) / "quick.faiss").exists()
                else 0.0
            }
            for name, values in times.items():
                late = sorted(values)[min(len(values) - 1, round(0.99 * len(values)))]
                more = f"{disk[name]:8.1f}" if name in disk else " " * 8
                print(
                    f"{name:>16} {built[name]:8.1f} {more} {statistics.median(values):8.2f} {late:8.2f}     {right[name] / (TOP * len(queries)):.4f}"
                )


if __name__ == "__main__":
    main()
