"""Questions that a language model writes for the texts of a dataset."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.data.rows import text_columns
from studio.errors import DataError
from studio.making.chat import service
from studio.runs.queries import KIND, QueryConfig
from studio.ui import queryform
from studio.ui.dataview import role_label
from studio.ui.handlers import on
from studio.ui.queryform import QueryForm
from studio.ui.shell import Shell
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.runs.queries import Ask
    from studio.runs.records import DatasetRecord, MakingRecord
    from studio.ui.data import DataTab

HELP = "For each text some questions that it answers: pairs to train a search with, where nobody has collected real questions yet."


@dataclass(frozen=True)
class QueriesTool:
    shell: Shell
    role: gr.Dropdown
    form: QueryForm | None

    @property
    def outputs(self) -> list[Any]:
        return [self.role, *(self.form.view if self.form else ())]

    def show(self, owner: str, record: "DatasetRecord | None") -> tuple[Any, ...]:
        if self.form is None:
            return (gr.skip(),)
        if record is None:
            return gr.update(choices=[], value=None), *self.form.show(None, None)
        roles = text_columns(self.shell.studio.datasets.rows(owner, record.id, 0, 1))
        # What belongs to something, or the only texts there are: a question exists already where there are anchors.
        role = "positive" if "positive" in roles else roles[0]
        update = gr.update(choices=[(role_label(name), name) for name in roles], value=role)
        config = QueryConfig()
        return update, *self.form.show(self._ask(owner, config, record.id, role), self._latest(owner, record.id, role))

    def _ask(self, owner: str, config: QueryConfig, dataset_id: str, role: str) -> "Ask | None":
        try:
            return self.shell.studio.queries.of_dataset(owner, dataset_id, role, config)
        except DataError:
            return None  # no texts of use: the button waits

    def _latest(self, owner: str, dataset_id: str, role: str) -> "MakingRecord | None":
        return self.shell.studio.makings.latest(owner, KIND, dataset_id)

    def wire(self, data: "DataTab") -> None:
        if self.form is None:
            return

        def start(owner: str, config: QueryConfig, name: str, dataset_id: str, role: str) -> "MakingRecord":
            record = self.shell.studio.datasets.get(owner, dataset_id)
            return self.shell.studio.queries.start_with_dataset(
                owner, dataset_id, role, config, name or f"Questions for {record.name}"
            )

        inputs = [self.shell.dataset, self.role]
        looked = self.form.wire(data, inputs, self._ask, start, self._latest)
        on(self.role.input, looked, [*self.form.fields, *inputs], self.form.view, self.form.notice)


def build(shell: Shell) -> QueriesTool:
    with gr.Accordion("Questions by a language model", open=False, elem_id="queries", elem_classes="fold"):
        markup(f'<p class="fine">{HELP}</p>')
        role = gr.Dropdown(
            [], value=None, label="Texts", info="Questions are written for these.", elem_id="queries-role",
            visible=bool(service(shell.settings)), interactive=True,
        )  # fmt: skip
        form = queryform.build(shell, "queries")
    return QueriesTool(shell, role, form)
