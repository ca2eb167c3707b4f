"""Train: a config from a form that suggests itself, what it will take, and one button."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from studio.catalog.designs import DISTIL
from studio.catalog.losses import LOSS, MODIFIER
from studio.catalog.models import DEFAULT_MODEL
from studio.data.dataset import DatasetInfo, load_rows
from studio.data.rows import rows_numbered
from studio.errors import ConfigError, StudioError
from studio.training.bases import Base, resolve_base
from studio.training.config import FIELD, LOSS_FIELDS, MODEL_FIELDS, TrainConfig, make_config
from studio.ui import architecture, basetable, form, html, presets, settingsfile, sweeping, trainview
from studio.ui.architecture import Architecture
from studio.ui.basetable import BaseTable
from studio.ui.dataview import dataset_label
from studio.ui.handlers import any_of, explain, on, owner_of, with_request
from studio.ui.presets import PresetChoice
from studio.ui.settingsfile import SettingsFile
from studio.ui.shell import Shell, asked, go, remember
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.training.suggest import LossChoice

# studio.training.suggest and .estimate are imported where they are used: they take scipy along, which the first page can
# do without.

FOLLOWS_BASE = ("pooling", "epochs", "learning_rate", "max_seq_length")
"""Settings that are suggested anew for another base model."""
OBJECTIVE = ("loss", "modifier", *LOSS_FIELDS)
"""Settings whose choices depend on the others: what goes together can be chosen, and nothing else."""
HELD_OUT = ("Rows held out of this dataset", "")
"""What judges when nothing else is chosen."""


class Others(NamedTuple):
    """Ids of other datasets that have a part in a run."""

    also: tuple[str, ...] = ()
    """Those that train along."""
    test: str = ""
    """The one that judges; empty: rows of the dataset itself are held out."""


NO_OTHERS = Others()


@dataclass(frozen=True)
class TrainTab:
    shell: Shell
    dataset: gr.Dropdown
    also: gr.Dropdown
    """Further datasets; not there while there is one dataset only."""
    test: gr.Dropdown
    """The dataset that judges; not there while there is one only."""
    blank: gr.HTML
    panel: gr.Column
    widgets: dict[str, Any]
    """Field of TrainConfig -> its widget, in the order of form.ALL."""
    why: gr.HTML
    unfit: gr.HTML
    settings: gr.Accordion
    """Of the loss; not there for a loss without any."""
    architecture: Architecture
    bases: BaseTable
    presets: PresetChoice
    file: SettingsFile
    sweep: sweeping.SweepFold
    name: gr.Textbox
    estimate: gr.HTML
    again: gr.Button
    """Not seen: static/timing.js presses it when steps were timed."""
    train: gr.Button
    notice: gr.HTML

    @property
    def fields(self) -> list[Any]:
        return [self.widgets[name] for name in form.ALL]

    @property
    def outputs(self) -> list[Any]:
        """Outputs of :meth:`show`."""
        return [
            self.dataset,
            self.also,
            self.test,
            self.blank,
            self.panel,
            *self.fields,
            self.why,
            self.unfit,
            self.settings,
            self.estimate,
            self.train,
        ]

    def show(self, dataset_id: str, request: gr.Request, config: TrainConfig | None = None) -> tuple[Any, ...]:
        """The form for a dataset, everything suggested (or as ``config`` has it); '' or one that is gone shows what to do
        first."""
        owner = owner_of(request)
        datasets, runs = self.shell.studio.datasets, self.shell.studio.runs
        records = [*datasets.list(owner), *datasets.shared(owner)]
        choices = [(dataset_label(record, owner), record.id) for record in records]
        record = next((r for r in records if r.id == dataset_id), None)
        if record is None:
            hidden = gr.update(visible=False)
            untouched = tuple(gr.skip() for _ in form.ALL)
            chosen = gr.update(choices=choices, value=None)
            return (
                chosen,
                hidden,
                hidden,
                gr.update(visible=True),
                hidden,
                *untouched,
                "",
                "",
                gr.skip(),
                "",
                gr.update(interactive=False),
            )
        from studio.training.suggest import suggest_config

        config = config or suggest_config(record.info, data=load_rows(record.folder))
        updates = form.show(config)
        models = trainview.base_choices([*runs.list(owner), *runs.shared(owner)], owner)
        objective, words = self._objective(owner, record.info, config.model_dump())
        updates |= objective
        for name in MODEL_FIELDS:
            updates[name] = gr.update(**{**updates[name], "choices": models})
        others = [choice for choice in choices if choice[1] != dataset_id]
        return (
            gr.update(choices=choices, value=dataset_id),
            gr.update(choices=others, value=[], visible=bool(others)),
            gr.update(choices=[HELD_OUT, *others], value="", visible=bool(others)),
            gr.update(visible=False),
            gr.update(visible=True),
            *(updates[name] for name in form.ALL),
            *words,
            *self._judged(owner, dataset_id, config),
        )

    def fill_in(self, path: str, dataset_id: str, request: gr.Request) -> tuple[Any, ...]:
        """A file of settings arrived: the form shows what it says, and what is suggested where it says nothing.

        Raises:
            StudioError: it is none, or its settings do not go together or not with this dataset.
        """
        from studio.training.suggest import check_fit, suggest_config

        values = settingsfile.read(Path(path))
        owner = owner_of(request)
        record = self.shell.studio.datasets.get(owner, dataset_id)
        rows, base = load_rows(record.folder), str(values.get("base_model", DEFAULT_MODEL)).strip()
        suggested = suggest_config(record.info, self.location(owner, base), rows)
        config = make_config({**suggested.model_dump(), **values, "base_model": base})
        check_fit(record.info, self.located(owner, config), rows)
        return *self.show(dataset_id, request, config), settingsfile.told(Path(path).name, values)

    def _objective(
        self, owner: str, info: DatasetInfo, given: dict[str, Any]
    ) -> tuple[dict[str, Any], tuple[Any, ...]]:
        """Updates of the fields in OBJECTIVE for the dataset and the base model in ``given``, and words on the loss.

        What does not go with them is replaced in ``given`` by what is suggested.
        """
        from studio.training.suggest import losses_for, modifiers_for

        negatives = sum(role.startswith("negative") for role in info.roles)
        base = self._base(owner, given["base_model"])
        losses = losses_for(info.format, negatives, base)
        fitting = [choice.loss.id for choice in losses if choice.fits]
        if given["loss"] not in fitting and fitting:
            given["loss"] = fitting[0]
        modifiers = modifiers_for(LOSS[given["loss"]], base)
        if given["modifier"] not in [choice.modifier.id for choice in modifiers if choice.fits]:
            given["modifier"] = "none"
        updates = form.loss_fields(given["loss"], given["modifier"], given)
        given |= {name: updates[name]["value"] for name in LOSS_FIELDS}
        updates["loss"] = gr.update(choices=_choosable(losses), value=given["loss"])
        on_top = [(choice.modifier.label, choice.modifier.id) for choice in modifiers if choice.fits]
        updates["modifier"] = gr.update(choices=on_top, value=given["modifier"])
        why = trainview.loss_words(losses, modifiers, given["loss"], given["modifier"])
        settings = gr.update(visible=any(updates[name]["visible"] for name in form.OF_LOSS))
        return updates, (why, trainview.unfit_words(losses, modifiers), settings)

    def _base(self, owner: str, base_model: Any) -> Base | None:
        """None: there is no such model, which the estimate says."""
        try:
            return resolve_base(self.location(owner, str(base_model or "").strip()))
        except StudioError:
            return None

    def _judged(self, owner: str, dataset_id: str, config: TrainConfig, others: Others = NO_OTHERS) -> tuple[Any, ...]:
        """The estimate (or why this config cannot train) and whether the button can be pressed."""
        from studio.training.estimate import estimate_together
        from studio.training.judging import own_test

        try:
            record, *also = (self.shell.studio.datasets.see(owner, id) for id in (dataset_id, *others.also))
            along = [(other.info, load_rows(other.folder)) for other in also]
            data = load_rows(record.folder)
            test = None
            if others.test:
                test = own_test(self.shell.studio.datasets.see(owner, others.test).folder, config.seed)
            timings, located = self.shell.studio.timings, self.located(owner, config)
            timings.going_on(owner)  # what is done is known from here on
            guess = estimate_together(record.info, data, located, along, test, timings.speeds)
            timing = guess.work is not None and timings.want(owner, dataset_id, located, guess.work)
            words = trainview.estimate_words(guess, lambda numbers: rows_numbered(data, numbers), timing)
        except StudioError as error:
            return explain(error), gr.update(interactive=False)
        return words, gr.update(interactive=True)

    def located(self, owner: str, config: TrainConfig) -> TrainConfig:
        """The config with the models as the training layer knows them."""
        named = {name: getattr(config, name) for name in MODEL_FIELDS if getattr(config, name) is not None}
        return config.model_copy(update={name: self.location(owner, value) for name, value in named.items()})

    def location(self, owner: str, base_model: str) -> str:
        """A base model's name as the training layer knows it: models tuned earlier are folders there."""
        distil, _, run_id = base_model.rpartition("run:")
        if not run_id or distil not in ("", DISTIL) or "run:" not in base_model:
            return base_model
        return f"{distil}{self.shell.studio.runs.see(owner, run_id).folder / 'model'}"

    @staticmethod
    def _read(*rest: Any) -> tuple[dict[str, Any], Others, gr.Request]:
        """The fields of the form, other datasets (where there are any), the request."""
        *values, request = rest
        fields, others = values[: len(form.ALL)], Others(*values[len(form.ALL) :])
        others = Others(tuple(others.also or ()), others.test or "")
        return dict(zip(form.ALL, fields, strict=True)), others, request

    def reestimate(self, dataset_id: str, *rest: Any) -> tuple[Any, ...]:
        """A setting was changed."""
        given, others, request = self._read(*rest)
        try:
            config = form.read(given)
        except ConfigError as error:
            return explain(error), gr.update(interactive=False)
        return self._judged(owner_of(request), dataset_id, config, others)

    def rebase(self, dataset_id: str, *rest: Any) -> tuple[Any, ...]:
        """Another base model: learning rate, epochs and text length are suggested anew."""
        from studio.training.suggest import suggest_config

        given, others, request = self._read(*rest)
        owner = owner_of(request)
        skipped = tuple(gr.skip() for _ in (*FOLLOWS_BASE, *OBJECTIVE, self.why, self.unfit, self.settings))
        try:
            record = self.shell.studio.datasets.see(owner, dataset_id)
            location = self.location(owner, str(given["base_model"] or "").strip())
            suggested = suggest_config(record.info, location, load_rows(record.folder))
        except StudioError as error:
            return *skipped, explain(error), gr.update(interactive=False)
        given |= {name: getattr(suggested, name) for name in FOLLOWS_BASE}
        updates = tuple(gr.update(value=given[name]) for name in FOLLOWS_BASE)
        return *updates, *self._learn(dataset_id, given, others, request)

    def use(self, dataset_id: str, *rest: Any) -> tuple[Any, ...]:
        """A base model was chosen in the table: as if it had been typed."""
        *values, request, event = rest
        base = str(event.base)
        if not basetable.known(base):
            raise ConfigError(f"There is no base model '{base}' in the table.")
        given, others, request = self._read(*values, request)
        given["base_model"] = base
        return gr.update(value=base), *self.rebase(dataset_id, *(given[name] for name in form.ALL), *others, request)

    def relearn(self, dataset_id: str, *rest: Any) -> tuple[Any, ...]:
        """Another loss: its own settings appear, those of others go."""
        given, others, request = self._read(*rest)
        kept = {*MODEL_FIELDS, *(p.id for p in MODIFIER[given["modifier"]].parameters)}
        return self._learn(
            dataset_id, given | {name: None for name in LOSS_FIELDS if name not in kept}, others, request
        )

    def restack(self, dataset_id: str, *rest: Any) -> tuple[Any, ...]:
        """Something else on top of the loss."""
        return self._learn(dataset_id, *self._read(*rest))

    def _learn(self, dataset_id: str, given: dict[str, Any], others: Others, request: gr.Request) -> tuple[Any, ...]:
        owner = owner_of(request)
        record = self.shell.studio.datasets.see(owner, dataset_id)
        updates, words = self._objective(owner, record.info, given)
        judged = self.reestimate(dataset_id, *(given[name] for name in form.ALL), *others, request)
        return *(updates[name] for name in OBJECTIVE), *words, *judged

    def start(self, dataset_id: str, name: str, *rest: Any) -> tuple[Any, ...]:
        """Put a run into the queue and go to it."""
        given, others, request = self._read(*rest)
        self.shell.studio.timings.end(owner_of(request))
        record = self.shell.studio.runs.create(
            owner_of(request), dataset_id, form.read(given), name.strip(), others.also, test=others.test
        )
        return go("runs"), record.id, ""

    def load(self, request: gr.Request) -> tuple[Any, ...]:
        return self.show(asked(request, "dataset"), request)

    def choose(self, dataset_id: str | None, request: gr.Request) -> tuple[Any, ...]:
        return dataset_id or "", *self.show(dataset_id or "", request)

    def wire(self) -> None:
        shell, judged = self.shell, [self.estimate, self.train]
        chosen = on(self.dataset.input, self.choose, [self.dataset], [shell.dataset, *self.outputs], self.notice)
        remember(chosen, dataset=shell.dataset)
        inputs = [shell.dataset, *self.fields, self.also, self.test]
        live = {"trigger_mode": "always_last"}
        on(
            self.widgets["base_model"].input, with_request(self.rebase, len(inputs)), inputs,
            [*(self.widgets[name] for name in (*FOLLOWS_BASE, *OBJECTIVE)), self.why, self.unfit, self.settings, *judged], self.notice, **live,
        )  # fmt: skip
        for name, method in (("loss", self.relearn), ("modifier", self.restack)):
            on(
                self.widgets[name].input, with_request(method, len(inputs)), inputs,
                [*(self.widgets[name] for name in OBJECTIVE), self.why, self.unfit, self.settings, *judged], self.notice, **live,
            )  # fmt: skip

        def use(request: gr.Request, event: gr.EventData, *values: Any) -> tuple[Any, ...]:
            return self.use(*values, request, event)

        on(
            self.bases.view.select, use, inputs,
            [self.widgets[name] for name in ("base_model", *FOLLOWS_BASE, *OBJECTIVE)] + [self.why, self.unfit, self.settings, *judged],
            self.notice,
        )  # fmt: skip
        self.architecture.wire(self.widgets, lambda request, name: self.location(owner_of(request), name), self.notice)
        self.sweep.wire(shell, self.widgets)
        others = [w.input for name, w in self.widgets.items() if name not in ("base_model", "loss", "modifier")]
        others += [self.also.input, self.test.input, self.again.click]
        on(any_of(*others), with_request(self.reestimate, len(inputs)), inputs, judged, self.notice, **live)
        started = on(
            self.train.click, with_request(self.start, len(inputs) + 1), [shell.dataset, self.name, *inputs[1:]],
            [shell.tabs, shell.run, self.name], self.notice, show_progress="minimal", show_progress_on=[self.notice],
        )  # fmt: skip
        remember(started, run=shell.run)
        self.presets.wire(self)
        self.file.wire(self)
        on(shell.page.load, self.load, [], self.outputs, self.notice)


