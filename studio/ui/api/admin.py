"""What static/admin.js asks for and sends. Every call is checked by studio.runs.admin: only an admin gets an answer."""

import shutil
from dataclasses import asdict
from typing import Any, Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from studio.errors import AccessError
from studio.runs.accounts import ROLES
from studio.ui.handlers import owner_of


class NewAccount(BaseModel):
    name: str = Field(max_length=200)
    password: str = Field(max_length=2000)
    role: str = Field("member", max_length=20)


class Change(BaseModel):
    do: Literal["disable", "enable", "role", "reset"]
    role: str = Field("", max_length=20)
    password: str = Field("", max_length=2000)


class Queue(BaseModel):
    state: str = Field(max_length=20)


class Removal(BaseModel):
    days: float = Field(ge=0, le=36_500)
    unfinished: bool = False
    runs: list[str] = Field(max_length=100_000)


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/api/admin")
    def overview(request: Request) -> dict[str, Any]:
        owner, admin = owner_of(request), studio.admin
        state, who, since = admin.queue_state(owner)
        disk = shutil.disk_usage(studio.workspace.path)
        gpus = admin.gpus(owner)
        return {
            "queue": {
                "state": state,
                "who": who,
                "since": since.isoformat() if since else None,
                "runs": [asdict(one) for one in admin.queue(owner)],
            },
            "gpus": {"found": [asdict(gpu) for gpu in gpus.found], "problem": gpus.problem},
            "disk": {"total_mb": disk.total / 1e6, "free_mb": disk.free / 1e6},
            "use": [asdict(use) for use in admin.use(owner)],
            "has_accounts": studio.settings.needs_accounts,
            "roles": ROLES,
            "accounts": [
                {"name": a.name, "role": a.role, "disabled": a.disabled, "created": a.created.isoformat()}
                for a in admin.accounts(owner)
            ],
            "me": owner,
        }

    @app.post("/api/admin/queue")
    def set_queue(request: Request, wish: Queue) -> dict[str, Any]:
        studio.admin.set_queue(owner_of(request), wish.state)
        return {}

    @app.post("/api/admin/accounts")
    def add_account(request: Request, wish: NewAccount) -> dict[str, Any]:
        studio.admin.add_account(owner_of(request), wish.name, wish.password, wish.role)
        return {}

    @app.post("/api/admin/accounts/{name}")
    def change_account(name: str, request: Request, wish: Change) -> dict[str, Any]:
        owner, admin = owner_of(request), studio.admin
        if wish.do == "role":
            admin.set_role(owner, name, wish.role)
        elif wish.do == "reset":
            admin.reset(owner, name, wish.password)
        elif wish.do == "disable" and name == owner:
            raise AccessError("This is your own account.", hint="Another admin can disable it.")
        else:
            (admin.disable if wish.do == "disable" else admin.enable)(owner, name)
        return {}

    @app.get("/api/admin/checkpoints")
    def old_checkpoints(request: Request, days: float, unfinished: bool = False) -> dict[str, Any]:
        found = studio.admin.old_checkpoints(owner_of(request), days, unfinished)
        return {"runs": [{**asdict(old), "ended": old.ended.isoformat()} for old in found]}

    @app.post("/api/admin/checkpoints")
    def remove_checkpoints(request: Request, wish: Removal) -> dict[str, Any]:
        freed = studio.admin.remove_checkpoints(owner_of(request), wish.days, wish.unfinished, wish.runs)
        return {"freed_mb": freed}
