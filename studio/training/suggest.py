"""What to start with, and what does not go together. No torch."""

import math
from dataclasses import dataclass

import pyarrow as pa

from studio.catalog.losses import LOSS, LOSSES, MODIFIER, MODIFIERS, Loss, Modifier
from studio.catalog.models import DEFAULT_LEARNING_RATE, DEFAULT_MODEL
from studio.catalog.poolings import JOIN
from studio.catalog.presets import Preset
from studio.catalog.similarities import LOSS_TAKES, SIMILARITY
from studio.data.dataset import DatasetInfo
from studio.data.rows import class_numbers
from studio.data.split import MAX_HELDOUT
from studio.errors import ConfigError
from studio.training.bases import Base, base_of, limits, own_similarity, resolve_base
from studio.training.config import AUTO, FIELD, TrainConfig, make_config
from studio.training.fit import WITHOUT_TRANSFORMER, default_dims, dims_misfit, loss_misfit, modifier_misfit
from studio.training.judging import OwnTest
from studio.training.rows import drawn, grouped, part_rows

SUGGESTED_LOSS = {
    "pair": "MultipleNegativesRankingLoss",
    "triplet": "MultipleNegativesRankingLoss",
    "scored_pair": "CoSENTLoss",
    "labelled_pair": "ContrastiveLoss",
    "classed_text": "BatchAllTripletLoss",
    "classed_pair": "SoftmaxLoss",
    "texts": "SimCSE",
}
EPOCHS = ((2000, 1.0), (500, 2.0), (0, 3.0))
"""(from this many rows on, epochs)."""
BATCH_SIZES = ((800, 32), (200, 16), (0, 8))
"""(from this many training rows on, batch size)."""
LEARNING_RATES = ((10, 5e-4), (60, 1e-4))
"""(up to this many million parameters, learning rate) for transformers that the catalogue does not know."""
NO_TRANSFORMER = {"static": 2e-2, "words": 2e-2, "bag": 2e-3}
"""Kind -> learning rate of models without a transformer, which want far more."""
NO_POOLING = {"static": "averages its token vectors", "bag": "counts words"}
"""Kind -> what a model does instead of pooling."""
MOST_NEW_POSITIONS = 2048
"""Longest text that a new transformer can be built for, in tokens."""
TOKEN_LIMITS = (64, 128, 256, 512, 1024)
KEPT_WHOLE = 0.95
"""Share of the texts that the suggested limit leaves uncut."""


@dataclass(frozen=True)
class LossChoice:
    loss: Loss
    fits: bool
    reason: str
    """Why to take it, or why it cannot be taken: one sentence."""


@dataclass(frozen=True)
class ModifierChoice:
    modifier: Modifier
    fits: bool
    reason: str
    """As in LossChoice."""


def losses_for(format: str, negatives: int, base: Base | None = None) -> tuple[LossChoice, ...]:
    """Every loss of the catalogue for a dataset of ``format`` with ``negatives`` negatives a row and a base model.

    The suggested one first, then those that fit, then the others with the reason.
    """
    choices = [
        LossChoice(loss, not (reason := loss_misfit(loss, format, negatives, base)), reason or loss.why)
        for loss in LOSSES
    ]
    suggested = suggest_loss(format, base)
    return tuple(sorted(choices, key=lambda choice: (choice.loss.id != suggested, not choice.fits)))


def modifiers_for(loss: Loss, base: Base | None = None) -> tuple[ModifierChoice, ...]:
    """What can be put on top of ``loss``, and what cannot with the reason; in the catalogue's order."""
    return tuple(
        ModifierChoice(modifier, not (reason := modifier_misfit(modifier, loss, base)), reason or modifier.why)
        for modifier in MODIFIERS
    )


