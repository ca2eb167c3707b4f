"""Admin: one element that static/admin.js fills. The tab is shown to admins only; what it asks for is checked anyway."""

from dataclasses import dataclass

import gradio as gr

from studio.ui import html
from studio.ui.shell import Shell
from studio.ui.theme import markup
from studio.ui.tools.edit import mount


@dataclass(frozen=True)
class AdminTab:
    shell: Shell
    view: gr.HTML


def build(shell: Shell) -> AdminTab:
    markup(html.heading("Admin", "The queue, the machine, and who may use it."))
    view = markup(
        "", html_template='<div class="admin" aria-busy="true"></div>', js_on_load=mount("mountAdmin"), elem_id="admin-view"
    )  # fmt: skip
    return AdminTab(shell, view)
