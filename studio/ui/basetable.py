"""Choose by looking: every base model that the studio knows in one table, with a button in each row."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.catalog.designs import DESIGNS
from studio.catalog.languages import LANGUAGE
from studio.catalog.models import MODELS, BaseModel
from studio.training.bases import built_parameters, installed_models
from studio.ui import html
from studio.ui.theme import markup

KINDS = {"sentence": "Embedding model", "transformer": "Plain transformer", "static": "Static"}
COLUMNS = (
    ("Model", ""),
    ("Where", ""),
    ("Good for", ""),
    ("Languages", "What its texts were written in when it was trained."),
    ("Dimensions", "Numbers in each vector: more say more and take more room."),
    ("Parameters", "Weights that are trained: more learn more and take longer."),
    ("Longest text", "Tokens (about three quarters of a word each) after which a text is cut off."),
    ("Size", "Of the weights, on disk."),
    ("Licence", ""),
    ("Prompts", "Words that the model was trained to read before a text; the studio puts them there."),
)
NUMBERS = ("Dimensions", "Parameters", "Longest text", "Size")
SHOWN_LANGUAGES = 3

CHOOSE = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-base]");
  if (button) trigger("select", { base: button.dataset.base });
});
"""


@dataclass(frozen=True)
class BaseTable:
    view: gr.HTML


def build() -> BaseTable:
    with gr.Accordion("Choose by looking", open=False, elem_id="train-bases", elem_classes="fold"):
        view = markup(table(), js_on_load=CHOOSE, elem_id="train-base-table")
    return BaseTable(view)


def known(base: str) -> bool:
    """Whether a row of the table has this id."""
    return base in {record.id for record in (*MODELS, *DESIGNS)}


def table() -> str:
    """The table; what is on this machine first."""
    here = {record.id for record in installed_models()}
    models = sorted(MODELS, key=lambda record: record.id not in here)
    head = "".join(
        f'<th scope="col">{html.tip(name, help) if help else html.text(name)}</th>' for name, help in COLUMNS
    )
    rows = "".join(_model(record, record.id in here) for record in models) + "".join(_design(r) for r in DESIGNS)
    return (
        '<div class="table bases" tabindex="0" role="region" aria-label="Base models"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        '<p class="fine">You may also type a folder or any hub name (owner/name) into the field above, or put '
        "<code>static-of:</code> before the name of a transformer to distil a static model from it. Only safetensors "
        "weights are read, and program code that comes with a model is never run.</p>"
    )


def _model(record: BaseModel, here: bool) -> str:
    missing = record.package and not here
    where = "on this machine" if here else f"needs its package ({record.extra})" if missing else "needs download"
    prompts = [
        f"{name} <q>{html.text(prompt)}</q>"
        for name, prompt in (("query", record.query_prompt), ("document", record.document_prompt))
        if prompt
    ]
    cells = (
        f"<b>{html.text(record.label)}</b><small>{html.text(KINDS[record.kind])}. {html.text(record.help)}</small>",
        f'<span class="state {"succeeded" if here else "queued"}">{html.text(where)}</span>',
        html.text(record.good_for),
        _languages(record.languages),
        f"{record.dimension:,}",
        f"{record.parameters_m:,.1f} M",
        "no limit" if record.kind == "static" else f"{record.max_tokens:,} tokens",
        f"{record.size_mb:,} MB",
        html.text(record.licence),
        "<br>".join(prompts) or '<span class="faint">none</span>',
    )
    return _row(record.id, record.label, cells, usable=not missing)


def _design(design: Any) -> str:
    cells = (
        f"<b>{html.text(design.label)}</b><small>{html.text(design.help)}</small>",
        '<span class="state succeeded">built here</span>',
        "languages and trades that no model knows",
        "that of your texts",
        f"{design.width:,}",
        f"up to {built_parameters(design) / 1e6:,.1f} M",
        "no limit" if design.max_tokens is None else f"{design.max_tokens:,} tokens",
        f"{built_parameters(design) * 4 / 1e6:,.0f} MB",
        "yours",
        '<span class="faint">none</span>',
    )
    return _row(design.id, design.label, cells, usable=True)


def _row(id: str, label: str, cells: tuple[str, ...], usable: bool) -> str:
    button = (
        f'<button type="button" class="button plain" data-base="{html.text(id)}" aria-label="Use {html.text(label)}">Use</button>'
        if usable
        else ""
    )
    cells = (cells[0] + button, *cells[1:])
    body = "".join(
        f'<td class="{"n" if name in NUMBERS else ""}" data-label="{html.text(name)}">{cell}</td>'
        for (name, _), cell in zip(COLUMNS, cells, strict=True)
    )
    return f"<tr>{body}</tr>"


def _languages(codes: tuple[str, ...]) -> str:
    if not codes:
        return "about 100"
    names = [LANGUAGE.get(code, code) for code in codes]
    if len(names) <= SHOWN_LANGUAGES:
        return html.text(", ".join(names))
    return html.tip(f"{len(names)}", ", ".join(sorted(names)))
