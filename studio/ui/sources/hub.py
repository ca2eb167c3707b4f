"""A dataset of the hub by name: downloaded in the background, then shown as if its rows had been uploaded."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.errors import DataError
from studio.making.hub import hub_name
from studio.ui import html
from studio.ui.handlers import any_of, on, owner_of
from studio.ui.makings import progress_line
from studio.ui.shell import Shell, remember
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.ui.data import DataTab

HELP = (
    "Rows of a public dataset, by its name on the model hub. They are downloaded to the machine that the studio runs on, which needs a "
    "connection; no program that comes with a dataset is run."
)
ROWS = 100_000
"""Suggested."""


@dataclass(frozen=True)
class HubSource:
    shell: Shell
    fold: gr.Accordion
    name: gr.Textbox
    config: gr.Textbox
    split: gr.Textbox
    rows: gr.Number
    button: gr.Button
    progress: gr.HTML
    said: gr.HTML
    notice: gr.HTML

    def begin(self, name: str, config: str, split: str, rows: float | None, request: gr.Request) -> tuple[Any, ...]:
        """Start the download."""
        if rows is None or rows != int(rows):
            raise DataError("Rows must be a whole number.", hint=f"For example {ROWS:,}.")
        making = self.shell.studio.hub.begin(owner_of(request), hub_name(name, config, split), int(rows))
        return making.id, "", gr.update(interactive=False)

    def load(self, request: gr.Request) -> tuple[Any, ...]:
        """A download that goes on, or whose rows nobody has seen yet."""
        latest = self.shell.studio.hub.latest(owner_of(request))
        if latest is None or latest.state not in ("queued", "running", "stopping", "succeeded"):
            return "", gr.skip(), gr.skip()
        return latest.id, gr.update(open=True), gr.update(interactive=False)

    def wire(self, data: "DataTab") -> None:
        def arrived(event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
            """The download has ended: its rows are shown; or it stands beside the progress why there are none."""
            owner, making_id = owner_of(request), str(event.making)
            making = self.shell.studio.makings.get(owner, making_id)
            if making.state != "succeeded":
                return *(gr.skip() for _ in shown[:-1]), gr.update(interactive=True)
            upload = self.shell.studio.hub.arrive(owner, making_id)
            words = f'<p class="fine">{html.text(making.result["message"])}</p>'
            return *data.preview(owner, upload), "", words, gr.update(interactive=True)

        shown = [*data.brought, self.progress, self.said, self.button]
        begun = [self.progress, self.said, self.button]
        inputs = [self.name, self.config, self.split, self.rows]
        on(any_of(self.button.click, self.name.submit), self.begin, inputs, begun, self.notice)
        over = on(self.progress.select, arrived, [], shown, self.notice)
        remember(over, dataset=self.shell.dataset)
        on(self.shell.page.load, self.load, [], [self.progress, self.fold, self.button], self.notice)


def build(shell: Shell) -> HubSource:
    most = shell.settings.max_hub_rows
    with gr.Accordion("Take a dataset of the hub", open=False, elem_id="hub", elem_classes="fold") as fold:
        markup(f'<p class="fine">{html.text(HELP)}</p>')
        with gr.Row():
            name = gr.Textbox(
                label="Name", info="As it stands on its page: owner/name.", placeholder="sentence-transformers/stsb",
                max_lines=1, elem_id="hub-name", scale=2, min_width=240,
            )  # fmt: skip
            config = gr.Textbox(
                label="Config", info="Empty: the default, or the only one.", max_lines=1,
                elem_id="hub-config", min_width=150,
            )  # fmt: skip
            split = gr.Textbox(
                label="Split", info="Empty: train, or the only one.", max_lines=1, elem_id="hub-split", min_width=150
            )
            rows = gr.Number(
                min(ROWS, most), label="Rows", info=f"From the first on; at most {most:,}.", minimum=1, maximum=most,
                precision=0, elem_id="hub-rows", min_width=150,
            )  # fmt: skip
        with gr.Row(elem_classes="actions"):
            button = gr.Button("Download", variant="primary", size="lg", elem_id="hub-download", scale=0, min_width=200)
        progress = progress_line("hub-progress")
        said = markup(elem_id="hub-said")
        notice = markup(elem_id="hub-notice")
    return HubSource(
        shell=shell, fold=fold, name=name, config=config, split=split, rows=rows, button=button, progress=progress,
        said=said, notice=notice,
    )  # fmt: skip
