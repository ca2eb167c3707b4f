"""A file of settings fills the form: what a run's page gives for download, or what people write by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.training.config import FIELD
from studio.training.settings_file import read_settings_file
from studio.ui import html
from studio.ui.handlers import on
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.ui.train import TrainTab

HELP = "YAML or JSON, as a run's page gives it: what it says is filled in, the rest is suggested."


@dataclass(frozen=True)
class SettingsFile:
    button: gr.UploadButton
    words: gr.HTML
    notice: gr.HTML

    def wire(self, tab: "TrainTab") -> None:
        """``tab``: whose form is filled. A file that cannot be used leaves it as it is."""
        on(
            self.button.upload, tab.fill_in, [self.button, tab.shell.dataset], [*tab.outputs, self.words], self.notice,
            show_progress="minimal", show_progress_on=[self.notice],
        )  # fmt: skip


def read(path: Path) -> dict[str, Any]:
    """The settings in an uploaded file, which is not kept. Raises ConfigError: it is none."""
    try:
        return read_settings_file(path)
    finally:
        path.unlink(missing_ok=True)


def build() -> SettingsFile:
    with gr.Row(elem_id="train-settings-file", elem_classes="tools"):
        button = gr.UploadButton(
            "Use a settings file",
            file_types=[".yaml", ".yml", ".json"],
            size="sm",
            elem_id="train-settings-upload",
            scale=0,
            min_width=170,
        )
        words = markup(f'<p class="fine">{HELP}</p>', elem_id="train-settings-words")
    return SettingsFile(button, words, markup(elem_id="train-settings-notice"))


def told(name: str, values: dict[str, Any]) -> str:
    """That a file filled the form, as HTML."""
    count = f"{len(values)} settings" if len(values) != 1 else f"'{FIELD[next(iter(values))].label}'"
    return f'<p class="fine">Filled in from {html.text(name)}: {html.text(count)}.</p>'
