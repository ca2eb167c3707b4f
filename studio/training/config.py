"""All settings of one training. Frozen, JSON in and out: the same config on the same dataset makes the same model.

A field is stated once, here: its type, default, bounds, label (title), help (description), group and unit. The form on
the page, the command line and the docs are made from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from studio.catalog.losses import LOSS, LOSSES, MODIFIER, MODIFIERS, LossParameter
from studio.catalog.models import DEFAULT_MODEL
from studio.catalog.poolings import JOIN, MODES, POOLINGS
from studio.catalog.similarities import SIMILARITIES
from studio.errors import ConfigError
from studio.training.design import ARCHITECTURE_FIELDS, architecture_fields
from studio.training.fit import modifier_misfit, part_misfit

Record = TypeVar("Record", bound=BaseModel)

GROUPS = {
    "main": "",
    "rows": "Rows and texts",
    "loss": "Loss",
    "architecture": "Architecture",
    "steps": "Learning rate and steps",
    "memory": "Memory and speed",
    "trained": "What is trained",
    "checks": "Checks and judging",
}
"""Group of settings -> its heading on the page; the main ones stand above without one."""

SCHEDULES = (
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
    "inverse_sqrt",
    "warmup_stable_decay",
    "constant_with_warmup",
)

AUTO = "auto"
"""Batch size: the largest that fits, found by trying."""


def _setting(
    default: Any,
    label: str,
    help: str,
    *,
    group: str,
    unit: str = "",
    common: tuple[str, ...] = (),
    **bounds: Any,
) -> Any:
    """``common``: values to choose from where others are possible too."""
    extra = {"group": group, "unit": unit, "common": common}
    return Field(default, title=label, description=help, json_schema_extra=extra, **bounds)


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
    pooling: str = _setting(
        "default",
        "Pooling",
        "How the embeddings of a text's tokens become one vector. Several are joined with +, such as max+mean.",
        group="main",
        common=tuple(p.id for p in POOLINGS),
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
    batch_size: Annotated[int, Field(ge=1, le=4096)] | Literal["auto"] = _setting(
        32, "Batch size",
        "Rows a step. Larger is better with ranking losses, and needs more memory. Empty (auto): the largest that fits, found by trying.",
        group="main", unit="rows",
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
        group="rows",
    )
    layers: int | None = _setting(
        None, "Layers", "How deep a new transformer is. More learn more and take longer. Empty: the usual.",
        group="architecture", ge=1, le=24,
    )  # fmt: skip
    width: int | None = _setting(
        None, "Width", "Numbers in each vector of a new or distilled model. Empty: the usual.",
        group="architecture", unit="dimensions", ge=16, le=1024, multiple_of=8,
    )  # fmt: skip
    vocabulary: int | None = _setting(
        None, "Vocabulary", "Most different tokens or words that a new model tells apart. Empty: the usual.",
        group="architecture", unit="tokens", ge=100, le=100_000,
    )  # fmt: skip
    tokenizer: Literal["wordpiece", "bpe"] = _setting(
        "wordpiece",
        "Tokenizer",
        "How a new model cuts words into pieces. Byte pairs (BPE) know every character of every script.",
        group="architecture",
    )
    token_layers: Literal["last", "weighted"] = _setting(
        "last",
        "Token vectors",
        "Whether the pooling reads the last layer's vectors, or a mean of all layers' whose weights are learnt.",
        group="architecture",
    )
    projection: int | None = _setting(
        None,
        "Projection",
        "A dense layer behind the pooling that makes vectors of this many numbers, and is learnt. Empty: none.",
        group="architecture",
        unit="dimensions",
        ge=8,
        le=4096,
    )
    projection_activation: Literal["none", "tanh"] = _setting(
        "none",
        "Activation",
        "What bends the projection: tanh keeps every number between -1 and 1.",
        group="architecture",
    )
    normalize: Literal["keep", "on", "off"] = _setting(
        "keep",
        "Unit length",
        "Whether every vector is scaled to length 1, so that dot product and cosine are the same.",
        group="architecture",
    )
    similarity: Literal[tuple(record.id for record in SIMILARITIES)] = _setting(
        "default",
        "Similarity",
        "How two vectors are compared, in training, judging and search. Cosine is right for nearly all models.",
        group="architecture",
    )
    query_prompt: str | None = _setting(
        None,
        "Before a query",
        "Words put before every anchor or query, such as 'query: ' (with the space). Empty: the model's own, mostly none.",
        group="architecture",
        max_length=2000,
    )
    document_prompt: str | None = _setting(
        None,
        "Before a document",
        "Words put before every positive, negative or document, such as 'passage: '. Empty: the model's own, mostly none.",
        group="architecture",
        max_length=2000,
    )
    modifier: Literal[tuple(record.id for record in MODIFIERS)] = _setting(
        "none",
        "On top of the loss",
        "Trains embeddings that stay useful when they are cut short, or a model that can lose layers.",
        group="main",
    )
    guide_model: str | None = _setting(
        None, "Guide model", "Strikes out wrong answers that may be right. Named as the base model is. Empty: MiniLM.",
        group="main", min_length=1, max_length=1000,
    )  # fmt: skip
    teacher_model: str | None = _setting(
        None, "Teacher model", "The better model to learn from. Named as the base model is. Empty: MiniLM.",
        group="main", min_length=1, max_length=1000,
    )  # fmt: skip
    loss_scale: float | None = _setting(
        None, "Scale", "Sharpness of the loss: similarities are multiplied by it. Empty: the loss's default.",
        group="loss", gt=0, le=1000,
    )  # fmt: skip
    loss_temperature: float | None = _setting(
        None, "Temperature", "Sharpness of the loss: similarities are divided by it. Empty: the loss's default.",
        group="loss", ge=0.001, le=10,
    )  # fmt: skip
    loss_margin: float | None = _setting(
        None, "Margin", "How far apart unlike texts are to be pushed. Empty: the loss's default.",
        group="loss", ge=0, le=10,
    )  # fmt: skip
    margin_strategy: Literal["absolute", "relative"] | None = _setting(
        None, "Margin counts", "Whether the margin is taken off the right answer's similarity as it is, or as a share of it.",
        group="loss",
    )  # fmt: skip
    positive_margin: float | None = _setting(
        None, "Similarity to reach", "Texts that belong together are pulled until they are this similar.",
        group="loss", ge=-1, le=1,
    )  # fmt: skip
    negative_margin: float | None = _setting(
        None, "Similarity to allow", "Texts that do not belong together are pushed until they are no more similar than this.",
        group="loss", ge=-1, le=1,
    )  # fmt: skip
    loss_distance: Literal["cosine", "euclidean", "manhattan"] | None = _setting(
        None, "Distance", "How far apart two embeddings are: search uses cosine, so other distances suit other uses.",
        group="loss",
    )  # fmt: skip
    loss_reduction: Literal["mean", "sum"] | None = _setting(
        None, "Batch loss", "Whether the losses of a batch's rows are averaged or added up.", group="loss"
    )
    contrast: Literal["answers", "all"] | None = _setting(
        None, "Pushed apart", "Anchors from wrong answers only, or also anchors from anchors and answers from answers.",
        group="loss",
    )  # fmt: skip
    hardness_mode: Literal["none", "in_batch_negatives", "hard_negatives", "all_negatives"] | None = _setting(
        None,
        "Weigh hard negatives",
        "Which wrong answers count more the more similar they are to the anchor.",
        group="loss",
    )
    hardness_strength: float | None = _setting(
        None,
        "Strength of the weighing",
        "How much more a very similar wrong answer counts.",
        group="loss",
        gt=0,
        le=100,
    )
    mini_batch_size: int | None = _setting(
        None, "Portion size", "Rows computed at a time by a cached loss: smaller needs less memory. Empty: the loss's default.",
        group="loss", unit="rows", ge=1, le=4096,
    )  # fmt: skip
    noise_ratio: float | None = _setting(
        None, "Words left out", "Share of a text's words that are left out at random.", group="loss", ge=0.05, le=0.95
    )
    matryoshka_dims: str | None = _setting(
        None, "Lengths of embeddings", "Numbers an embedding is cut to, such as 384, 128, 64. Empty: halves of the whole.",
        group="loss", unit="dimensions", max_length=200,
    )  # fmt: skip
    matryoshka_weights: str | None = _setting(
        None, "Weights of the lengths", "How much each length counts, in the same order. Empty: all the same.",
        group="loss", max_length=200,
    )  # fmt: skip
    dims_per_step: int | None = _setting(
        None, "Lengths a step", "How many of the lengths a step trains, drawn by chance.", group="loss", ge=1, le=32
    )
    layers_per_step: int | None = _setting(
        None, "Layers a step", "How many of the earlier layers a step trains besides the last, drawn by chance.",
        group="loss", ge=1, le=128,
    )  # fmt: skip
    prior_layers_weight: float | None = _setting(
        None, "Weight of earlier layers", "How much the loss of the earlier layers counts.", group="loss", ge=0, le=100
    )
    kl_weight: float | None = _setting(
        None, "Pull towards the last layer", "How strongly earlier layers are made to embed as the last one does.",
        group="loss", ge=0, le=100,
    )  # fmt: skip
    layer_weighting: Literal["uniform", "log", "linear"] | None = _setting(
        None, "Later layers count less", "Whether all earlier layers count the same, or later ones less.", group="loss"
    )
    dataset_turns: Literal["proportional", "round_robin"] = _setting(
        "proportional",
        "Several datasets",
        "Where others train along: batches of each in proportion to its rows, or in turns until the smallest is through.",
        group="rows",
    )
    heldout_share: float = _setting(
        0.1,
        "Held-out share",
        "Share of the rows kept out of training, to judge the result on.",
        ge=0.02,
        le=0.5,
        group="checks",
    )
    max_train_rows: int | None = _setting(
        None,
        "Rows to train on",
        "Train on this many rows, drawn by chance. Empty: all.",
        unit="rows",
        ge=1,
        group="rows",
    )
    evaluations: int = _setting(
        5,
        "Checks during training",
        "How often the held-out rows are looked at while training runs.",
        ge=0,
        le=100,
        group="checks",
    )
    evaluation_steps: int | None = _setting(
        None, "Check every", "Steps between two checks; overrides their number. Empty: spread evenly.",
        unit="steps", ge=1, le=1_000_000, group="checks",
    )  # fmt: skip
    early_stopping: int = _setting(
        0, "Early stopping",
        "Ends training once this many checks in a row have not beaten the best one. 0: never. Takes rows of their own to check on.",
        unit="checks", ge=0, le=100, group="checks",
    )  # fmt: skip
    keep_best: bool = _setting(
        False,
        "Keep the best check",
        "Keeps the model of the best check instead of the last step. Takes rows of their own to check on.",
        group="checks",
    )
    general_check: bool = _setting(
        True,
        "Check of general ability",
        "Also asks both models dictionary questions and translations that come with the studio, to see what was forgotten.",
        group="checks",
    )
    warmup_ratio: float = _setting(
        0.1,
        "Warm-up",
        "Share of the steps in which the learning rate rises from zero.",
        ge=0,
        le=1,
        group="steps",
    )
    lr_scheduler: Literal[SCHEDULES] = _setting(
        "linear",
        "Learning-rate schedule",
        "How the learning rate falls after the warm-up.",
        group="steps",
    )
    weight_decay: float = _setting(
        0.0, "Weight decay", "Pulls weights towards zero, against overfitting.", ge=0, le=1, group="steps"
    )
    max_grad_norm: float = _setting(
        1.0, "Gradient clipping", "Largest norm of a step's gradient.", gt=0, le=1000, group="steps"
    )
    gradient_accumulation_steps: int = _setting(
        1, "Gradient accumulation", "Batches added up before the model moves. In-batch negatives do not grow with it.",
        unit="batches", ge=1, le=1024, group="memory",
    )  # fmt: skip
    gradient_checkpointing: bool = _setting(
        False,
        "Gradient checkpointing",
        "Computes parts of the model twice instead of remembering them: far less memory, about a third more time.",
        group="memory",
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = _setting(
        "auto",
        "Precision",
        "Number format of the computation. Automatic: bf16 where the GPU or processor has it in hardware, fp32 elsewhere.",
        group="memory",
    )
    engine: Literal["fast", "stock"] = _setting(
        "fast",
        "Engine",
        "Fast computes no padding and draws cheaper dropout masks where the model allows it; stock is the plain trainer.",
        group="memory",
    )
    freeze_layers: int = _setting(
        0, "Frozen layers",
        "The token embeddings and this many of the lowest layers stay as they are: quicker, and forgets less. 0: all train.",
        unit="layers", ge=0, le=200, group="trained",
    )  # fmt: skip
    lora_rank: int = _setting(
        0, "LoRA rank",
        "Trains small added matrices of this rank instead of the model itself: little memory, forgets less. 0: the model itself.",
        ge=0, le=512, group="trained",
    )  # fmt: skip
    lora_alpha: int = _setting(
        16, "LoRA alpha", "Weight of the added matrices; it is divided by the rank.", ge=1, le=1024, group="trained"
    )
    lora_dropout: float = _setting(
        0.05,
        "LoRA dropout",
        "Share of the added matrices' inputs that is left out at each step, against overfitting.",
        ge=0,
        lt=1,
        group="trained",
    )
    seed: int = _setting(
        42,
        "Seed",
        "Start of all random choices: the same seed gives the same model.",
        ge=0,
        le=2**31 - 1,
        group="rows",
    )

    @field_validator("pooling")
    @classmethod
    def _pooling_modes(cls, value: str) -> str:
        """Several modes in the order in which their vectors are joined."""
        modes = [mode.strip() for mode in value.split(JOIN)]
        if modes == ["default"]:
            return "default"
        if unknown := [mode for mode in modes if mode not in MODES]:
            raise ValueError(
                f"there is no pooling '{unknown[0]}'; there are {', '.join(MODES)}, and any of them joined with +"
            )
        if len(set(modes)) < len(modes):
            raise ValueError("a pooling stands in it twice")
        return JOIN.join(sorted(modes, key=MODES.index))

    @model_validator(mode="after")
    def _architecture_fits(self) -> "TrainConfig":
        takes = architecture_fields(self.base_model, self.projection)
        for name in ARCHITECTURE_FIELDS:
            if name not in takes and getattr(self, name) != FIELD[name].default:
                raise ValueError(f"{self.base_model} has no setting '{FIELD[name].label}' ({name}).")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> "TrainConfig":
        loss = LOSS[self.loss]
        if self.batch_size != AUTO and self.batch_size < loss.min_batch_size:
            raise ValueError(
                f"{loss.label} compares the rows of a batch: the batch size must be at least {loss.min_batch_size}."
            )
        if loss.by_class and self.batch_size != AUTO and self.batch_size % 2:
            raise ValueError(f"{loss.label} takes texts of a class by twos: the batch size must be even.")
        if reason := modifier_misfit(MODIFIER[self.modifier], loss) or part_misfit(
            loss, self.lora_rank, self.freeze_layers
        ):
            raise ValueError(reason)
        if self.token_layers == "weighted" and MODIFIER[self.modifier].cuts_layers:
            raise ValueError(
                f"{MODIFIER[self.modifier].label.partition(':')[0]} does not go with a mean of all layers: it would be the "
                "same for each of them."
            )
        parameters = self.loss_parameters
        for name in LOSS_FIELDS:
            value = getattr(self, name)
            if value is not None and name not in parameters:
                raise ValueError(f"{loss.label} has no setting '{FIELD[name].label}' ({name}).")
            if value is not None:
                _check_bounds(loss.label, parameters[name], value)
        if self.hardness_strength is not None and self.hardness_mode in (None, "none"):
            raise ValueError(
                "Choose which negatives to weigh (hardness_mode), or leave the strength of the weighing empty."
            )
        if self.matryoshka_weights is not None:
            if self.matryoshka_dims is None:
                raise ValueError("Weights need the lengths that they are for (matryoshka_dims).")
            if len(self.weights) != len(self.dims):
                raise ValueError(f"There are {len(self.dims)} lengths of embeddings, but {len(self.weights)} weights.")
        return self

    @field_validator("matryoshka_dims")
    @classmethod
    def _whole_numbers(cls, value: str | None) -> str | None:
        return _numbers(value, int, "whole numbers such as 384, 128, 64", lambda n: 1 <= n <= 16384, distinct=True)

    @field_validator("matryoshka_weights")
    @classmethod
    def _weights(cls, value: str | None) -> str | None:
        return _numbers(value, float, "numbers such as 1, 0.5, 0.25", lambda n: 0 < n <= 100)

    @property
    def dims(self) -> tuple[int, ...]:
        """Lengths that embeddings are cut to; empty: worked out when the model is known."""
        return tuple(int(n) for n in (self.matryoshka_dims or "").split(",") if n.strip())

    @property
    def weights(self) -> tuple[float, ...]:
        """One for each of ``dims``; empty: all the same."""
        return tuple(float(n) for n in (self.matryoshka_weights or "").split(",") if n.strip())

    @property
    def loss_parameters(self) -> dict[str, LossParameter]:
        """Field -> parameter, of the loss and of what is put on top of it."""
        return {p.id: p for p in (*LOSS[self.loss].parameters, *MODIFIER[self.modifier].parameters)}

    def of_loss(self, name: str) -> Any:
        """Value of a field that the loss takes: the one given, or the loss's default."""
        value = getattr(self, name)
        return self.loss_parameters[name].default if value is None else value

    @property
    def chooses(self) -> bool:
        """Whether looks at rows decide what is kept: those rows must not judge the result as well."""
        return self.keep_best or self.early_stopping > 0

    def loss_arguments(self) -> dict[str, Any]:
        """Arguments of the loss class, the catalogue's defaults filled in."""
        return {p.argument: self.of_loss(p.id) for p in LOSS[self.loss].parameters}

    def modifier_arguments(self) -> dict[str, Any]:
        """The same for the class of the modifier."""
        return {p.argument: self.of_loss(p.id) for p in MODIFIER[self.modifier].parameters}


