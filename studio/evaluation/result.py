"""What a verdict says, as plain data. No torch: the page reads it too."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.files import read_json, write_json


@dataclass(frozen=True)
class MetricResult:
    """One metric of base and tuned model on the same held-out rows; ``low``..``high``: 95 % interval of tuned - base."""

    id: str
    base: float
    tuned: float
    low: float
    high: float


@dataclass(frozen=True)
class LengthResult:
    """The primary metric of the tuned model with the first ``dimension`` numbers of its vectors."""

    dimension: int
    value: float


@dataclass(frozen=True)
class OtherResult:
    """The primary metric on the held-out rows of a further dataset that trained along."""

    name: str
    metric: MetricResult
    heldout_rows: int


@dataclass(frozen=True)
class KeywordResult:
    """Keyword search (BM25) on the same held-out rows, against the tuned model."""

    sentence: str
    """In plain words."""
    metrics: tuple[MetricResult, ...]
    """Keyword search in the place of the base model: ``low``..``high`` is of tuned - keyword search."""


@dataclass(frozen=True)
class GeneralPart:
    """One kind of question of the check of general ability."""

    label: str
    help: str
    questions: int
    base: float
    tuned: float


@dataclass(frozen=True)
class General:
    """Base and tuned model on questions that have nothing to do with the data: what was forgotten. nDCG@10."""

    base: float | None
    """None, as all figures: the base model knows none of it."""
    tuned: float | None
    low: float | None
    """``low``..``high``: 95 % interval of tuned - base."""
    high: float | None
    questions: int
    parts: tuple[GeneralPart, ...]
    """Of the kinds that the base model knows something of."""
    sentence: str
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Base against tuned on rows that no training saw."""

    outcome: str
    """``better``, ``worse`` or ``no_difference``, by the interval of the primary metric."""
    sentence: str
    """The honest one, in plain words."""
    advice: tuple[str, ...]
    """What to try next; one sentence each."""
    primary: str
    """Id of the metric that the outcome is about."""
    metrics: tuple[MetricResult, ...]
    """The primary one first."""
    heldout_rows: int
    """Rows (queries, pairs, triplets) that were judged."""
    corpus_size: int | None
    """Texts that each query was searched in; None where nothing is searched."""
    split_note: str
    """How held-out rows were kept apart, one sentence."""
    now_right: tuple[str, ...] = ()
    """Some held-out queries whose first hit is right with the tuned model and was wrong with the base."""
    now_wrong: tuple[str, ...] = ()
    """Some for which it is the other way round."""
    note: str = ""
    """What must be known of how it was judged, where the rows themselves do not say what is right."""
    others: tuple[OtherResult, ...] = ()
    """Further datasets that trained along."""
    keyword: KeywordResult | None = None
    """None where nothing is searched, too many texts are, or an earlier version judged."""
    judged_on: str = ""
    """Name of the test data that the person brought; empty: rows held out of the dataset."""
    general: General | None = None
    """What was forgotten; None: not looked at."""
    lengths: tuple[LengthResult, ...] = ()
    """Of a model that was trained to be cut (Matryoshka): each length that it was trained for, the longest first."""

    def save(self, path: Path) -> None:
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> "Verdict | None":
        value: dict[str, Any] | None = read_json(path)
        if value is None:
            return None
        metrics = tuple(MetricResult(**m) for m in value.pop("metrics"))
        others = [{**one, "metric": MetricResult(**one["metric"])} for one in value.pop("others", ())]
        value["others"] = tuple(OtherResult(**one) for one in others)
        keyword = value.pop("keyword", None)
        if keyword is not None:
            found = tuple(MetricResult(**m) for m in keyword["metrics"])
            value["keyword"] = KeywordResult(keyword["sentence"], found)
        if general := value.get("general"):
            parts = tuple(GeneralPart(**one) for one in general["parts"])
            value["general"] = General(**{**general, "parts": parts, "advice": tuple(general["advice"])})
        value["lengths"] = tuple(LengthResult(**one) for one in value.pop("lengths", ()))
        lists = {name: tuple(value[name]) for name in ("advice", "now_right", "now_wrong")}
        return cls(**{**value, **lists, "metrics": metrics})
