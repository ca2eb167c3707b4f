"""Whether steps are being timed for the estimate: what static/timing.js asks."""

from typing import Any

from fastapi import FastAPI, Request

from studio.ui.handlers import owner_of


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/api/timings")
    def timings(request: Request) -> dict[str, Any]:
        return {"going_on": studio.timings.going_on(owner_of(request))}
