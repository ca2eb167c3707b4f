"""What the server tells about datasets, uploads, runs, makings, corpora and indexes: plain frozen records."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio.data.dataset import DatasetInfo
from studio.training.config import TrainConfig

RUN_STATES = ("queued", "running", "stopping", "succeeded", "failed", "cancelled")
ENDED = ("succeeded", "failed", "cancelled")
INDEX_STATES = ("queued", "building", "stopping", "ready", "failed", "stopped", "freed")


@dataclass(frozen=True)
class UploadRecord:
    """A file that was brought in and not yet made into a dataset or corpus; swept after a day."""

    id: str
    owner: str
    file_name: str
    """As the person named it, without folders and without characters that a file system may stumble over."""
    path: Path
    created: datetime
    more: tuple[Path, ...] = ()
    """Further files that were brought at the same time, to be read as one table with the first."""

    @property
    def paths(self) -> tuple[Path, ...]:
        return self.path, *self.more


@dataclass(frozen=True)
class DatasetRecord:
    id: str
    owner: str
    name: str
    info: DatasetInfo
    folder: Path
    created: datetime


@dataclass(frozen=True)
class RunRecord:
    """One training. All times are UTC."""

    id: str
    owner: str
    name: str
    dataset_id: str
    """The dataset may have been deleted since: the run keeps its own copy."""
    dataset_name: str
    config: TrainConfig
    """As the person chose it; ``base_model`` of a model tuned earlier is ``run:<id>``."""
    base_label: str
    """The base model for people."""
    state: str
    """One of RUN_STATES."""
    message: str
    """How it ended, or what it waits for; empty when there is nothing to say."""
    hint: str
    """What to do about it."""
    step: int
    steps: int
    """0: not known yet."""
    phase: str
    """One of studio.training.folder.PHASES; empty before it started."""
    eta_s: float | None
    """Seconds until training is done; None: not known, or not training."""
    attempt: int
    """How often its process was started; 0: never."""
    created: datetime
    started: datetime | None
    ended: datetime | None
    folder: Path
    position: int | None
    """Place in the queue from 1; None: not in the queue."""
    starts_in_s: float | None
    """In about how many seconds it will start; None: it does not wait, or that cannot be reckoned."""
    expected_s: float | None
    """How long it was reckoned to take when it was asked for; None: that could not be reckoned."""
    memory_mb: float | None
    """What it was reckoned to need."""
    device: str | None
    """Where it trains or trained: ``cpu`` or ``gpu:<number>``; None: it has not started."""
    resumable: bool
    """It failed or was cancelled and has a checkpoint to go on from."""
    tags: tuple[str, ...] = ()
    notes: str = ""
    """What its owner wrote about it."""

    @property
    def is_over(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True)
class RunPage:
    """Some of an owner's runs, and what all of them can be chosen by."""

    runs: tuple[RunRecord, ...]
    total: int
    """Runs that fit, on this page and on others."""
    datasets: tuple[tuple[str, str], ...]
    """(id, name) of datasets that any run was trained on, by name; they may have been deleted."""
    states: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class CorpusRecord:
    id: str
    owner: str
    name: str
    rows: int
    note: str
    """Where the texts come from and what was left out, one or two sentences."""
    dataset_id: str | None
    """The dataset that it was made of (which may be gone); None: an uploaded table."""
    folder: Path
    """Holds texts.parquet; see studio.data.corpus."""
    created: datetime

    @property
    def file(self) -> Path:
        return self.folder / "texts.parquet"


@dataclass(frozen=True)
class IndexRecord:
    """Embeddings of one corpus by one model."""

    corpus_id: str
    model_key: str
    state: str
    """One of INDEX_STATES."""
    done: int
    """Texts embedded so far."""
    rows: int
    message: str
    folder: Path
    label: str = ""
    """The model for people."""
    per_s: float | None = None
    """Texts embedded a second; None: not known, or not being built."""
    eta_s: float | None = None
    size_mb: float = 0.0
    reused: int = 0
    """Of the texts, those whose embeddings another index had already."""
    recall: float | None = None
    """Of the quick search against the exact one, measured on this corpus; None: it is searched exactly."""


@dataclass(frozen=True)
class MakingRecord:
    """Work in the background that makes a dataset or a report."""

    id: str
    owner: str
    kind: str
    """One of studio.making.kinds."""
    name: str
    dataset_id: str
    """The dataset that it works on (which may be gone); empty: none."""
    state: str
    """One of RUN_STATES."""
    message: str
    hint: str
    done: int
    total: int
    """0: not known yet."""
    words: str
    """What is being done, for people."""
    eta_s: float | None
    made_dataset_id: str
    """The dataset that it made; empty: none (yet)."""
    result: dict[str, Any] | None
    """What it says of what it made; None: it did not succeed (yet)."""
    created: datetime
    ended: datetime | None
    folder: Path

    @property
    def is_over(self) -> bool:
        return self.state in ENDED


def when(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as a time in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
