"""Writes docs/losses.md from the catalogue: python scripts/loss_table.py"""

from pathlib import Path

from studio.catalog.formats import FORMAT, FORMATS
from studio.catalog.losses import FEEDINGS, LOSSES, MODIFIERS, NEED, SAMPLER, SAMPLERS, Loss, LossParameter
from studio.training.config import FIELD
from studio.training.fit import modifier_misfit
from studio.training.suggest import SUGGESTED_LOSS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "losses.md"
INTRODUCTION = """\
# Losses

A loss is what training tries to make small. Which ones can be chosen follows from the rows: the page offers only those
that fit, and says of the others why not; the command line refuses them with the same words. This page is made from the
catalogue (`studio/catalog/losses.py`) by `python scripts/loss_table.py`. Every combination of rows, loss and what is put
on top of it that is allowed here is trained by a test, and every one that is not is seen to fail in the library.
"""


def page() -> str:
    parts = [
        INTRODUCTION,
        "## By rows\n",
        _table(("Rows", "Losses, the suggested one first"), [_of_format(f.id, f.label) for f in FORMATS]),
        "## All losses\n",
        _table(
            ("Loss", "Rows", "Batches", "When"),
            [
                (
                    f"**{loss.label}** `{loss.id}`",
                    ", ".join(FORMAT[f].label.lower() for f in loss.formats) + _negatives(loss),
                    SAMPLER[loss.sampler].label.lower(),
                    loss.why,
                )
                for loss in LOSSES
            ],
        ),
        "How batches are made:\n",
        "\n".join(f"- **{sampler.label}** (`{sampler.id}`): {sampler.help}" for sampler in SAMPLERS) + "\n",
        "What a loss is given:\n",
        _table(
            ("Inputs", "Labels", "How", "Losses"),
            [
                (f.inputs, f.labels, f.help, "; ".join(loss.label for loss in LOSSES if loss.feeding == f.id))
                for f in FEEDINGS
            ],
        ),
        "## What to expect, what they need and where they come from\n",
        _table(
            ("Loss", "Base model", "Smallest batch", "Evaluator of the library", "What to expect", "Source"),
            [
                (
                    loss.label,
                    ", ".join(NEED[need].label for need in loss.needs) or "any",
                    str(loss.min_batch_size) + (f", better {loss.good_batch_size}" if loss.good_batch_size else ""),
                    f"`{loss.evaluator}`",
                    loss.expect,
                    loss.source,
                )
                for loss in LOSSES
            ],
        ),
        "## Settings\n",
        _table(
            ("Loss", "Settings (field of the config, default, bounds)"),
            [
                (record.label, "; ".join(map(_setting, record.parameters)) or "none")
                for record in (*LOSSES, *MODIFIERS[1:])
            ],
        ),
        "## On top of a loss\n",
        _table(("What", "Why", "Source"), [(f"**{m.label}** `{m.id}`", m.why, m.source) for m in MODIFIERS[1:]]),
        "Where it does not go:\n",
        "\n".join(
            f"- {reason}" for loss in LOSSES for modifier in MODIFIERS if (reason := modifier_misfit(modifier, loss))
        )
        + "\n",
    ]
    return "\n".join(parts)


def _of_format(format: str, label: str) -> tuple[str, str]:
    suggested = SUGGESTED_LOSS[format]
    losses = sorted((loss for loss in LOSSES if format in loss.formats), key=lambda loss: loss.id != suggested)
    return label, "; ".join(loss.label for loss in losses)


def _negatives(loss: Loss) -> str:
    return " with one negative" if loss.max_negatives == 1 else ""


def _setting(parameter: LossParameter) -> str:
    field = FIELD[parameter.id]
    if field.choices:
        allowed = " or ".join(parameter.choices or field.choices)
    elif field.minimum is not None:
        low = field.minimum if parameter.minimum is None else parameter.minimum
        high = field.maximum if parameter.maximum is None else parameter.maximum
        allowed = f"{low:g} to {high:g}"
    else:
        allowed = ""
    default = parameter.default if isinstance(parameter.default, str) else f"{parameter.default:g}"
    return f"{field.label} (`{parameter.id}`): {default or 'automatic'}{', ' if allowed else ''}{allowed}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
