"""Try several settings in one go: a fold of the Train tab, and the sweeps above the runs. Words are made here, in HTML."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.catalog.losses import LOSS
from studio.catalog.metrics import METRIC
from studio.catalog.models import MODELS
from studio.errors import ConfigError
from studio.training.config import FIELD
from studio.training.sweep import MOST_TRIALS, make_plan
from studio.ui import form
from studio.ui.handlers import on, owner_of, with_request
from studio.ui.shell import Shell, go, remember
from studio.ui.theme import markup

WORDS = (
    "Each trial is a run of its own that waits its turn in the queue. A tenth of the rows is put away first: no trial sees "
    "them, for the best of many looks better than it is. Trials are compared on other rows, and the winner's settings, "
    "trained once more on everything, get their verdict on the rows that were put away."
)


@dataclass(frozen=True)
class SweepFold:
    base_models: gr.Dropdown
    losses: gr.Dropdown
    epochs: gr.Textbox
    batch_sizes: gr.Textbox
    rate_factor: gr.Number
    trials: gr.Number
    minutes: gr.Textbox
    start: gr.Button
    notice: gr.HTML

    def wire(self, shell: Shell, widgets: dict[str, Any]) -> None:
        """``widgets``: of all settings of the Train tab, which say what is not varied."""
        mine = (
            self.base_models,
            self.losses,
            self.epochs,
            self.batch_sizes,
            self.rate_factor,
            self.trials,
            self.minutes,
        )

        def begin(dataset_id: str, *values: Any) -> tuple[Any, ...]:
            *values, request = values
            given = dict(zip(form.ALL, values[len(mine) :], strict=True))
            bases, losses, epochs, sizes, factor, trials, minutes = values[: len(mine)]
            plan = make_plan(
                {
                    "start": form.read(given).model_dump(),
                    "base_models": tuple(bases or ()),
                    "losses": tuple(losses or ()),
                    "epochs": numbers(epochs, "Epochs", float),
                    "batch_sizes": numbers(sizes, "Batch sizes", int),
                    "rate_factor": factor or 1,
                    "trials": trials,
                    "minutes": next(iter(numbers(minutes, "Time limit", float)), None),
                }
            )
            shell.studio.sweeps.create(owner_of(request), dataset_id, plan)
            return (go("runs"),)

        inputs = [shell.dataset, *mine, *(widgets[name] for name in form.ALL)]
        remember(on(self.start.click, with_request(begin, len(inputs)), inputs, [shell.tabs], self.notice))


def numbers(text: Any, label: str, kind: type) -> tuple[Any, ...]:
    """'1, 2' -> (1, 2). Raises ConfigError."""
    try:
        return tuple(kind(part) for part in str(text or "").replace(";", ",").split(",") if part.strip())
    except ValueError:
        raise ConfigError(f"{label} to try: '{text}' is no list of numbers.", hint="Write them as 1, 2, 3.") from None


def build() -> SweepFold:
    with gr.Accordion("Try several settings (sweep)", open=False, elem_id="train-sweep", elem_classes="fold"):
        markup(f'<p class="fine">{WORDS}</p>')
        common: dict[str, Any] = {"interactive": True, "min_width": 200}
        with gr.Row(elem_classes="fields two"):
            bases = gr.Dropdown(
                [(record.label, record.id) for record in MODELS], value=[], multiselect=True, allow_custom_value=True,
                label="Base models to try", info="Empty: the one chosen above.", elem_id="sweep-bases", **common,
            )  # fmt: skip
            losses = gr.Dropdown(
                [(loss.label, loss.id) for loss in LOSS.values()], value=[], multiselect=True,
                label="Losses to try", info="Only those that fit the dataset can be. Empty: the one chosen above.",
                elem_id="sweep-losses", **common,
            )  # fmt: skip
        with gr.Row(elem_classes="fields three"):
            epochs = gr.Textbox(
                "",
                label="Epochs to try",
                info="Such as 1, 2, 3. Empty: as above.",
                elem_id="sweep-epochs",
                max_lines=1,
                **common,
            )
            sizes = gr.Textbox(
                "",
                label="Batch sizes to try",
                info="Such as 16, 32. Empty: as above.",
                elem_id="sweep-sizes",
                max_lines=1,
                **common,
            )
            factor = gr.Number(
                3, label="Learning rate (factor)", elem_id="sweep-factor",
                info="3: from a third of it to three times it. 1: as above.", **common,
            )  # fmt: skip
        with gr.Row(elem_classes="fields three"):
            trials = gr.Number(
                8,
                label="Trials",
                info=f"How many runs, 2 to {MOST_TRIALS}.",
                precision=0,
                elem_id="sweep-trials",
                **common,
            )
            minutes = gr.Textbox(
                "", label="Time limit (minutes)", info="No trial begins after so long. Empty: none.",
                placeholder="none", elem_id="sweep-minutes", max_lines=1, **common,
            )  # fmt: skip
            with gr.Column(min_width=200):
                start = gr.Button("Start the sweep", elem_id="sweep-start")
        notice = markup(elem_id="sweep-notice")
    return SweepFold(bases, losses, epochs, sizes, factor, trials, minutes, start, notice)


def sweep_status(record: Any, importance: dict[str, float]) -> dict[str, Any]:
    """A SweepRecord as the plain JSON that static/sweeps.js reads."""
    primary = {"label": "Score", "help": ""}
    if record.metric in METRIC:
        primary = {"label": METRIC[record.metric].label, "help": METRIC[record.metric].help}
    parameters = record.plan.parameters
    return {
        "id": record.id,
        "name": record.name,
        "dataset": record.dataset_name,
        "state": record.state,
        "message": record.message,
        "over": record.is_over,
        "planned": record.plan.trials,
        "metric": primary,
        "parameters": [FIELD[name].label for name in parameters],
        "best": None if record.best is None else record.best.number,
        "trials": [
            {
                "number": t.trial.number + 1,
                "run": t.run_id,
                "state": t.state or t.trial.state,
                "value": t.trial.value,
                "settings": [_setting(name, t.trial.values.get(name)) for name in parameters],
            }
            for t in record.trials
        ],
        "importance": [[FIELD[name].label, share] for name, share in importance.items()],
    }


def _setting(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "loss":
        return LOSS[value].label
    return f"{value:g}" if isinstance(value, float) else str(value)