def suggest_loss(format: str, base: Base | None = None) -> str:
    """Id of the loss to start with: the usual one, or the first that goes with the base model."""
    usual = SUGGESTED_LOSS[format]
    if not loss_misfit(LOSS[usual], format, 0, base):
        return usual
    return next((loss.id for loss in LOSSES if not loss_misfit(loss, format, 0, base)), usual)


def suggest_config(info: DatasetInfo, base_model: str = DEFAULT_MODEL, data: pa.Table | None = None) -> TrainConfig:
    """Settings to start with. ``data``: the dataset's rows; with them, the longest text is suggested too.

    Raises:
        ModelError: there is no such base model.
    """
    base = resolve_base(base_model)
    config = {
        "base_model": base_model,
        "loss": suggest_loss(info.format, base),
        "learning_rate": suggest_learning_rate(base),
        "epochs": next(epochs for rows, epochs in EPOCHS if info.rows >= rows),
    }
    trained = _trained(info.rows, FIELD["heldout_share"].default)
    least = LOSS[config["loss"]].min_batch_size
    batch_size = next(size for rows, size in BATCH_SIZES if trained >= rows)
    config["batch_size"] = max(least, min(batch_size, trained))
    if LOSS[config["loss"]].by_class:
        config["batch_size"] -= config["batch_size"] % 2
    if base.design is not None and base.source is None:
        config["epochs"] *= base.design.epochs
    if data is not None and base.kind not in NO_TRANSFORMER:
        config["max_seq_length"] = _token_limit(base, data)
    return make_config(config)


def apply_preset(config: TrainConfig, preset: Preset, rows: int) -> TrainConfig:
    """The suggested ``config`` of a dataset of ``rows`` rows as the preset wants it."""
    values = config.model_dump()
    for name, factor in preset.times.items():
        values[name] = min(values[name] * factor, FIELD[name].maximum or math.inf)
    for name, most in preset.at_most.items():
        given = rows if name == "max_train_rows" and values[name] is None else values[name]
        if given > most:
            values[name] = FIELD[name].kind(most)
    return make_config({**values, **preset.sets})


def suggest_learning_rate(base: Base) -> float:
    """A good start for this base model."""
    known = base.record or base.design
    if known is not None:
        return known.learning_rate
    if base.kind in NO_TRANSFORMER:
        return NO_TRANSFORMER[base.kind]
    parameters_m = limits(base).parameters_m
    if parameters_m is None:
        return DEFAULT_LEARNING_RATE
    return next((rate for most, rate in LEARNING_RATES if parameters_m <= most), DEFAULT_LEARNING_RATE)


def check_fit(
    info: DatasetInfo, config: TrainConfig, data: pa.Table | None = None, test: OwnTest | None = None
) -> None:
    """Raise ConfigError when this config cannot train on this dataset, before anything is started.

    ``data``: the dataset's rows; with them the split is made, and its numbers are exact. ``test``: what judges instead
    of rows that are held out.

    Raises:
        ConfigError: what does not go together, with the numbers and what to do.
        ModelError: there is no such base model.
    """
    loss = LOSS[config.loss]
    _check_objective(info, config)
    _check_base(config)
    trained = _trained(info.rows, config.heldout_share)
    if data is not None:
        train = part_rows(data, config, test)[1]
        trained = len(train)
    available = trained
    if config.max_train_rows is not None:
        trained = min(trained, config.max_train_rows)
    batch_size = loss.min_batch_size if config.batch_size == AUTO else config.batch_size
    if trained < batch_size:
        what = f"{trained} {'row trains' if trained == 1 else 'rows train'}, but a batch has {batch_size}"
        if trained < available:
            hint = f"Choose a batch size of at most {trained}, or train on more rows ({available} can be trained on)."
        else:
            hint = f"Choose a batch size of at most {trained}, or bring more rows."
        raise ConfigError(f"{what}: not one step could be made.", hint=hint)
    if data is None:
        return
    if loss.by_class and grouped(class_numbers(data.take(drawn(train, config)))) < loss.min_batch_size:
        raise ConfigError(
            f"{loss.label} needs two classes at least with two rows each among the {trained} that train.",
            hint="Bring more rows of each class, or train on more of them.",
        )
    column = {"scored_pair": "score", "labelled_pair": "label"}.get(info.format)
    if column is not None and len(data[column].unique()) < 2:
        value = data[column][0].as_py()
        raise ConfigError(
            f"Every row has the {column} {value:g}: there is nothing to tell apart.",
            hint=f"{loss.label} needs rows with different {column}s.",
        )


