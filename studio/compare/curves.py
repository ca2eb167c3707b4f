"""Curves of several runs, thinned so that many of them can be drawn at once."""

from typing import Any

import numpy as np

from studio.training.feed import Feed, extremes
from studio.training.folder import RunFolder

POINTS = 300


def curves(folder: RunFolder) -> dict[str, Any]:
    """``train`` {step, loss}, ``eval`` {step, loss, <metric> ...}, ``base`` {metric: value}, ``steps``, ``primary``."""
    feed = Feed(folder.events).read(0)
    step, loss = feed["train"]["step"], feed["train"]["loss"]
    if len(step) > POINTS:
        values = np.array([np.nan if value is None else value for value in loss])
        chosen = extremes(values, POINTS)
        step, loss = [step[i] for i in chosen], [loss[i] for i in chosen]
    return {
        "train": {"step": step, "loss": loss},
        **{name: feed[name] for name in ("eval", "base", "steps", "primary")},
    }
