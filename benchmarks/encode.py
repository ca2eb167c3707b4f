"""Texts a second of reading a corpus against SentenceTransformer.encode: python benchmarks/encode.py TABLE.csv [--column NAME]

Stock (fp32, batches of 32) and ours (each text once, batches of a token budget, bf16 where the processor multiplies it)
take the same texts in turn, in one process, so that whatever else the machine does falls on both. Prints the ratio of the
medians with its range, and how much of the stock model's ten nearest texts ours finds.
"""

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from studio.catalog.models import DEFAULT_MODEL
from studio.data.read import read_table


def overlap(exact: np.ndarray, ours: np.ndarray, queries: int, top: int = 10) -> float:
    """Mean share of each text's ``top`` nearest others that both find."""
    found = 0
    for row in range(queries):
        near = [np.argsort(-(vectors @ vectors[row]), kind="stable")[1 : top + 1] for vectors in (exact, ours)]
        found += len(np.intersect1d(*near))
    return found / (queries * top)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table")
    parser.add_argument("--column", help="default: the longest")
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()

    import torch

    from studio.search.encode import encode, precision, quicken
    from studio.search.warm import load
    from studio.ui.newcorpus import longest_column

    table = read_table(Path(given.table))
    texts = [text for text in table.data[given.column or longest_column(table)].to_pylist() if text and text.strip()]
    texts = texts[: given.rows]
    stock, ours = load(given.model), quicken(load(given.model))
    print(
        f"{len(texts):,} texts, {len(set(texts)):,} different; torch {torch.__version__}, {torch.get_num_threads()} threads, ours in {precision(ours)}"
    )
    run = {
        "stock": lambda part: stock.encode_document(
            part, batch_size=32, normalize_embeddings=True, show_progress_bar=False
        ),
        "ours": lambda part: encode(ours, part),
    }
    parts = [texts[start :: given.rounds] for start in range(given.rounds)]
    for contender in run.values():
        contender(texts[:64])
    rates: dict[str, list[float]] = {name: [] for name in run}
    vectors: dict[str, list[np.ndarray]] = {name: [] for name in run}
    for number, part in enumerate(parts):
        for name in list(run) if number % 2 else list(run)[::-1]:
            begun = time.perf_counter()
            vectors[name].append(np.asarray(run[name](part)))
            rates[name].append(len(part) / (time.perf_counter() - begun))
    ratios = [b / a for a, b in zip(rates["stock"], rates["ours"], strict=True)]
    for name, values in rates.items():
        print(f"{name:>6}: {statistics.median(values):8,.0f} texts a second")
    print(
        f" ratio: {statistics.median(rates['ours']) / statistics.median(rates['stock']):.2f} ({min(ratios):.2f} to {max(ratios):.2f} over {given.rounds} rounds)"
    )
    exact, found = (np.concatenate(vectors[name]) for name in ("stock", "ours"))
    print(
        f"overlap@10: {overlap(exact, found, min(500, len(texts))):.4f}; mean cosine {float(np.einsum('ij,ij->i', exact, found).mean()):.6f}"
    )


if __name__ == "__main__":
    main()
