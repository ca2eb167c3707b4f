"""One run as a comparison or a report sees it, read from its folder."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.catalog.formats import FORMAT
from studio.catalog.metrics import METRIC
from studio.catalog.models import MODEL
from studio.data.dataset import DatasetInfo, load_info
from studio.errors import RunError
from studio.evaluation.result import MetricResult, Verdict
from studio.files import read_json, sha256_of
from studio.recent import Recent
from studio.training.config import TrainConfig, make_config
from studio.training.folder import RunFolder

_digests: Recent[tuple[int, ...], str] = Recent(1000)
_judged: Recent[tuple[Any, ...], "JudgedOn"] = Recent(4000)

NOT_JUDGED = {
    "queued": "It waits for its turn.",
    "running": "It is not done yet.",
    "stopping": "It is being stopped.",
    "failed": "It failed before it was judged.",
    "cancelled": "It was stopped before it was judged.",
    "succeeded": "It was not judged.",
}


@dataclass(frozen=True)
class JudgedOn:
    """What a verdict rests on. Runs whose values are equal here did the same task on the same rows."""

    format: str
    metric: str
    """Id of the primary one."""
    data: str
    """Names the content of the data that judge: the version of the dataset, or a person's own test data."""
    rows: str
    """Names the held-out rows among them."""
    searched: int | None
    """Texts that each query was searched in; None where nothing is searched."""


@dataclass(frozen=True)
class RunFacts:
    """One run."""

    id: str
    name: str
    state: str
    """One of studio.runs.records.RUN_STATES."""
    message: str
    dataset: str
    base: str
    """Label of the base model."""
    config: TrainConfig
    info: DatasetInfo
    folder: RunFolder
    verdict: Verdict | None
    judged_on: JudgedOn | None
    """None: it was not judged (yet)."""
    seconds: float | None = None
    """How long it took; None: not known."""
    tags: tuple[str, ...] = ()
    notes: str = ""

    @property
    def primary(self) -> MetricResult | None:
        """The metric that counts; None: not judged, or not defined on its rows."""
        return None if self.verdict is None else self.metric(self.verdict.primary)

    def metric(self, id: str) -> MetricResult | None:
        found = () if self.verdict is None else self.verdict.metrics
        return next((metric for metric in found if metric.id == id), None)


def read_facts(path: Path) -> RunFacts:
    """A run from its folder alone, whoever made it.

    Raises:
        RunError: it is no run's folder, or one that a server is still making.
        DataError, ConfigError: something in it is not as the studio writes it.
    """
    folder = RunFolder(path)
    values, named = read_json(folder.config), read_json(folder.run, {})
    if values is None or not folder.dataset.is_dir():
        raise RunError(f"{path} is no folder of a run.", hint="Name the folder that train --out has made.")
    config, info = make_config(values), load_info(folder.dataset)
    outcome = read_json(folder.outcome)
    verdict = Verdict.load(folder.verdict)
    return RunFacts(
        id=named.get("id", path.name),
        name=named.get("name", path.name),
        state="running" if outcome is None else outcome["state"],
        message="" if outcome is None else outcome.get("message", ""),
        dataset=named.get("dataset_name", info.name),
        base=named.get("base_label", "") or _label(config.base_model),
        config=config,
        info=info,
        folder=folder,
        verdict=verdict,
        judged_on=None if verdict is None else judged_on(folder, info, verdict),
        seconds=None if outcome is None else outcome.get("seconds"),
    )


def named_apart(runs: list[RunFacts]) -> list[RunFacts]:
    """The same with names of which no two are alike: runs are told apart by them."""
    seen: dict[str, int] = {}
    told = []
    for run in runs:
        seen[run.name] = seen.get(run.name, 0) + 1
        told.append(run if seen[run.name] == 1 else replace(run, name=f"{run.name} ({seen[run.name]})"))
    return told


def judged_on(folder: RunFolder, info: DatasetInfo, verdict: Verdict) -> JudgedOn:
    """Remembered for runs that were looked at last: hundreds of them are compared in a leaderboard."""
    return _judged.get((str(folder.path), *_stamp(folder.verdict)[2:]), lambda: _judged_on(folder, info, verdict))


def _judged_on(folder: RunFolder, info: DatasetInfo, verdict: Verdict) -> JudgedOn:
    split = read_json(folder.split, {})
    test = folder.test
    parts = [test] if test.is_dir() else [folder.dataset]
    if test.is_dir():
        info = load_info(test)
        if split.get("shared") == "answers":  # then the answers that train are searched too
            parts.append(folder.dataset)
    files = [part / name for part in parts for name in ("data.parquet", "corpus.parquet")]
    return JudgedOn(
        format=info.judged_as,
        metric=verdict.primary,
        data="".join(_digest(path) for path in files if path.is_file()),
        rows=hashlib.sha256(json.dumps(split.get("test") or split.get("heldout", [])).encode()).hexdigest(),
        searched=verdict.corpus_size,
    )


def not_comparable(run: RunFacts, to: RunFacts) -> str:
    """Why a run cannot be ranked with another one that was judged, one sentence; empty: it can."""
    mine, theirs = run.judged_on, to.judged_on
    if mine is None:
        return NOT_JUDGED[run.state]
    if run.primary is None:
        return "Its held-out rows do not say how good a model is."
    if (mine.format, mine.metric) != (theirs.format, theirs.metric):
        return (
            f"It is another task: {FORMAT[mine.format].label.lower()}, judged by {METRIC[mine.metric].label}, "
            f"not {FORMAT[theirs.format].label.lower()} by {METRIC[theirs.metric].label}."
        )
    if mine.data != theirs.data:
        other = "another dataset" if run.dataset != to.dataset else "another version or part of the dataset"
        return f"It was judged on {other} ('{run.dataset}', {run.info.rows:,} rows)."
    if mine.rows != theirs.rows:
        return f"Other rows of the dataset were held out{_because(run.config, to.config)}."
    if mine.searched != theirs.searched:
        return f"Its queries were searched in {mine.searched or 0:,} texts, not in {theirs.searched or 0:,}."
    return ""


def _because(mine: TrainConfig, theirs: TrainConfig) -> str:
    names = {"seed": "seed", "heldout_share": "held-out share"}
    differ = [field for field in names if getattr(mine, field) != getattr(theirs, field)]
    said = [f"{names[field]} {getattr(mine, field):g}, not {getattr(theirs, field):g}" for field in differ]
    return f" ({'; '.join(said)})" if said else ""


def _label(base_model: str) -> str:
    """The base model for people, without asking for its files, which may be gone."""
    return MODEL[base_model].label if base_model in MODEL else Path(base_model).name


def _digest(path: Path) -> str:
    """Names a file's content. Runs of one dataset have its file by a hard link: it is read once for all of them."""
    return _digests.get(_stamp(path), lambda: sha256_of(path))


def _stamp(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
