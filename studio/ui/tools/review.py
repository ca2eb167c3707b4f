"""Doubtful rows: a model looks for them, a person keeps or drops them one by one (static/review.js)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.catalog.designs import DISTIL, NEW
from studio.catalog.models import DEFAULT_MODEL
from studio.making.suspects import HONEST
from studio.runs.reviews import FORMATS
from studio.ui import html
from studio.ui.handlers import on, owner_of
from studio.ui.makings import progress_line
from studio.ui.shell import Shell, remember
from studio.ui.theme import markup
from studio.ui.tools.edit import mount
from studio.ui.trainview import base_choices

if TYPE_CHECKING:
    from studio.runs.records import DatasetRecord
    from studio.ui.data import DataTab

HELP = """A model says which rows it finds oddest, you say what is right: pairs whose texts are little alike, negatives that are
nearer than the positive, scores and labels that do not go with the texts."""
MODEL_HELP = "The model whose view of the texts counts. A better model doubts fewer rows for no reason."
MINED = "Below are the negatives that are most likely right answers after all: drop those that are, keep the others."


def trained_choices(runs: list[Any]) -> list[tuple[str, str]]:
    """(label, value) of the base models that know what texts mean; those that are still to be made do not."""
    return [(label, value) for label, value in base_choices(runs) if not value.startswith((NEW, DISTIL))]


@dataclass(frozen=True)
class ReviewTool:
    shell: Shell
    fold: gr.Accordion
    base_model: gr.Dropdown
    start: gr.Button
    progress: gr.HTML
    words: gr.HTML
    view: gr.HTML
    notice: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.fold, self.base_model, self.progress, *self.found]

    @property
    def found(self) -> list[Any]:
        """Outputs of :meth:`_found`."""
        return [self.words, self.view]

    def show(self, owner: str, record: "DatasetRecord | None") -> tuple[Any, ...]:
        if record is None or record.info.format not in FORMATS["suspects"]:
            return gr.update(visible=False), gr.skip(), "", "", ""
        studio = self.shell.studio
        latest = studio.makings.latest(owner, "suspects", record.id)
        going = latest.id if latest is not None and latest.state in ("queued", "running", "stopping") else ""
        words, review_id = self._found(owner, record.id)
        choices = gr.update(choices=trained_choices(studio.runs.list(owner)))
        opened = {"open": True} if review_id or going else {}  # never closed under a person's hands
        return gr.update(visible=True, **opened), choices, going, words, review_id

    def _found(self, owner: str, dataset_id: str) -> tuple[str, str]:
        """What the newest review of a dataset says, and its id."""
        review_id = self.shell.studio.reviews.of(owner, dataset_id)
        if not review_id:
            return "", ""
        making = self.shell.studio.makings.get(owner, review_id)
        found = bool((making.result or {}).get("review"))
        hint = "" if not found else MINED if making.kind == "negatives" else HONEST
        return html.notice(making.message, hint, "info"), review_id

    def look(self, dataset_id: str, base_model: str, request: gr.Request) -> str:
        return self.shell.studio.reviews.look(owner_of(request), dataset_id, base_model or "").id

    def ended(self, dataset_id: str, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """The progress line tells that a making has ended: its own words go, those of the review come."""
        making = self.shell.studio.makings.get(owner_of(request), str(event.making))
        if making.dataset_id != dataset_id or making.state != "succeeded":
            return gr.skip(), gr.skip(), gr.skip()
        return "", *self._found(owner_of(request), dataset_id)

    def wire(self, data: "DataTab") -> None:
        def finished(request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
            """The page asks with the id of the version that was made."""
            made = self.shell.studio.datasets.get(owner_of(request), str(event.dataset))
            return data.arrive(made.id, request)

        dataset = self.shell.dataset
        on(self.start.click, self.look, [dataset, self.base_model], [self.progress], self.notice)
        on(self.progress.select, self.ended, [dataset], [self.progress, *self.found], self.notice)
        remember(on(self.view.select, finished, [], data.arrival, self.notice), dataset=dataset)


def build(shell: Shell) -> ReviewTool:
    with gr.Accordion("Review doubtful rows", open=False, elem_id="tool-review", elem_classes="fold") as fold:
        markup(f'<p class="fine">{html.text(HELP)}</p>')
        with gr.Row(elem_classes="actions"):
            base_model = gr.Dropdown(
                [DEFAULT_MODEL], value=DEFAULT_MODEL, label="Model", info=MODEL_HELP, elem_id="review-base-model",
                allow_custom_value=True, interactive=True, min_width=240,
            )  # fmt: skip
            start = gr.Button("Look for doubtful rows", elem_id="review-start", scale=0, min_width=220)
        notice = markup(elem_id="review-notice")
        progress = progress_line("review-progress")
        words = markup(elem_id="review-words")
        view = markup(
            "",
            html_template='<div class="review" data-review="${value}"></div>',
            js_on_load=mount("mountReview"),
            elem_id="review-view",
        )
    return ReviewTool(shell, fold, base_model, start, progress, words, view, notice)
