"""All settings of one training. Frozen, JSON in and out: the same config on the same dataset makes the same model.

A field is stated once, here: its type, default, bounds, label (title), help (description), group and unit. The form on
the page, the command line and the docs are made from it.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from studio.catalog.losses import LOSS, LOSSES
from studio.catalog.models import DEFAULT_MODEL
from studio.catalog.poolings import POOLINGS
from studio.errors import ConfigError


def _setting(default: Any, label: str, help: str, *, group: str = "more", unit: str = "", **bounds: Any) -> Any:
    return Field(default, title=label, description=help, json_schema_extra={"group": group, "unit": unit}, **bounds)


class TrainConfig(BaseModel):
    """Settings of one training. Build with :func:`make_config` to get a ConfigError instead of pydantic's own."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    base_model: str = _setting(
        DEFAULT_MODEL,
        "Base model",
        "The model that training starts from: one that came with the studio, a folder, a hub name or a model tuned earlier.",
        group="main",
        min_length=1,
        max_length=1000,
    )
    pooling: Literal[tuple(p.id for p in POOLINGS)] = _setting(
        "default", "Pooling", "How the embeddings of a text's tokens become one vector.", group="main"
    )
    loss: Literal[tuple(record.id for record in LOSSES)] = _setting(
        "MultipleNegativesRankingLoss",
        "Loss",
        "What training tries to make small. It follows from the kind of data.",
        group="main",
    )
    epochs: float = _setting(
        1.0, "Epochs", "How often training goes through all rows. 1 is enough for thousands of rows, 3 to 5 for hundreds.",
        group="main", gt=0, le=100,
    )  # fmt: skip
    batch_size: int = _setting(
        32, "Batch size", "Rows a step. Larger is better with ranking losses, and needs more memory.",
        group="main", unit="rows", ge=1, le=4096,
    )  # fmt: skip
    learning_rate: float = _setting(
        1e-4, "Learning rate", "How far each step moves the model. Too high forgets, too low learns nothing.",
        group="main", gt=0, le=1,
    )  # fmt: skip

    max_seq_length: int | None = _setting(
        None,
        "Longest text",
        "Texts are cut off after this many tokens. Empty: the model's own limit.",
        unit="tokens",
        ge=8,
        le=32768,
    )
    loss_scale: float | None = _setting(
        None,
        "Scale",
        "Sharpness of the loss: similarities are multiplied by it. Empty: the loss's default.",
        gt=0,
        le=1000,
    )
    loss_margin: float | None = _setting(
        None, "Margin", "How far apart unlike texts are to be pushed. Empty: the loss's default.", gt=0, le=10
    )
    mini_batch_size: int | None = _setting(
        None, "Portion size", "Rows computed at a time by a cached loss: smaller needs less memory. Empty: the loss's default.",
        unit="rows", ge=1, le=4096,
    )  # fmt: skip
    heldout_share: float = _setting(
        0.1, "Held-out share", "Share of the rows kept out of training, to judge the result on.", ge=0.02, le=0.5
    )
    max_train_rows: int | None = _setting(
        None, "Rows to train on", "Train on this many rows, drawn by chance. Empty: all.", unit="rows", ge=1
    )
    evaluations: int = _setting(
        5, "Checks during training", "How often the held-out rows are looked at while training runs.", ge=0, le=100
    )
    warmup_ratio: float = _setting(
        0.1, "Warm-up", "Share of the steps in which the learning rate rises from zero.", ge=0, le=1
    )
    lr_scheduler: Literal["linear", "cosine", "constant_with_warmup"] = _setting(
        "linear", "Learning-rate schedule", "How the learning rate falls after the warm-up."
    )
    weight_decay: float = _setting(0.0, "Weight decay", "Pulls weights towards zero, against overfitting.", ge=0, le=1)
    max_grad_norm: float = _setting(1.0, "Gradient clipping", "Largest norm of a step's gradient.", gt=0, le=1000)
    gradient_accumulation_steps: int = _setting(
        1, "Gradient accumulation", "Batches added up before the model moves. In-batch negatives do not grow with it.",
        unit="batches", ge=1, le=1024,
    )  # fmt: skip
    precision: Literal["auto", "fp32", "bf16", "fp16"] = _setting(
        "auto",
        "Precision",
        "Number format of the computation. Automatic: bf16 where the GPU or processor has it in hardware, fp32 elsewhere.",
    )
    engine: Literal["fast", "stock"] = _setting(
        "fast",
        "Engine",
        "Fast computes no padding and draws cheaper dropout masks where the model allows it; stock is the plain trainer.",
    )
    seed: int = _setting(
        42, "Seed", "Start of all random choices: the same seed gives the same model.", ge=0, le=2**31 - 1
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainConfig":
        loss = LOSS[self.loss]
        if self.batch_size < loss.min_batch_size:
            raise ValueError(
                f"{loss.label} compares the rows of a batch: the batch size must be at least {loss.min_batch_size}."
            )
        if loss.by_class and self.batch_size % 2:
            raise ValueError(f"{loss.label} takes texts of a class two by two: the batch size must be even.")
        takes = {parameter.id for parameter in loss.parameters}
        for name in ("loss_scale", "loss_margin", "mini_batch_size"):
            if getattr(self, name) is not None and name not in takes:
                raise ValueError(f"{loss.label} has no setting '{FIELD[name].label}' ({name}).")
        return self

    def loss_arguments(self) -> dict[str, float]:
        """Arguments of the loss class, the catalogue's defaults filled in."""
        return {
            p.argument: p.default if getattr(self, p.id) is None else getattr(self, p.id)
            for p in LOSS[self.loss].parameters
        }


@dataclass(frozen=True)
class ConfigField:
    """One field of TrainConfig as a form or command line needs it."""

    id: str
    label: str
    help: str
    group: str
    """``main`` or ``more``."""
    unit: str
    kind: type
    """``str``, ``int`` or ``float``."""
    optional: bool
    default: Any
    choices: tuple[str, ...]
    """Empty: not a choice."""
    minimum: float | None
    maximum: float | None


def _describe(name: str, info: Any) -> ConfigField:
    options = get_args(info.annotation)
    optional = type(None) in options
    choices = tuple(o for o in options if isinstance(o, str))
    kind = str if choices else next((o for o in options if o is not type(None)), info.annotation)
    limits = {
        key: getattr(item, key) for item in info.metadata for key in ("ge", "gt", "le", "lt") if hasattr(item, key)
    }
    extra = info.json_schema_extra
    return ConfigField(
        name, info.title, info.description, extra["group"], extra["unit"], kind, optional, info.default, choices,
        limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt")),
    )  # fmt: skip


FIELDS = tuple(_describe(name, info) for name, info in TrainConfig.model_fields.items())
FIELD = {field.id: field for field in FIELDS}


def make_config(values: dict[str, Any]) -> TrainConfig:
    """A config from plain values (a form, a JSON file, the command line).

    Raises:
        ConfigError: names the field by its label, says what was given and what is allowed.
    """
    try:
        return TrainConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        message = first["msg"].removeprefix("Value error, ")
        if name and name not in FIELD:
            raise ConfigError(f"There is no setting '{name}'.", hint=f"Settings are: {', '.join(FIELD)}.") from None
        if name:
            raise ConfigError(f"{FIELD[name].label} ({name}) cannot be {first['input']!r}: {message}.") from None
        raise ConfigError(message) from None
