"""What the Search tab shows, as HTML. No Gradio here."""

from collections.abc import Iterable
from typing import Any

import pyarrow.compute as pc

from studio.data.table import Table
from studio.errors import NotFound
from studio.search.result import Comparison, Hit
from studio.ui import html

EXAMPLE_LENGTH = 60
"""Longest example query, in characters."""


def has_model(run: Any) -> bool:
    """Whether a run ended with a model; one that was stopped and kept has succeeded, too."""
    return run.state == "succeeded"


def is_of(corpus: Any, dataset: Any) -> bool:
    """Whether a corpus was made of a dataset's texts."""
    return corpus.dataset_id == dataset.id


def shared_by(record: Any, viewer: str) -> str:
    """What is added to a name of somebody else's."""
    return "" if record.owner == viewer else f" (shared by {record.owner})"


def run_label(run: Any) -> str:
    return run.name


def blank(any_model: bool, model_chosen: bool) -> str:
    """What to do first."""
    if not any_model:
        title, words = (
            "No tuned model yet",
            "Train one first; it can then be tried here beside the model that it started from.",
        )
    elif not model_chosen:
        title, words = "Choose a tuned model", "And then the texts to search."
    else:
        title, words = "Choose the texts to search", "The texts of a dataset, or a table of your own."
    return f'<div class="blank"><b>{title}</b><p>{words}</p></div>'


def examples(studio: Any, owner: str, run: Any, corpus: Any, count: int) -> list[str]:
    """Queries to start with: held-out ones that the base model gets wrong and the tuned one right, then other anchors.

    Where the corpus is made of anchors, positives are asked for.
    """
    try:
        rows = studio.datasets.rows(owner, run.dataset_id, 0, 2000)
    except NotFound:
        return []
    of_anchors = corpus is not None and "anchor texts" in corpus.note
    verdict = studio.runs.verdict(owner, run.id)
    telling = _short(verdict.now_right) if verdict is not None and not of_anchors else []
    asks = "text" if "text" in rows.column_names else "positive" if of_anchors else "anchor"
    others = _short(rows[asks].to_pylist())
    return list(dict.fromkeys(telling + others[:: max(1, len(others) // count)]))[:count]


def _short(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if len(text) <= EXAMPLE_LENGTH))


def longest_column(table: Table) -> str:
    """The column with the longest texts: most likely the one to search."""
    head = table.data.slice(0, 200)
    lengths = {name: pc.mean(pc.utf8_length(head[name].cast("string"))).as_py() or 0 for name in table.columns}
    return max(lengths, key=lengths.get)


def index_status(base: Any, tuned: Any) -> str:
    """How far the embedding of the texts is; nothing when both are ready."""
    if base.state == tuned.state == "ready":
        return ""
    lines = []
    for name, index in (("model before", base), ("model after", tuned)):
        if index.state == "failed":
            return html.notice("The texts could not be embedded.", index.message)
        share = 100 if index.state == "ready" else round(100 * index.done / max(1, index.rows))
        lines.append(
            f'<div class="progress-line"><span>{name.capitalize()}: {index.done if index.state != "ready" else index.rows:,} '
            f'of {index.rows:,} texts</span><progress max="100" value="{share}" aria-label="{name}"></progress></div>'
        )
    return f'<div class="panel indexing" role="status"><b>Reading the texts</b>{"".join(lines)}</div>'


def comparison(found: Comparison) -> str:
    """Hits of both models side by side."""
    base = _column("Before", "the base model", found.base, tuned=False)
    tuned = _column("After", "the tuned model", found.tuned, tuned=True)
    took = f"{found.seconds * 1000:.0f} ms" if found.seconds < 1 else f"{found.seconds:.1f} s"
    foot = f'<p class="fine">{found.corpus_size:,} texts searched twice in {took}. Scores are similarities as each model ' \
           "computes them: compare them within a column, not between the two.</p>"  # fmt: skip
    return f'<div class="hits">{base}{tuned}</div>{foot}'


def _column(title: str, subtitle: str, hits: tuple[Hit, ...], tuned: bool) -> str:
    top = max((hit.score for hit in hits), default=1.0) or 1.0
    items = "".join(_hit(hit, top, tuned) for hit in hits)
    return f"<section><h3>{title} <span>{subtitle}</span></h3><ol>{items}</ol></section>"


def _hit(hit: Hit, top: float, tuned: bool) -> str:
    width = max(0.0, min(1.0, hit.score / max(top, 1e-6))) * 100
    return (
        f'<li><span class="rank">{hit.rank}</span><div><p>{html.cell(hit.text, 300)}</p>'
        f'<div class="score"><span class="bar"><i style="width:{width:.0f}%"></i></span><span>{hit.score:.3f}</span>{_move(hit, tuned)}</div>'
        "</div></li>"
    )


def _move(hit: Hit, tuned: bool) -> str:
    """How far the text moved between the models, told from the column it stands in."""
    other = hit.other_rank
    if not tuned:
        if other is None:
            return '<span class="move gone">gone after training</span>'
        return "" if other == hit.rank else f'<span class="move faint">after: place {other}</span>'
    if other is None:
        return '<span class="move up" title="Was not among the first hits before">new</span>'
    if other == hit.rank:
        return '<span class="move faint">same place</span>'
    up, by = other > hit.rank, abs(other - hit.rank)
    word = "up" if up else "down"
    places = f"{by} place{'s' if by != 1 else ''}"
    return f'<span class="move {word}" role="img" aria-label="{word} {places}">{"▲" if up else "▼"}{by}</span>'
