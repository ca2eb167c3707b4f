"""What the tabs share: the studio, the tab bar, and the ids of what is chosen. The page holds ids, nothing else."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.settings import Settings

TABS = ("start", "data", "train", "runs", "search", "admin")


@dataclass(frozen=True)
class Shell:
    studio: Any
    settings: Settings
    page: gr.Blocks
    tabs: gr.Tabs
    dataset: gr.Textbox
    """Id of the chosen dataset, '' for none; never shown."""
    run: gr.Textbox
    """Id of the chosen run."""
    corpus: gr.Textbox
    """Id of the chosen corpus."""


def go(tab: str) -> gr.Tabs:
    """An update of the tab bar that opens ``tab``."""
    return gr.Tabs(selected=tab)


def remember(event: Any, **chosen: gr.Textbox) -> Any:
    """After ``event``: write the tab and the chosen ids into the page's address, so that a reload comes back here."""
    names = ", ".join(chosen)
    return event.then(None, list(chosen.values()), None, js=f"({names}) => window.studio.remember({{ {names} }})")


def asked(request: gr.Request, name: str) -> str:
    """A parameter of the page's address, '' when it isn't there."""
    return str(request.query_params.get(name, "")) if request is not None else ""
