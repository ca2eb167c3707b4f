"""Published figures by the studio's own verdict code: python benchmarks/reproduce.py DATA [STS-B SICK-R SciFact]

DATA: a folder with ``stsb/test.csv`` (sentence1, sentence2, score), ``sick/{train,dev,test}.csv`` (the same) and
``scifact/`` (corpus.csv, queries_test.csv, qrels_test.csv, qrels_train.csv and queries_train.csv). Each table is read,
its roles are guessed and its rows prepared as an upload's are; the task is made and measured as a run's verdict does it.
Beside the studio's figure stand the one that the model's makers or MTEB published and the one of sentence-transformers'
own evaluator over the model and the texts of the file, without anything of the studio between. Ends with 1 when a figure
is further from the published one than rounding and a few repeated rows can make it.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import (
    EmbeddingSimilarityEvaluator,
    InformationRetrievalEvaluator,
)

from studio.data.apart import judging_rows
from studio.data.prepare import Prepared, prepare
from studio.data.read import read_table, read_tables
from studio.data.retrieval import read_folder
from studio.data.roles import guess_roles
from studio.data.table import Table
from studio.evaluation.judge import judge
from studio.evaluation.measure import measure
from studio.evaluation.sentence import Facts
from studio.evaluation.task import Task, make_task
from studio.training.config import make_config
from studio.training.model import build_model

MODEL = "all-MiniLM-L6-v2"
FACTS = Facts("MultipleNegativesRankingLoss", 1e-4, 32, 500, ())


@dataclass(frozen=True)
class Known:
    """A published figure."""

    name: str
    files: tuple[str, ...]
    """Below DATA; a folder: a retrieval set."""
    metric: str
    published: float
    source: str
    within: float
    """How far ours may be: half of the last digit, and what repeated rows make, which an upload has only once."""


PUBLISHED = (
    Known("STS-B", ("stsb/test.csv",), "spearman", 0.8203, "MTEB STSBenchmark, all-MiniLM-L6-v2", 0.0005),
    Known("SICK-R", ("sick/train.csv", "sick/dev.csv", "sick/test.csv"), "spearman", 0.7758, "MTEB SICK-R", 0.0005),
    Known("SciFact", ("scifact",), "ndcg@10", 0.645, "MTEB SciFact and BEIR's leaderboard", 0.0015),
)


@dataclass(frozen=True)
class Reproduced:
    studio: float
    library: float
    rows: int
    seconds: float


def read(data: Path, files: Sequence[str]) -> Table:
    places = [data / file for file in files]
    if places[0].is_dir():
        return read_folder(places[0])
    return read_table(places[0]) if len(places) == 1 else read_tables(places)


def task_of(table: Table, limit: int | None = None) -> Task:
    """What a verdict judges a dataset of this table on, when all of it is test data. ``limit``: the first rows only."""
    prepared: Prepared = prepare(table, guess_roles(table))
    rows, _ = judging_rows(prepared.data, 0)
    rows = rows if limit is None else rows.slice(0, limit)
    corpus = None if table.retrieval is None else pa.chunked_array([table.retrieval.corpus])
    return make_task(rows, prepared.format, np.arange(len(rows)), corpus=corpus)


def by_studio(model: SentenceTransformer, task: Task) -> dict[str, float]:
    """The base model's figures of a verdict on this task: the model against itself."""
    measured = measure(model, task)
    verdict = judge(task, measured, measured, FACTS, "")
    return {metric.id: metric.base for metric in verdict.metrics}


def by_library(model: SentenceTransformer, table: Table, metric: str, numbers: Sequence[int] | None = None) -> float:
    """The same by sentence-transformers' evaluator, from the table as it was read. ``numbers``: of its rows; all by default."""
    rows = table.data
    if numbers is not None:
        rows = rows.filter(pc.is_in(table.rows, value_set=pa.array(numbers, pa.int64())))
    if table.retrieval is None:
        scores = pc.cast(rows["score"], pa.float64()).to_pylist()
        # White space at both ends is removed from an upload; some tokenizers would see it.
        texts = [pc.utf8_trim_whitespace(rows[name]).to_pylist() for name in ("sentence1", "sentence2")]
        figures = EmbeddingSimilarityEvaluator(*texts, scores, main_similarity="cosine", write_csv=False)(model)
        return float(figures[f"{metric}_cosine"])
    rows = rows.filter(pc.equal(rows["part"], "test"))
    documents = {text: str(i) for i, text in enumerate(table.retrieval.corpus.to_pylist())}
    queries = {text: str(i) for i, text in enumerate(dict.fromkeys(rows["query"].to_pylist()))}
    relevant: dict[str, set[str]] = {number: set() for number in queries.values()}
    for query, document in zip(rows["query"].to_pylist(), rows["document"].to_pylist(), strict=True):
        relevant[queries[query]].add(documents[document])
    evaluator = InformationRetrievalEvaluator(
        {number: text for text, number in queries.items()}, {number: text for text, number in documents.items()},
        relevant, ndcg_at_k=[10], write_csv=False,
    )  # fmt: skip
    return float(evaluator(model)[f"cosine_{metric}"])


def reproduce(model: SentenceTransformer, data: Path, known: Known, limit: int | None = None) -> Reproduced:
    """Both figures of one published one. ``limit``: of the first rows only, which is another figure."""
    begun = time.monotonic()
    table = read(data, known.files)
    task = task_of(table, limit)
    numbers = None if limit is None else task.numbers
    studio, library = by_studio(model, task)[known.metric], by_library(model, table, known.metric, numbers)
    return Reproduced(studio, library, task.rows, time.monotonic() - begun)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*", default=[known.name for known in PUBLISHED])
    arguments = parser.parse_args()
    model = build_model(make_config({"base_model": MODEL})).eval()
    print(f"{MODEL}, as it comes")
    print(f"{'':<8} {'metric':<9} {'published':>9} {'studio':>8} {'library':>8} {'rows':>6}")
    far = []
    for known in PUBLISHED:
        if known.name not in arguments.names:
            continue
        found = reproduce(model, arguments.data, known)
        print(
            f"{known.name:<8} {known.metric:<9} {known.published:>9.4f} {found.studio:>8.4f} {found.library:>8.4f} "
            f"{found.rows:>6,}  {known.source}; {found.seconds:.0f} s",
            flush=True,
        )
        if abs(found.studio - known.published) > known.within:
            far.append(known.name)
    if far:
        print(f"not reproduced: {', '.join(far)}")
    return 1 if far else 0


if __name__ == "__main__":
    sys.exit(main())
