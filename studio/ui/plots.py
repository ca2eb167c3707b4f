"""Figures as plain Plotly dictionaries. Colours, fonts and the dark theme are put in by static/charts.js."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np


def token_histogram(lengths: Sequence[int], limit: int | None, keeps: int | None = None) -> dict[str, Any]:
    """How long the texts are. ``lengths``: tokens of each row's longest text; ``limit``: where the model cuts texts, None
    for no limit; ``keeps``: the length that leaves 95 % whole.

    The longest 1 % share the last bar, so that one huge text does not flatten the picture.
    """
    values = np.asarray(lengths)
    top = max(8, int(np.ceil(np.quantile(values, 0.99))))
    width = max(1, int(np.ceil(top / 32)))
    edges = np.arange(0, top + 2 * width, width)
    counts, _ = np.histogram(np.minimum(values, edges[-1] - 1), edges)
    shapes, marks = [], []
    for at, role, words in ((keeps, "second", "95 %"), (limit, "limit", "limit")):
        if at is not None and at < edges[-1]:
            shapes.append({"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "role": role})
            side = "right" if at > edges[-1] / 2 else "left"
            top = 1 if role == "limit" else 0.86
            marks.append(
                {
                    "x": at,
                    "yref": "paper",
                    "y": top,
                    "yanchor": "top",
                    "xanchor": side,
                    "showarrow": False,
                    "text": f"{words}: {at:,}",
                }
            )
    labels = [f"{a} to {b - 1}" if width > 1 else f"{a}" for a, b in pairwise(edges)]
    labels[-1] = f"{edges[-2]} or more"
    return {
        "data": [
            {
                "type": "bar",
                "x": [float(x) for x in edges[:-1] + (width / 2 if width > 1 else 0)],
                "y": counts.tolist(),
                "width": float(width) * 0.92,
                "customdata": labels,
                "hovertemplate": "%{customdata} tokens: %{y} rows<extra></extra>",
                "role": "main",
            }
        ],
        "layout": {
            "xaxis": {"title": "tokens of the longest text"},
            "yaxis": {"title": "rows"},
            "shapes": shapes,
            "annotations": marks,
            "bargap": 0.05,
        },
    }
