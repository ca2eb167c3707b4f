"""The part of a fold that has questions written by a language model: what it would cost, a button, progress, going on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.catalog.recipes import QUERY_FIELDS, PairSetting
from studio.making.chat import service
from studio.runs.queries import KIND, QueryConfig
from studio.ui import html
from studio.ui.handlers import any_of, on, owner_of
from studio.ui.makings import progress_line
from studio.ui.shell import Shell, remember
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.runs.queries import Ask
    from studio.runs.records import MakingRecord
    from studio.ui.data import DataTab

OFF = "A language model can write questions for these texts once whoever hosts this studio sets STUDIO_LLM_URL and STUDIO_LLM_MODEL."


@dataclass(frozen=True)
class QueryForm:
    shell: Shell
    fields: list[gr.Slider]
    cost: gr.HTML
    name: gr.Textbox
    start: gr.Button
    progress: gr.HTML
    early: gr.Row
    """Shown when it ended before all was answered."""
    go_on: gr.Button
    finish: gr.Button
    notice: gr.HTML

    @property
    def view(self) -> list[Any]:
        """Outputs of :meth:`show`."""
        return [self.cost, self.start, self.progress, self.early]

    def show(self, asked: "Ask | None", making: "MakingRecord | None") -> tuple[Any, ...]:
        """``asked``: what the button would ask; None: nothing. ``making``: the last one for these texts."""
        running = making is not None and not making.is_over
        can_go_on = making is not None and self.shell.studio.queries.can_go_on(making)
        return (
            "" if asked is None else self._cost(asked),
            gr.update(interactive=asked is not None and not running),
            making.id if making is not None and (running or can_go_on) else "",
            gr.update(visible=can_go_on),
        )

    def _cost(self, asked: "Ask") -> str:
        queries = self.shell.studio.queries
        some = f"{len(asked.passages):,} of {asked.available:,} passages"
        return html.notice(
            f"{some} are sent to {queries.service} ({queries.model}): at most {asked.questions:,} questions.",
            f"About {asked.tokens:,} tokens are sent. The address was chosen by whoever hosts this studio.",
            "info",
        )

    def wire(
        self,
        data: "DataTab",
        inputs: Sequence[Any],
        ask: Callable[..., "Ask | None"],
        start: Callable[..., "MakingRecord"],
        latest: Callable[..., "MakingRecord | None"],
    ) -> Callable[..., tuple[Any, ...]]:
        """Events. ``ask(owner, config, *inputs)``, ``start(owner, config, name, *inputs)`` and ``latest(owner, *inputs)`` say what for.

        Returns a handler ``(*fields, *inputs, request) -> view`` for whoever has changed the inputs.
        """
        fields = [*self.fields, *inputs]

        def looked(request: gr.Request, *values: Any) -> tuple[Any, ...]:
            config, rest = self._config(values)
            owner = owner_of(request)
            return self.show(ask(owner, config, *rest), latest(owner, *rest))

        def started(request: gr.Request, name: str, *values: Any) -> tuple[Any, ...]:
            config, rest = self._config(values)
            making = start(owner_of(request), config, name.strip(), *rest)
            return making.id, gr.update(interactive=False), gr.update(visible=False)

        def again(finish: bool) -> Callable[..., tuple[Any, ...]]:
            def gone_on(making_id: str, request: gr.Request) -> tuple[Any, ...]:
                making = self.shell.studio.queries.go_on(owner_of(request), making_id, finish)
                return making.id, gr.update(interactive=False), gr.update(visible=False)

            return gone_on

        def ended(making_id: str, request: gr.Request) -> tuple[Any, ...]:
            """It has ended: show what it made, or offer to go on."""
            making = self.shell.studio.makings.get(owner_of(request), making_id)
            able, early = gr.update(interactive=True), gr.update(visible=self.shell.studio.queries.can_go_on(making))
            if making.kind != KIND or not making.made_dataset_id:
                return able, early, *(gr.skip() for _ in data.arrival)
            return able, early, *data.arrive(making.made_dataset_id, request)

        on(
            any_of(*(field.input for field in self.fields)), looked, fields, self.view, self.notice,
            trigger_mode="always_last",
        )  # fmt: skip
        running = [self.progress, self.start, self.early]
        busy = {"show_progress": "minimal", "show_progress_on": [self.notice]}
        on(self.start.click, started, [self.name, *fields], running, self.notice, **busy)
        on(self.go_on.click, again(False), [self.progress], running, self.notice, **busy)
        on(self.finish.click, again(True), [self.progress], running, self.notice, **busy)
        over = on(self.progress.select, ended, [self.progress], [self.start, self.early, *data.arrival], self.notice)
        remember(over, dataset=self.shell.dataset)
        return looked

    def _config(self, values: Sequence[Any]) -> tuple[QueryConfig, Sequence[Any]]:
        count = len(QUERY_FIELDS)
        given = {known.id: whole(value) for known, value in zip(QUERY_FIELDS, values[:count], strict=True)}
        return QueryConfig(**given), values[count:]


def whole(value: Any) -> Any:
    """A slider's 3.0 is 3; what is no whole number stays as it is, and is refused where it is used."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def slider(known: PairSetting, elem_id: str, **options: Any) -> gr.Slider:
    return gr.Slider(
        known.least, known.most, value=known.default, step=1, label=known.label, info=known.help, elem_id=elem_id, min_width=200, **options
    )  # fmt: skip


def build(shell: Shell, prefix: str) -> QueryForm | None:
    """None where no language model is configured: then one sentence says how a host does that."""
    if not service(shell.settings):
        markup(f'<p class="fine" id="{prefix}-off">{html.text(OFF)}</p>')
        return None
    with gr.Row(elem_classes="fields two"):
        fields = [slider(known, f"{prefix}-{known.id}") for known in QUERY_FIELDS]
    cost = markup(elem_id=f"{prefix}-cost")
    with gr.Row(elem_classes="actions"):
        name = gr.Textbox(
            label="Name of the dataset", placeholder="Questions", max_lines=1, elem_id=f"{prefix}-name", scale=1, min_width=220
        )  # fmt: skip
        start = gr.Button("Write questions", elem_id=f"{prefix}-start", scale=0, min_width=180, interactive=False)
    progress = progress_line(f"{prefix}-progress")
    with gr.Row(visible=False, elem_classes="actions", elem_id=f"{prefix}-early") as early:
        go_on = gr.Button("Go on from there", elem_id=f"{prefix}-again", scale=0, min_width=180)
        finish = gr.Button("Keep what was written", elem_id=f"{prefix}-finish", scale=0, min_width=200)
    notice = markup(elem_id=f"{prefix}-notice")
    return QueryForm(shell, fields, cost, name, start, progress, early, go_on, finish, notice)
