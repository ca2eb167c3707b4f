"""What static/review.js and static/edit.js ask for and send."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel

from studio.runs.drafts import Edited
from studio.runs.reviews import Entry, Review
from studio.ui.dataview import role_label
from studio.ui.handlers import owner_of

LONGEST = 8_000
"""Characters of a text that a review shows."""


class Decision(BaseModel):
    entry: int
    decision: str


class Step(BaseModel):
    do: str
    row: int | None = None
    values: dict[str, Any] | None = None


def add(app: FastAPI, studio: Any) -> None:
    api = APIRouter(prefix="/api")

    @api.get("/reviews/{review_id}")
    def review(review_id: str, request: Request) -> dict[str, Any]:
        found = studio.reviews.get(owner_of(request), review_id)
        return {"entries": [_entry(entry) for entry in found.entries], **_decided(found)}

    @api.post("/reviews/{review_id}")
    def decide(review_id: str, request: Request, wish: Decision) -> dict[str, Any]:
        return _decided(studio.reviews.decide(owner_of(request), review_id, wish.entry, wish.decision))

    @api.post("/reviews/{review_id}/undo")
    def undo_decision(review_id: str, request: Request) -> dict[str, Any]:
        return _decided(studio.reviews.undo(owner_of(request), review_id))

    @api.post("/reviews/{review_id}/finish")
    def finish(review_id: str, request: Request) -> dict[str, str]:
        return {"dataset": studio.reviews.finish(owner_of(request), review_id).id}

    @api.get("/drafts/{dataset_id}")
    def page(
        dataset_id: str, request: Request, offset: int = 0, query: str = "", edited: bool = False
    ) -> dict[str, Any]:
        found = studio.drafts.page(owner_of(request), dataset_id, offset, query, edited)
        return {
            "columns": [
                {"name": c.name, "label": role_label(c.name), "kind": c.kind, "low": c.low, "high": c.high}
                for c in found.columns
            ],
            "rows": [vars(row) for row in found.rows],
            "offset": found.offset,
            "total": found.total,
            "edits": str(found.counts) if found.counts else "",
            "steps": found.steps,
        }

    @api.post("/drafts/{dataset_id}")
    def edit(dataset_id: str, request: Request, step: Step) -> dict[str, Any]:
        return _edited(studio.drafts.edit(owner_of(request), dataset_id, step.model_dump(exclude_none=True)))

    @api.post("/drafts/{dataset_id}/undo")
    def undo_edit(dataset_id: str, request: Request) -> dict[str, Any]:
        return _edited(studio.drafts.undo(owner_of(request), dataset_id))

    @api.post("/drafts/{dataset_id}/save")
    def save(dataset_id: str, request: Request) -> dict[str, str]:
        return {"dataset": studio.drafts.save(owner_of(request), dataset_id).id}

    @api.delete("/drafts/{dataset_id}")
    def discard(dataset_id: str, request: Request) -> dict[str, Any]:
        studio.drafts.discard(owner_of(request), dataset_id)
        return {}

    app.include_router(api)


def _entry(entry: Entry) -> dict[str, Any]:
    cells = []
    for name, value in entry.row.items():
        if name != "row":
            cut = isinstance(value, str) and len(value) > LONGEST
            text = f"{value[:LONGEST]} ..." if cut else f"{value:g}" if isinstance(value, float) else str(value)
            cells.append({"label": role_label(name), "text": text, "suspected": name == entry.column})
    return {"number": entry.row["row"], "rows": len(entry.positions), "why": entry.why, "cells": cells}


def _decided(review: Review) -> dict[str, Any]:
    return {"decisions": review.decisions, "dropped": len(review.dropped)}


def _edited(edited: Edited) -> dict[str, Any]:
    row = None if edited.row is None else vars(edited.row)
    return {"row": row, "edits": str(edited.counts) if edited.counts else "", "steps": edited.steps}
