"""Train: a config from a form that suggests itself, what it will take, and one button."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.data.dataset import DatasetInfo, load_rows
from studio.errors import ConfigError, StudioError
from studio.training.config import FIELD, TrainConfig
from studio.ui import form, html, trainview
from studio.ui.dataview import dataset_label
from studio.ui.handlers import any_of, explain, on, owner_of, with_request
from studio.ui.shell import Shell, asked, go, remember
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.training.suggest import LossChoice

# studio.training.suggest and .estimate are imported where they are used: they take scipy along, which the first page can
# do without.

LOSS_ORDER = tuple(name for name in form.ALL if name in form.LOSS_FIELDS)
FOLLOWS_BASE = ("pooling", "learning_rate", "max_seq_length")
"""Settings that are suggested anew for another base model."""


@dataclass(frozen=True)
class TrainTab:
    shell: Shell
    dataset: gr.Dropdown
    blank: gr.HTML
    panel: gr.Column
    widgets: dict[str, Any]
    """Field of TrainConfig -> its widget, in the order of form.ALL."""
    why: gr.HTML
    name: gr.Textbox
    estimate: gr.HTML
    train: gr.Button
    notice: gr.HTML

    @property
    def fields(self) -> list[Any]:
        return [self.widgets[name] for name in form.ALL]

    @property
    def outputs(self) -> list[Any]:
        """Outputs of :meth:`show`."""
        return [self.dataset, self.blank, self.panel, *self.fields, self.why, self.estimate, self.train]

    def show(self, dataset_id: str, request: gr.Request) -> tuple[Any, ...]:
        """The form for a dataset, everything suggested; '' or one that is gone shows what to do first."""
        owner = owner_of(request)
        records = self.shell.studio.datasets.list(owner)
        choices = [(dataset_label(record), record.id) for record in records]
        record = next((r for r in records if r.id == dataset_id), None)
        if record is None:
            hidden = gr.update(visible=False)
            untouched = tuple(gr.skip() for _ in form.ALL)
            chosen = gr.update(choices=choices, value=None)
            return chosen, gr.update(visible=True), hidden, *untouched, "", "", gr.update(interactive=False)
        from studio.training.suggest import suggest_config

        config = suggest_config(record.info, data=load_rows(record.folder))
        updates = form.show(config)
        losses = self._losses(record.info)
        updates["loss"] = gr.update(choices=_choosable(losses), value=config.loss)
        updates["base_model"] = gr.update(
            choices=trainview.base_choices(self.shell.studio.runs.list(owner)), value=config.base_model
        )
        return (
            gr.update(choices=choices, value=dataset_id),
            gr.update(visible=False),
            gr.update(visible=True),
            *(updates[name] for name in form.ALL),
            trainview.loss_words(losses, config.loss),
            *self._judged(owner, dataset_id, config),
        )

    def _losses(self, info: DatasetInfo) -> "tuple[LossChoice, ...]":
        from studio.training.suggest import losses_for

        return losses_for(info.format, sum(role.startswith("negative") for role in info.roles))

    def _judged(self, owner: str, dataset_id: str, config: TrainConfig) -> tuple[Any, ...]:
        """The estimate (or why this config cannot train) and whether the button can be pressed."""
        from studio.training.estimate import estimate

        try:
            record = self.shell.studio.datasets.get(owner, dataset_id)
            here = config.model_copy(update={"base_model": self._location(owner, config.base_model)})
            words = trainview.estimate_words(estimate(record.info, load_rows(record.folder), here))
        except StudioError as error:
            return explain(error), gr.update(interactive=False)
        return words, gr.update(interactive=True)

    def _location(self, owner: str, base_model: str) -> str:
        """A base model's name as the training layer knows it: models tuned earlier are folders there."""
        if not base_model.startswith("run:"):
            return base_model
        return str(self.shell.studio.runs.get(owner, base_model.removeprefix("run:")).folder / "model")

    def reestimate(self, dataset_id: str, *rest: Any) -> tuple[Any, ...]:
        """A setting was changed."""
        *values, request = rest
        try:
            config = form.read(dict(zip(form.ALL, values, strict=True)))
        except ConfigError as error:
            return explain(error), gr.update(interactive=False)
        return self._judged(owner_of(request), dataset_id, config)

    def rebase(self, dataset_id: str, *rest: Any) -> tuple[Any, ...]:
        """Another base model: learning rate and text length are suggested anew."""
        from studio.training.suggest import suggest_config

        *values, request = rest
        owner = owner_of(request)
        given = dict(zip(form.ALL, values, strict=True))
        skipped = {name: gr.skip() for name in FOLLOWS_BASE}
        try:
            record = self.shell.studio.datasets.get(owner, dataset_id)
            location = self._location(owner, str(given["base_model"] or "").strip())
            suggested = suggest_config(record.info, location, load_rows(record.folder))
        except StudioError as error:
            return *skipped.values(), explain(error), gr.update(interactive=False)
        given |= {name: getattr(suggested, name) for name in FOLLOWS_BASE}
        updates = tuple(gr.update(value=given[name]) for name in FOLLOWS_BASE)
        return *updates, *self.reestimate(dataset_id, *(given[name] for name in form.ALL), request)

    def relearn(self, dataset_id: str, *rest: Any) -> tuple[Any, ...]:
        """Another loss: its own settings appear, those of others go."""
        *values, request = rest
        given = dict(zip(form.ALL, values, strict=True))
        given |= dict.fromkeys(LOSS_ORDER)
        record = self.shell.studio.datasets.get(owner_of(request), dataset_id)
        words = trainview.loss_words(self._losses(record.info), given["loss"])
        judged = self.reestimate(dataset_id, *(given[name] for name in form.ALL), request)
        return *form.loss_fields(given["loss"]), words, *judged

    def start(self, dataset_id: str, name: str, *rest: Any) -> tuple[Any, ...]:
        """Put a run into the queue and go to it."""
        *values, request = rest
        config = form.read(dict(zip(form.ALL, values, strict=True)))
        record = self.shell.studio.runs.create(owner_of(request), dataset_id, config, name.strip())
        return go("runs"), record.id, ""

    def load(self, request: gr.Request) -> tuple[Any, ...]:
        return self.show(asked(request, "dataset"), request)

    def choose(self, dataset_id: str | None, request: gr.Request) -> tuple[Any, ...]:
        return dataset_id or "", *self.show(dataset_id or "", request)

    def wire(self) -> None:
        shell, judged = self.shell, [self.estimate, self.train]
        chosen = on(self.dataset.input, self.choose, [self.dataset], [shell.dataset, *self.outputs], self.notice)
        remember(chosen, dataset=shell.dataset)
        inputs = [shell.dataset, *self.fields]
        live = {"trigger_mode": "always_last"}
        on(
            self.widgets["base_model"].input, with_request(self.rebase, len(inputs)), inputs,
            [*(self.widgets[name] for name in FOLLOWS_BASE), *judged], self.notice, **live,
        )  # fmt: skip
        on(
            self.widgets["loss"].input, with_request(self.relearn, len(inputs)), inputs,
            [*(self.widgets[name] for name in LOSS_ORDER), self.why, *judged], self.notice, **live,
        )  # fmt: skip
        others = [widget.input for name, widget in self.widgets.items() if name not in ("base_model", "loss")]
        on(any_of(*others), with_request(self.reestimate, len(inputs)), inputs, judged, self.notice, **live)
        started = on(
            self.train.click, with_request(self.start, len(inputs) + 1), [shell.dataset, self.name, *self.fields],
            [shell.tabs, shell.run, self.name], self.notice, show_progress="minimal", show_progress_on=[self.notice],
        )  # fmt: skip
        remember(started, run=shell.run)
        on(shell.page.load, self.load, [], self.outputs, self.notice)


