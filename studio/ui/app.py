"""The page: five tabs over one studio, and one more for admins."""

from typing import Any

import gradio as gr

from studio.settings import Settings
from studio.ui import admin, data, runs, search, start, train
from studio.ui.gate import account_line
from studio.ui.handlers import owner_of
from studio.ui.shell import TABS, Shell
from studio.ui.theme import STATIC, markup

LABELS = {"start": "Start", "data": "Data", "train": "Train", "runs": "Runs", "search": "Search", "admin": "Admin"}


def build_app(studio: Any, settings: Settings) -> gr.Blocks:
    """The page of ``studio`` (see studio.runs.studio). Imports no torch.

    Tabs are built first and wired afterwards, from the last to the first: each hands over to those after it.
    """
    with gr.Blocks(title="Sentence Studio", analytics_enabled=False, fill_width=True) as page:
        logo = STATIC.joinpath("logo.svg").read_text(encoding="utf-8")
        with gr.Row(elem_id="top", elem_classes="top"):
            markup(f'<header class="brand">{logo}<b>Sentence Studio</b></header>', elem_id="brand")
            who = markup(elem_id="account")
        ids = [gr.Textbox(visible=False, elem_id=f"chosen-{name}") for name in ("dataset", "run", "corpus")]
        with gr.Tabs(elem_id="tabs") as tabs:
            shell = Shell(studio, settings, page, tabs, *ids)
            built, items = {}, {}
            for name, module in zip(TABS, (start, data, train, runs, search, admin), strict=True):
                hidden = {"visible": False} if name == "admin" else {}
                with gr.Tab(LABELS[name], id=name, elem_id=f"tab-{name}", **hidden) as items[name]:
                    built[name] = module.build(shell)
        built["search"].wire()
        built["runs"].wire(built["search"], built["train"])
        built["train"].wire()
        built["data"].wire(built["train"])
        built["start"].wire(built["data"])
        open_asked_tab(studio, page, tabs)

        def known(request: gr.Request) -> tuple[Any, ...]:
            """Who is here; only what they may do is offered."""
            owner = owner_of(request)
            may_start, is_admin = studio.accounts.may_start(owner), studio.admin.is_one(owner)
            return account_line(owner, viewer=not may_start), gr.Tab(visible=is_admin)

        outputs = [who, items["admin"]]
        page.load(known, None, outputs, show_progress="hidden", concurrency_limit=None, api_visibility="private")
    return page


def open_asked_tab(studio: Any, page: gr.Blocks, tabs: gr.Tabs) -> None:
    """Open the tab that the page's address names."""

    def opened(request: gr.Request) -> Any:
        tab = request.query_params.get("tab")
        known = tab in TABS and (tab != "admin" or studio.admin.is_one(owner_of(request)))
        return gr.Tabs(selected=tab) if known else gr.skip()

    page.load(opened, None, tabs, show_progress="hidden", concurrency_limit=None, api_visibility="private")
