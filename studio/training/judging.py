"""Test data of a person's own, which judge a run instead of rows that are held out of its dataset. No torch."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from studio.data.apart import judging_rows, keep_apart
from studio.data.dataset import DatasetInfo, load_corpus, load_info, load_rows
from studio.data.rows import text_columns
from studio.data.split import Split
from studio.evaluation.task import Task, make_task


@dataclass(frozen=True)
class OwnTest:
    """A dataset that judges."""

    info: DatasetInfo
    data: pa.Table
    """The rows that judge, all of them."""
    corpus: pa.ChunkedArray | None = None
    """Documents of a retrieval set."""
    total: int | None = None
    """Rows that could judge, where fewer do."""

    def keep_apart(self, data: pa.Table) -> Split:
        """The rows of ``data`` that may train; see :func:`studio.data.apart.keep_apart`."""
        return keep_apart(data, self.data, self.info.name, self.total)


def own_test(folder: Path, seed: int) -> OwnTest | None:
    """The test data in a dataset's folder; None when there is no such folder."""
    if not folder.is_dir():
        return None
    rows, total = judging_rows(load_rows(folder), seed)
    return OwnTest(load_info(folder), rows, load_corpus(folder), total)


def task_of(test: OwnTest, positions, split: Split, data: pa.Table, most_others: int | None = None) -> Task:
    """What its rows at ``positions`` ask of a model. ``data``: the rows that train; where right answers train too, questions
    are searched in the answers of both tables. ``most_others``: as for :func:`make_task`."""
    corpus = test.corpus
    if corpus is None and split.shared == "answers" and "positive" in test.data.column_names:
        tables = [table for table in (test.data, data) if "positive" in table.column_names]
        chunks = [chunk for table in tables for chunk in table["positive"].cast(pa.string()).chunks]
        corpus = pa.chunked_array([pa.chunked_array(chunks, pa.string()).unique()])
    return make_task(test.data, test.info.judged_as, positions, "nothing", most_others, corpus)


def same_columns(test: OwnTest, info: DatasetInfo, data: pa.Table) -> bool:
    """Whether a loss of the dataset's rows can be computed on the test rows."""
    return test.info.format == info.format and text_columns(test.data) == text_columns(data)
