"""What the models of a run see of its held-out texts; asked for by static/run_seen.js."""

from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request

from studio.catalog.languages import LANGUAGE
from studio.evaluation.seen import Seen
from studio.search.map import TextMap
from studio.ui.handlers import owner_of

NEGATIVES = {
    "own": "Pairs that do not belong together are the table's own negatives.",
    "others": "Pairs that do not belong together are a text and another one of the held-out texts, drawn by chance.",
    "low": "Pairs belong together from half of the scale on, and do not below it.",
}
COLOURS = {
    "right": "Right or wrong",
    "target": "Score or label",
    "in:class": "Class",
    "in:positive": "Right text",
    "language": "Language",
}
GROUPS = {
    "right": {"right": "right first", "wrong": "not right first", "other": "texts that are found"},
    "target": {"high": "belong together", "low": "do not"},
}
"""Colouring -> what its groups are called; those of columns are called as they are."""


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/api/runs/{run_id}/seen")
    def seen(run_id: str, request: Request) -> dict[str, Any]:
        found = studio.seen.show(owner_of(request), run_id)
        return {
            "seen": None if found.seen is None else _figures(found.seen),
            "map": None if found.map is None else _map(found.map),
        }


def _figures(seen: Seen) -> dict[str, Any]:
    return {**asdict(seen), "negatives": NEGATIVES[seen.negatives_are]}


def _map(found: TextMap) -> dict[str, Any]:
    """Points as columns, which are half the size."""
    points = found.points
    return {
        "text": [point.text for point in points],
        "kind": [point.kind for point in points],
        "row": [point.row for point in points],
        "base": [point.base for point in points],
        "tuned": [point.tuned for point in points],
        "held": found.held,
        "rows": found.rows,
        "colourings": [
            {
                "id": one.id,
                "label": COLOURS.get(one.id, one.id.removeprefix("in:")),
                "base": one.base,
                "tuned": one.tuned,
                "groups": [[group, _group(one.id, group)] for group in one.groups],
            }
            for one in found.colourings
        ],
    }


def _group(colouring: str, group: str) -> str:
    if colouring == "language":
        return LANGUAGE.get(group, group)
    return GROUPS.get(colouring, {}).get(group, group)
