"""The held-out rows of a run once more, from its folder: what an exported or shortened model is judged on."""

import numpy as np

from studio.data.dataset import load_corpus, load_info, load_rows
from studio.data.split import Split
from studio.errors import RunError
from studio.evaluation.task import Task, make_task
from studio.files import read_json
from studio.training.config import make_config
from studio.training.folder import RunFolder
from studio.training.judging import own_test, task_of

MOST_ROWS = 1_000
MOST_OTHERS = 5_000
"""Texts that are searched besides the right answers."""


def heldout_task(run: RunFolder, most_rows: int = MOST_ROWS, most_others: int = MOST_OTHERS) -> tuple[Task, int]:
    """At most ``most_rows`` of the rows that judged the run, drawn by chance (the same ones every time), and how many
    there are.

    Raises:
        RunError: the folder does not say which rows were held out.
    """
    split = read_json(run.split)
    if split is None:
        raise RunError("This run's folder does not say which rows were held out.", hint="Train it again.")
    info, data = load_info(run.dataset), load_rows(run.dataset)
    shared = split.get("shared", "nothing")
    test = own_test(run.test, make_config(read_json(run.config)).seed)
    if test is not None:
        rows = _some(np.arange(len(test.data)), most_rows)
        nothing = np.array([], np.int64)
        return task_of(test, rows, Split(nothing, nothing, "", shared, nothing), data, most_others), len(test.data)
    number = data["row"].to_numpy()
    held = np.isin(number, split["heldout"])
    if held.sum() != len(split["heldout"]):  # lines of a file that several rows come from stand on both sides
        held &= ~np.isin(number, [*split["train"], *split.get("validation", ())])
    rows = np.flatnonzero(held)
    if not len(rows):
        raise RunError("None of the held-out rows is in the run's dataset.", hint="Train it again.")
    corpus = load_corpus(run.dataset)
    return make_task(data, info.judged_as, _some(rows, most_rows), shared, most_others, corpus), len(rows)


def _some(rows: np.ndarray, most: int) -> np.ndarray:
    return rows if len(rows) <= most else np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
