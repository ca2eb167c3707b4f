"""Makings: what static/makings.js polls and sends."""

from typing import Any

from fastapi import FastAPI, Request

from studio.ui.handlers import owner_of
from studio.ui.makings import making_status


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/api/makings/{making_id}")
    def making(making_id: str, request: Request) -> dict[str, Any]:
        return making_status(studio.makings.get(owner_of(request), making_id))

    @app.post("/api/makings/{making_id}/stop")
    def stop_making(making_id: str, request: Request) -> dict[str, Any]:
        studio.makings.stop(owner_of(request), making_id)
        return {}
