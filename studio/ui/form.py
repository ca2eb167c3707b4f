"""The form of a training: widgets made from the fields of TrainConfig, and a config made from what people typed.

Labels, help, units and choices are those of studio.training.config and the catalogue; nothing is stated again here.
Bounds are checked when the config is built, so that a wrong value is said beside the button and not in a toast.
"""

from typing import Any

import gradio as gr

from studio.catalog.losses import LOSS
from studio.catalog.poolings import POOLINGS
from studio.training.config import FIELD, FIELDS, ConfigField, TrainConfig, make_config

MAIN = tuple(field.id for field in FIELDS if field.group == "main")
MORE = tuple(field.id for field in FIELDS if field.group == "more")
ALL = MAIN + MORE
LOSS_FIELDS = frozenset(parameter.id for loss in LOSS.values() for parameter in loss.parameters)
"""Fields that only some losses take; hidden for the others."""

CHOICE_LABELS = {
    "lr_scheduler": {"linear": "Linear", "cosine": "Cosine", "constant_with_warmup": "Constant after the warm-up"},
    "precision": {"auto": "Automatic", "fp32": "fp32", "bf16": "bf16", "fp16": "fp16"},
    "engine": {"fast": "Fast", "stock": "Stock"},
    "pooling": {pooling.id: pooling.label for pooling in POOLINGS},
    "loss": {loss.id: loss.label for loss in LOSS.values()},
}


def widget(field: ConfigField) -> Any:
    """The widget of one field, showing its default."""
    common = {
        "label": f"{field.label} ({field.unit})" if field.unit else field.label,
        "info": field.help,
        "elem_id": f"train-{field.id.replace('_', '-')}",
        "interactive": True,
        "visible": field.id not in LOSS_FIELDS or takes(TrainConfig().loss, field.id),
        "min_width": 200,
    }
    if field.choices:
        return gr.Dropdown([(CHOICE_LABELS[field.id][c], c) for c in field.choices], value=field.default, **common)
    if field.kind is str:
        return gr.Dropdown([field.default], value=field.default, allow_custom_value=True, **common)
    empty = "automatic" if field.optional else None
    return gr.Number(value=field.default, placeholder=empty, step=_step(field), **common)


def takes(loss: str, field_id: str) -> bool:
    """Whether the loss has the setting ``field_id``."""
    return field_id in {parameter.id for parameter in LOSS[loss].parameters}


def read(values: dict[str, Any]) -> TrainConfig:
    """The config that the widgets' values say: hidden settings are left out, '' and None mean empty.

    Raises:
        ConfigError: names the field by its label, says what was given and what is allowed.
    """
    given: dict[str, Any] = {}
    loss = values.get("loss")
    for name, value in values.items():
        field = FIELD[name]
        if name in LOSS_FIELDS and loss in LOSS and not takes(loss, name):
            continue
        if isinstance(value, str):
            value = value.strip()
        if value in (None, "") and field.optional:
            continue
        if field.kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        given[name] = value
    return make_config(given)


def show(config: TrainConfig) -> dict[str, Any]:
    """Updates that make the widgets show ``config``: field -> gr.update."""
    updates = {}
    for field in FIELDS:
        update: dict[str, Any] = {"value": getattr(config, field.id)}
        if field.id in LOSS_FIELDS:
            fits = takes(config.loss, field.id)
            update = {"value": update["value"] if fits else None, "visible": fits, **_default_of(config.loss, field.id)}
        updates[field.id] = gr.update(**update)
    return updates


def loss_fields(loss: str) -> list[Any]:
    """Updates of the fields in LOSS_FIELDS, in the order of FIELDS, after another loss was chosen."""
    return [
        gr.update(visible=takes(loss, field.id), value=None, **_default_of(loss, field.id))
        for field in FIELDS
        if field.id in LOSS_FIELDS
    ]


def _default_of(loss: str, field_id: str) -> dict[str, str]:
    """What stands in an empty field: the loss's own default."""
    found = [p.default for p in LOSS[loss].parameters if p.id == field_id]
    return {"placeholder": f"{found[0]:g}"} if found else {}


def _step(field: ConfigField) -> float:
    """How far the arrows of a number field go."""
    if field.kind is int:
        return 1
    if not field.default:
        return 0.01
    return 10 ** (len(f"{field.default:.0f}") - 2) if field.default >= 1 else field.default / 10
