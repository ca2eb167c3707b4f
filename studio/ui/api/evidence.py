"""Which questions a run's model won and lost, and how it does on parts of the rows; asked for by static/run_evidence.js."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse

from studio.catalog.metrics import METRIC
from studio.evaluation.evidence import Meta
from studio.evaluation.lookup import Wish
from studio.ui.api.downloads import csv_of, file_name
from studio.ui.dataview import role_label
from studio.ui.handlers import owner_of

WHAT = {
    "pair": ("Question", "Right text"),
    "triplet": ("Anchor", "Positive"),
    "scored_pair": ("First text", "Second text"),
    "labelled_pair": ("First text", "Second text"),
    "classed_text": ("Text", "Others of its class"),
    "texts": ("First half", "Second half"),
}
"""Format -> what the two texts of a row are called."""
NDCG = "How far up the right texts stand among the first ten (nDCG@10), from 0 to 1; the change is the difference."
HELP = {
    "pair": "The place of the right text among the hits; a dash: not among the first ten. The change is of nDCG@10.",
    "texts": "The place of the second half among the hits; a dash: not among the first ten. The change is of nDCG@10.",
    "classed_text": NDCG,
    "triplet": "By how much the positive is nearer than the nearest negative; below zero the row is lost.",
    "scored_pair": "The similarity of the two texts. The change says how much nearer the pair's place among all pairs came to the "
    "place that its score gives it, in parts of a hundred.",
    "labelled_pair": "The similarity of the two texts. The change says of how many more pairs of the other label, of 100, it stands "
    "on the right side now.",
}
"""Format -> what the figures of a row mean."""
SLICES = {"length": "Length", "language": "Language"}


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/api/runs/{run_id}/evidence")
    def page(run_id: str, request: Request) -> dict[str, Any]:
        found = studio.evidence.page(owner_of(request), run_id, wish_of(request))
        meta = Meta(**found.pop("meta"))
        return {**found, "rows": [_shown(meta, row) for row in found["rows"]], "words": _words(meta)}

    @app.get("/api/runs/{run_id}/evidence/{place}")
    def row(run_id: str, place: int, request: Request) -> dict[str, Any]:
        return studio.evidence.row(owner_of(request), run_id, place)

    @app.get("/api/runs/{run_id}/slices")
    def slices(run_id: str, request: Request) -> dict[str, Any]:
        found = studio.evidence.slices(owner_of(request), run_id)
        return {
            "few": found["few"],
            "slices": [
                {
                    "by": one["by"],
                    "label": slice_label(one["by"]),
                    "parts": [
                        {
                            "value": part["value"],
                            "rows": part["rows"],
                            "metrics": {METRIC[id].label: values for id, values in part["metrics"].items()},
                        }
                        for part in one["parts"]
                    ],
                }
                for one in found["slices"]
            ],
        }

    @app.get("/download/runs/{run_id}/evidence.csv")
    def download(run_id: str, request: Request) -> FileResponse:
        owner = owner_of(request)
        rows = studio.evidence.table(owner, run_id, wish_of(request))
        return csv_of(studio, rows, f"{file_name(studio.runs.see(owner, run_id).name)}-won-and-lost.csv")


def wish_of(request: Request) -> Wish:
    """What the address asks for; numbers that are none are passed over."""
    asked, wish = request.query_params, Wish()
    texts = {name: asked.get(name, getattr(wish, name)) for name in ("show", "sort", "words", "by", "value")}
    offset = asked.get("offset", "")
    return Wish(
        **texts, descending=asked.get("descending", "true") != "false", offset=int(offset) if offset.isdecimal() else 0
    )


def slice_label(by: str) -> str:
    """What rows are sliced by, for people: a column of the table has its own name."""
    return SLICES.get(by) or role_label(by)


def _words(meta: Meta) -> dict[str, Any]:
    first, second = WHAT[meta.format]
    return {
        "first": first,
        "second": second,
        "help": HELP[meta.format],
        "target": {"scored_pair": "Score", "labelled_pair": "Label"}.get(meta.format, ""),
        "searched": meta.searched,
        "models": list(meta.models),
    }


def _shown(meta: Meta, row: dict[str, Any]) -> dict[str, Any]:
    """A row with its figures spelt as the table shows them."""
    models = ("base", "tuned", *(["bm25"] if "bm25" in meta.models else []))
    return {
        **{name: row[name] for name in ("at", "numbers", "anchor", "positive", "target", "doubt")},
        "cells": {model: _cell(meta.format, row, model) for model in models},
        "change": _change(meta.format, row),
        "moved": (row["change"] > 0) - (row["change"] < 0),
    }


def _cell(format: str, row: dict[str, Any], model: str) -> str:
    if format in ("pair", "texts") or (format == "triplet" and model == "bm25"):
        place = row["ranks"][model]
        return "\N{EN DASH}" if place is None else f"{place}."
    if format == "classed_text":
        return f"{row[model]['ndcg@10']:.2f}"
    return f"{row[model]['margin']:+.2f}" if format == "triplet" else f"{row[model]['similarity']:.2f}"


def _change(format: str, row: dict[str, Any]) -> str:
    if format == "triplet":
        return f"{row['tuned']['margin'] - row['base']['margin']:+.2f}"
    return f"{100 * row['change']:+.0f}" if format in ("scored_pair", "labelled_pair") else f"{row['change']:+.2f}"
