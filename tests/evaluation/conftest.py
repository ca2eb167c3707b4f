"""Small tables with real sentences, and a model to judge."""

import csv

import numpy as np
import pyarrow as pa
import pytest


@pytest.fixture(scope="session")
def banking(samples) -> pa.Table:
    """400 questions and their topics, as a dataset of pairs."""
    with (samples / "banking77.csv").open(encoding="utf-8", newline="") as file:
        rows = [list(row.values()) for row in csv.DictReader(file)][:400]
    anchors, positives = ([row[i] for row in rows] for i in (0, 1))
    return pa.table({"anchor": anchors, "positive": positives, "row": np.arange(2, 402)})


@pytest.fixture(scope="session")
def triplets(banking) -> pa.Table:
    """The same with two negatives: topics of other questions."""
    positives = banking["positive"].to_pylist()
    others = [positives[30:] + positives[:30], positives[70:] + positives[:70]]
    table = banking.drop_columns(["row"])
    for i, column in enumerate(others, 1):
        table = table.append_column(f"negative_{i}", pa.array(column))
    return table.append_column("row", banking["row"])


@pytest.fixture(scope="session")
def scored(banking) -> pa.Table:
    """Pairs with the score 1 for the right topic and something between 0 and 0.6 for another one."""
    positives = banking["positive"].to_pylist()
    chance = np.random.default_rng(0)
    wrong = chance.random(len(positives)) < 0.5
    shown = [positives[i - 40] if wrong[i] else positives[i] for i in range(len(positives))]
    scores = np.where(wrong, np.round(chance.random(len(positives)) * 0.6, 1), 1.0)
    return pa.table({"anchor": banking["anchor"], "positive": shown, "score": scores, "row": banking["row"]})


@pytest.fixture(scope="session")
def labelled(scored) -> pa.Table:
    labels = pa.array((scored["score"].to_numpy() > 0.9).astype(np.int64))
    return scored.set_column(scored.column_names.index("score"), "label", labels)
