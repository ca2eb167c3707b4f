"""How thorough a training is to be: what it changes relative to the settings that the data suggests."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    id: str
    label: str
    why: str
    """One sentence for a person who has to choose."""
    times: dict[str, float] = field(default_factory=dict)
    """Setting -> what the suggestion is multiplied by."""
    at_most: dict[str, float] = field(default_factory=dict)
    """Setting -> largest value."""
    sets: dict[str, Any] = field(default_factory=dict)
    """Setting -> value."""


PRESETS = (
    Preset(
        "quick",
        "Quick look",
        "At most 1,000 rows, once: shows in a short time whether it is worth more.",
        at_most={"max_train_rows": 1000, "epochs": 1.0, "evaluations": 2},
    ),
    Preset("balanced", "Balanced", "What the data suggests: right most of the time."),
    Preset(
        "thorough",
        "Thorough",
        "Three times the epochs and twelve checks, on rows kept apart for them: it ends when four in a row are no better, "
        "and keeps the best.",
        times={"epochs": 3.0},
        sets={"evaluations": 12, "early_stopping": 4, "keep_best": True},
    ),
)

PRESET = {record.id: record for record in PRESETS}
DEFAULT_PRESET = "balanced"
