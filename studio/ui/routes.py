"""The studio's own routes: what static/runs.js polls and sends, downloads, and the files of the page.

Every route asks for the owner and passes it on: what belongs to somebody else looks as if it did not exist.
"""

import functools
import gzip
import importlib.util
import json
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.background import BackgroundTask

from studio.catalog.recipes import PAIR_FIELDS
from studio.data.export import write_csv
from studio.data.pairs import PairConfig
from studio.errors import AccessError, NotFound, StudioError
from studio.training.settings_file import to_yaml
from studio.ui.datainputs import dialect_of
from studio.ui.dataview import roles_asked
from studio.ui.handlers import owner_of, report_bug
from studio.ui.makings import making_status
from studio.ui.records import run_detail, run_row
from studio.ui.sweeping import sweep_status
from studio.ui.theme import SCRIPTS, STATIC
from studio.ui.tools.api import router as tools_router

BOOT = secrets.token_hex(4)
"""Changes when the server is restarted; an open page then loads itself again."""


class StopRequest(BaseModel):
    keep: bool = False


def add_routes(app: FastAPI, studio: Any) -> None:
    """Everything except the Gradio page itself."""
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
    app.include_router(tools_router(studio))

    @app.get("/api/makings/{making_id}")
    def making(making_id: str, request: Request) -> dict[str, Any]:
        return making_status(studio.makings.get(owner_of(request), making_id))

    @app.post("/api/makings/{making_id}/stop")
    def stop_making(making_id: str, request: Request) -> dict[str, Any]:
        studio.makings.stop(owner_of(request), making_id)
        return {}

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

    @app.get("/download/runs/{run_id}.zip")
    def download_model(run_id: str, request: Request) -> FileResponse:
        owner = owner_of(request)
        record = studio.runs.get(owner, run_id)
        archive = studio.exports.archive(owner, run_id)
        return FileResponse(archive, media_type="application/zip", filename=f"{file_name(record.name)}.zip")

    @app.get("/download/runs/{run_id}/config.json")
    def download_config(run_id: str, request: Request) -> Response:
        record = studio.runs.get(owner_of(request), run_id)
        body = json.dumps(record.config.model_dump(), indent=1)
        disposition = f'attachment; filename="{file_name(record.name)}.config.json"'
        return Response(body, media_type="application/json", headers={"content-disposition": disposition})

    @app.get("/download/runs/{run_id}/config.yaml")
    def download_settings(run_id: str, request: Request) -> Response:
        record = studio.runs.get(owner_of(request), run_id)
        disposition = f'attachment; filename="{file_name(record.name)}.yaml"'
        body = to_yaml(record.config, record.name)
        return Response(body, media_type="application/yaml", headers={"content-disposition": disposition})

    @app.get("/download/runs/{run_id}/script.zip")
    def download_script(run_id: str, request: Request) -> FileResponse:
        owner = owner_of(request)
        record = studio.runs.get(owner, run_id)
        archive = studio.exports.script(owner, run_id)
        return FileResponse(archive, media_type="application/zip", filename=f"{file_name(record.name)}-script.zip")

    @app.get("/download/uploads/{upload_id}/left-out.csv")
    def download_left_out(upload_id: str, request: Request) -> FileResponse:
        """How the file is read and its roles are in the query, as dataview.left_out_link puts them there."""
        asked = request.query_params
        dialect = dialect_of(*(asked.get(name, "") for name in ("encoding", "delimiter", "quote", "header", "sheet")))
        rows = studio.datasets.left_out(owner_of(request), upload_id, roles_asked(asked), dialect)
        return csv_of(studio, rows, "left-out.csv")

    @app.get("/download/datasets/{dataset_id}/left-out.csv")
    def download_left_out_of_import(dataset_id: str, request: Request) -> FileResponse:
        return csv_of(studio, studio.imports.left_out(owner_of(request), dataset_id), "left-out.csv")

    @app.get("/download/documents/{upload_id}/pairs.csv")
    def download_pairs(upload_id: str, request: Request) -> FileResponse:
        """Recipes and settings are in the query, as pairsview.download puts them there."""
        asked = request.query_params
        numbers = {known.id: asked.get(known.id, "") for known in PAIR_FIELDS}
        config = PairConfig(**{id: int(value) for id, value in numbers.items() if re.fullmatch(r"\d{1,6}", value)})
        pairs = studio.documents.all_pairs(owner_of(request), upload_id, asked.getlist("recipe"), config)
        return csv_of(studio, pairs.data, "pairs.csv")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok", "boot": BOOT}

    @app.get("/plotly.js")
    def plotly() -> Response:
        headers = {"cache-control": "public, max-age=604800", "content-encoding": "gzip"}
        return Response(plotly_js(), media_type="text/javascript; charset=utf-8", headers=headers)

    @app.get("/studio.js")
    def scripts() -> Response:
        code = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in SCRIPTS)
        return Response(code, media_type="text/javascript; charset=utf-8", headers={"cache-control": "no-cache"})

    app.mount("/ui", StaticFiles(directory=STATIC), name="ui")  # Gradio has /static and /assets

    @app.exception_handler(StudioError)
    def told(request: Request, error: StudioError) -> JSONResponse:
        status = 404 if isinstance(error, NotFound) else 403 if isinstance(error, AccessError) else 400
        return JSONResponse({"message": error.message, "hint": error.hint}, status)

    @app.exception_handler(Exception)
    def bug(request: Request, error: Exception) -> JSONResponse:
        words = f"Something went wrong (error id {report_bug(error)})."
        return JSONResponse({"message": words, "hint": "The server's log says more."}, 500)


def csv_of(studio: Any, rows: pa.Table | Iterable[pa.Table], file_name: str) -> FileResponse:
    """Rows as a download; the file is removed once it is sent."""
    path = studio.workspace.tmp / f"{secrets.token_hex(8)}.csv"
    try:
        write_csv(path, rows)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    gone = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type="text/csv", filename=file_name, background=gone)


@functools.lru_cache(maxsize=1)
def plotly_js() -> bytes:
    """plotly.js as the installed plotly package brings it, compressed with gzip: 4.5 MB become 1.4 MB."""
    folder = Path(importlib.util.find_spec("plotly").submodule_search_locations[0])
    return gzip.compress((folder / "package_data" / "plotly.min.js").read_bytes(), compresslevel=6)


def file_name(name: str) -> str:
    """A run's name as a file name that every system takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"
