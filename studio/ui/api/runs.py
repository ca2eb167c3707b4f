"""Runs: what static/runs.js polls and sends."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel

from studio.ui.handlers import owner_of
from studio.ui.records import run_detail, run_row


class StopRequest(BaseModel):
    keep: bool = False


def add(app: FastAPI, studio: Any) -> None:
    api = APIRouter(prefix="/api/runs")

    @api.get("")
    def runs(request: Request) -> dict[str, Any]:
        return {"runs": [run_row(record) for record in studio.runs.list(owner_of(request))]}

    @api.get("/{run_id}")
    def run(run_id: str, request: Request) -> dict[str, Any]:
        owner = owner_of(request)
        return run_detail(studio.runs.get(owner, run_id), studio.runs.verdict(owner, run_id))

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

    @api.post("/{run_id}/resume")
    def resume(run_id: str, request: Request) -> dict[str, Any]:
        studio.runs.resume(owner_of(request), run_id)
        return {}

    @api.delete("/{run_id}")
    def delete(run_id: str, request: Request) -> dict[str, Any]:
        studio.runs.delete(owner_of(request), run_id)
        return {}

    app.include_router(api)
