"""Search: the model before and after, side by side over one's own texts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import NotFound, SearchError
from studio.ui import html, searchview
from studio.ui.datainputs import FILE_TYPES
from studio.ui.handlers import any_of, on, owner_of
from studio.ui.shell import Shell, asked, remember
from studio.ui.theme import markup
from studio.ui.tools import share

EXAMPLES = 4
TOP_K = 10
HELP = (
    "Embeddings compare meaning, not reasoning: very long documents, exact numbers and questions that need several "
    "steps are where they are weak; a reranker on top of them helps there."
)


@dataclass(frozen=True)
class SearchTab:
    shell: Shell
    run: gr.Dropdown
    corpus: gr.Dropdown
    share: gr.HTML
    blank: gr.HTML
    panel: gr.Column
    status: gr.HTML
    timer: gr.Timer
    query: gr.Textbox
    button: gr.Button
    examples: tuple[gr.Button, ...]
    results: gr.HTML
    upload_id: gr.State
    file: gr.File
    column: gr.Dropdown
    add: gr.Button
    notice: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """Outputs of :meth:`show`."""
        return [self.run, self.corpus, self.share, self.blank, self.panel, *self.examples, self.results, *self.progress]

    @property
    def progress(self) -> list[Any]:
        """Outputs of :meth:`poll`."""
        return [self.status, self.timer, self.button]

    def corpus_of(self, owner: str, dataset_id: str) -> str:
        """Id of the corpus made of the texts of a dataset; makes it when there is none, but not for a viewer. '' when there is
        none, or the dataset is gone."""
        corpora = self.shell.studio.corpora
        try:
            dataset = self.shell.studio.datasets.see(owner, dataset_id)
        except NotFound:
            return ""
        made = (c for c in (*corpora.list(owner), *corpora.shared(owner)) if searchview.is_of(c, dataset))
        corpus = next(made, None)
        if corpus is None and not self.shell.studio.accounts.may_start(owner):
            return ""
        return (corpus or corpora.create_from_dataset(owner, dataset_id)).id

    def show(self, run_id: str, corpus_id: str, request: gr.Request) -> tuple[Any, ...]:
        """The tab for a tuned model and a corpus; '' or what is gone shows what to do first."""
        owner, studio = owner_of(request), self.shell.studio
        runs = [r for r in (*studio.runs.list(owner), *studio.runs.shared(owner)) if searchview.has_model(r)]
        corpora = [*studio.corpora.list(owner), *studio.corpora.shared(owner)]
        run = next((r for r in runs if r.id == run_id), None)
        corpus = next((c for c in corpora if c.id == corpus_id), None)
        more = [
            (f"{d.name} - texts of this dataset{searchview.shared_by(d, owner)}", f"dataset:{d.id}")
            for d in (*studio.datasets.list(owner), *studio.datasets.shared(owner))
            if not any(searchview.is_of(c, d) for c in corpora) and studio.accounts.may_start(owner)
        ]
        ready = run is not None and corpus is not None
        examples = searchview.examples(studio, owner, run, corpus, EXAMPLES) if run is not None else []
        examples += [""] * (EXAMPLES - len(examples))
        return (
            gr.update(
                choices=[(f"{searchview.run_label(r)}{searchview.shared_by(r, owner)}", r.id) for r in runs],
                value=run.id if run else None,
            ),
            gr.update(
                choices=[(f"{c.name} - {c.rows:,} texts{searchview.shared_by(c, owner)}", c.id) for c in corpora]
                + more,
                value=corpus.id if corpus else None,
            ),
            share.value(owner, "corpus", corpus),
            gr.update(value=searchview.blank(bool(runs), run is not None), visible=not ready),
            gr.update(visible=ready),
            *(gr.update(value=words, visible=bool(words)) for words in examples),
            "",
            *(self._poll(owner, run.id, corpus.id, retry=True) if ready else ("", gr.update(active=False), gr.skip())),
        )

    def _poll(self, owner: str, run_id: str, corpus_id: str, retry: bool = False) -> tuple[Any, ...]:
        indexes = self.shell.studio.corpora.ensure_index(owner, corpus_id, run_id, retry)
        ready = all(index.state == "ready" for index in indexes)
        waiting = any(index.state in ("queued", "building") for index in indexes)
        return searchview.index_status(*indexes), gr.update(active=waiting), gr.update(interactive=ready)

    def poll(self, run_id: str, corpus_id: str, request: gr.Request) -> tuple[Any, ...]:
        """How far the indexes are."""
        if not run_id or not corpus_id:
            return "", gr.update(active=False), gr.skip()
        return self._poll(owner_of(request), run_id, corpus_id)

    def choose(self, run_id: str | None, corpus: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Another model or corpus was chosen."""
        owner, corpus_id = owner_of(request), corpus or ""
        if corpus_id.startswith("dataset:"):
            corpus_id = self.corpus_of(owner, corpus_id.removeprefix("dataset:"))
        return run_id or "", corpus_id, *self.show(run_id or "", corpus_id, request)

    def search(self, run_id: str, corpus_id: str, query: str, request: gr.Request) -> str:
        if not query.strip():
            raise SearchError("The query is empty.", hint="Type what you are looking for.")
        found = self.shell.studio.corpora.search(owner_of(request), corpus_id, run_id, query.strip(), TOP_K)
        return searchview.comparison(found)

    def bring(self, path: str, request: gr.Request) -> tuple[Any, ...]:
        """A table with texts to search arrived."""
        owner, datasets = owner_of(request), self.shell.studio.datasets
        upload = datasets.stage(owner, Path(path), Path(path).name)
        table = datasets.table(owner, upload.id)
        columns = list(table.columns)
        guess = searchview.longest_column(table)
        return upload.id, gr.update(choices=columns, value=guess, visible=True), gr.update(visible=True)

    def add_corpus(self, upload_id: str, column: str, run_id: str, request: gr.Request) -> tuple[Any, ...]:
        owner = owner_of(request)
        if not upload_id or not column:
            raise SearchError(
                "There is no table to search.", hint="Upload one and choose the column that holds the texts."
            )
        corpus = self.shell.studio.corpora.create_from_upload(owner, upload_id, column, "")
        hidden = gr.update(visible=False)
        return "", None, hidden, hidden, corpus.id, *self.show(run_id, corpus.id, request)

    def load(self, request: gr.Request) -> tuple[Any, ...]:
        run_id, corpus_id = asked(request, "run"), asked(request, "corpus")
        return corpus_id, *self.show(run_id, corpus_id, request)

    def enter(self, run_id: str, corpus_id: str, request: gr.Request) -> tuple[Any, ...]:
        """The tab was opened by hand: models and corpora may have come since."""
        return self.show(run_id, corpus_id, request)

    def wire(self, tab: gr.Tab) -> None:
        shell = self.shell
        chosen = on(
            any_of(self.run.input, self.corpus.input), self.choose, [self.run, self.corpus],
            [shell.run, shell.corpus, *self.outputs], self.notice,
        )  # fmt: skip
        remember(chosen, run=shell.run, corpus=shell.corpus)
        on(self.timer.tick, self.poll, [shell.run, shell.corpus], self.progress, self.notice)
        asks = {"concurrency_limit": 2, "concurrency_id": "encode", "show_progress": "minimal"}
        inputs = [shell.run, shell.corpus, self.query]
        on(any_of(self.button.click, self.query.submit), self.search, inputs, [self.results], self.notice, **asks)
        for example in self.examples:
            on(
                example.click, self._ask_example(), [example, shell.run, shell.corpus],
                [self.query, self.results], self.notice, **asks,
            )  # fmt: skip
        on(self.file.upload, self.bring, [self.file], [self.upload_id, self.column, self.add], self.notice)
        added = on(
            self.add.click, self.add_corpus, [self.upload_id, self.column, shell.run],
            [self.upload_id, self.file, self.column, self.add, shell.corpus, *self.outputs], self.notice,
        )  # fmt: skip
        remember(added, run=shell.run, corpus=shell.corpus)
        on(shell.page.load, self.load, [], [shell.corpus, *self.outputs], self.notice)
        on(tab.select, self.enter, [shell.run, shell.corpus], self.outputs, self.notice)

    def _ask_example(self) -> Callable:
        def ask(words: str, run_id: str, corpus_id: str, request: gr.Request) -> tuple[str, str]:
            return words, self.search(run_id, corpus_id, words, request)

        return ask


