"""Hard negatives: mined in the background with a base model; the result is a new version, which is shown to be reviewed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.making.mining import CHOICE_LABELS, MINING_FIELDS
from studio.runs.reviews import FORMATS
from studio.training.config import ConfigField
from studio.ui import html
from studio.ui.handlers import on, owner_of
from studio.ui.makings import progress_line
from studio.ui.shell import Shell, remember
from studio.ui.theme import markup
from studio.ui.tools.review import trained_choices

if TYPE_CHECKING:
    from studio.runs.records import DatasetRecord
    from studio.ui.data import DataTab

HELP = """A hard negative is a text that looks like the answer and is not: telling the two apart is what a model learns most from.
The base model picks them among the texts of this dataset. Held-out rows are then judged by searching, as pairs are: the model
that picked the negatives would get every triplet right."""
OWN_TEXTS = "only the texts of this dataset"


@dataclass(frozen=True)
class NegativesTool:
    shell: Shell
    fold: gr.Accordion
    widgets: dict[str, Any]
    """Field of studio.making.mining -> its widget."""
    corpus: gr.Dropdown
    start: gr.Button
    progress: gr.HTML
    notice: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.fold, self.widgets["base_model"], *self._emptied, self.corpus, self.progress]

    @property
    def _emptied(self) -> list[gr.Number]:
        """Numbers that start empty. The page makes a 0 of them unless it is told once more that they are."""
        return [self.widgets[field.id] for field in MINING_FIELDS if field.optional and field.default is None]

    def show(self, owner: str, record: "DatasetRecord | None") -> tuple[Any, ...]:
        if record is None or record.info.format not in FORMATS["negatives"]:
            return gr.update(visible=False), gr.skip(), *(gr.skip() for _ in self._emptied), gr.skip(), ""
        studio = self.shell.studio
        latest = studio.makings.latest(owner, "negatives", record.id)
        going = latest.id if latest is not None and latest.state in ("queued", "running", "stopping") else ""
        corpora = [(f"{c.name} - {c.rows:,} texts", c.id) for c in studio.corpora.list(owner)]
        return (
            gr.update(visible=True, **({"open": True} if going else {})),
            gr.update(choices=trained_choices(studio.runs.list(owner))),
            *(gr.update(value=None) for _ in self._emptied),
            gr.update(choices=[(OWN_TEXTS, ""), *corpora], value=""),
            going,
        )

    def mine(self, owner: str, dataset_id: str, corpus_id: str, values: tuple[Any, ...]) -> str:
        """Id of the making. ``values``: of the widgets, in their order."""
        settings = dict(zip(self.widgets, values, strict=True))
        for field in MINING_FIELDS:
            value = settings[field.id]
            if value in (None, "") and not field.optional:
                settings.pop(field.id)
            elif field.kind is int and isinstance(value, float) and value.is_integer():
                settings[field.id] = int(value)
        return self.shell.studio.reviews.mine(owner, dataset_id, settings, corpus_id or "").id

    def wire(self, data: "DataTab") -> None:
        def mine(request: gr.Request, dataset_id: str, corpus_id: str, *values: Any) -> str:
            return self.mine(owner_of(request), dataset_id, corpus_id, values)

        def ended(dataset_id: str, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
            """The progress line tells that a making has ended: the dataset that it made is shown."""
            making = self.shell.studio.makings.get(owner_of(request), str(event.making))
            if making.dataset_id != dataset_id or not making.made_dataset_id:
                return tuple(gr.skip() for _ in data.arrival)
            return data.arrive(making.made_dataset_id, request)

        dataset = self.shell.dataset
        inputs = [dataset, self.corpus, *self.widgets.values()]
        on(self.start.click, mine, inputs, [self.progress], self.notice)
        remember(on(self.progress.select, ended, [dataset], data.arrival, self.notice), dataset=dataset)


def build(shell: Shell) -> NegativesTool:
    with gr.Accordion("Add hard negatives", open=False, elem_id="tool-negatives", elem_classes="fold") as fold:
        markup(f'<p class="fine">{html.text(HELP)}</p>')
        with gr.Row(elem_classes="fields two"):
            widgets = {field.id: widget(field) for field in MINING_FIELDS if field.group == "main"}
        with gr.Accordion("More settings", open=False, elem_id="negatives-more", elem_classes="fold"):
            with gr.Row(elem_classes="fields"):
                widgets |= {field.id: widget(field) for field in MINING_FIELDS if field.group != "main"}
            corpus = gr.Dropdown(
                [(OWN_TEXTS, "")], value="", label="Choose from", elem_id="negatives-corpus", interactive=True,
                info="A corpus of the Search tab can give negatives as well. Its texts must not answer the anchors either.",
            )  # fmt: skip
        with gr.Row(elem_classes="actions"):
            start = gr.Button("Look for negatives", elem_id="negatives-start", scale=0, min_width=220)
        notice = markup(elem_id="negatives-notice")
        progress = progress_line("negatives-progress")
    return NegativesTool(shell, fold, widgets, corpus, start, progress, notice)


def widget(field: ConfigField) -> Any:
    """The widget of one setting, showing its default."""
    common = {
        "label": f"{field.label} ({field.unit})" if field.unit else field.label,
        "info": field.help,
        "elem_id": f"negatives-{field.id.replace('_', '-')}",
        "interactive": True,
        "min_width": 200,
    }
    if field.choices:
        labels = CHOICE_LABELS[field.id]
        return gr.Dropdown([(labels[choice], choice) for choice in field.choices], value=field.default, **common)
    if field.kind is str:
        return gr.Dropdown([field.default], value=field.default, allow_custom_value=True, **common)
    return gr.Number(
        value=field.default,
        placeholder="none" if field.optional else None,
        step=1 if field.kind is int else 0.01,
        **common,
    )
