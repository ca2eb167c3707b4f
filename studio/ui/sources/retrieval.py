"""A retrieval set of several files: they become one upload, which is then looked at like any other."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.data.retrieval import pack
from studio.ui import html
from studio.ui.datainputs import FILE_TYPES
from studio.ui.handlers import on
from studio.ui.shell import Shell, remember
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.ui.data import DataTab

HELP = (
    "Documents, queries and which document answers which query, in files of their own: corpus, queries and qrels, as JSONL, CSV or "
    "TSV. Several qrels (train, test) divide the rows. A zip of all of them can be uploaded above, too."
)


@dataclass(frozen=True)
class RetrievalSource:
    shell: Shell
    files: gr.File
    notice: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return []

    def show(self, owner: str, record: Any) -> tuple[Any, ...]:
        return ()

    def bring(self, data: "DataTab", paths: list[str], request: gr.Request) -> tuple[Any, ...]:
        """The files arrived: show them as one table."""
        folder = self.shell.studio.workspace.tmp
        path = pack([Path(path) for path in paths or ()], folder)
        try:
            return (None, *data.bring(str(path), request))
        finally:
            path.unlink(missing_ok=True)
            path.parent.rmdir()

    def wire(self, data: "DataTab") -> None:
        def bring(paths: list[str], request: gr.Request) -> tuple[Any, ...]:
            return self.bring(data, paths, request)

        brought = on(
            self.files.upload, bring, [self.files], [self.files, *data.brought], self.notice,
            show_progress="minimal", show_progress_on=[self.notice],
        )  # fmt: skip
        remember(brought, dataset=self.shell.dataset)


def build(shell: Shell) -> RetrievalSource:
    with gr.Accordion("A retrieval set in several files", open=False, elem_id="data-retrieval", elem_classes="fold"):
        markup(f'<p class="fine">{html.text(HELP)}</p>')
        files = gr.File(
            label="Files of the set", show_label=False, file_count="multiple", file_types=FILE_TYPES, height=130,
            elem_classes="upload", elem_id="data-retrieval-files",
        )  # fmt: skip
        notice = markup(elem_id="data-retrieval-notice")
    return RetrievalSource(shell, files, notice)
