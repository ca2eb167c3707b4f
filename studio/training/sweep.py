"""A sweep: several settings tried in turn, Optuna saying which come next. No torch; Optuna is imported when it is needed.

The rows are split twice. First as one training would split them: the held-out rows are put away, and no trial sees them.
The rest is the dataset of the trials, of which each holds out some rows of its own to be compared by. The best of many is
partly best by luck: what the winner is worth is told by a training of its settings on the whole dataset, whose held-out
rows are those that were put away.

    plan.json      SweepPlan
    dataset/       the trials' rows
    study.db       Optuna's own storage
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from studio.catalog.formats import FORMAT
from studio.catalog.losses import LOSS, MODIFIER
from studio.data.dataset import DatasetInfo, load_info, save_dataset
from studio.errors import ConfigError
from studio.files import read_json, write_json
from studio.training.config import FIELD, LOSS_FIELDS, TrainConfig, make_config
from studio.training.design import ARCHITECTURE_FIELDS, architecture_fields

if TYPE_CHECKING:
    import optuna

Locate = Callable[[str], str]
MOST_TRIALS = 100
LEAST_FOR_IMPORTANCE = 4
STUDY = "sweep"
LOST = "lost"


class SweepPlan(BaseModel):
    """What is tried, and how much of it. Fields that name one value only are not varied."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: TrainConfig
    """Everything that is not varied."""
    base_models: tuple[str, ...] = Field((), max_length=20)
    losses: tuple[str, ...] = Field((), max_length=20)
    epochs: tuple[float, ...] = Field((), max_length=20)
    batch_sizes: tuple[int, ...] = Field((), max_length=20)
    rate_factor: float = Field(3.0, ge=1, le=100)
    """Learning rates from the suggested one divided by this to the suggested one times this; 1: not varied."""
    trials: int = Field(8, ge=2, le=MOST_TRIALS)
    minutes: float | None = Field(None, gt=0, le=60 * 24 * 14)
    """No trial is begun after so long; None: no limit."""

    @model_validator(mode="after")
    def _varies_something(self) -> "SweepPlan":
        if self.rate_factor == 1 and not self.varied:
            raise ValueError(
                "nothing is varied: name several losses, base models, epochs or batch sizes, or a learning-rate factor above 1"
            )
        if unknown := [loss for loss in self.losses if loss not in LOSS]:
            raise ValueError(f"there is no loss '{unknown[0]}'")
        return self

    @property
    def varied(self) -> dict[str, tuple[Any, ...]]:
        """Field of TrainConfig -> its values, of those that are chosen among several."""
        fields = {
            "base_model": self.base_models, "loss": self.losses, "epochs": self.epochs, "batch_size": self.batch_sizes,
        }  # fmt: skip
        return {name: tuple(dict.fromkeys(values)) for name, values in fields.items() if len(set(values)) > 1}

    @property
    def parameters(self) -> tuple[str, ...]:
        """What differs between trials, fields of TrainConfig."""
        return (*self.varied, *(("learning_rate",) if self.rate_factor > 1 else ()))


@dataclass(frozen=True)
class Trial:
    number: int
    """From 0."""
    values: dict[str, Any]
    """Field of TrainConfig -> value, of what is varied."""
    value: float | None
    """The primary metric on the rows that the trial held out; None: not known (yet)."""
    state: str
    """``running``, ``done`` or ``failed``."""


