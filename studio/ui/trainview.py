"""What the Train tab says in words, as HTML. No Gradio here."""

from typing import TYPE_CHECKING, Any

from studio.catalog.designs import DESIGNS
from studio.catalog.losses import SAMPLER
from studio.catalog.models import MODELS
from studio.data.cut import advised_limit
from studio.training.bases import installed_models
from studio.ui import html
from studio.ui.findings import Examples, finding_list
from studio.ui.lengths import lengths_plot

if TYPE_CHECKING:
    from studio.training.estimate import Estimate
    from studio.training.suggest import LossChoice, ModifierChoice


def base_choices(runs: list[Any], viewer: str = "") -> list[tuple[str, str]]:
    """(label, value) of every base model that can be chosen without typing. ``runs``: the owner's, newest first, and those that
    others share with ``viewer``."""
    here = {record.id for record in installed_models()}
    ready = [(f"{record.label} - on this machine", record.id) for record in MODELS if record.id in here]
    tuned = [
        (f"{run.name} - tuned {f'by {run.owner}' if viewer and run.owner != viewer else 'here'}", f"run:{run.id}")
        for run in runs
        if run.state == "succeeded"
    ]
    others = [
        (f"{record.label} - {record.size_mb:,} MB to download", record.id)
        for record in MODELS
        if record.id not in here and not record.package
    ]
    built = [(f"{design.label} - built here", design.id) for design in DESIGNS]
    return ready + tuned + built + others


def loss_words(
    losses: "tuple[LossChoice, ...]", modifiers: "tuple[ModifierChoice, ...]", chosen: str, modifier: str
) -> str:
    """Why the chosen loss, what to expect of it, and what is put on top of it."""
    choice = next((choice for choice in losses if choice.loss.id == chosen), None)
    if choice is None:
        return ""
    loss = choice.loss
    words = [f"<p>{html.text(choice.reason)}</p>"]
    if loss.expect:
        words.append(f'<p class="fine">{html.text(loss.expect)}</p>')
    on_top = next((m for m in modifiers if m.modifier.id == modifier), None)
    if on_top is not None and modifier != "none":
        words.append(f'<p class="fine">{html.text(on_top.modifier.label)}. {html.text(on_top.reason)}</p>')
    small = [f"Batches: {SAMPLER[loss.sampler].help}", f"Source: {loss.source}."]
    words.append(f'<p class="fine">{html.text(" ".join(small))}</p>')
    return f'<div class="why">{"".join(words)}</div>'


def unfit_words(losses: "tuple[LossChoice, ...]", modifiers: "tuple[ModifierChoice, ...]") -> str:
    """Folded away: what cannot be chosen, each with the reason."""
    unfit = [(c.loss.label, c.reason) for c in losses if not c.fits]
    unfit += [(c.modifier.label, c.reason) for c in modifiers if not c.fits]
    if not unfit:
        return ""
    rows = [[label, _without(reason, label)] for label, reason in unfit]
    summary = f"<summary>Losses that do not fit, and why ({len(unfit)})</summary>"
    return f"<details>{summary}{html.table(['Loss', 'Why not'], rows)}</details>"


def _without(reason: str, label: str) -> str:
    """The reason, which stands beside the label already."""
    rest = reason.removeprefix(label.partition(":")[0]).lstrip()
    return rest[:1].upper() + rest[1:]


def estimate_words(found: "Estimate", examples: Examples | None = None, timing: bool = False) -> str:
    """Steps, time, memory, what is doubtful, and text lengths. ``timing``: steps are being timed, see static/timing.js."""
    memory = "unknown" if found.memory_mb is None else _size(found.memory_mb)
    seconds = html.duration(found.seconds)
    facts = html.tiles(
        ("Steps", f"{found.steps:,}", "How often the model is moved: rows times epochs, divided by the batch size."),
        (
            "Time",
            seconds if found.seconds is None else f"about {seconds}",
            "For the whole run, with the judging at its end.",
        ),
        ("Memory", memory if found.memory_mb is None else f"about {memory}", "At the most, while training."),
        (
            "Training rows",
            f"{found.train_rows:,}",
            "Rows that train. The held-out rows are kept out, to judge the result on.",
        ),
    )
    held = "judge the result" if found.own_test else "are held out to judge the result"
    words = f"{found.heldout_rows:,} rows {held}. {found.note}".strip()
    if timing:
        words += " A few steps are being timed in the background to tell it better."
    doubts = finding_list(found.findings, examples) if found.findings else ""
    return f'{facts}<p class="fine"{" data-timing" * timing}>{html.text(words)}</p>{doubts}{_lengths(found)}'


def _lengths(found: "Estimate") -> str:
    """The histogram of this model's tokens, and a button where another limit is clearly better."""
    if found.lengths is None:
        return ""
    limit = advised_limit(found.lengths)
    button = (
        f'<button type="button" class="fix" data-set="train-max-seq-length" data-value="{limit}">Use {limit:,} tokens</button>'
        if limit is not None
        else ""
    )
    return f'<details class="lengths-fold"><summary>Text lengths</summary>{lengths_plot(found.lengths, found.train_rows, 150)}</details>{button}'


def _size(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 950 else f"{round(megabytes, -1):.0f} MB"
