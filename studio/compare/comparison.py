"""Several runs side by side, as plain data: settings that differ, who is comparable, who is best and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studio.catalog.metrics import METRIC
from studio.compare.facts import JudgedOn, RunFacts, named_apart, not_comparable
from studio.compare.paired import Difference, differences
from studio.errors import RunError
from studio.training.config import FIELDS
from studio.training.words import setting_in_words

MOST_RUNS = 50
MANY = 5
"""From so many runs on, the best one is partly best by luck, and that is said."""


@dataclass(frozen=True)
class Standing:
    """One line of a ranking: a run's tuned model, or a base model."""

    place: int
    run: str | None
    """Id; None: a base model."""
    name: str
    value: float
    """Of the primary metric."""
    change: float | None
    """To its own base model, with a 95 % interval; None for a base model."""
    low: float | None
    high: float | None
    difference: float
    """To the model that the others are measured against."""
    interval: Difference | None
    """Of that difference; None: not recorded row by row, or not the same rows."""

    @property
    def told_apart(self) -> bool | None:
        """Whether the difference is more than chance; None: not known."""
        return None if self.interval is None else self.interval.low > 0 or self.interval.high < 0


@dataclass(frozen=True)
class Group:
    """Runs that did the same task on the same held-out rows."""

    metric: str
    metrics: tuple[str, ...]
    """All that they were judged by, the primary one first."""
    heldout_rows: int
    searched: int | None
    dataset: str
    """Name of the dataset that the rows were held out of, or of a person's own test data."""
    against: str
    """Name of the model that ``difference`` is to."""
    standings: tuple[Standing, ...]
    runs: tuple[str, ...]
    """Ids, best first."""


@dataclass(frozen=True)
class Comparison:
    runs: tuple[RunFacts, ...]
    settings: tuple[tuple[str, tuple[str, ...]], ...]
    """(label, value of each run) of the settings that differ; a run that has no such setting says so by an empty text."""
    alike: int
    """Settings that do not differ."""
    groups: tuple[Group, ...]
    """Most runs first."""
    left: dict[str, str]
    """Id of a run that stands in no group with others -> why."""
    sentences: tuple[str, ...]
    """What it comes to, in plain words."""

    def plain(self) -> dict[str, Any]:
        """The same as JSON can hold, for the page and for scripts."""
        return {
            "sentences": list(self.sentences),
            "runs": [_plain(run) for run in self.runs],
            "settings": [{"label": label, "values": list(values)} for label, values in self.settings],
            "settings_alike": self.alike,
            "groups": [group_as_plain(group) for group in self.groups],
            "left": self.left,
            "metrics": metrics_of(self.groups),
        }


def compare(runs: Sequence[RunFacts], against: str = "") -> Comparison:
    """Compare runs.

    Args:
        against: Id of the run that the others are measured against; empty, or one that is not there: the best one.

    Raises:
        RunError: fewer than two, or more than MOST_RUNS.
    """
    if len(runs) < 2:
        raise RunError("There is nothing to compare.", hint="Choose two runs or more.")
    if len(runs) > MOST_RUNS:
        raise RunError(f"{len(runs)} runs are too many to compare.", hint=f"Choose at most {MOST_RUNS}.")
    runs = named_apart(list(runs))
    settings, alike = differing(runs)
    found = grouped(runs)
    groups = tuple(rank(group, against) for group in found)
    return Comparison(tuple(runs), settings, alike, groups, left_out(runs, found), sentences(runs, groups))


def grouped(runs: Sequence[RunFacts]) -> list[list[RunFacts]]:
    """Runs that are comparable with each other, the largest group first, of equals the one with the newest run."""
    found: dict[JudgedOn, list[RunFacts]] = {}
    for run in runs:
        if run.judged_on is not None and run.primary is not None:
            found.setdefault(run.judged_on, []).append(run)
    return sorted(found.values(), key=len, reverse=True)


def left_out(runs: Sequence[RunFacts], groups: Sequence[Sequence[RunFacts]]) -> dict[str, str]:
    """Id -> why a run is not ranked with those of the first group."""
    if not groups:
        return {run.id: not_comparable(run, run) for run in runs}
    first = groups[0][0]
    reasons = {run.id: not_comparable(run, first) for run in runs}
    return {id: reason for id, reason in reasons.items() if reason}


def differing(runs: Sequence[RunFacts]) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], int]:
    """Settings (and the dataset) that are not the same in all runs, and how many are."""
    table = [("Dataset", tuple(f"{run.dataset} ({run.info.rows:,} rows)" for run in runs))]
    for field in FIELDS:
        said = tuple(setting_in_words(field, run.config, run.base) for run in runs)
        table.append((field.label, tuple("" if words is None else words for words in said)))
    differ = tuple((label, values) for label, values in table if len(set(values)) > 1)
    return differ, len(table) - len(differ)