LOSS_FIELDS = tuple(
    name for name in TrainConfig.model_fields
    if any(name == p.id for record in (*LOSSES, *MODIFIERS) for p in record.parameters)
)  # fmt: skip
"""Fields that only some losses and modifiers take."""
MODEL_FIELDS = ("base_model", "guide_model", "teacher_model")
"""Fields that name a model."""


def _check_bounds(label: str, parameter: LossParameter, value: Any) -> None:
    """Raises ValueError when the loss takes less than the field."""
    name = f"{FIELD[parameter.id].label} ({parameter.id})"
    if parameter.choices and value not in parameter.choices:
        raise ValueError(f"{name} of {label} is one of: {', '.join(parameter.choices)}.")
    if parameter.minimum is not None and value < parameter.minimum:
        raise ValueError(f"{name} of {label} is at least {parameter.minimum:g}.")
    if parameter.maximum is not None and value > parameter.maximum:
        raise ValueError(f"{name} of {label} is at most {parameter.maximum:g}.")


def _numbers(
    value: str | None, kind: type, what: str, fits: Callable[[float], bool], distinct: bool = False
) -> str | None:
    """Numbers with commas or spaces between them, written the same way each time; None for nothing."""
    if value is None or not (parts := value.replace(",", " ").split()):
        return None
    try:
        numbers = [kind(part) for part in parts]
    except ValueError:
        raise ValueError(f"it takes {what}") from None
    if len(numbers) > 32 or not all(fits(n) for n in numbers) or (distinct and len(set(numbers)) < len(numbers)):
        raise ValueError(f"it takes {'different ' if distinct else ''}{what}")
    return ", ".join(f"{n:g}" for n in numbers)


