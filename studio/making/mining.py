"""All settings of a search for hard negatives. Stated once: form, command line and validation are made from them. No torch."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.catalog.models import DEFAULT_MODEL
from studio.training.config import build, describe


def _setting(default: Any, label: str, help: str, *, group: str = "more", unit: str = "", **bounds: Any) -> Any:
    return Field(
        default, title=label, description=help, json_schema_extra={"group": group, "unit": unit, "common": ()}, **bounds
    )


class Mining(BaseModel):
    """How negatives are chosen. Names are those of ``sentence_transformers.util.mine_hard_negatives``."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    base_model: str = _setting(
        DEFAULT_MODEL,
        "Base model",
        "The model that looks for them. Best is the one that you are going to train: what misleads it teaches it most.",
        group="main",
        min_length=1,
        max_length=1000,
    )
    num_negatives: int = _setting(
        1, "Negatives a row", "How many each row gets. More teach more and make each step slower.",
        group="main", ge=1, le=5,
    )  # fmt: skip
    relative_margin: float | None = _setting(
        0.05,
        "Margin",
        "A negative must be less similar to the anchor than the positive is, by this share of it. Guards against right answers that "
        "nobody marked as such. Empty: no such guard.",
        group="main",
        ge=0,
        le=1,
    )
    range_min: int = _setting(
        0, "Nearest texts to skip", "So many texts that are nearest to the anchor are passed over: the nearest may be right.",
        group="main", unit="texts", ge=0, le=1000,
    )  # fmt: skip
    range_max: int = _setting(
        500, "Nearest texts to look at", "Negatives are chosen among so many texts nearest to the anchor. By chance, take fewer.",
        unit="texts", ge=1, le=10_000,
    )  # fmt: skip
    max_score: float | None = _setting(
        None, "Highest similarity", "Texts more similar to the anchor than this are passed over. Empty: no such limit.",
        ge=-1, le=1,
    )  # fmt: skip
    min_score: float | None = _setting(
        None, "Lowest similarity", "Texts less similar to the anchor than this are too easy. Empty: no such limit.",
        ge=-1, le=1,
    )  # fmt: skip
    absolute_margin: float | None = _setting(
        None,
        "Fixed margin",
        "The same as the margin, as a difference of similarities. Empty: no such guard.",
        ge=0,
        le=2,
    )
    sampling_strategy: Literal["top", "random"] = _setting(
        "top", "Which of them", "The most similar of the texts that pass, or some of them by chance."
    )
    incomplete: Literal["leave_out", "repeat"] = _setting(
        "leave_out",
        "Rows with too few",
        "A row for which too few texts pass is left out, or repeats the negatives that it has. A row without any is left out.",
    )
    seed: int = _setting(42, "Seed", "Start of the choice by chance.", ge=0, le=2**31 - 1)

    @model_validator(mode="after")
    def _fits_together(self) -> "Mining":
        if self.range_max - self.range_min < self.num_negatives:
            raise ValueError(
                f"Between the {self.range_min} nearest texts that are skipped and the {self.range_max} that are looked at there is "
                f"no room for {self.num_negatives} negatives. Look at more texts, or skip fewer"
            )
        if self.min_score is not None and self.max_score is not None and self.min_score >= self.max_score:
            raise ValueError("The lowest similarity must be below the highest")
        return self


MINING_FIELDS = tuple(describe(name, info) for name, info in Mining.model_fields.items())

CHOICE_LABELS = {
    "sampling_strategy": {"top": "The most similar", "random": "By chance"},
    "incomplete": {"leave_out": "Leave them out", "repeat": "Repeat what they have"},
}


def make_mining(values: dict[str, Any]) -> Mining:
    """Raises ConfigError: names the field by its label, says what was given and what is allowed."""
    return build(Mining, values)
