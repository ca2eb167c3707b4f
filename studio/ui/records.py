"""Records as the plain JSON that static/runs.js reads. Labels and help come from the catalogue: stated once."""

from dataclasses import asdict
from typing import Any

from studio.catalog.formats import FORMAT
from studio.catalog.losses import LOSS
from studio.catalog.metrics import METRIC
from studio.evaluation.result import Verdict
from studio.training.folder import RunFolder
from studio.training.words import settings_in_words

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


def run_row(record: Any, viewer: str) -> dict[str, Any]:
    """What the list of runs shows of a RunRecord. ``viewer``: who looks; only the owner may change it."""
    return {
        "id": record.id,
        "name": record.name,
        "owner": record.owner,
        "mine": record.owner == viewer,
        "dataset": record.dataset_name,
        "dataset_id": record.dataset_id,
        "base": record.base_label,
        "tags": list(record.tags),
        "noted": record.notes[:140] if record.owner == viewer else "",
        "state": record.state,
        "label": STATES[record.state],
        "phase": record.phase,
        "step": record.step or 0,
        "steps": record.steps or 0,
        "eta_s": record.eta_s,
        "position": record.position,
        "starts_in_s": record.starts_in_s,
        "message": record.message,
        "created": record.created.isoformat() if record.created else None,
        "started": record.started.isoformat() if record.started else None,
        "ended": record.ended.isoformat() if record.ended else None,
    }


HELD_OUT = {
    "title": "Held-out rows",
    "name": "held-out",
    "help": "How the model does, while it trains, on rows that it never trains on; the same rows judge it in the end.",
}
VALIDATION = {
    "title": "Validation rows",
    "name": "validation",
    "help": "How the model does, while it trains, on rows of their own: they choose when to stop and what to keep, and neither "
    "train nor judge. The verdict comes from the held-out rows.",
}
"""What the checks during training look at."""


def run_detail(record: Any, verdict: Verdict | None, viewer: str) -> dict[str, Any]:
    """Everything about one run that does not change every second."""
    config = record.config
    return {
        **run_row(record, viewer),
        "notes": record.notes if record.owner == viewer else "",
        "loss": LOSS[config.loss].label,
        "hint": record.hint,
        "attempt": record.attempt,
        "resumable": record.resumable and record.owner == viewer,
        "config": config.model_dump(),
        "settings": settings_in_words(config, record.base_label),
        "verdict": None if verdict is None else verdict_words(verdict),
        "downloadable": record.state == "succeeded",
        "has_evidence": (RunFolder(record.folder).evidence / "meta.json").is_file(),
        "has_script": record.owner == viewer
        and record.state == "succeeded"
        and (RunFolder(record.folder).script / "script.py").is_file(),
        "looks": VALIDATION if config.chooses else HELD_OUT,
        "metrics": {m.id: {"label": m.label, "help": m.help} for m in METRIC.values()},
    }


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
        "general": None if verdict.general is None else asdict(verdict.general),
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