def rank(runs: Sequence[RunFacts], against: str = "", paired: bool = True) -> Group:
    """Runs of one group, best first, with their base models among them.

    ``paired``: compute intervals of the differences between runs, which takes some tenths of a second.
    """
    metric = runs[0].judged_on.metric
    models = [(run.primary.tuned, run, "tuned") for run in runs]
    bases: dict[tuple[str, float], RunFacts] = {}
    for run in runs:
        bases.setdefault((run.base, round(run.primary.base, 4)), run)
    models += [(run.primary.base, run, "base") for run in bases.values()]
    models.sort(key=lambda model: model[0], reverse=True)
    first = next((m for m in models if m[1].id == against and m[2] == "tuned"), models[0])
    at = models.index(first)
    others = [model for model in models if model is not first]
    found: list[Difference | None] = [None] * len(others)
    if paired:
        found = differences(_evidence(first), [_evidence(model) for model in others], metric)
        found = [_known(first, model) or one for model, one in zip(others, found, strict=True)]
    found.insert(at, None)
    standings = tuple(
        Standing(
            place,
            run.id if model == "tuned" else None,
            run.name if model == "tuned" else f"Base model: {run.base}",
            value,
            *((value - run.primary.base, run.primary.low, run.primary.high) if model == "tuned" else (None,) * 3),
            value - first[0],
            difference,
        )
        for place, ((value, run, model), difference) in enumerate(zip(models, found, strict=True), 1)
    )
    return Group(
        metric,
        tuple(m.id for m in runs[0].verdict.metrics),
        runs[0].verdict.heldout_rows,
        runs[0].judged_on.searched,
        runs[0].verdict.judged_on or runs[0].dataset,
        standings[at].name,
        standings,
        tuple(one.run for one in standings if one.run is not None),
    )


def _evidence(model: tuple[float, RunFacts, str]) -> tuple[Any, str]:
    return model[1].folder.evidence, model[2]


def _known(first: tuple[float, RunFacts, str], other: tuple[float, RunFacts, str]) -> Difference | None:
    """The verdict's own interval, where a run is compared with the very base model that it started from."""
    (_, run, model), (_, other_run, other_model) = first, other
    same_base = (run.base, round(run.primary.base, 4)) == (other_run.base, round(other_run.primary.base, 4))
    if model == other_model or not same_base:
        return None
    tuned = run.primary if model == "tuned" else other_run.primary
    return Difference(-tuned.high, -tuned.low) if model == "tuned" else Difference(tuned.low, tuned.high)


def sentences(runs: Sequence[RunFacts], groups: Sequence[Group]) -> tuple[str, ...]:
    """The outcome in plain words, most important first."""
    if not groups:
        return ("None of these runs was judged, so there is nothing to rank.",)
    group = groups[0]
    said = []
    if len(group.runs) < 2:
        said.append(
            "No two of these runs did the same task on the same rows: they cannot be ranked against each other."
        )
        return tuple(said)
    first, label = group.standings[0], METRIC[group.metric].label
    if first.run is None:
        said.append(f"The base model stands first ({label} {first.value:.3f}): none of these runs is better.")
    else:
        said.append(_best(group, label))
    if len(group.runs) >= MANY:
        said.append("The best of many runs is partly best by luck: expect a little less of it on other texts.")
    if len(group.runs) < len(runs):
        others = len(runs) - len(group.runs)
        said.append(
            f"{others} {'run is' if others == 1 else 'runs are'} not ranked with these; the reasons stand below."
        )
    return tuple(said)


def _best(group: Group, label: str) -> str:
    """Whether the first run can be told from the next one."""
    tuned = [one for one in group.standings if one.run is not None]
    first, second = tuned[:2]
    leads = f"'{first.name}' stands first: {label} {first.value:.3f}"
    if group.against != first.name or second.interval is None:
        return f"{leads}, then '{second.name}' with {second.value:.3f}."
    between = f"between {-second.interval.high:+.3f} and {-second.interval.low:+.3f}"
    if second.told_apart:
        return f"{leads}, {-second.difference:+.3f} before '{second.name}' ({between})."
    return f"{leads}, but it cannot be told from '{second.name}' ({second.value:.3f}; the difference lies {between})."


def _plain(run: RunFacts) -> dict[str, Any]:
    verdict = run.verdict
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "dataset": run.dataset,
        "base": run.base,
        "tags": list(run.tags),
        "seconds": run.seconds,
        "outcome": None if verdict is None else verdict.outcome,
        "sentence": run.message if verdict is None else verdict.sentence,
        "general": None if verdict is None or verdict.general is None else _finite(asdict(verdict.general)),
        "metrics": [] if verdict is None else [_finite(asdict(metric)) for metric in verdict.metrics],
    }


def metrics_of(groups: Sequence[Group]) -> dict[str, dict[str, str]]:
    """Label and help of every metric that the groups have."""
    ids = dict.fromkeys(id for group in groups for id in group.metrics if id in METRIC)
    return {id: {"label": METRIC[id].label, "help": METRIC[id].help} for id in ids}


def group_as_plain(group: Group) -> dict[str, Any]:
    return {
        **{name: getattr(group, name) for name in ("metric", "heldout_rows", "searched", "dataset", "against")},
        "metrics": list(group.metrics),
        "standings": [_finite({**asdict(one), "told_apart": one.told_apart}) for one in group.standings],
        "runs": list(group.runs),
    }


def _finite(value: Any) -> Any:
    """Bounds that are not known (infinite) as None: JSON has no infinity."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
