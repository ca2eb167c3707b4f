"""What the models of a run see, for its owner alone."""

import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.errors import NotFound, RunError
from studio.evaluation.evidence import Meta
from studio.files import write_json
from studio.training.folder import RunFolder
from studio.ui.api.seen import _figures, _map
from tests.runs.scene import config, wait_until_over

ROWS = 30


def record(folder) -> None:
    """Evidence of a run with questions and answers, as the worker writes it."""
    chance = np.random.default_rng(0)
    folder.mkdir()
    texts = [f"<b>text</b> {i}" for i in range(2 * ROWS)]
    pq.write_table(pa.table({"text": texts, "asked": [i < ROWS for i in range(2 * ROWS)]}), folder / "texts.parquet")
    for name in ("base", "tuned"):
        vectors = np.tile(chance.normal(size=(ROWS, 16)), (2, 1)) + 0.3 * chance.normal(size=(2 * ROWS, 16))
        np.save(folder / f"{name}.npy", (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16))
    rows = {
        "anchor_at": pa.array(range(ROWS), pa.int32()),
        "positive_at": pa.array([[ROWS + i] for i in range(ROWS)], pa.list_(pa.int32())),
        "base:accuracy@1": np.arange(ROWS) % 2.0,
        "tuned:accuracy@1": np.ones(ROWS),
        "language": ["en", "de"] * (ROWS // 2),
        "in:source": ["mail", "chat", "chat"] * (ROWS // 3),
    }
    pq.write_table(pa.table(rows), folder / "rows.parquet")
    write_json(folder / "meta.json", asdict(Meta("pair", "ndcg@10", "ndcg@10", ("ndcg@10",), (), ("source",), 60, 60)))


def test_a_run_shows_its_owner_what_its_models_see(studio, dataset):
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config()))
    with pytest.raises(RunError, match="Nothing was recorded"):
        studio.seen.show("ada", run.id)
    record(RunFolder(run.folder).evidence)
    found = studio.seen.show("ada", run.id)
    with pytest.raises(NotFound):
        studio.seen.show("grace", run.id)
    figures, drawn = (json.loads(json.dumps(part)) for part in (_figures(found.seen), _map(found.map)))
    assert figures["tuned"]["told_apart"] > 0.9
    assert "drawn by chance" in figures["negatives"]
    assert len(drawn["text"]) == len(drawn["base"]) == len(drawn["tuned"]) == 2 * ROWS
    assert {one["label"]: [name for _, name in one["groups"]] for one in drawn["colourings"]} == {
        "Right or wrong": ["right first", "not right first", "texts that are found"],
        "source": ["chat", "mail"],
        "Language": ["English", "German"],
    }
    assert studio.seen.show("ada", run.id) is found  # remembered