def _trained(rows: int, share: float) -> int:
    """About how many rows train; studio.data.split says exactly, but has to see the rows."""
    return rows - min(max(1, round(rows * share)), MAX_HELDOUT)


def _check_base(config: TrainConfig) -> None:
    base = base_of(config)
    modes = () if config.pooling == "default" else config.pooling.split(JOIN)
    if base.kind in NO_POOLING and modes:
        raise ConfigError(
            f"{base.label} has no pooling to choose: it {NO_POOLING[base.kind]}.",
            hint="Leave the pooling at the model's own.",
        )
    if base.kind in WITHOUT_TRANSFORMER:
        _check_static(base, config)
    layers = limits(base).layers
    if layers and config.freeze_layers >= layers:
        raise ConfigError(
            f"{base.label} has {layers} layers: with {config.freeze_layers} of them frozen nothing would be left to train.",
            hint=f"Freeze at most {layers - 1}.",
        )
    if base.kind == "words" and "cls" in modes:
        raise ConfigError(f"{base.label} has no first token (CLS).", hint="Choose mean pooling.")
    if base.kind == "bag" and config.max_seq_length:
        raise ConfigError(f"{base.label} counts all words of a text.", hint="Leave the longest text empty.")
    _check_length(base, config)
    _check_similarity(base, config)
    if base.source is not None:
        most = limits(base.source).dimension
        if most is not None and base.design.width > most and config.width is not None:
            raise ConfigError(
                f"The vectors of {base.source.label} have {most} numbers: those of a static model of it cannot have {config.width}.",
                hint=f"Choose a width of {most} or less, or leave it empty.",
            )


def _check_length(base: Base, config: TrainConfig) -> None:
    known = limits(base)
    # A new transformer gets as many positions as are asked for.
    position_limit = MOST_NEW_POSITIONS if base.design is not None and known.layers else known.position_limit
    if config.max_seq_length and position_limit and config.max_seq_length > position_limit:
        raise ConfigError(
            f"{base.label} takes at most {position_limit} tokens; the longest text is set to {config.max_seq_length}.",
            hint=f"Choose {position_limit} or less, or leave it empty.",
        )


def _check_objective(info: DatasetInfo, config: TrainConfig) -> None:
    """Whether data, base model, loss, modifier, guide and teacher go together."""
    loss, base = LOSS[config.loss], resolve_base(config.base_model)
    negatives = sum(role.startswith("negative") for role in info.roles)
    if reason := loss_misfit(loss, info.format, negatives, base):
        fitting = ", ".join(c.loss.label for c in losses_for(info.format, negatives, base) if c.fits)
        raise ConfigError(reason, hint=f"Losses that fit this dataset and model: {fitting}." if fitting else "")
    if reason := modifier_misfit(MODIFIER[config.modifier], loss, base):
        fitting = ", ".join(c.modifier.label for c in modifiers_for(loss, base) if c.fits)
        raise ConfigError(reason, hint=f"These go: {fitting}.")
    if config.hardness_mode == "hard_negatives" and not negatives:
        raise ConfigError(
            "These rows have no negatives of their own to weigh.", hint="Weigh in-batch negatives instead, or none."
        )
    dimension = limits(base).dimension
    if dimension and (reason := dims_misfit(config.dims, dimension, base.label)):
        raise ConfigError(reason, hint=f"For example: {', '.join(map(str, default_dims(dimension)))}.")
    if "guide_model" in config.loss_parameters:
        guide = _known_model(config.of_loss("guide_model"))
        if guide.kind in WITHOUT_TRANSFORMER:
            raise ConfigError(
                f"{guide.label} cannot guide: a guide needs a transformer.", hint="Choose another guide model."
            )
    if "teacher_model" in config.loss_parameters:
        _check_teacher(config, base)


