"""Pairs with more than two classes: read, checked, split and judged by what their classes say."""

import numpy as np
import pytest

from studio.data.dataset import import_dataset, load_rows
from studio.data.read import read_table
from studio.data.rows import class_numbers, label_count
from studio.data.split import split
from studio.data.table import Roles
from studio.errors import DataError
from studio.evaluation.task import make_task

SAID = ("entailment", "neutral", "contradiction")
ROLES = Roles("premise", "hypothesis", class_="gold")


@pytest.fixture
def table(tmp_path):
    """table(classes) -> a table whose rows have these classes in turn; one row has none."""

    def make(*classes: str):
        path = tmp_path / "nli.csv"
        rows = [f"A man does thing {i},Somebody did {i * 7},{classes[i % len(classes)]}" for i in range(90)]
        path.write_text("\n".join(["premise,hypothesis,gold", *rows, "A man sleeps,He rests,-"]) + "\n")
        return read_table(path)

    return make


def test_all_classes_train_and_those_that_say_what_belongs_together_judge(table, tmp_path):
    info = import_dataset(tmp_path / "set", table(*SAID), ROLES, "NLI")
    assert (info.format, info.judged_as, info.rows) == ("classed_pair", "labelled_pair", 90)
    assert info.dropped == {"class is missing": 1}
    told = next(finding.message for finding in info.findings if finding.code == "labels_read_as")
    assert told == (
        "3 classes train. The result is judged by 'entailment' (belong together) against 'contradiction' (do not). "
        "'neutral' trains and does not judge."
    )
    data = load_rows(tmp_path / "set")
    assert label_count(data) == 3
    # Rows of one class alone have the number that the class has among all.
    assert class_numbers(data.take(np.arange(1, 90, 3))).tolist() == [2] * 30
    parts = split(data, 0.2, 42)
    task = make_task(data, info.judged_as, parts.heldout, parts.shared)
    said = [data["class"][i].as_py() for i in parts.heldout]
    assert set(said) >= {"entailment", "contradiction"}
    assert task.targets.tolist() == [int(one == "entailment") for one in said if one != "neutral"]
    assert task.primary == "average_precision"
    assert f"{said.count('neutral')} held-out pairs of other classes do not judge" in task.note


@pytest.mark.parametrize(
    ("classes", "words"),
    [(("0", "1", "2"), "belong together: the result"), (("entailment", "neutral"), "do not belong together"), (("cause", "contrast"), "Classes are 'cause', 'contrast'")],
)  # fmt: skip
def test_classes_that_cannot_judge_are_refused_in_words(table, tmp_path, classes, words):
    with pytest.raises(DataError, match=words):
        import_dataset(tmp_path / "set", table(*classes), ROLES, "NLI")
    assert not (tmp_path / "set").exists()
