"""Settings in people's words. No torch."""

from typing import Any

from studio.catalog.losses import LOSS, MODIFIER
from studio.catalog.poolings import POOLING
from studio.training.config import AUTO, FIELDS, LOSS_FIELDS, ConfigField, TrainConfig
from studio.training.design import ARCHITECTURE_FIELDS, architecture_fields


def settings_in_words(config: TrainConfig, base_label: str) -> list[list[str]]:
    """(label, value with unit) of each setting that this config has."""
    said = ((field, setting_in_words(field, config, base_label)) for field in FIELDS)
    return [[field.label, words] for field, words in said if words is not None]


def setting_in_words(field: ConfigField, config: TrainConfig, base_label: str) -> str | None:
    """A setting's value with its unit; None: this config has no such setting."""
    value = getattr(config, field.id)
    if field.id in ARCHITECTURE_FIELDS and field.id not in architecture_fields(config.base_model, config.projection):
        return None
    if field.id in LOSS_FIELDS:
        if field.id not in config.loss_parameters:
            return None
        value = None if config.of_loss(field.id) == "" else config.of_loss(field.id)
    if value is None:
        return "automatic" if field.id in LOSS_FIELDS else "not set"
    named = {
        "base_model": lambda v: base_label,
        "pooling": lambda v: POOLING[v].label if v in POOLING else v,
        "loss": lambda v: LOSS[v].label,
        "modifier": lambda v: MODIFIER[v].label,
    }
    shown = named.get(field.id, in_words)(value)
    return shown if value == AUTO else f"{shown} {field.unit}".strip()


def in_words(value: Any) -> str:
    """A setting's value for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value == AUTO:
        return "automatic"
    return f"{value:g}" if isinstance(value, float) else str(value)
