"""Records as the plain JSON that static/runs.js reads. Labels and help come from the catalogue: stated once."""

from typing import Any

from studio.catalog.formats import FORMAT
from studio.catalog.losses import LOSS, MODIFIER
from studio.catalog.metrics import METRIC
from studio.catalog.poolings import POOLING
from studio.evaluation.result import Verdict
from studio.training.config import AUTO, FIELDS, LOSS_FIELDS, TrainConfig
from studio.training.design import ARCHITECTURE_FIELDS, architecture_fields
from studio.training.folder import RunFolder

STATES = {
    "queued": "Queued",
    "running": "Running",
    "stopping": "Stopping",
    "succeeded": "Done",
    "failed": "Failed",
    "cancelled": "Stopped",
}
ENDED = ("succeeded", "failed", "cancelled")
OUTCOMES = {"better": "Better", "worse": "Worse", "no_difference": "No clear difference"}


def run_row(record: Any) -> dict[str, Any]:
    """What the list of runs shows of a RunRecord."""
    return {
        "id": record.id,
        "name": record.name,
        "owner": record.owner,
        "dataset": record.dataset_name,
        "base": record.base_label,
        "state": record.state,
        "label": STATES[record.state],
        "phase": record.phase,
        "step": record.step or 0,
        "steps": record.steps or 0,
        "eta_s": record.eta_s,
        "position": record.position,
        "created": record.created.isoformat() if record.created else None,
        "started": record.started.isoformat() if record.started else None,
        "ended": record.ended.isoformat() if record.ended else None,
    }


def run_detail(record: Any, verdict: Verdict | None) -> dict[str, Any]:
    """Everything about one run that does not change every second."""
    config = record.config
    return {
        **run_row(record),
        "loss": LOSS[config.loss].label,
        "message": record.message,
        "hint": record.hint,
        "attempt": record.attempt,
        "resumable": record.resumable,
        "config": config.model_dump(),
        "settings": settings_in_words(config, record.base_label),
        "verdict": None if verdict is None else verdict_words(verdict),
        "downloadable": record.state == "succeeded",
        "has_script": record.state == "succeeded" and (RunFolder(record.folder).script / "script.py").is_file(),
        "has_evidence": (RunFolder(record.folder).evidence / "meta.json").is_file(),
        "metrics": {m.id: {"label": m.label, "help": m.help} for m in METRIC.values()},
    }


def settings_in_words(config: TrainConfig, base_label: str) -> list[list[str]]:
    """(label, value with unit) of each setting that this config has."""
    words = []
    for field in FIELDS:
        value = getattr(config, field.id)
        if field.id in ARCHITECTURE_FIELDS and field.id not in architecture_fields(
            config.base_model, config.projection
        ):
            continue
        if field.id in LOSS_FIELDS:
            if field.id not in config.loss_parameters:
                continue
            value = None if config.of_loss(field.id) == "" else config.of_loss(field.id)
        shown = (
            {
                "base_model": lambda v: base_label,
                "pooling": lambda v: POOLING[v].label if v in POOLING else v,
                "loss": lambda v: LOSS[v].label,
                "modifier": lambda v: MODIFIER[v].label,
            }.get(field.id, in_words)(value)
            if value is not None
            else "automatic"
            if field.id in LOSS_FIELDS
            else "not set"
        )
        plain = value is None or value == AUTO
        words.append([field.label, shown if plain else f"{shown} {field.unit}".strip()])
    return words


def in_words(value: Any) -> str:
    """A setting's value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value == AUTO:
        return "automatic"
    return f"{value:g}" if isinstance(value, float) else str(value)


def verdict_words(verdict: Verdict) -> dict[str, Any]:
    """A verdict with its labels and help."""
    keyword = {} if verdict.keyword is None else {m.id: m.base for m in verdict.keyword.metrics}
    return {
        "outcome": verdict.outcome,
        "label": OUTCOMES[verdict.outcome],
        "primary": verdict.primary,
        "sentence": verdict.sentence,
        "advice": list(verdict.advice),
        "heldout_rows": verdict.heldout_rows,
        "corpus_size": verdict.corpus_size,
        "split_note": verdict.split_note,
        "note": verdict.note,
        "others": [
            {
                "name": one.name,
                "label": METRIC[one.metric.id].label,
                "base": one.metric.base,
                "tuned": one.metric.tuned,
                "low": one.metric.low,
                "high": one.metric.high,
                "rows": one.heldout_rows,
            }
            for one in verdict.others
        ],
        "keyword": None if verdict.keyword is None else verdict.keyword.sentence,
        "now_right": list(verdict.now_right),
        "now_wrong": list(verdict.now_wrong),
        "metrics": [
            {
                "label": METRIC[m.id].label if m.id in METRIC else m.id,
                "help": METRIC[m.id].help if m.id in METRIC else "",
                "base": m.base,
                "tuned": m.tuned,
                "low": m.low,
                "high": m.high,
                "primary": m.id == verdict.primary,
                "keyword": keyword.get(m.id),
            }
            for m in verdict.metrics
        ],
    }


def format_label(format_id: str) -> str:
    return FORMAT[format_id].label if format_id in FORMAT else format_id
