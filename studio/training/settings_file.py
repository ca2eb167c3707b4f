"""A config as a file that people read and edit: YAML with a line of help above each setting. JSON is read too. No torch."""

import difflib
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from studio.catalog.losses import LOSS, LOSS_NAMES
from studio.errors import ConfigError
from studio.training.config import FIELD, FIELDS, GROUPS, TrainConfig, words_of

MOST_BYTES = 100_000


def to_yaml(config: TrainConfig, title: str = "") -> str:
    """The config as YAML, grouped as the form is. ``title``: what it is of."""
    lines = [f"# Settings of {' '.join(title.split())}." if title else "# Settings of a training."]
    lines.append("# Sentence Studio: train with  sentence-studio train --config FILE --data TABLE --out FOLDER")
    takes = {parameter.id for parameter in LOSS[config.loss].parameters}
    loss_fields = {parameter.id for loss in LOSS.values() for parameter in loss.parameters}
    for group, heading in GROUPS.items():
        fields = [f for f in FIELDS if f.group == group and (f.id not in loss_fields or f.id in takes)]
        if not fields:
            continue
        lines += ["", f"# --- {heading or 'Model and training'} ---"]
        for field in fields:
            unit = f" ({field.unit})" if field.unit else ""
            lines.append(f"# {field.label}{unit}: {field.help}")
            lines.append(
                yaml.safe_dump({field.id: getattr(config, field.id)}, allow_unicode=True, width=10_000).rstrip()
            )
    return "\n".join(lines) + "\n"


def read_settings(text: str, name: str) -> dict[str, Any]:
    """The settings in a YAML or JSON text, each as good as its field asks; whether they go together is not looked at.

    ``name``: of the file, for messages.

    Raises:
        ConfigError: it is neither, or holds something else than settings; names the line and the setting.
    """
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{name} is too large for a file of settings.")
    text = re.sub(r"^\t+", lambda tabs: "  " * len(tabs[0]), text, flags=re.MULTILINE)  # YAML knows no tabs, JSON does
    try:
        value, tree = yaml.safe_load(text), yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"{name} cannot be read{where}: it is neither YAML nor JSON.", hint="A line is like 'epochs: 2'."
        ) from None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ConfigError(
            f"{name} holds no settings.", hint="It must be lines such as 'epochs: 2', or one JSON object."
        )
    lines: dict[str, int] = {}
    for key, _ in tree.value:
        line = key.start_mark.line + 1
        if key.value in lines:
            raise ConfigError(
                f"{name}, line {line}: '{key.value}' stands in line {lines[key.value]} already.",
                hint="Keep one of them.",
            )
        lines[key.value] = line
        if key.value not in FIELD:
            near = difflib.get_close_matches(key.value, FIELD, 1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Settings are: {', '.join(FIELD)}."
            raise ConfigError(f"{name}, line {line}: there is no setting '{key.value}'.", hint=hint)
    if isinstance(loss := value.get("loss"), str):
        value["loss"] = LOSS_NAMES.get(loss.lower(), loss)
    try:
        TrainConfig(**value)
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"]:
            field = str(first["loc"][0])
            raise ConfigError(f"{name}, line {lines[field]}: {words_of(first, TrainConfig)}") from None
    return value


def read_settings_file(path: Path) -> dict[str, Any]:
    """The settings in a file. Raises ConfigError as :func:`read_settings`, and when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig") if path.stat().st_size <= 4 * MOST_BYTES else " " * (MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = "it is no text in UTF-8" if isinstance(error, ValueError) else error.strerror
        raise ConfigError(f"{path.name} cannot be read: {reason}.") from None
    return read_settings(text, path.name)