def make_plan(values: dict[str, Any]) -> SweepPlan:
    """A plan from plain values. Raises ConfigError in plain words."""
    try:
        return SweepPlan(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{str(first['loc'][0]).replace('_', ' ')}: " if first["loc"] else ""
        raise ConfigError(f"This sweep cannot be made: {where}{first['msg'].removeprefix('Value error, ')}.") from None


def begin(folder: Path, plan: SweepPlan, info: DatasetInfo, data: pa.Table, locate: Locate = str) -> int:
    """Write a sweep's folder; returns the number of rows that no trial will see.

    ``locate``: where a base model's files are, by its name in the plan.

    Raises:
        ConfigError, ModelError: values that cannot train on this dataset, before anything is started.
        DataError: the rows cannot be split.
    """
    from studio.data.split import split  # takes scipy along, which the first page can do without
    from studio.training.suggest import check_fit

    parts = split(data, plan.start.heldout_share, plan.start.seed)
    rows = data.take(parts.train)
    if "part" in rows.column_names:
        rows = rows.drop_columns("part")
    trial_info = replace(info, rows=len(rows), findings=(), corpus_rows=0)
    for config in _corners(plan, trial_info, locate):
        check_fit(trial_info, config.model_copy(update={"base_model": locate(config.base_model)}), rows)
    save_dataset(folder / "dataset", rows, trial_info)
    write_json(folder / "plan.json", plan.model_dump(mode="json"))
    return len(parts.heldout)


def load_plan(folder: Path) -> SweepPlan:
    return make_plan(read_json(folder / "plan.json"))


def ask(folder: Path, locate: Locate = str) -> tuple[int, TrainConfig]:
    """The next trial: its number and its config."""
    plan = load_plan(folder)
    trial = open_study(folder).ask()
    config = _config(
        plan,
        load_info(folder / "dataset"),
        {name: trial.suggest_categorical(name, list(values)) for name, values in plan.varied.items()},
        trial.suggest_float("rate", 1 / plan.rate_factor, plan.rate_factor, log=True) if plan.rate_factor > 1 else 1.0,
        locate,
    )
    for name in plan.parameters:
        trial.set_user_attr(name, getattr(config, name))
    return trial.number, config


def tell(folder: Path, number: int, value: float | None) -> None:
    """How a trial ended; None: it failed. Telling twice changes nothing."""
    import optuna

    state = optuna.trial.TrialState.COMPLETE if value is not None else optuna.trial.TrialState.FAIL
    open_study(folder).tell(number, value, state=state, skip_if_finished=True)


def lose(folder: Path, number: int) -> None:
    """Forget a trial that was asked for and never became a run: the server ended between the two."""
    import optuna

    study = open_study(folder)
    asked = study.get_trials(deepcopy=False)[number]
    optuna.Trial(study, asked._trial_id).set_user_attr(LOST, True)
    tell(folder, number, None)


def trials(folder: Path) -> tuple[Trial, ...]:
    """All trials so far, by number; without those that were lost."""
    states = {"COMPLETE": "done", "FAIL": "failed"}
    return tuple(
        Trial(
            t.number,
            dict(t.user_attrs),
            t.value if t.state.name == "COMPLETE" else None,
            states.get(t.state.name, "running"),
        )
        for t in open_study(folder).get_trials(deepcopy=False)
        if LOST not in t.user_attrs
    )


def best(found: tuple[Trial, ...]) -> Trial | None:
    """The trial with the highest value; the earlier of two."""
    done = [trial for trial in found if trial.value is not None]
    return max(done, key=lambda trial: (trial.value, -trial.number), default=None)


def config_of(plan: SweepPlan, trial: Trial) -> TrainConfig:
    """The settings of a trial, as a form shows them."""
    values = {**plan.start.model_dump(), **trial.values}
    return make_config(_without_misfits(values))


def metric_of(folder: Path) -> str:
    """Id of the metric that trials are compared by: that of the verdict."""
    return FORMAT[load_info(folder / "dataset").judged_as].primary_metric


def importance(folder: Path) -> dict[str, float]:
    """Field of TrainConfig -> its share (adding up to 1) in what made trials better or worse; empty while they are few.

    Source: functional ANOVA, Hutter et al. 2014, as Optuna computes it.
    """
    done = tuple(trial.value for trial in trials(folder) if trial.value is not None)
    if len(done) < LEAST_FOR_IMPORTANCE or len(set(done)) < 2:
        return {}
    return _importance(folder, done)


@lru_cache(maxsize=32)
def _importance(folder: Path, done: tuple[float, ...]) -> dict[str, float]:
    """The page asks every other second, and the answer takes a while: it is found once for the scores ``done``."""
    import optuna

    study = open_study(folder)
    try:
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    except (RuntimeError, ValueError):  # trials too much alike to tell
        return {}
    return {"learning_rate" if name == "rate" else name: share for name, share in found.items()}


def open_study(folder: Path) -> "optuna.Study":
    """Optuna's own record of the sweep. The next trial follows from those before and the seed."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=_storage(folder / "study.db"), study_name=STUDY, direction="maximize", load_if_exists=True
    )
    seed = load_plan(folder).start.seed + len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=4)
    return study


@lru_cache(maxsize=8)
def _storage(path: Path) -> Any:
    import optuna

    return optuna.storages.RDBStorage(f"sqlite:///{path.absolute()}")


def _config(plan: SweepPlan, info: DatasetInfo, chosen: dict[str, Any], factor: float, locate: Locate) -> TrainConfig:
    """A trial's config: the learning rate is that which suits its base model, times ``factor``."""
    values = {**plan.start.model_dump(), **chosen}
    rate = plan.start.learning_rate
    if values["base_model"] != plan.start.base_model:
        from studio.training.suggest import suggest_config

        suggested = suggest_config(info, locate(values["base_model"]))
        rate = suggested.learning_rate
        values |= {"pooling": suggested.pooling, "max_seq_length": None}
        if "epochs" not in chosen:
            values["epochs"] = suggested.epochs
    values["learning_rate"] = float(f"{min(1.0, rate * factor):.3g}")
    return make_config(_without_misfits(values))


def _without_misfits(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` without settings that only another loss or base model has."""
    takes = {p.id for p in (*LOSS[values["loss"]].parameters, *MODIFIER[values["modifier"]].parameters)}
    takes |= set(architecture_fields(values["base_model"], values["projection"]))
    conditional = {*LOSS_FIELDS, *ARCHITECTURE_FIELDS}
    return {name: value for name, value in values.items() if name not in conditional or name in takes}


def _corners(plan: SweepPlan, info: DatasetInfo, locate: Locate) -> list[TrainConfig]:
    """The first values of everything, and each other value beside them: what does not fit is found before the start."""
    varied = plan.varied
    first = {name: values[0] for name, values in varied.items()}
    found = [first, *({**first, name: value} for name, values in varied.items() for value in values[1:])]
    return [_config(plan, info, chosen, 1.0, locate) for chosen in found]


def in_words(name: str) -> str:
    """What is varied, for people."""
    return FIELD[name].label