def _choosable(losses: "tuple[LossChoice, ...]") -> list[tuple[str, str]]:
    labels = [(choice.loss.label, choice.loss.id) for choice in losses if choice.fits]
    return [(f"{label} (suggested)" if not position else label, id) for position, (label, id) in enumerate(labels)]


def build(shell: Shell) -> TrainTab:
    markup(html.heading("Train", "Everything is filled in with a good start. Change what you like."))
    with gr.Row(elem_classes="fields three"):
        dataset = gr.Dropdown(
            [], value=None, label="Dataset", info="The table to learn from.",
            elem_id="train-dataset", interactive=True,
        )  # fmt: skip
        also = gr.Dropdown(
            [], value=[], multiselect=True, label="Also learn from", info="Other datasets that train the same model, each with its loss.",
            elem_id="train-also", visible=False, interactive=True,
        )  # fmt: skip
        test = gr.Dropdown(
            [HELD_OUT], value="", label="Test data", info="What judges the result. None of its rows train.",
            elem_id="train-test", visible=False, interactive=True,
        )  # fmt: skip
    blank = markup(
        '<div class="blank"><b>No dataset chosen</b><p>Choose one above, or bring a table in the Data tab first.</p></div>',
        elem_id="train-blank",
    )
    widgets: dict[str, Any] = {}
    with gr.Column(visible=False, elem_id="train-form") as panel:
        thorough = presets.build()
        file = settingsfile.build()
        with gr.Row(elem_classes="fields two"):
            for name in ("base_model", "pooling"):
                widgets[name] = form.widget(FIELD[name])
        bases = basetable.build()
        with gr.Row(elem_classes="fields two"):
            with gr.Column():
                for name in ("loss", "modifier", "guide_model", "teacher_model"):
                    widgets[name] = form.widget(FIELD[name])
            why = markup(elem_id="train-why")
        unfit = markup(elem_id="train-unfit", elem_classes="unfit")
        with (
            gr.Accordion(
                "Settings of the loss", open=False, elem_id="train-loss-settings", elem_classes="fold"
            ) as settings,
            gr.Row(elem_classes="fields three"),
        ):
            for name in form.OF_LOSS:
                widgets[name] = form.widget(FIELD[name])
        with gr.Row(elem_classes="fields three"):
            for name in ("epochs", "batch_size", "learning_rate"):
                widgets[name] = form.widget(FIELD[name])
        blocks = architecture.build()
        widgets |= blocks.widgets
        with gr.Accordion("More settings", open=False, elem_id="train-more", elem_classes="fold"):
            for heading, names in form.SECTIONS.items():
                markup(html.section(heading), elem_classes="group")
                with gr.Row(elem_classes="fields three"):
                    for name in names:
                        widgets[name] = form.widget(FIELD[name])
        sweep = sweeping.build()
        with gr.Row(elem_id="train-go", elem_classes="panel"):
            with gr.Column(scale=3, min_width=300):
                estimate_html = markup(elem_id="train-estimate")
                again = gr.Button("Estimate again", elem_id="train-again", elem_classes="unseen")
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
    return TrainTab(
        shell,
        dataset,
        also,
        test,
        blank,
        panel,
        ordered,
        why,
        unfit,
        settings,
        blocks,
        bases,
        thorough,
        file,
        sweep,
        name_box,
        estimate_html,
        again,
        train,
        notice,
    )
