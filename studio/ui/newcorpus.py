"""Texts of one's own to search: a table with its columns, or documents; new ones, or those of a corpus that has changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pyarrow.compute as pc

from studio.data.documents import KINDS, Library
from studio.data.table import Table
from studio.errors import SearchError
from studio.runs.records import MakingRecord
from studio.ui.datainputs import FILE_TYPES
from studio.ui.handlers import any_of, on, owner_of
from studio.ui.makings import progress_line
from studio.ui.shell import Shell, remember
from studio.ui.theme import markup

NEW = ""
HELP = "A table (CSV, Excel, JSON, Parquet), several alike, or documents (text, Markdown, HTML, PDF, Word, or a zip of a folder)."


@dataclass(frozen=True)
class NewCorpus:
    shell: Shell
    fold: gr.Accordion
    files: gr.File
    upload_id: gr.State
    form: gr.Column
    text: gr.Dropdown
    title: gr.Dropdown
    fields: gr.Dropdown
    name: gr.Textbox
    into: gr.Dropdown
    add: gr.Button
    progress: gr.HTML
    notice: gr.HTML

    def bring(self, paths: Sequence[str] | None, request: gr.Request) -> tuple[Any, ...]:
        """Files arrived: a table shows its columns, documents need none."""
        owner, studio = owner_of(request), self.shell.studio
        hidden = gr.update(visible=False)
        if not paths:
            return "", hidden, *(gr.skip() for _ in range(5))
        files = [(Path(path), Path(path).name) for path in paths]
        into = [
            ("a new set of texts", NEW),
            *((f"instead of those of '{c.name}'", c.id) for c in studio.corpora.list(owner)),
        ]
        into = gr.update(choices=into, value=NEW)
        if are_documents([name for _, name in files]):
            upload = studio.documents.stage(owner, files)
            name = Path(files[0][1]).stem if len(files) == 1 else "Documents"
            return f"documents:{upload.id}", gr.update(visible=True), hidden, hidden, hidden, name, into
        upload = studio.datasets.stage(owner, *files[0], more=files[1:])
        table = studio.datasets.table(owner, upload.id)
        text = longest_column(table)
        rest = [column for column in table.columns if column != text]
        return (
            upload.id,
            gr.update(visible=True),
            gr.update(choices=list(table.columns), value=text, visible=True),
            gr.update(choices=[("none", ""), *((c, c) for c in table.columns)], value=_title(rest), visible=True),
            gr.update(choices=list(table.columns), value=[], visible=True),
            Path(files[0][1]).stem,
            into,
        )

    def make(
        self, upload_id: str, text: str, title: str | None, fields: list[str] | None, name: str, into: str | None,
        request: gr.Request,
    ) -> tuple[Any, ...]:  # fmt: skip
        """The corpus, or the progress of making it."""
        owner, studio = owner_of(request), self.shell.studio
        if not upload_id:
            raise SearchError("There are no texts yet.", hint="Bring a table or documents first.")
        kind, _, id = upload_id.rpartition(":")
        if kind == "documents":
            library = studio.documents.read(owner, id)
            if isinstance(library, MakingRecord):
                return gr.skip(), gr.skip(), gr.skip(), gr.skip(), library.id
            return self._arrived(self._of_documents(owner, library, name, into).id)
        made = studio.corpora.create_from_upload(
            owner, id, text or "", name, title=title or "", fields=fields or [], update=into or ""
        )
        if isinstance(made, MakingRecord):
            return gr.skip(), gr.skip(), gr.skip(), gr.skip(), made.id
        return self._arrived(made.id)

    def ended(
        self, making_id: str, upload_id: str, name: str, into: str | None, request: gr.Request
    ) -> tuple[Any, ...]:
        """What was made in the background has ended."""
        owner, studio = owner_of(request), self.shell.studio
        kind, _, id = upload_id.rpartition(":")
        if kind == "documents":
            library = studio.documents.read(owner, id)  # says why, where it has failed
            if isinstance(library, Library):
                return self._arrived(self._of_documents(owner, library, name, into).id)
            return tuple(gr.skip() for _ in range(5))
        making = studio.makings.get(owner, making_id)
        if making.state != "succeeded":
            return tuple(gr.skip() for _ in range(5))
        return self._arrived(into or making.id)

    def _of_documents(self, owner: str, library: Library, name: str, into: str | None) -> Any:
        return self.shell.studio.corpora.create_from_library(owner, library, name, into or "")

    def _arrived(self, corpus_id: str) -> tuple[Any, ...]:
        """Outputs: corpus, upload, files, form, progress."""
        return corpus_id, "", None, gr.update(visible=False), ""

    def wire(self) -> None:
        shell = self.shell
        shown = [self.upload_id, self.form, self.text, self.title, self.fields, self.name, self.into]
        on(any_of(self.files.upload, self.files.clear), self.bring, [self.files], shown, self.notice)
        inputs = [self.upload_id, self.text, self.title, self.fields, self.name, self.into]
        outputs = [shell.corpus, self.upload_id, self.files, self.form, self.progress]
        busy = {"show_progress": "minimal", "show_progress_on": [self.notice]}
        made = on(self.add.click, self.make, inputs, outputs, self.notice, **busy)
        over = on(
            self.progress.select,
            self.ended,
            [self.progress, self.upload_id, self.name, self.into],
            outputs,
            self.notice,
        )
        for event in (made, over):
            remember(event, corpus=shell.corpus)


def are_documents(names: Sequence[str]) -> bool:
    """Whether files are documents and no tables, by their names. A single .txt may be either: it is taken for a table."""
    kinds = [KINDS.get(Path(name).suffix.lower()) for name in names]
    if len(names) == 1 and Path(names[0]).suffix.lower() == ".zip":
        return False
    return all(kinds) and (len(names) > 1 or kinds[0] != "text")


def longest_column(table: Table) -> str:
    """The column with the longest texts: most likely the one to search."""
    head = table.data.slice(0, 200)
    lengths = {name: pc.mean(pc.utf8_length(head[name].cast("string"))).as_py() or 0 for name in table.columns}
    return max(lengths, key=lengths.get)


def _title(columns: Sequence[str]) -> str:
    """The column that is called like one of titles."""
    return next((name for name in columns if name.strip().lower() in ("title", "name", "headline", "subject")), "")


def build(shell: Shell) -> NewCorpus:
    with gr.Accordion("Search texts of your own", open=False, elem_id="search-own", elem_classes="fold") as fold:
        types = [*FILE_TYPES, *(ending for ending in KINDS if ending not in FILE_TYPES)]
        files = gr.File(
            label="Table or documents", show_label=False, file_count="multiple", file_types=types, height=130,
            elem_classes="upload", elem_id="search-upload",
        )  # fmt: skip
        markup(f'<p class="fine">{HELP}</p>')
        with gr.Column(visible=False, elem_id="search-new") as form:
            with gr.Row(elem_classes="fields"):
                text = gr.Dropdown(
                    [],
                    label="Texts",
                    info="What is searched.",
                    elem_id="search-column",
                    interactive=True,
                    min_width=180,
                )
                title = gr.Dropdown(
                    [],
                    label="Titles",
                    info="Read with each text.",
                    elem_id="search-title",
                    interactive=True,
                    min_width=180,
                )
                fields = gr.Dropdown(
                    [], label="To filter by", info="Shown with hits, too.", multiselect=True, elem_id="search-fields",
                    interactive=True, min_width=180,
                )  # fmt: skip
            with gr.Row(elem_classes="actions"):
                name = gr.Textbox(label="Name", max_lines=1, elem_id="search-name", min_width=180)
                into = gr.Dropdown(
                    [("a new set of texts", NEW)], value=NEW, label="They become", elem_id="search-into", interactive=True,
                    min_width=220,
                )  # fmt: skip
                add = gr.Button("Use these texts", variant="primary", elem_id="search-add", scale=0, min_width=170)
        progress = progress_line("search-making")
        notice = markup(elem_id="search-notice")
    return NewCorpus(shell, fold, files, gr.State(""), form, text, title, fields, name, into, add, progress, notice)
