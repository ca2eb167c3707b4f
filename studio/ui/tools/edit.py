"""Edit the rows by hand: static/edit.js fills one element; a saved draft is a new version, which is shown."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.ui import html
from studio.ui.handlers import on, owner_of
from studio.ui.shell import Shell, remember
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.runs.records import DatasetRecord
    from studio.ui.data import DataTab

HELP = """Change texts, scores and labels, leave rows out, add rows. What you do is kept as a draft until you save it as a new
version; this one stays."""


def mount(script: str) -> str:
    """JavaScript that hands an element to ``window.studio.<script>``, whichever of the two comes first."""
    return f"(function mount() {{ if (window.studio && window.studio.{script}) window.studio.{script}(element, trigger); else setTimeout(mount, 30); }})();"


@dataclass(frozen=True)
class EditTool:
    view: gr.HTML
    notice: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.view]

    def show(self, owner: str, record: "DatasetRecord | None") -> tuple[Any, ...]:
        return (record.id if record else "",)

    def wire(self, data: "DataTab") -> None:
        def saved(request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
            """The page asks with the id of the version that was made."""
            made = data.shell.studio.datasets.get(owner_of(request), str(event.dataset))
            return data.arrive(made.id, request)

        remember(on(self.view.select, saved, [], data.arrival, self.notice), dataset=data.shell.dataset)


def build(shell: Shell) -> EditTool:
    with gr.Accordion("Edit the rows by hand", open=False, elem_id="tool-edit", elem_classes="fold"):
        markup(f'<p class="fine">{html.text(HELP)}</p>')
        notice = markup(elem_id="edit-notice")
        view = markup(
            "",
            html_template='<div class="edit" data-edit="${value}"></div>',
            js_on_load=mount("mountEdit"),
            elem_id="edit-view",
        )
    return EditTool(view, notice)
