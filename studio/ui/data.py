"""Data: bring a table, see how it was read and what is wrong with it, say what its columns are for, keep it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from studio.data.roles import guess_roles
from studio.data.rows import rows_numbered
from studio.data.table import Dialect, Roles
from studio.errors import DataError
from studio.runs.records import MakingRecord, UploadRecord
from studio.ui import dataview, html, roleform
from studio.ui.datainputs import (
    AUTO,
    DELIMITERS,
    ENCODINGS,
    FILE_TYPES,
    HEADERS,
    QUOTES,
    dialect_of,
    override_widget,
)
from studio.ui.handlers import any_of, on, owner_of, with_request
from studio.ui.makings import progress_line
from studio.ui.shell import Shell, asked, go, remember
from studio.ui.sources import SOURCES, Source
from studio.ui.theme import markup
from studio.ui.tools import TOOLS, Tool
from studio.ui.train import TrainTab

PAGE_ROWS = 50
EMPTY = """
<div class="blank"><b>No table yet</b><p>Upload one, or choose a dataset. Good tables to start with: questions and their
answers, titles and their texts, pairs of sentences with a rating.</p></div>
"""
REPORT = """
element.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-fix], button[data-several], button[data-version]");
  if (!button) return;
  const chosen = "several" in button.dataset
    ? [...element.querySelectorAll(".several input:checked")].map((box) => box.value)
    : [button.dataset.fix].filter(Boolean);
  button.disabled = true;
  trigger("select", { fixes: chosen, version: button.dataset.version || "" });
  setTimeout(() => { button.disabled = false; }, 3000);  // a fix that was refused can be pressed again
});
"""
"""What the buttons beside the findings say."""


@dataclass(frozen=True)
class DataTab:
    shell: Shell
    file: gr.File
    chosen: gr.Dropdown
    upload_id: gr.State
    upload_panel: gr.Column
    dialect_line: gr.HTML
    encoding: gr.Dropdown
    delimiter: gr.Dropdown
    quote: gr.Dropdown
    header: gr.Dropdown
    sheet: gr.Dropdown
    roles: roleform.RoleForm
    format_line: gr.HTML
    report: gr.HTML
    sources: tuple[Source, ...]
    tools: tuple[Tool, ...]
    tools_panel: gr.Column
    rows_panel: gr.Column
    rows: gr.HTML
    offset: gr.State
    earlier: gr.Button
    later: gr.Button
    where: gr.HTML
    name: gr.Textbox
    save: gr.Button
    save_row: gr.Row
    proceed_row: gr.Row
    proceed: gr.Button
    delete: gr.Button
    delete_row: gr.Row
    really: gr.Button
    keep: gr.Button
    empty: gr.HTML
    importing: gr.HTML
    """Progress of a large upload that becomes a dataset in the background."""
    notice: gr.HTML

    @property
    def dialect_inputs(self) -> list[Any]:
        return [self.encoding, self.delimiter, self.quote, self.header, self.sheet]

    @property
    def form(self) -> list[Any]:
        """Inputs of :meth:`_read`."""
        return [*self.dialect_inputs, *self.roles.inputs]

    def _read(self, *values: Any) -> tuple[Dialect | None, Roles, str]:
        """How the file is read, what its columns are for, and how many texts a row is said to have."""
        dialect = len(self.dialect_inputs)
        return dialect_of(*values[:dialect]), self.roles.read(*values[dialect:]), values[dialect]

    @property
    def panels(self) -> list[Any]:
        """Outputs of :meth:`_panels`."""
        return [
            self.upload_panel,
            self.rows_panel,
            self.save_row,
            self.proceed_row,
            self.tools_panel,
            self.delete,
            self.delete_row,
            self.empty,
        ]

    @property
    def page_of_rows(self) -> list[Any]:
        """Outputs of :meth:`_page`."""
        return [self.rows, self.offset, self.earlier, self.later, self.where]

    @property
    def outputs(self) -> list[Any]:
        """Outputs of :meth:`show`: a kept dataset, or nothing chosen."""
        tools = [output for tool in self.tools for output in tool.outputs]
        return [self.chosen, self.report, *self.page_of_rows, *tools, *self.panels]

    @property
    def arrival(self) -> list[Any]:
        """Outputs of :meth:`arrive`."""
        return [self.shell.dataset, self.upload_id, self.file, *self.outputs]

    @property
    def brought(self) -> list[Any]:
        """Outputs of :meth:`bring`."""
        return [
            self.upload_id, self.shell.dataset, self.chosen, *self.dialect_inputs[:4], *self.upload_outputs, self.name, *self.panels,
        ]  # fmt: skip

    @property
    def upload_outputs(self) -> list[Any]:
        """Outputs of :meth:`_upload_view`."""
        return [
            self.dialect_line,
            self.sheet,
            *self.roles.outputs,
            self.format_line,
            self.report,
            *self.page_of_rows,
            self.save,
        ]

    @staticmethod
    def _panels(view: str) -> tuple[Any, ...]:
        """``view``: ``upload``, ``dataset``, ``shared`` (somebody else's, to look at and to train on) or ``nothing``."""
        upload, mine, dataset = view == "upload", view == "dataset", view in ("dataset", "shared")
        shown = (upload, upload or dataset, upload, dataset, mine, mine, False, not (upload or dataset))
        return tuple(gr.update(visible=visible) for visible in shown)

    def _page(self, rows: Any, offset: int, total: int) -> tuple[Any, ...]:
        """One page of ``rows`` (already cut to it), standing at ``offset`` of ``total``."""
        last = min(offset + PAGE_ROWS, total)
        return (
            dataview.preview(rows),
            offset,
            gr.update(interactive=offset > 0),
            gr.update(interactive=last < total),
            f'<p class="fine">Rows {offset + 1:,} to {last:,} of {total:,}</p>' if total else "",
        )

    # A kept dataset

    def show(self, dataset_id: str, request: gr.Request) -> tuple[Any, ...]:
        """Everything about a kept dataset; '' or one that is gone shows the empty page."""
        owner = owner_of(request)
        datasets = self.shell.studio.datasets
        records = [*datasets.list(owner), *datasets.shared(owner)]
        choices = [(dataview.dataset_label(record, owner), record.id) for record in records]
        known = {record.id: record for record in records}
        if dataset_id not in known:
            update = gr.update(choices=choices, value=None)
            tools = self._show_tools(owner, None)
            return update, "", *self._page(None, 0, 0), *tools, *self._panels("nothing")
        record = known[dataset_id]
        mine = record.owner == owner
        rows = datasets.sample(owner, dataset_id, dataview.LENGTH_ROWS)
        update = gr.update(choices=choices, value=dataset_id)
        first = self.shell.studio.datasets.rows(owner, dataset_id, 0, PAGE_ROWS)
        page = self._page(first, 0, record.info.rows)
        named = dataview.example_rows(record.info.findings)
        found = self.shell.studio.datasets.examples(owner, dataset_id, named)
        examples = partial(rows_numbered, found)
        has_left_out = mine and self.shell.studio.imports.has_left_out(record)
        report = dataview.dataset_report(record, rows, examples, known.get(record.info.parent), has_left_out, mine)
        tools = self._show_tools(owner, record if mine else None)
        return update, report, *page, *tools, *self._panels("dataset" if mine else "shared")

    def _show_tools(self, owner: str, record: Any) -> tuple[Any, ...]:
        return tuple(update for tool in self.tools for update in tool.show(owner, record))

    def arrive(self, dataset_id: str, request: gr.Request) -> tuple[Any, ...]:
        """A dataset was made in another way than from the upload: show it."""
        return dataset_id, "", None, *self.show(dataset_id, request)

    def turn(self, step: int) -> Callable:
        """A handler that turns the preview by ``step`` pages."""

        def turned(upload_id: str, dataset_id: str, offset: int, *rest: Any) -> tuple[Any, ...]:
            *form, request = rest
            owner, at = owner_of(request), max(0, offset + step * PAGE_ROWS)
            datasets = self.shell.studio.datasets
            if not upload_id:
                total = datasets.see(owner, dataset_id).info.rows
                return self._page(datasets.rows(owner, dataset_id, at, PAGE_ROWS), at, total)
            dialect, roles, _ = self._read(*form)
            report = datasets.report(owner, upload_id, roles, dialect)
            data = report.prepared.data if report.prepared is not None else None
            total = 0 if data is None else len(data)
            return self._page(None if data is None else data.slice(at, PAGE_ROWS), at, total)

        return turned

    def act(self, dataset_id: str, event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        """A button beside a finding was pressed: make a mended version and show that, or show an earlier version."""
        if event.version:
            return self.arrive(str(event.version), request)
        record = self.shell.studio.datasets.fix(owner_of(request), dataset_id, [str(id) for id in event.fixes])
        return self.arrive(record.id, request)

    def remove(self, dataset_id: str, request: gr.Request) -> tuple[Any, ...]:
        self.shell.studio.datasets.delete(owner_of(request), dataset_id)
        return "", *self.show("", request)

    # An upload that is not kept yet

    def bring(self, paths: list[str] | str, request: gr.Request) -> tuple[Any, ...]:
        """Files arrived: take them in, guess everything, show them as one table."""
        owner = owner_of(request)
        brought = [Path(path) for path in ([paths] if isinstance(paths, str) else paths)]
        if len(brought) > 1 and not all(path.is_file() for path in brought):
            # A file that was taken in before has been moved out of the page's folder.
            raise DataError(
                "Files that are to become one table must arrive together.",
                hint="Clear the list with x and choose all of them at once.",
            )
        first, *more = ((path, path.name) for path in brought)
        return self.preview(owner, self.shell.studio.datasets.stage(owner, *first, more))

    def preview(self, owner: str, upload: UploadRecord) -> tuple[Any, ...]:
        """A new upload, with everything guessed."""
        view = self._upload_view(owner, upload.id, None, None)
        fresh = (gr.update(value=AUTO),) * 4
        title = Path(upload.file_name).stem.replace("_", " ")
        return upload.id, "", gr.update(value=None), *fresh, *view, title, *self._panels("upload")

    def reread(
        self, upload_id: str, encoding: str, delimiter: str, quote: str, header: str, sheet: str, request: gr.Request
    ) -> tuple[Any, ...]:
        """Another dialect: columns may change, so roles are guessed again."""
        return self._upload_view(
            owner_of(request), upload_id, dialect_of(encoding, delimiter, quote, header, sheet), None
        )

    def recheck(self, upload_id: str, *rest: Any) -> tuple[Any, ...]:
        """Other roles."""
        *form, request = rest
        dialect, roles, texts = self._read(*form)
        return self._upload_view(owner_of(request), upload_id, dialect, roles, texts)

    def recount(self, upload_id: str, *rest: Any) -> tuple[Any, ...]:
        """One text a row or two: the roles that fit are guessed."""
        *form, request = rest
        owner, (dialect, _, texts) = owner_of(request), self._read(*form)
        roles = guess_roles(self.shell.studio.datasets.table(owner, upload_id, dialect), 1 if texts == "1" else 2)
        return self._upload_view(owner, upload_id, dialect, roles, texts)

    def _upload_view(
        self, owner: str, upload_id: str, dialect: Dialect | None, roles: Roles | None, texts: str | None = None
    ) -> tuple[Any, ...]:
        if not upload_id:
            raise DataError("There is no table to look at.", hint="Upload one first.")
        report = self.shell.studio.datasets.report(owner, upload_id, roles, dialect)
        chosen = report.roles
        data = None if report.prepared is None else report.prepared.data
        total = 0 if data is None else len(data)
        sheet = report.table.dialect.sheet
        sheets = self.shell.studio.datasets.sheets(owner, upload_id) if sheet else []
        return (
            dataview.dialect_line(report),
            gr.update(visible=sheet is not None, choices=sheets, value=sheet),
            *self.roles.show(report.table.columns, chosen, texts),
            dataview.format_line(chosen),
            dataview.upload_report(report, upload_id),
            *self._page(None if data is None else data.slice(0, PAGE_ROWS), 0, total),
            gr.update(interactive=data is not None and all(f.severity != "error" for f in report.findings)),
        )

    def keep_upload(self, owner: str, upload_id: str, name: str, roles: Roles, dialect: Dialect | None) -> Any:
        """Make the upload a dataset; returns its record, or of a large one the record of the making."""
        if not upload_id:
            raise DataError("There is no table to save.", hint="Upload one first.")
        if not name.strip():
            raise DataError("The dataset has no name.", hint="Give it one that you will know again.")
        if self.shell.studio.imports.takes_time(owner, upload_id):
            return self.shell.studio.imports.begin(owner, upload_id, roles, name.strip(), dialect)
        return self.shell.studio.datasets.create(owner, upload_id, roles, name.strip(), dialect)

    def nothing(self, request: gr.Request) -> tuple[Any, ...]:
        """The upload was taken away again."""
        return "", *self.show("", request)

    def choose(self, dataset_id: str | None, request: gr.Request) -> tuple[Any, ...]:
        return self.arrive(dataset_id or "", request)

    def load(self, request: gr.Request) -> tuple[Any, ...]:
        dataset_id = asked(request, "dataset")
        running = self.shell.studio.imports.running(owner_of(request))
        return dataset_id, *self.show(dataset_id, request), running.id if running else ""

    def imported(self, request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
        """An import has ended: its dataset is shown, or the upload stays as it was, to be saved once more."""
        making = self.shell.studio.makings.get(owner_of(request), str(event.making))
        if not making.made_dataset_id:
            return *(gr.skip() for _ in self.arrival), gr.skip(), gr.update(interactive=True)
        return *self.arrive(making.made_dataset_id, request), "", gr.update(interactive=True)

    def wire(self, train: TrainTab) -> None:
        shell = self.shell
        form = self.form
        brought = on(
            self.file.upload, self.bring, [self.file], self.brought, self.notice, show_progress="minimal", show_progress_on=[self.notice],
        )  # fmt: skip
        remember(brought, dataset=shell.dataset)
        on(self.file.clear, self.nothing, [], [self.upload_id, *self.outputs], self.notice)
        on(
            any_of(*(widget.input for widget in self.dialect_inputs)), self.reread, [self.upload_id, *self.dialect_inputs],
            self.upload_outputs, self.notice, trigger_mode="always_last",
        )  # fmt: skip
        chosen_roles = [self.upload_id, *form]
        for event, handler in (
            (any_of(*(widget.input for widget in (*self.roles.columns, self.roles.use))), self.recheck),
            (self.roles.texts.input, self.recount),
        ):
            on(
                event, with_request(handler, len(chosen_roles)), chosen_roles, self.upload_outputs, self.notice,
                trigger_mode="always_last",
            )  # fmt: skip
        for button, step in ((self.earlier, -1), (self.later, 1)):
            inputs = [self.upload_id, shell.dataset, self.offset, *form]
            turned = with_request(self.turn(step), len(inputs))
            on(button.click, turned, inputs, self.page_of_rows, self.notice)

        def keep_and_go(upload_id: str, name: str, *rest: Any) -> tuple[Any, ...]:
            *form, request = rest
            dialect, roles, _ = self._read(*form)
            record = self.keep_upload(owner_of(request), upload_id, name, roles, dialect)
            if isinstance(record, MakingRecord):
                unchanged = (gr.skip(),) * (len(saved) - 2)
                return *unchanged, record.id, gr.update(interactive=False)
            shown = self.show(record.id, request)
            train_shown = train.show(record.id, request)
            return go("train"), record.id, "", None, *shown, *train_shown, "", gr.update(interactive=True)

        def proceed(dataset_id: str, request: gr.Request) -> tuple[Any, ...]:
            return go("train"), *train.show(dataset_id, request)

        saved = [shell.tabs, *self.arrival, *train.outputs, self.importing, self.save]
        kept = on(
            self.save.click, with_request(keep_and_go, len(form) + 2), [self.upload_id, self.name, *form], saved, self.notice,
            show_progress="minimal", show_progress_on=[self.notice],
        )  # fmt: skip
        remember(kept, dataset=shell.dataset)
        gone_on = on(self.proceed.click, proceed, [shell.dataset], [shell.tabs, *train.outputs], self.notice)
        remember(gone_on, dataset=shell.dataset)
        chosen = on(
            self.chosen.input, self.choose, [self.chosen],
            self.arrival, self.notice,
        )  # fmt: skip
        remember(chosen, dataset=shell.dataset)
        acted = on(self.report.select, self.act, [shell.dataset], self.arrival, self.notice)
        remember(acted, dataset=shell.dataset)
        on(self.delete.click, lambda: gr.update(visible=True), [], [self.delete_row], self.notice)
        on(self.keep.click, lambda: gr.update(visible=False), [], [self.delete_row], self.notice)
        removed = on(self.really.click, self.remove, [shell.dataset], [shell.dataset, *self.outputs], self.notice)
        remember(removed, dataset=shell.dataset).then(None, js="() => window.studio.offerUndo('dataset')")
        imported = on(
            self.importing.select, self.imported, [], [*self.arrival, self.importing, self.save], self.notice
        )  # fmt: skip
        remember(imported, dataset=shell.dataset)
        on(shell.page.load, self.load, [], [shell.dataset, *self.outputs, self.importing], self.notice)
        for part in (*self.sources, *self.tools):
            part.wire(self)


def build(shell: Shell) -> DataTab:
    markup(html.heading("Data", "One row is one example. The order of the columns and their names do not matter."))
    with gr.Row(elem_id="data-sources", equal_height=True):
        with gr.Column(scale=3, min_width=300):
            markup(
                html.section(
                    "Upload a table",
                    "CSV, TSV, JSONL, JSON, Parquet or Excel, or a zip or gz of one. Several with the same columns become one; so do "
                    "the corpus, queries and qrels of a retrieval set.",
                )
            )
            file = gr.File(
                label="Table", show_label=False, file_count="multiple",
                file_types=FILE_TYPES, height=130, elem_classes="upload", elem_id="data-upload",
            )  # fmt: skip
        with gr.Column(scale=2, min_width=280):
            chosen = gr.Dropdown(
                [], value=None, label="Or choose one of your datasets", info="Tables that you saved before, and samples.",
                elem_id="data-dataset", interactive=True,
            )  # fmt: skip
    sources = tuple(module.build(shell) for module in SOURCES)
    notice = markup(elem_id="data-notice")
    empty = markup(EMPTY, elem_id="data-empty")

    with gr.Column(visible=False, elem_id="data-upload-panel", elem_classes="panel") as upload_panel:
        markup(html.section("How the file was read"))
        dialect_line = markup(elem_id="data-dialect")
        with (
            gr.Accordion("Read it differently", open=False, elem_id="data-dialect-form", elem_classes="fold"),
            gr.Row(),
        ):
            encoding = override_widget("Encoding", [(name, name) for name in ENCODINGS], "data-encoding")
            delimiter = override_widget("Separator", list(DELIMITERS), "data-delimiter")
            quote = override_widget("Quoting", list(QUOTES), "data-quote")
            header = override_widget("Header", list(HEADERS), "data-header")
            sheet = gr.Dropdown([], label="Sheet", elem_id="data-sheet", visible=False, min_width=150, interactive=True)
        markup(
            html.section("What the columns are for", "Guessed from names and content; correct it where it is wrong.")
        )
        roles = roleform.build()
        format_line = markup(elem_id="data-format")
    report = markup(elem_id="data-report", js_on_load=REPORT)
    with gr.Column(visible=False, elem_id="data-rows-panel") as rows_panel:
        markup(html.section("The rows as training will see them"))
        rows = markup(elem_id="data-rows")
        with gr.Row(elem_classes="pager"):
            where = markup(elem_id="data-where")
            earlier = gr.Button("Earlier rows", size="sm", elem_id="data-earlier", scale=0, min_width=120)
            later = gr.Button("Later rows", size="sm", elem_id="data-later", scale=0, min_width=120)
    with gr.Column(visible=False, elem_id="data-tools") as tools_panel:
        tools = tuple(module.build(shell) for module in TOOLS)
    with gr.Row(visible=False, elem_id="data-save-row", elem_classes="actions") as save_row:
        name = gr.Textbox(label="Name of the dataset", elem_id="data-name", scale=1, min_width=220, max_lines=1)
        save = gr.Button(
            "Save dataset and continue", variant="primary", size="lg", elem_id="data-save", scale=0, min_width=260
        )
    importing = progress_line("data-import")  # in sight of who pressed the button
    with gr.Row(visible=False, elem_id="data-proceed-row", elem_classes="actions") as proceed_row:
        proceed = gr.Button(
            "Continue to training", variant="primary", size="lg", elem_id="data-proceed", scale=0, min_width=220
        )
        delete = gr.Button("Delete dataset", size="lg", elem_id="data-delete", scale=0, min_width=150)
    with gr.Row(visible=False, elem_id="data-delete-row", elem_classes="actions") as delete_row:
        markup(
            html.notice(
                "Delete this dataset?", "Runs that used it keep their own copy. It can be brought back.", "warning"
            )
        )
        really = gr.Button("Delete it", variant="stop", elem_id="data-really", scale=0, min_width=120)
        keep = gr.Button("Keep it", elem_id="data-keep", scale=0, min_width=120)
    return DataTab(
        shell=shell, file=file, chosen=chosen, upload_id=gr.State(""), upload_panel=upload_panel, dialect_line=dialect_line,
        encoding=encoding, delimiter=delimiter, quote=quote, header=header, sheet=sheet, roles=roles, format_line=format_line, report=report, sources=sources, tools=tools, tools_panel=tools_panel, rows_panel=rows_panel,
        rows=rows, offset=gr.State(0), earlier=earlier, later=later, where=where, name=name, save=save, save_row=save_row,
        proceed_row=proceed_row, proceed=proceed, delete=delete, delete_row=delete_row, really=really, keep=keep,
        empty=empty, importing=importing, notice=notice,
    )  # fmt: skip
