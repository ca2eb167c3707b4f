"""Show a thing to the lab: static/share.js fills one element. Not there on a server that nobody signs in to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.runs.accounts import LOCAL
from studio.ui.shell import Shell
from studio.ui.theme import markup
from studio.ui.tools.edit import mount

if TYPE_CHECKING:
    from studio.runs.records import DatasetRecord
    from studio.ui.data import DataTab


def switch(elem_id: str) -> gr.HTML:
    """An element whose value is ``<kind>:<id>`` of a thing of the person's own, or '' for none."""
    return markup(
        "", html_template='<div class="share" data-share="${value}"></div>', js_on_load=mount("mountShare"), elem_id=elem_id
    )  # fmt: skip


def value(owner: str, kind: str, record: Any) -> str:
    """What :func:`switch` shows: only owners share, and only where there is somebody to share with."""
    mine = record is not None and record.owner == owner and owner != LOCAL
    return f"{kind}:{record.id}" if mine else ""


@dataclass(frozen=True)
class ShareTool:
    fold: gr.Accordion
    view: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.fold, self.view]

    def show(self, owner: str, record: "DatasetRecord | None") -> tuple[Any, ...]:
        shown = value(owner, "dataset", record)
        return gr.update(visible=bool(shown)), shown

    def wire(self, data: "DataTab") -> None:
        """The element speaks to the server by itself."""


def build(shell: Shell) -> ShareTool:
    with gr.Accordion(
        "Share it with the lab", open=False, visible=False, elem_id="tool-share", elem_classes="fold"
    ) as fold:
        view = switch("data-share")
    return ShareTool(fold, view)