def _choosable(losses: "tuple[LossChoice, ...]") -> list[tuple[str, str]]:
    labels = [(choice.loss.label, choice.loss.id) for choice in losses if choice.fits]
    return [(f"{label} (suggested)" if not position else label, id) for position, (label, id) in enumerate(labels)]


def build(shell: Shell) -> TrainTab:
    markup(html.heading("Train", "Everything is filled in with a good start. Change what you like."))
    dataset = gr.Dropdown(
        [], value=None, label="Dataset", info="The table to learn from.", elem_id="train-dataset", interactive=True
    )
    blank = markup(
        '<div class="blank"><b>No dataset chosen</b><p>Choose one above, or bring a table in the Data tab first.</p></div>',
        elem_id="train-blank",
    )
    widgets: dict[str, Any] = {}
    with gr.Column(visible=False, elem_id="train-form") as panel:
        with gr.Row(elem_classes="fields two"):
            for name in ("base_model", "pooling"):
                widgets[name] = form.widget(FIELD[name])
        with gr.Row(elem_classes="fields two"):
            widgets["loss"] = form.widget(FIELD["loss"])
            why = markup(elem_id="train-why")
        with gr.Row(elem_classes="fields three"):
            for name in ("epochs", "batch_size", "learning_rate"):
                widgets[name] = form.widget(FIELD[name])
        with (
            gr.Accordion("More settings", open=False, elem_id="train-more", elem_classes="fold"),
            gr.Row(elem_classes="fields three"),
        ):
            for name in form.MORE:
                widgets[name] = form.widget(FIELD[name])
        with gr.Row(elem_id="train-go", elem_classes="panel"):
            with gr.Column(scale=3, min_width=300):
                estimate_html = markup(elem_id="train-estimate")
            with gr.Column(scale=2, min_width=260):
                name_box = gr.Textbox(
                    label="Name of the run",
                    placeholder="made from dataset and model",
                    max_lines=1,
                    elem_id="train-name",
                )
                train = gr.Button("Train", variant="primary", size="lg", elem_id="train-start", interactive=False)
    notice = markup(elem_id="train-notice")
    ordered = {name: widgets[name] for name in form.ALL}
    return TrainTab(shell, dataset, blank, panel, ordered, why, name_box, estimate_html, train, notice)
