"""Runs: one element that static/runs.js fills from the studio's own routes, so that nothing flickers or is remounted."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.ui import html
from studio.ui.handlers import on, owner_of
from studio.ui.search import SearchTab
from studio.ui.shell import Shell, asked, go, remember
from studio.ui.theme import markup
from studio.ui.train import TrainTab

MOUNT = """
(function mount() {
  if (window.studio && window.studio.mountRuns) window.studio.mountRuns(element, trigger);
  else setTimeout(mount, 30);  // the page's scripts may come later than this element
})();
"""


MOUNT_SWEEPS = MOUNT.replace("mountRuns", "mountSweeps")


@dataclass(frozen=True)
class RunsTab:
    shell: Shell
    sweeps: gr.HTML
    view: gr.HTML
    notice: gr.HTML

    def wire(self, search: SearchTab, train: TrainTab) -> None:
        def use_winner(request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
            """The page asks with the id of a sweep: its winner's settings fill the form of the Train tab."""
            owner = owner_of(request)
            record = self.shell.studio.sweeps.get(owner, str(event.sweep))
            config = self.shell.studio.sweeps.winner(owner, record.id)
            return go("train"), record.dataset_id, *train.show(record.dataset_id, request, config)

        def try_in_search(request: gr.Request, event: gr.EventData) -> tuple[Any, ...]:
            """The page asks with the id of a run that has a model."""
            owner = owner_of(request)
            record = self.shell.studio.runs.see(owner, str(event.run))
            corpus_id = search.corpus_of(owner, record.dataset_id)
            return go("search"), record.id, corpus_id

        def load(request: gr.Request) -> str:
            return asked(request, "run")

        shell = self.shell
        used = on(self.sweeps.select, use_winner, [], [shell.tabs, shell.dataset, *train.outputs], self.notice)
        remember(used, dataset=shell.dataset)
        outputs = [shell.tabs, shell.run, shell.corpus]
        remember(on(self.view.select, try_in_search, [], outputs, self.notice), run=shell.run, corpus=shell.corpus)
        on(shell.page.load, load, [], [shell.run], self.notice)


def build(shell: Shell) -> RunsTab:
    markup(html.heading("Runs", "A run goes on when this page is closed."))
    notice = markup(elem_id="runs-notice")
    sweeps = markup("", html_template='<div class="sweeps"></div>', js_on_load=MOUNT_SWEEPS, elem_id="runs-sweeps")
    view = markup(
        "",
        html_template='<div class="runs" aria-busy="true"></div>',
        js_on_load=MOUNT,
        elem_id="runs-view",
    )
    return RunsTab(shell, sweeps, view, notice)
