"""What was deleted: bring it back, or remove it for good. Shown by static/trash.js."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request

from studio.ui.handlers import owner_of


def add(app: FastAPI, studio: Any) -> None:
    api = APIRouter(prefix="/api/trash")

    @api.get("")
    def deleted(request: Request) -> dict[str, Any]:
        return {"days": studio.trash.days, "deleted": [as_plain(one) for one in studio.trash.list(owner_of(request))]}

    @api.delete("")
    def empty(request: Request) -> dict[str, Any]:
        studio.trash.empty(owner_of(request))
        return {}

    @api.post("/{kind}/{id}/undo")
    def undo(kind: str, id: str, request: Request) -> dict[str, Any]:
        studio.trash.bring_back(owner_of(request), kind, id)
        return {}

    @api.delete("/{kind}/{id}")
    def remove(kind: str, id: str, request: Request) -> dict[str, Any]:
        studio.trash.remove(owner_of(request), kind, id)
        return {}

    app.include_router(api)


def as_plain(one: Any) -> dict[str, Any]:
    plain = {name: getattr(one, name) for name in ("kind", "id", "name", "about", "size_mb")}
    return {**plain, "deleted": one.deleted.isoformat(), "until": one.until.isoformat()}
