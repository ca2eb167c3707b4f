"""Doubtful rows as a person deals with them: looked for, judged one by one, left out. Hard negatives are asked for here too."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from studio.data.dataset import load_corpus, load_extra, load_info, load_rows
from studio.data.edit import columns_of, shown
from studio.data.prepare import PART
from studio.data.rows import count
from studio.errors import DataError, NotFound
from studio.files import read_json, write_json
from studio.making.mining import Mining, make_mining
from studio.recent import Recent
from studio.runs.corpora import Corpora
from studio.runs.datasets import Datasets, next_name
from studio.runs.makings import Makings
from studio.runs.names import safe_file_name
from studio.runs.records import DatasetRecord, MakingRecord
from studio.runs.training_runs import Runs

KINDS = ("negatives", "suspects")
"""Makings that leave a review.parquet; see studio.making.suspects."""
DECISIONS = ("keep", "drop")
FORMATS = {
    "negatives": ("pair", "triplet"),
    "suspects": ("pair", "triplet", "scored_pair", "labelled_pair", "classed_text"),
}
"""Kind -> formats that it can be made for."""
KEPT_REVIEWS = 16


@dataclass(frozen=True)
class Entry:
    """What is judged at once: a row, or several that hold the same two texts."""

    positions: tuple[int, ...]
    """In the dataset."""
    column: str
    """The one that is suspected."""
    why: str
    row: dict[str, Any]
    """The row, ``row`` (its number in the file) with it; a score is on the scale that it was given on."""


@dataclass(frozen=True)
class Review:
    making: MakingRecord
    dataset_id: str
    """What is reviewed."""
    entries: tuple[Entry, ...]
    """The most doubtful first."""
    decisions: tuple[tuple[int, str], ...]
    """(entry, ``keep`` or ``drop``), in the order in which they were made; the last one of an entry counts."""

    @property
    def decided(self) -> dict[int, str]:
        return dict(self.decisions)

    @property
    def dropped(self) -> tuple[int, ...]:
        """Positions of the rows to leave out, ascending."""
        chosen = (self.entries[entry].positions for entry, decision in self.decided.items() if decision == "drop")
        return tuple(sorted({position for positions in chosen for position in positions}))


class Reviews:
    def __init__(self, makings: Makings, datasets: Datasets, corpora: Corpora, runs: Runs):
        self._makings = makings
        self._datasets = datasets
        self._corpora = corpora
        self._runs = runs
        self._entries: Recent[str, tuple[Entry, ...]] = Recent(KEPT_REVIEWS)
        self._lock = threading.Lock()

    # what is made in the background

    def mine(self, owner: str, dataset_id: str, settings: Mapping[str, Any], corpus_id: str = "") -> MakingRecord:
        """Look for hard negatives: a new version of the dataset comes of it, and a review of the most doubtful ones.

        Args:
            settings: Of studio.making.mining; ``base_model`` as in a TrainConfig.
            corpus_id: A corpus of the owner's to choose from as well; empty: the dataset's own texts.

        Raises:
            ConfigError, ModelError: a setting that cannot be, or no such model.
            DataError: a format without positives.
            NotFound: no such dataset, corpus or run.
        """
        dataset = self._for("negatives", owner, dataset_id)
        config: Mining = make_mining(dict(settings))
        base, files = self._base(owner, config.base_model)
        task = {"settings": {**config.model_dump(), "base_model": base["base_model"]}, "base_label": base["base_label"]}
        task["parent"] = dataset.id
        if corpus_id:
            corpus = self._corpora.get(owner, corpus_id)
            files["corpus.parquet"] = corpus.folder / "texts.parquet"
            task["corpus"] = "corpus.parquet"
        name = next_name(dataset)
        return self._makings.create(owner, "negatives", name, task, dataset_id=dataset.id, files=files)

    def look(self, owner: str, dataset_id: str, base_model: str) -> MakingRecord:
        """Look for rows that are most likely wrong. ``base_model`` as in a TrainConfig. Raises as :meth:`mine`."""
        dataset = self._for("suspects", owner, dataset_id)
        task, files = self._base(owner, base_model)
        return self._makings.create(
            owner, "suspects", f"Doubtful rows of {dataset.name}", task, dataset_id=dataset.id, files=files
        )

    def _for(self, kind: str, owner: str, dataset_id: str) -> DatasetRecord:
        dataset = self._datasets.get(owner, dataset_id)
        if dataset.info.format not in FORMATS[kind]:
            what = "mined" if kind == "negatives" else "doubted"
            raise DataError(f"Rows of this format cannot be {what}.", hint="Choose a dataset of pairs or triplets.")
        return dataset

    def _base(self, owner: str, base_model: str) -> tuple[dict[str, str], dict[str, Path]]:
        label, folder = self._runs.base_model(owner, base_model)
        if folder is None:
            return {"base_model": base_model.strip(), "base_label": label}, {}
        place = f"base/{safe_file_name(label, 'model')}"
        return {"base_model": place, "base_label": label}, {place: folder}

    # reviews

    def of(self, owner: str, dataset_id: str) -> str:
        """Id of the newest review of a dataset; empty: there is none."""
        for making in self._makings.list(owner):
            reviewed = making.made_dataset_id if making.kind == "negatives" else making.dataset_id
            if making.kind in KINDS and making.state == "succeeded" and reviewed == dataset_id:
                return making.id
        return ""

    def get(self, owner: str, review_id: str) -> Review:
        """Raises NotFound: no such review of this owner's, or it is still being made."""
        making = self._makings.get(owner, review_id)
        path = making.folder / "review.parquet"
        if making.kind not in KINDS or making.state != "succeeded" or not path.is_file():
            raise NotFound("There is no such review.", hint="Look for doubtful rows again.")
        entries = self._entries.get(making.id, lambda: _entries(making.folder))
        dataset_id = making.made_dataset_id if making.kind == "negatives" else making.dataset_id
        made = read_json(making.folder / "decisions.json", [])
        return Review(making, dataset_id, entries, tuple((entry, decision) for entry, decision in made))

    def decide(self, owner: str, review_id: str, entry: int, decision: str) -> Review:
        """Note a decision; it is on the disk when this returns. Raises DataError: no such entry or decision."""
        with self._lock:
            review = self.get(owner, review_id)
            if not 0 <= entry < len(review.entries) or decision not in DECISIONS:
                raise DataError("There is no such row to decide on.", hint="Load the page again.")
            return self._note(review, (*review.decisions, (entry, decision)))

    def undo(self, owner: str, review_id: str) -> Review:
        """Take the last decision back, if there is one."""
        with self._lock:
            review = self.get(owner, review_id)
            return self._note(review, review.decisions[:-1])

    def finish(self, owner: str, review_id: str) -> DatasetRecord:
        """A new version of the dataset without the rows that were dropped; the dataset stays, and so does the review.

        Raises:
            DataError: nothing was dropped, or too little would be left.
            NotFound: the dataset is gone.
        """
        from studio.data.version import write_version
        from studio.training.estimate import row_lengths

        review = self.get(owner, review_id)
        dropped = review.dropped
        if not dropped:
            raise DataError("No row was dropped.", hint="Drop rows first; the dataset is as it should be otherwise.")
        looked = count(len(review.decided), "doubtful one", "doubtful ones")

        def write(record: DatasetRecord, folder: Path, name: str) -> None:
            rows = load_rows(record.folder)
            places = pa.array(range(len(rows)), pa.int64())
            left = rows.filter(pc.invert(pc.is_in(places, value_set=pa.array(dropped, pa.int64())))).combine_chunks()
            done = f"{count(len(dropped))} left out after a look at {looked}"
            write_version(
                record.info, left, folder, done=done, after="leaving these rows out", name=name, measure=row_lengths,
                parent=record.id, corpus=load_corpus(record.folder), extra=load_extra(record.folder),
            )  # fmt: skip

        return self._datasets.new_version(owner, review.dataset_id, write)

    def _note(self, review: Review, decisions: tuple[tuple[int, str], ...]) -> Review:
        write_json(review.making.folder / "decisions.json", decisions)
        return Review(review.making, review.dataset_id, review.entries, decisions)


def _entries(folder: Path) -> tuple[Entry, ...]:
    table, info = pq.read_table(folder / "review.parquet"), load_info(folder / "source")
    columns = columns_of(info, table.select(["score"] if "score" in table.column_names else []))
    found = []
    for row in table.to_pylist():
        positions, column, why = (row.pop(name) for name in ("positions", "column", "why"))
        for name in ("similarity", PART):
            row.pop(name, None)
        found.append(Entry(tuple(positions), column, why, row | {c.name: shown(row[c.name], c) for c in columns}))
    return tuple(found)
