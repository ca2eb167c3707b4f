"""How long the texts are in tokens, with the model's limit and the length that keeps most of them whole. No Gradio here."""

import numpy as np

from studio.data.cut import KEPT, TokenLengths
from studio.ui import html, plots


def lengths_plot(lengths: TokenLengths, total: int, height_px: int = 190) -> str:
    """A histogram with both marks and its numbers in words. ``total``: rows of which ``lengths`` may be a sample."""
    median, most_of_them = (int(np.ceil(np.quantile(lengths.tokens, part))) for part in (0.5, KEPT))
    figure = html.plot(
        plots.token_histogram(lengths.tokens, lengths.limit, most_of_them),
        height_px,
        f"Text lengths: half have at most {median} tokens, {KEPT:.0%} at most {most_of_them}.",
    )
    explained = html.tip("tokens", "Pieces of words that a model reads. An English word has about 1.3 of them.")
    cut = float((lengths.tokens > lengths.limit).mean())
    over = (
        f" {cut:.1%} are longer than {lengths.limit:,}, where the model cuts off."
        if cut
        else f" The model reads {lengths.limit:,}."
    )
    looked_at = f" {len(lengths.tokens):,} of {total:,} rows were looked at." if len(lengths.tokens) < total else ""
    return (
        f'{figure}<p class="fine">In {html.text(lengths.model)}\'s {explained}: half of the rows have at most {median:,}, '
        f"{KEPT:.0%} at most {most_of_them:,}.{over}{looked_at}</p>"
    )
