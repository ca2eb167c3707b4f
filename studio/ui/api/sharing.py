"""What static/run_sharing.js and the share buttons ask for: who else sees a thing, demo links, keys."""

from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from studio.runs.accounts import LOCAL
from studio.runs.keys import KeyRecord
from studio.ui.handlers import owner_of


class Switch(BaseModel):
    on: bool


class DemoWish(BaseModel):
    corpus: str = Field(max_length=100)


class KeyWish(BaseModel):
    name: str = Field("", max_length=200)


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/api/runs/{run_id}/sharing")
    def state(run_id: str, request: Request) -> dict[str, Any]:
        """Everything that the fold of a run shows."""
        owner = owner_of(request)
        shared, demo = studio.sharing.state(owner, "run", run_id), studio.demos.of(owner, run_id)
        return {
            "lab": shared.lab,
            "api": shared.api,
            "has_lab": owner != LOCAL,
            "demo": None if demo is None else {"path": f"/demo/{demo.token}", "corpus": demo.corpus_id},
            "corpora": [{"id": c.id, "name": c.name, "rows": c.rows} for c in studio.corpora.list(owner)],
            "keys": [_key(record) for record in studio.keys.list(owner)],
        }

    @app.post("/api/runs/{run_id}/demo")
    def open_demo(run_id: str, request: Request, wish: DemoWish) -> dict[str, Any]:
        return {"path": f"/demo/{studio.demos.open(owner_of(request), run_id, wish.corpus).token}"}

    @app.delete("/api/runs/{run_id}/demo")
    def close_demo(run_id: str, request: Request) -> dict[str, Any]:
        studio.demos.close(owner_of(request), run_id)
        return {}

    @app.post("/api/runs/{run_id}/serve")
    def serve(run_id: str, request: Request, wish: Switch) -> dict[str, Any]:
        studio.sharing.serve(owner_of(request), run_id, wish.on)
        return {}

    @app.get("/api/share/{kind}/{id}")
    def shared(kind: str, id: str, request: Request) -> dict[str, Any]:
        return {"lab": studio.sharing.state(owner_of(request), kind, id).lab}

    @app.post("/api/share/{kind}/{id}")
    def share(kind: str, id: str, request: Request, wish: Switch) -> dict[str, Any]:
        studio.sharing.with_lab(owner_of(request), kind, id, wish.on)
        return {}

    @app.post("/api/keys")
    def make_key(request: Request, wish: KeyWish) -> dict[str, Any]:
        record, secret = studio.keys.make(owner_of(request), wish.name)
        return {**_key(record), "secret": secret}

    @app.delete("/api/keys/{key_id}")
    def revoke_key(key_id: str, request: Request) -> dict[str, Any]:
        studio.keys.revoke(owner_of(request), key_id)
        return {}


def _key(record: KeyRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "created": record.created.isoformat(),
        "used": record.used.isoformat() if record.used else None,
    }