def build(shell: Shell) -> SearchTab:
    markup(html.heading("Search", "Ask both models the same and see what the training changed."))
    with gr.Row(elem_classes="fields two"):
        run = gr.Dropdown(
            [],
            value=None,
            label="Tuned model",
            info="A run that ended with a model.",
            elem_id="search-run",
            interactive=True,
        )
        corpus = gr.Dropdown(
            [], value=None, label="Texts to search", info="A corpus, or the texts of a dataset.", elem_id="search-corpus",
            interactive=True,
        )  # fmt: skip
    with gr.Accordion("Search texts of your own", open=False, elem_id="search-own", elem_classes="fold"), gr.Row():
        file = gr.File(
            label="Table of texts", show_label=False, file_types=FILE_TYPES, height=130, elem_classes="upload",
            elem_id="search-upload", scale=3,
        )  # fmt: skip
        with gr.Column(scale=2, min_width=240):
            column = gr.Dropdown(
                [], label="Column that holds the texts", elem_id="search-column", visible=False, interactive=True
            )
            add = gr.Button("Use these texts", elem_id="search-add", visible=False)
    shown = share.switch("search-share")
    notice = markup(elem_id="search-notice")
    blank = markup(searchview.blank(False, False), elem_id="search-blank")
    with gr.Column(visible=False, elem_id="search-panel") as panel:
        status = markup(elem_id="search-status")
        with gr.Row(elem_id="search-box", elem_classes="actions"):
            query = gr.Textbox(
                label="Query",
                placeholder="What are you looking for?",
                max_lines=1,
                scale=1,
                min_width=220,
                elem_id="search-query",
            )
            button = gr.Button("Search", variant="primary", size="lg", scale=0, min_width=130, elem_id="search-start")
        with gr.Row(elem_id="search-examples", elem_classes="chips"):
            examples = tuple(
                gr.Button("", size="sm", visible=False, scale=0, min_width=60, elem_id=f"search-example-{i}")
                for i in range(EXAMPLES)
            )
        results = markup(elem_id="search-results")
        markup(f'<p class="fine">{html.text(HELP)}</p>', elem_id="search-help")
    timer = gr.Timer(1.0, active=False)
    return SearchTab(
        shell, run, corpus, shown, blank, panel, status, timer, query, button, examples, results, gr.State(""), file, column, add,
        notice,
    )  # fmt: skip
