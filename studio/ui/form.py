"""The form of a training: widgets made from the fields of TrainConfig, and a config made from what people typed.

Labels, help, units and choices are those of studio.training.config and the catalogue; nothing is stated again here.
Bounds are checked when the config is built, so that a wrong value is said beside the button and not in a toast.
"""

from typing import Any

import gradio as gr

from studio.catalog.losses import LOSS, MODIFIER, LossParameter
from studio.catalog.poolings import POOLINGS
from studio.catalog.similarities import SIMILARITIES
from studio.training.config import (
    AUTO,
    FIELD,
    FIELDS,
    GROUPS,
    LOSS_FIELDS,
    MODEL_FIELDS,
    ConfigField,
    TrainConfig,
    make_config,
)
from studio.training.design import ARCHITECTURE_FIELDS, architecture_fields

MAIN = tuple(field.id for field in FIELDS if field.group == "main")
OF_LOSS = tuple(field.id for field in FIELDS if field.group == "loss")
ARCHITECTURE = tuple(field.id for field in FIELDS if field.group == "architecture")
SECTIONS = {
    heading: names
    for group, heading in GROUPS.items()
    if group not in ("main", "loss", "architecture")
    and (names := tuple(field.id for field in FIELDS if field.group == group))
}
"""Heading -> the settings that stand below it, of those that most people leave alone."""
MORE = tuple(name for names in SECTIONS.values() for name in names)
ALL = MAIN + OF_LOSS + ARCHITECTURE + MORE

EMPTY = {"projection": "none", "query_prompt": "the model's own", "document_prompt": "the model's own"}
"""What stands in an optional field that is empty, where it is not ``automatic``."""
VERBATIM = ("query_prompt", "document_prompt")
"""Text in which a space at the end counts."""

CHOICE_LABELS = {
    "lr_scheduler": {
        "linear": "Linear",
        "cosine": "Cosine",
        "cosine_with_restarts": "Cosine, starting again each epoch",
        "polynomial": "Quadratic",
        "inverse_sqrt": "Inverse square root",
        "warmup_stable_decay": "Constant, then falling at the end",
        "constant_with_warmup": "Constant after the warm-up",
    },
    "precision": {"auto": "Automatic", "fp32": "fp32", "bf16": "bf16", "fp16": "fp16"},
    "dataset_turns": {"proportional": "In proportion to their rows", "round_robin": "In turns"},
    "engine": {"fast": "Fast", "stock": "Stock"},
    "tokenizer": {"wordpiece": "Word pieces", "bpe": "Byte pairs (BPE)"},
    "token_layers": {"last": "The last layer's", "weighted": "A learnt mean of all layers'"},
    "projection_activation": {"none": "None", "tanh": "Tanh"},
    "normalize": {"keep": "As the model has it", "on": "On", "off": "Off"},
    "similarity": {similarity.id: similarity.label for similarity in SIMILARITIES},
    "pooling": {pooling.id: pooling.label for pooling in POOLINGS},
    "loss": {loss.id: loss.label for loss in LOSS.values()},
    "modifier": {modifier.id: modifier.label for modifier in MODIFIER.values()},
    "margin_strategy": {"absolute": "As it is", "relative": "As a share of the similarity"},
    "loss_distance": {"cosine": "Cosine", "euclidean": "Euclidean", "manhattan": "Manhattan"},
    "loss_reduction": {"mean": "Averaged", "sum": "Added up"},
    "contrast": {"answers": "Anchors from wrong answers", "all": "All texts of the batch"},
    "hardness_mode": {
        "none": "None",
        "in_batch_negatives": "Those of other rows",
        "hard_negatives": "The row's own",
        "all_negatives": "All",
    },
    "layer_weighting": {"uniform": "All the same", "log": "Later ones a little less", "linear": "Later ones much less"},
}


def widget(field: ConfigField) -> Any:
    """The widget of one field, showing its default."""
    common = {
        "label": f"{field.label} ({field.unit})" if field.unit else field.label,
        "info": field.help,
        "elem_id": f"train-{field.id.replace('_', '-')}",
        "interactive": True,
        "visible": (field.id not in LOSS_FIELDS or field.id in parameters(TrainConfig().loss))
        and field.id not in ARCHITECTURE_FIELDS,
        "min_width": 200,
    }
    if field.choices:
        return gr.Dropdown(_choices(field, None), value=field.default, allow_custom_value=field.is_open, **common)
    if field.id in MODEL_FIELDS:
        return gr.Dropdown([field.default or ""], value=field.default, allow_custom_value=True, **common)
    if field.kind is bool:
        return gr.Checkbox(value=field.default, **common)
    if field.kind is str:
        return gr.Textbox(value=field.default, placeholder=EMPTY.get(field.id, "automatic"), max_lines=1, **common)
    empty = EMPTY.get(field.id, "automatic") if field.optional or field.automatic else None
    return gr.Number(value=field.default, placeholder=empty, step=_step(field), **common)