def _known_model(name: str) -> Base:
    """A model that is there to be asked. Raises ConfigError for one that is yet to be built."""
    base = resolve_base(name)
    if base.design is not None:
        raise ConfigError(
            f"{base.label} is built when a run begins: there is nothing to ask yet.",
            hint="Choose a model that exists, for example one that was tuned here.",
        )
    return base


def _check_teacher(config: TrainConfig, base: Base) -> None:
    loss, teacher = LOSS[config.loss], _known_model(config.of_loss("teacher_model"))
    if teacher.path == base.path and teacher.hub_name == base.hub_name:
        raise ConfigError(
            f"{base.label} would be its own teacher: there is nothing to learn.",
            hint="Choose a better model as the teacher (teacher_model), or a smaller base model.",
        )
    theirs, ours = limits(teacher).dimension, limits(base).dimension
    if None in (theirs, ours) or theirs == ours:
        return
    if loss.feeding == "teacher_vector":
        other = LOSS["EmbedDistillLoss"].label
        raise ConfigError(
            f"{teacher.label} embeds {theirs} dimensions, {base.label} {ours}: {loss.label} needs the same number.",
            hint=f"Choose another teacher or base model, or the loss '{other}'.",
        )
    if loss.feeding == "teacher_vectors" and MODIFIER[config.modifier].cuts_dimensions:
        raise ConfigError(
            f"{teacher.label} embeds {theirs} dimensions, {base.label} {ours}: shorter embeddings cannot be compared.",
            hint="Choose a teacher with as many dimensions, or put nothing on top of the loss.",
        )


def _check_similarity(base: Base, config: TrainConfig) -> None:
    similarity = own_similarity(base) if config.similarity == "default" else config.similarity
    loss = LOSS[config.loss]
    if similarity != "cosine" and similarity not in LOSS_TAKES.get(loss.id, ()):
        whose = f"{base.label} compares by it" if config.similarity == "default" else "it is chosen as similarity"
        raise ConfigError(
            f"{loss.label} cannot compute with {SIMILARITY[similarity].label.lower()}, and {whose}.",
            hint="Choose cosine as similarity, or another loss.",
        )


def _check_static(base: Base, config: TrainConfig) -> None:
    """A static model is one table of vectors: what divides a transformer's layers finds none there."""
    for name, why in (
        ("lora_rank", "LoRA adds matrices to a transformer's layers"),
        ("freeze_layers", "freezing leaves a transformer's lowest layers as they are"),
        ("token_layers", "there are no layers to take a mean of"),
        ("gradient_checkpointing", "gradient checkpointing computes a transformer's layers twice"),
    ):
        if getattr(config, name) != FIELD[name].default:
            off = {bool: "off", int: "at 0", str: "at the last layer's"}[FIELD[name].kind]
            raise ConfigError(
                f"{base.label} has no layers of a transformer, and {why}.", hint=f"Leave '{FIELD[name].label}' {off}."
            )


def _token_limit(base: Base, data: pa.Table) -> int | None:
    """Smallest limit that leaves most texts whole; None when the model's own is no larger, or lengths are unknown."""
    from studio.training.estimate import token_lengths

    lengths = token_lengths(base, data)
    own = limits(base).max_tokens
    if lengths is None or not len(lengths):
        return None
    for limit in TOKEN_LIMITS:
        if own is not None and limit >= own:
            return None
        if (lengths <= limit).mean() >= KEPT_WHOLE:
            return limit
    return None
