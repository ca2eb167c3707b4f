"""Folders of runs that were judged, written as the worker writes them, with values that a test chooses."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studio.data.dataset import DatasetInfo, save_dataset
from studio.evaluation.intervals import bounds
from studio.evaluation.result import MetricResult, Verdict
from studio.files import write_json
from studio.runs.store import RUNS, new_id
from studio.training.config import make_config
from studio.training.folder import EventWriter, RunFolder

STATIC = "wordllama-l2-supercat-256"
HELDOUT = 60


def found_first(share: float, seed: int, rows: int = HELDOUT) -> np.ndarray:
    """1 for queries whose first hit is right, as many as ``share`` says; which ones, chance says."""
    right = np.zeros(rows)
    right[np.random.default_rng(seed).permutation(rows)[: round(share * rows)]] = 1
    return right


def judged_run(
    path: Path,
    tuned: np.ndarray | None = None,
    base: np.ndarray | None = None,
    *,
    data: pa.Table | None = None,
    format: str = "pair",
    metric: str = "accuracy@1",
    primary: str = "ndcg@10",
    heldout: range = range(2, HELDOUT + 2),
    evidence: bool = True,
    name: str = "",
    state: str = "succeeded",
    verdict: dict[str, Any] | None = None,
    target: np.ndarray | None = None,
    **settings: Any,
) -> RunFolder:
    """A run whose models have these values for each held-out query (or, with ``target``, these similarities).

    ``tuned`` None: it was not judged. Both metrics, ``metric`` and ``primary``, get the same values.
    """
    folder = RunFolder(path)
    if data is None:
        data = pa.table(
            {
                "anchor": [f"question {i}" for i in range(200)],
                "positive": [f"answer {i % 20}" for i in range(200)],
                "row": np.arange(2, 202),
            }
        )
    info = DatasetInfo("Pairs", format, len(data), {"anchor": "q", "positive": "a"}, "pairs.csv")
    save_dataset(folder.dataset, data, info)
    config = make_config({"base_model": STATIC, "learning_rate": 2e-2, "batch_size": 16, **settings})
    write_json(folder.config, config.model_dump())
    write_json(folder.run, {"id": path.name, "name": name or path.name})
    write_json(folder.outcome, {"state": state, "message": "", "hint": "", "seconds": 12.0})
    _write_events(folder, [] if tuned is None else [0.4, 0.5, float(np.mean(tuned))], primary)
    if tuned is None:
        return folder
    base = found_first(0.5, 0, len(tuned)) if base is None else base
    write_json(folder.split, {"train": [], "validation": [], "heldout": list(heldout), "note": "", "shared": "nothing"})
    values = [primary, *([metric] if metric != primary else [])]
    low, high = bounds(np.random.default_rng(0).choice(tuned - base, (1000, len(base))).mean(axis=1))
    results = tuple(MetricResult(id, float(base.mean()), float(tuned.mean()), low, high) for id in values)
    Verdict(
        **{
            "outcome": "better" if low > 0 else "no_difference",
            "sentence": f"Right first for {100 * tuned.mean():.0f} of 100 questions.",
            "advice": ("Bring more rows.",),
            "primary": primary,
            "metrics": results,
            "heldout_rows": len(tuned),
            "corpus_size": 20,
            "split_note": "Rows that share a text stand on one side.",
            "now_right": ("question 1",),
            "now_wrong": ("question 2",),
            **(verdict or {}),
        }
    ).save(folder.verdict)
    if evidence:
        _write_rows(folder.evidence, values, {"base": base, "tuned": tuned}, target, len(base))
    return folder


def _write_rows(folder: Path, metrics: list[str], models: dict[str, np.ndarray], target: Any, rows: int) -> None:
    """rows.parquet as studio.evaluation.evidence describes it."""
    folder.mkdir()
    of_pairs = target is not None
    table: dict[str, Any] = {
        "numbers": [[i + 2] for i in range(rows)],
        "query": pa.nulls(rows, pa.int32()) if of_pairs else list(range(rows)),
        "anchor": [f"question {i}" for i in range(rows)],
        "positive": [[f"answer {i % 20}"] for i in range(rows)],
        "negative": pa.array([[]] * rows, pa.list_(pa.string())),
        "right": [1] * rows,
        "target": pa.array(target) if of_pairs else pa.nulls(rows, pa.float64()),
        "length": [10] * rows,
        "language": ["English"] * rows,
        "doubt": [""] * rows,
        "doubt_text": [""] * rows,
    }
    kept = ["similarity", "agreement"] if of_pairs else metrics
    for name, values in models.items():
        table |= {f"{name}:{id}": values for id in kept}
    pq.write_table(pa.table(table), folder / "rows.parquet")
    by = "agreement" if of_pairs else metrics[0]
    write_json(
        folder / "meta.json",
        {
            "format": "scored_pair" if of_pairs else "pair", "primary": metrics[0], "by": by, "metrics": kept,
            "models": [], "columns": [], "texts": rows, "searched": 20,
        },
    )  # fmt: skip


def _write_events(folder: RunFolder, metrics: list[float], primary: str) -> None:
    events = EventWriter(folder.events)
    steps = 10 * len(metrics)
    events.write("plan", steps=steps, primary=primary, base={primary: 0.5})
    for step in range(1, steps + 1):
        events.write("train", step=step, epoch=1, loss=2 / step, learning_rate=0.01, rows_per_s=9.0, eta_s=1.0)
        if step % 10 == 0:
            events.write("eval", step=step, loss=1 / step, metrics={primary: metrics[step // 10 - 1]})
    events.close()


def stored_run(studio: Any, owner: str, dataset: Any, name: str, tuned: np.ndarray | None, **options: Any) -> str:
    """A run of :func:`judged_run` that a studio knows, as if it had been trained there; its id."""
    id, now = new_id(), time.time()
    state = options.setdefault("state", "succeeded")
    folder = judged_run(studio.workspace.runs / id, tuned, name=name, **options)
    studio.runs._store.add(
        RUNS, id=id, owner=owner, name=name, dataset_id=dataset.id, dataset_name=dataset.name,
        config=folder.config.read_text(), base_label="WordLlama (static, 256 dimensions)", state=state, keep=False,
        message="", hint="", step=30, steps=30, attempt=1, created=now, queued=now, started=now, ended=now + 12,
        sweep_id=None, trial=None, tags="", notes="",
    )  # fmt: skip
    return id
