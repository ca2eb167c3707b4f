import numpy as np
import pyarrow as pa
import pytest

from studio.training.config import make_config
from studio.training.rows import plan_rows


def pairs(rows: int, positives: int | None = None) -> pa.Table:
    names = [f"answer {i % (positives or rows)}" for i in range(rows)]
    return pa.table(
        {"anchor": [f"question {i}" for i in range(rows)], "positive": names, "row": np.arange(2, rows + 2)}
    )


def test_no_row_trains_and_judges():
    rows = plan_rows(pairs(100), make_config({"batch_size": 8}))
    assert not set(rows.train) & set(rows.heldout)
    assert len(rows.train) + len(rows.heldout) == 100


@pytest.mark.parametrize(
    ("rows", "batch", "accumulation", "epochs", "steps"),
    [(100, 10, 1, 1.0, 9), (100, 8, 1, 1.0, 12), (100, 8, 4, 1.0, 3), (100, 8, 4, 2.5, 8), (100, 8, 1, 0.01, 1)],
)
def test_steps_are_counted(rows, batch, accumulation, epochs, steps):
    config = make_config({"batch_size": batch, "gradient_accumulation_steps": accumulation, "epochs": epochs})
    assert plan_rows(pairs(rows), config).steps == steps


def test_a_last_batch_of_one_row_is_left_out_where_it_would_teach_nothing():
    ranking = plan_rows(pairs(100), make_config({"batch_size": 89}))
    assert (ranking.drop_last, ranking.steps) == (True, 1)
    triplets = pairs(100).add_column(2, "negative", pa.array([f"wrong {i}" for i in range(100)]))
    assert not plan_rows(triplets, make_config({"batch_size": 89, "loss": "TripletLoss"})).drop_last


def test_a_batch_that_different_texts_cannot_fill_is_made_smaller_and_said_so():
    rows = plan_rows(pairs(300, positives=12), make_config({"batch_size": 32}))
    assert rows.batch_size == 12
    assert rows.steps == int(np.ceil(len(rows.train) / 12))
    assert "only 12 different texts" in rows.notes[0]
    assert plan_rows(pairs(300), make_config({"batch_size": 32})).notes == ()


def test_a_text_that_stands_in_too_many_rows_is_told():
    table = pairs(300)
    names = ["the same answer"] * 150 + table["positive"].to_pylist()[150:]
    rows = plan_rows(table.set_column(1, "positive", pa.array(names)), make_config({"batch_size": 32}))
    assert any("left out in each epoch" in note for note in rows.notes)


def test_rows_to_train_on_are_drawn_by_the_seed():
    draws = [plan_rows(pairs(200), make_config({"max_train_rows": 50, "batch_size": 8, "seed": s})) for s in (1, 1, 2)]
    assert len(draws[0].train) == 50
    assert draws[0].train.tolist() == draws[1].train.tolist() != draws[2].train.tolist()
    assert not set(draws[0].train) & set(draws[0].heldout)