def parameters(loss: str, modifier: str = "none") -> dict[str, LossParameter]:
    """Settings that the loss, and what is put on top of it, have: field -> parameter."""
    return {p.id: p for p in (*LOSS[loss].parameters, *MODIFIER[modifier].parameters)}


def shown_architecture(values: dict[str, Any]) -> tuple[str, ...]:
    """Those of ARCHITECTURE_FIELDS that change something beside these other settings."""
    projection = values.get("projection")
    return architecture_fields(str(values.get("base_model") or ""), None if projection in (None, "") else projection)


def read(values: dict[str, Any]) -> TrainConfig:
    """The config that the widgets' values say: hidden settings are left out, '' and None mean empty.

    Raises:
        ConfigError: names the field by its label, says what was given and what is allowed.
    """
    given: dict[str, Any] = {}
    loss, modifier = values.get("loss"), values.get("modifier") or "none"
    taken = parameters(loss, modifier) if loss in LOSS and modifier in MODIFIER else LOSS_FIELDS
    built = shown_architecture(values)
    for name, value in values.items():
        field = FIELD[name]
        if (name in LOSS_FIELDS and name not in taken) or (name in ARCHITECTURE_FIELDS and name not in built):
            continue
        if isinstance(value, str) and name not in VERBATIM:
            value = value.strip()
        if value in (None, "") and field.optional:
            continue
        if value in (None, "") and field.automatic:
            value = AUTO
        if field.kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        given[name] = value
    return make_config(given)


def show(config: TrainConfig) -> dict[str, Any]:
    """Updates that make the widgets show ``config``: field -> gr.update."""
    values = {field.id: getattr(config, field.id) for field in FIELDS}
    updates = {
        name: gr.update(value=None if value == AUTO and FIELD[name].automatic else value)
        for name, value in values.items()
    }
    given = {name: getattr(config, name) for name in LOSS_FIELDS}
    built = shown_architecture(config.model_dump())
    for name in ARCHITECTURE_FIELDS:
        updates[name] = gr.update(value=getattr(config, name), visible=name in built)
    return updates | loss_fields(config.loss, config.modifier, given)


def architecture_updates(values: dict[str, Any]) -> list[Any]:
    """Which of ARCHITECTURE_FIELDS are shown, in their order, after another base model or a projection was chosen."""
    built = shown_architecture(values)
    return [gr.update(visible=name in built) for name in ARCHITECTURE_FIELDS]


def loss_fields(loss: str, modifier: str, given: dict[str, Any]) -> dict[str, Any]:
    """Updates of the fields in LOSS_FIELDS for a loss and what is put on top of it.

    ``given``: values to show where the loss takes them; others go.
    """
    taken, updates = parameters(loss, modifier), {}
    for name in LOSS_FIELDS:
        if name not in taken:
            updates[name] = gr.update(visible=False, value=None)
            continue
        parameter, field, value = taken[name], FIELD[name], given.get(name)
        shown: dict[str, Any] = {}
        if field.choices:
            value, shown["choices"] = value or "", _choices(field, parameter)
        elif name in MODEL_FIELDS:
            value = value or parameter.default
        elif parameter.default != "":
            shown["placeholder"] = _words(parameter.default)
        updates[name] = gr.update(visible=True, value=value, **shown)
    return updates


def _choices(field: ConfigField, parameter: LossParameter | None) -> list[tuple[str, str]]:
    """(label, value): those that the loss takes, first the empty one, which is its default."""
    labels = CHOICE_LABELS[field.id]
    known = [c for c in field.choices if parameter is None or not parameter.choices or c in parameter.choices]
    named = [(labels[c], c) for c in known]
    if not field.optional:
        return named
    default = labels[parameter.default] if parameter else "automatic"
    return [(f"Default: {default}", ""), *named]


def _words(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def _step(field: ConfigField) -> float:
    """How far the arrows of a number field go."""
    if field.kind is int:
        return 1
    if not field.default:
        return 0.01
    return 10 ** (len(f"{field.default:.0f}") - 2) if field.default >= 1 else field.default / 10
