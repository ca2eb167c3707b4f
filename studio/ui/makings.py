"""The progress of a making: a line that static/makings.js keeps up to date from /api/makings, and that tells its end."""

from typing import Any

import gradio as gr

from studio.ui.theme import markup

MOUNT = """
(function mount() {
  if (window.studio && window.studio.mountMaking) window.studio.mountMaking(element, trigger);
  else setTimeout(mount, 30);  // the page's scripts may come later than this element
})();
"""


def progress_line(elem_id: str) -> gr.HTML:
    """An element whose value is the id of a making, or '' for none. Polls while it can be seen.

    When the making has ended (or had when its id was set) a ``select`` event comes, once, with ``event.making`` its id.
    """
    return markup(
        "",
        html_template='<div class="making" data-making="${value}" role="status"></div>',
        js_on_load=MOUNT,
        elem_id=elem_id,
    )


def making_status(record: Any) -> dict[str, Any]:
    """What the line shows."""
    names = ("id", "kind", "name", "state", "message", "hint", "done", "total", "words", "eta_s", "made_dataset_id")
    return {name: getattr(record, name) for name in names}
