"""Search: one element that static/search.js fills from the studio's own routes, and a fold to bring texts of one's own."""

from dataclasses import dataclass

import gradio as gr

from studio.errors import NotFound
from studio.ui import html
from studio.ui.newcorpus import NewCorpus
from studio.ui.newcorpus import build as build_new
from studio.ui.shell import Shell
from studio.ui.theme import markup

HELP = (
    "Embeddings compare meaning, not reasoning: very long documents, exact numbers and questions that need several "
    "steps are where they are weak; keywords and a reranker on top of them help there."
)
MOUNT = """
(function mount() {
  if (window.studio && window.studio.mountSearch && window.studio.drawSearchFolds) window.studio.mountSearch(element);
  else setTimeout(mount, 30);  // the page's scripts may come later than this element
})();
"""


@dataclass(frozen=True)
class SearchTab:
    shell: Shell
    view: gr.HTML
    new: NewCorpus

    def corpus_of(self, owner: str, dataset_id: str) -> str:
        """Id of the corpus made of the texts of a dataset; makes it when there is none, but not for a viewer. '' when there is
        none, or the dataset is gone."""
        corpora = self.shell.studio.corpora
        try:
            dataset = self.shell.studio.datasets.see(owner, dataset_id)
        except NotFound:
            return ""
        made = (c for c in (*corpora.list(owner), *corpora.shared(owner)) if c.dataset_id == dataset.id)
        found = next(made, None)
        if found is None and not self.shell.studio.accounts.may_start(owner):
            return ""
        return (found or corpora.create_from_dataset(owner, dataset_id)).id

    def wire(self) -> None:
        self.new.wire()


def build(shell: Shell) -> SearchTab:
    markup(
        html.heading("Search", "Ask several models the same, beside plain keywords, and see what the training changed.")
    )
    new = build_new(shell)
    view = markup("", html_template='<div class="search"></div>', js_on_load=MOUNT, elem_id="search-view")
    markup(f'<p class="fine">{html.text(HELP)}</p>', elem_id="search-help")
    return SearchTab(shell, view, new)
