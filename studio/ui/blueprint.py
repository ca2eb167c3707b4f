"""The drawing of the model that will be built: its modules, dimensions and weights, as HTML. No Gradio here."""

from typing import TYPE_CHECKING

from studio.catalog.similarities import SIMILARITY
from studio.training.bases import base_of, own_similarity
from studio.training.blocks import Block, blocks_of, total_parameters
from studio.ui import html

if TYPE_CHECKING:
    from studio.training.config import TrainConfig

NARROWEST, WIDEST = 12, 100
"""Per cent of the bar that shows how many numbers leave a module."""


def drawing(config: "TrainConfig") -> str:
    """The modules of the config's model from text to vector.

    Raises:
        ModelError: there is no such base model.
    """
    blocks, base = blocks_of(config), base_of(config)
    widest = max((block.dimension or 0 for block in blocks), default=0) or 1
    similarity = own_similarity(base) if config.similarity == "default" else config.similarity
    steps = "".join(_step(block, widest) for block in blocks)
    end = _number(blocks[-1].dimension)
    return (
        f'<figure class="blueprint"><figcaption>The model that will be trained: {_weights(blocks)}</figcaption>'
        f"<ol>{_text(config, base)}{steps}"
        f'<li class="end"><b>Vector</b><span>{end} numbers, compared by '
        f"{html.tip(SIMILARITY[similarity].label.lower(), SIMILARITY[similarity].help)}</span></li></ol></figure>"
    )


def _text(config: "TrainConfig", base: "object") -> str:
    record = base.record
    query = config.query_prompt if config.query_prompt is not None else record.query_prompt if record else ""
    document = (
        config.document_prompt if config.document_prompt is not None else record.document_prompt if record else ""
    )
    words = "".join(
        f"<span>before a {role}: <q>{html.cell(prompt, 40)}</q></span>"
        for role, prompt in (("query", query), ("document", document))
        if prompt
    )
    return f'<li class="end"><b>Text</b>{words or "<span>as it is</span>"}</li>'


def _step(block: Block, widest: int) -> str:
    label = html.tip(block.label, block.help) if block.help else html.text(block.label)
    new = '<em class="new">new</em>' if block.is_new else ""
    detail = f"<span>{html.text(block.detail)}</span>" if block.detail else ""
    share = max(NARROWEST, WIDEST * (block.dimension or 0) / widest)
    bar = f'<i class="wide" style="width:{share:.0f}%"></i>' if block.dimension else ""
    return (
        f'<li data-kind="{html.text(block.kind)}"><b>{label}{new}</b>{detail}{bar}'
        f"<small>{_number(block.dimension)} dimensions &middot; {_count(block.parameters)}</small></li>"
    )


def _weights(blocks: tuple[Block, ...]) -> str:
    total = total_parameters(blocks)
    return "its size is known after the download" if total is None else f"{_count(total)}, all of them trained"


def _count(parameters: int | None) -> str:
    if parameters is None:
        return "weights not known yet"
    if not parameters:
        return "no weights"
    if parameters < 10_000:
        return f"{parameters:,} weights"
    if parameters < 1_000_000:
        return f"{parameters / 1000:,.0f} thousand weights"
    return f"{parameters / 1e6:,.1f} million weights"


def _number(dimension: int | None) -> str:
    return "?" if dimension is None else f"{dimension:,}"
