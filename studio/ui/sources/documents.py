"""Pairs from documents: bring files, choose how their structure makes pairs, look at what comes out, keep it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.catalog.recipes import PAIR_FIELD, PAIR_FIELDS, RECIPES, PairSetting
from studio.data.documents import KINDS, Library
from studio.data.pairs import PairConfig
from studio.errors import DataError
from studio.runs.queries import KIND, QueryConfig
from studio.runs.records import DatasetRecord
from studio.ui import html, pairsview, queryform
from studio.ui.handlers import any_of, on, owner_of
from studio.ui.makings import progress_line
from studio.ui.queryform import QueryForm, slider, whole
from studio.ui.shell import Shell, remember
from studio.ui.theme import markup

if TYPE_CHECKING:
    from studio.runs.queries import Ask
    from studio.runs.records import MakingRecord
    from studio.ui.data import DataTab

HELP = (
    "Text, Markdown, HTML, PDF and Word files, or a zip of a folder. Their titles, headings and questions say which texts belong "
    "together. Nothing is fetched from the web."
)
FEWEST = 20
"""Pairs from which a recipe is suggested."""


@dataclass(frozen=True)
class DocumentsSource:
    shell: Shell
    fold: gr.Accordion
    files: gr.File
    upload_id: gr.State
    reading: gr.HTML
    panel: gr.Column
    library: gr.HTML
    recipes: gr.CheckboxGroup
    recipe_help: gr.HTML
    fields: list[Any]
    pairs: gr.HTML
    name: gr.Textbox
    save: gr.Button
    making: gr.HTML
    form: QueryForm | None
    notice: gr.HTML

    @property
    def distance(self) -> gr.Slider:
        """Only there while a recipe uses it."""
        return self.fields[list(PAIR_FIELD).index("distance")]

    @property
    def view(self) -> list[Any]:
        """Outputs of :meth:`_view`."""
        return [self.recipes, self.recipe_help, self.distance, self.pairs, self.save]

    @property
    def arrival(self) -> list[Any]:
        """Outputs of :meth:`bring` and :meth:`look`."""
        asked = self.form.view if self.form else []
        return [self.files, self.upload_id, self.reading, self.panel, self.library, self.name, *self.view, *asked]

    @property
    def closing(self) -> list[Any]:
        """Outputs of :meth:`_closed`."""
        return [self.fold, self.files, self.upload_id, self.panel, self.making]

    def _closed(self) -> tuple[Any, ...]:
        """The pairs are a dataset, which stands below: nothing more to do here."""
        return gr.update(open=False), None, "", gr.update(visible=False), ""

    def bring(self, paths: Sequence[str] | None, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """Files arrived: take them in and read them."""
        owner = owner_of(request)
        upload = self.shell.studio.documents.stage(owner, [(Path(path), Path(path).name) for path in paths or ()])
        names = [Path(path).stem.replace("_", " ") for path in paths or ()]
        name = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
        return self._arrived(owner, upload.id, name, values)

    def look(self, upload_id: str, name: str, request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """Reading in the background has ended."""
        return self._arrived(owner_of(request), upload_id, name, values)

    def _arrived(self, owner: str, upload_id: str, name: str, values: Sequence[Any]) -> tuple[Any, ...]:
        found = self.shell.studio.documents.read(owner, upload_id)
        if not isinstance(found, Library):
            later = [gr.skip() for _ in (self.library, *self.view, *(self.form.view if self.form else ()))]
            return None, upload_id, found.id, gr.update(visible=False), later[0], name, *later[1:]
        config = self._config(values)
        counts = self.shell.studio.documents.preview(owner, upload_id, (), config).counts
        # The closest to what people ask first; where no recipe gives much, the one that gives most.
        chosen = next(
            (record.id for record in _BY_WORTH if counts[record.id] >= FEWEST), max(counts, key=lambda id: counts[id])
        )
        view = self._view(owner, upload_id, [chosen], config)
        words = pairsview.library_words(found)
        asked = ()
        if self.form:
            asked = self.form.show(self._ask(owner, QueryConfig(), upload_id, *values), self._latest(owner))
        return None, upload_id, "", gr.update(visible=True), words, name, *view, *asked

    def show(self, upload_id: str, recipes: list[str], request: gr.Request, *values: Any) -> tuple[Any, ...]:
        """Another recipe or another setting."""
        return self._view(owner_of(request), upload_id, recipes, self._config(values))

    def _view(self, owner: str, upload_id: str, recipes: list[str], config: PairConfig) -> tuple[Any, ...]:
        if not upload_id:
            raise DataError("There are no documents to look at.", hint="Bring some first.")
        preview = self.shell.studio.documents.preview(owner, upload_id, recipes, config)
        return (
            gr.update(choices=pairsview.recipe_choices(preview), value=recipes),
            pairsview.recipe_help(recipes),
            gr.update(visible=bool(set(recipes) & set(PAIR_FIELD["distance"].recipes))),
            pairsview.pairs_words(preview, upload_id, recipes, config),
            gr.update(interactive=len(preview.pairs) > 0),
        )

    def _config(self, values: Sequence[Any]) -> PairConfig:
        return PairConfig(**{known.id: whole(value) for known, value in zip(PAIR_FIELDS, values, strict=True)})

    def nothing(self) -> tuple[Any, ...]:
        """The files were taken away again."""
        return "", "", gr.update(visible=False), ""

    def _ask(self, owner: str, config: QueryConfig, upload_id: str, *values: Any) -> "Ask | None":
        if not upload_id:
            return None
        try:
            return self.shell.studio.queries.of_documents(owner, upload_id, self._config(values), config)
        except DataError:
            return None  # no passages of use: the button waits

    def _latest(self, owner: str, *_: Any) -> "MakingRecord | None":
        return self.shell.studio.makings.latest(owner, KIND, "")

    def wire(self, data: "DataTab") -> None:
        settings = self.fields

        def keep(upload_id: str, name: str, recipes: list[str], request: gr.Request, *values: Any) -> tuple[Any, ...]:
            if not name.strip():
                raise DataError("The dataset has no name.", hint="Give it one that you will know again.")
            made = self.shell.studio.documents.create(
                owner_of(request), upload_id, recipes, self._config(values), name.strip()
            )
            if isinstance(made, DatasetRecord):
                return *self._closed(), *data.arrive(made.id, request)
            return *(gr.skip() for _ in self.closing[:-1]), made.id, *(gr.skip() for _ in data.arrival)

        def kept(making_id: str, request: gr.Request) -> tuple[Any, ...]:
            """The dataset of many documents is made, or it is said why not."""
            making = self.shell.studio.makings.get(owner_of(request), making_id)
            if not making.made_dataset_id:
                return tuple(gr.skip() for _ in (*self.closing, *data.arrival))
            return *self._closed(), *data.arrive(making.made_dataset_id, request)

        busy = {"show_progress": "minimal", "show_progress_on": [self.notice]}
        on(self.files.upload, self.bring, [self.files, *settings], self.arrival, self.notice, **busy)
        on(self.files.clear, self.nothing, [], [self.upload_id, self.reading, self.panel, self.library], self.notice)
        on(self.reading.select, self.look, [self.upload_id, self.name, *settings], self.arrival, self.notice)
        changed = any_of(self.recipes.input, *(field.input for field in settings))
        on(
            changed, self.show, [self.upload_id, self.recipes, *settings], self.view, self.notice,
            trigger_mode="always_last",
        )  # fmt: skip
        shown = [*self.closing, *data.arrival]
        saved = on(
            self.save.click, keep, [self.upload_id, self.name, self.recipes, *settings], shown, self.notice, **busy
        )
        remember(saved, dataset=self.shell.dataset)
        over = on(self.making.select, kept, [self.making], shown, self.notice)
        remember(over, dataset=self.shell.dataset)
        if self.form:
            self.form.wire(data, [self.upload_id, *settings], self._ask, self._start, self._latest)

    def _start(self, owner: str, config: QueryConfig, name: str, upload_id: str, *values: Any) -> "MakingRecord":
        queries = self.shell.studio.queries
        return queries.start_with_documents(owner, upload_id, self._config(values), config, name or "Questions")


_BY_WORTH = tuple(
    sorted(
        RECIPES,
        key=lambda r: ("question_answer", "heading_paragraph", "title_body", "same_section", "neighbours").index(r.id),
    )
)


def _widget(known: PairSetting) -> gr.Slider | gr.Number:
    """A number where it only tells one draw from another, else a slider."""
    elem_id = f"documents-{known.id}"
    if known.id == "seed":
        return gr.Number(known.default, precision=0, label=known.label, info=known.help, elem_id=elem_id, min_width=200)
    return slider(known, elem_id, visible=known.recipes == PAIR_FIELDS[0].recipes)


def build(shell: Shell) -> DocumentsSource:
    with gr.Accordion("Make pairs from documents", open=False, elem_id="documents", elem_classes="fold") as fold:
        markup(f'<p class="fine">{html.text(HELP)}</p>')
        files = gr.File(
            label="Documents", show_label=False, file_count="multiple", file_types=[*KINDS, ".zip"], height=130,
            elem_classes="upload", elem_id="documents-files",
        )  # fmt: skip
        reading = progress_line("documents-reading")
        notice = markup(elem_id="documents-notice")
        with gr.Column(visible=False, elem_id="documents-panel") as panel:
            library = markup(elem_id="documents-library")
            recipes = gr.CheckboxGroup(
                [(record.label, record.id) for record in RECIPES], value=[], label="What belongs together",
                info="Behind each way stands how many pairs it gives.", elem_id="documents-recipes",
            )  # fmt: skip
            recipe_help = markup(elem_id="documents-recipe-help")
            with gr.Row(elem_id="documents-fields"):
                fields = [_widget(known) for known in PAIR_FIELDS]
            pairs = markup(elem_id="documents-pairs")
            with gr.Row(elem_classes="actions"):
                name = gr.Textbox(
                    label="Name of the dataset", max_lines=1, elem_id="documents-name", scale=1, min_width=220
                )
                save = gr.Button(
                    "Save dataset", variant="primary", size="lg", elem_id="documents-save", scale=0,
                    min_width=200, interactive=False,
                )  # fmt: skip
            making = progress_line("documents-making")
            with gr.Accordion(
                "Or have questions written for the passages",
                open=False,
                elem_id="documents-queries-fold",
                elem_classes="fold",
            ):
                form = queryform.build(shell, "documents-queries")
    return DocumentsSource(
        shell=shell, fold=fold, files=files, upload_id=gr.State(""), reading=reading, panel=panel, library=library, recipes=recipes,
        recipe_help=recipe_help, fields=fields, pairs=pairs, name=name, save=save, making=making, form=form, notice=notice,
    )  # fmt: skip
