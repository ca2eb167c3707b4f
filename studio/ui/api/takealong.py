"""Taking a model along: what static/run_takealong.js asks and sends, and the exports as downloads."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, SecretStr

from studio.catalog.exports import EXPORTS, ExportForm, cannot_be_made
from studio.catalog.metrics import METRIC
from studio.export.snippets import snippets
from studio.files import read_json
from studio.runs.exports import Made
from studio.runs.pushes import Push, Wish
from studio.runs.records import RunRecord
from studio.training.folder import RunFolder
from studio.ui.api.downloads import file_name
from studio.ui.handlers import owner_of
from studio.ui.makings import making_status

ADDRESS = "https://studio.invalid"
"""Stands in programs for the address of the studio, which the page knows better than a server behind proxies."""


class PushRequest(BaseModel):
    name: str = ""
    token: SecretStr = SecretStr("")
    private: bool = True
    update: bool = False
    forms: list[str] = []
    examples: bool = False


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/api/runs/{run_id}/takealong")
    def takealong(run_id: str, request: Request) -> dict[str, Any]:
        owner = owner_of(request)
        record = studio.runs.get(owner, run_id)
        model = studio.runs.model_folder(owner, run_id)
        verdict = studio.runs.verdict(owner, run_id)
        return {
            "bytes": sum(path.stat().st_size for path in model.rglob("*") if path.is_file()),
            "forms": [_form(form, studio.exports.made(owner, run_id, form.id), run_id) for form in EXPORTS],
            "sizes": _sizes(studio.exports.made(owner, run_id, "sizes")),
            "lengths": [vars(one) for one in verdict.lengths] if verdict else [],
            "metric": METRIC[verdict.primary].label if verdict else "",
            "snippets": _snippets(app, studio, record),
            "address": ADDRESS,
            "hub": _hub(studio, owner, record),
        }

    @app.post("/api/runs/{run_id}/takealong/{what}")
    def make(run_id: str, what: str, request: Request) -> dict[str, Any]:
        made = studio.exports.make(owner_of(request), run_id, what)
        return {"making": making_status(made.making) if made.making else None}

    @app.get("/api/runs/{run_id}/push")
    def push(run_id: str, request: Request) -> dict[str, Any]:
        return {"push": _push(studio.pushes.of(owner_of(request), run_id))}

    @app.post("/api/runs/{run_id}/push")
    def begin_push(run_id: str, request: Request, wish: PushRequest) -> dict[str, Any]:
        asked = Wish(wish.name, wish.private, wish.update, tuple(wish.forms), wish.examples)
        return {"push": _push(studio.pushes.begin(owner_of(request), run_id, asked, wish.token.get_secret_value()))}

    @app.post("/api/runs/{run_id}/push/stop")
    def stop_push(run_id: str, request: Request) -> dict[str, Any]:
        studio.pushes.stop(owner_of(request), run_id)
        return {}

    @app.get("/download/runs/{run_id}/export/{file}.zip")
    def download_export(run_id: str, file: str, request: Request) -> FileResponse:
        owner = owner_of(request)
        archive = studio.exports.export_archive(owner, run_id, file)
        name = f"{file_name(studio.runs.get(owner, run_id).name)}-{file}.zip"
        return FileResponse(archive, media_type="application/zip", filename=name)


def _form(form: ExportForm, made: Made, run_id: str) -> dict[str, Any]:
    measured = {one["file"]: one for one in made.record["files"]} if made.record else {}
    return {
        "id": form.id,
        "label": form.label,
        "help": form.help,
        "missing": cannot_be_made(form.id),
        "making": making_status(made.making) if made.making else None,
        "rows": made.record["rows"] if made.record else 0,
        "of_rows": made.record["of_rows"] if made.record else 0,
        "files": [
            {
                "id": file.id,
                "label": file.label,
                "help": file.help,
                "words": measured[file.id]["words"] if file.id in measured else "",
                "keeps": measured[file.id]["keeps"] if file.id in measured else None,
                "url": f"/download/runs/{run_id}/export/{file.id}.zip",
            }
            for file in form.files
        ],
    }


def _sizes(made: Made) -> dict[str, Any]:
    record = made.record and {**made.record, "label": METRIC[made.record["metric"]].label}
    return {"making": making_status(made.making) if made.making else None, "found": record}


def _snippets(app: FastAPI, studio: Any, record: RunRecord) -> list[dict[str, Any]]:
    prompts = read_json(RunFolder(record.folder).model / "config_sentence_transformers.json", {}).get("prompts") or {}
    serves = any(getattr(route, "path", "") == "/v1/embeddings" for route in app.routes)
    found = snippets(studio.exports.file_name(record), prompts, ADDRESS, record.id, serves)
    return [vars(one) for one in found]


def _hub(studio: Any, owner: str, record: RunRecord) -> dict[str, Any]:
    forms = studio.exports.forms_made(owner, record.id)
    files = {form: _files(studio.pushes.plan(owner, record.id, (form,))) for form in forms}
    plain = _files(studio.pushes.plan(owner, record.id))
    names = {file["name"] for file in plain}
    return {
        "allowed": studio.pushes.allowed,
        "files": plain,
        "forms": [
            {
                "id": form,
                "label": next(f.label for f in EXPORTS if f.id == form),
                "files": [f for f in more if f["name"] not in names],
            }
            for form, more in files.items()
        ],
        "push": _push(studio.pushes.of(owner, record.id)),
        "history": studio.pushes.history(owner, record.id),
    }


def _files(plan: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": name, "bytes": path.stat().st_size} for name, path in plan]


def _push(push: Push | None) -> dict[str, Any] | None:
    return None if push is None else {"name": push.name, "private": push.private, "over": push.over, **vars(push.step)}
