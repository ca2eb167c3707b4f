"""The fixes that a kept dataset's findings offer, as buttons below them."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.data.fix import FIXES, fixes_for
from studio.data.table import Finding
from studio.ui import html
from studio.ui.theme import markup


@dataclass(frozen=True)
class FixButtons:
    row: gr.Column
    words: gr.HTML
    buttons: dict[str, gr.Button]
    """Code of a fix -> its button; shown while a finding offers it."""

    @property
    def outputs(self) -> list[Any]:
        return [self.words, *self.buttons.values()]

    def show(self, findings: tuple[Finding, ...]) -> tuple[Any, ...]:
        """Updates of ``outputs``."""
        offered = {fix.code for fix in fixes_for(findings)}
        words = html.section("Mend it", "A fix makes a new version of the dataset; this one stays.") if offered else ""
        return (words, *(gr.update(visible=code in offered) for code in self.buttons))


def build() -> FixButtons:
    with gr.Column(visible=False, elem_id="data-fixes") as row:
        words = markup(elem_id="data-fixes-words")
        with gr.Row(elem_classes="pager"):
            buttons = {
                fix.code: gr.Button(
                    fix.label, size="sm", visible=False, elem_id=f"data-fix-{fix.code}", scale=0, min_width=270
                )
                for fix in FIXES
            }
    return FixButtons(row, words, buttons)
