"""Runs: what static/runs.js polls and sends."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from studio.ui.handlers import owner_of
from studio.ui.records import STATES, run_detail, run_row


class StopRequest(BaseModel):
    keep: bool = False


class About(BaseModel):
    """What a person writes about a run."""

    tags: list[str] = Field(default_factory=list, max_length=100)
    notes: str = Field("", max_length=100_000)


def add(app: FastAPI, studio: Any) -> None:
    api = APIRouter(prefix="/api/runs")

    @api.get("")
    def runs(
        request: Request, state: str = "", dataset: str = "", tag: str = "", words: str = "", offset: int = 0,
        limit: int = 50,
    ) -> dict[str, Any]:  # fmt: skip
        """The person's own, and those that others share with the lab."""
        owner = owner_of(request)
        page = studio.runs.page(
            owner, state=state, dataset_id=dataset, tag=tag, words=words, offset=offset, limit=limit
        )
        return {
            "runs": [run_row(record, owner) for record in page.runs],
            "total": page.total,
            "datasets": page.datasets,
            "states": [[state, STATES[state]] for state in page.states],
            "tags": page.tags,
            "queue": studio.runs.queue_state,
        }

    @api.get("/{run_id}")
    def run(run_id: str, request: Request) -> dict[str, Any]:
        owner = owner_of(request)
        return run_detail(studio.runs.see(owner, run_id), studio.runs.verdict(owner, run_id), owner)

    @api.get("/{run_id}/feed")
    def feed(run_id: str, request: Request, since: int = 0) -> dict[str, Any]:
        return studio.runs.feed(owner_of(request), run_id, max(0, since))

    @api.get("/{run_id}/log")
    def log(run_id: str, request: Request) -> PlainTextResponse:
        return PlainTextResponse(studio.runs.log(owner_of(request), run_id, lines=400))

    @api.post("/{run_id}/stop")
    def stop(run_id: str, request: Request, wish: StopRequest) -> dict[str, Any]:
        studio.runs.stop(owner_of(request), run_id, wish.keep)
        return {}

    @api.post("/{run_id}/first")
    def first(run_id: str, request: Request) -> dict[str, Any]:
        studio.runs.put_first(owner_of(request), run_id)
        return {}

    @api.post("/{run_id}/resume")
    def resume(run_id: str, request: Request) -> dict[str, Any]:
        studio.runs.resume(owner_of(request), run_id)
        return {}

    @api.put("/{run_id}/about")
    def describe(run_id: str, request: Request, about: About) -> dict[str, Any]:
        owner = owner_of(request)
        return run_row(studio.runs.describe(owner, run_id, about.tags, about.notes), owner)

    @api.delete("/{run_id}")
    def delete(run_id: str, request: Request) -> dict[str, Any]:
        studio.runs.delete(owner_of(request), run_id)
        return {}

    app.include_router(api)