@dataclass(frozen=True)
class ConfigField:
    """One field of TrainConfig as a form or command line needs it."""

    id: str
    label: str
    help: str
    group: str
    """One of GROUPS."""
    unit: str
    kind: type
    """``str``, ``int``, ``float`` or ``bool``."""
    optional: bool
    automatic: bool
    """A number, or AUTO."""
    default: Any
    choices: tuple[str, ...]
    """Empty: not a choice."""
    is_open: bool
    """Other values than the choices are possible."""
    minimum: float | None
    maximum: float | None


def describe(name: str, info: Any) -> ConfigField:
    """What a field of TrainConfig, or of another record made like it, says of itself."""
    options = get_args(info.annotation)
    optional = type(None) in options
    extra = info.json_schema_extra
    automatic = any(get_args(o) == (AUTO,) for o in options)
    choices = extra["common"] or tuple(
        o for option in options for o in (option, *get_args(option)) if isinstance(o, str)
    )
    choices = () if automatic else choices
    first = next((o for o in options if o is not type(None)), info.annotation)
    bounds = [*info.metadata]
    if get_origin(first) is Annotated:
        first, inner = get_args(first)
        bounds += inner.metadata
    kind = str if choices else first
    limits = {key: getattr(item, key) for item in bounds for key in ("ge", "gt", "le", "lt") if hasattr(item, key)}
    return ConfigField(
        name, info.title, info.description, extra["group"], extra["unit"], kind, optional, automatic, info.default,
        choices, bool(extra["common"]), limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt")),
    )  # fmt: skip


FIELDS = tuple(describe(name, info) for name, info in TrainConfig.model_fields.items())
FIELD = {field.id: field for field in FIELDS}


def make_config(values: dict[str, Any]) -> TrainConfig:
    """A config from plain values (a form, a JSON file, the command line). Raises ConfigError, as :func:`build` says."""
    return build(TrainConfig, values)


def build(record: type[Record], values: dict[str, Any]) -> Record:
    """A record of settings from plain values.

    Raises:
        ConfigError: names the field by its label, says what was given and what is allowed.
    """
    try:
        return record(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name, fields = str(first["loc"][0]) if first["loc"] else "", record.model_fields
        if name and name not in fields:
            raise ConfigError(f"There is no setting '{name}'.", hint=f"Settings are: {', '.join(fields)}.") from None
        raise ConfigError(words_of(first, record)) from None


def words_of(error: Any, record: type[BaseModel]) -> str:
    """One of pydantic's errors about ``record`` as a sentence that names the field by its label."""
    message = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0])
    return f"{record.model_fields[name].title} ({name}) cannot be {error['input']!r}: {message}."
