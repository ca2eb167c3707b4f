"""Sweeps: what static/sweeps.js polls and sends."""

from typing import Any

from fastapi import FastAPI, Request

from studio.ui.handlers import owner_of
from studio.ui.sweeping import sweep_status


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/api/sweeps")
    def sweeps(request: Request) -> dict[str, Any]:
        owner = owner_of(request)
        records = studio.sweeps.list(owner)
        return {"sweeps": [sweep_status(record, studio.sweeps.importance(owner, record.id)) for record in records]}

    @app.post("/api/sweeps/{sweep_id}/stop")
    def stop_sweep(sweep_id: str, request: Request) -> dict[str, Any]:
        studio.sweeps.stop(owner_of(request), sweep_id)
        return {}

    @app.delete("/api/sweeps/{sweep_id}")
    def delete_sweep(sweep_id: str, request: Request) -> dict[str, Any]:
        studio.sweeps.delete(owner_of(request), sweep_id)
        return {}
