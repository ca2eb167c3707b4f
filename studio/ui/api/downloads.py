"""Files that people take along."""

import json
import re
import secrets
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from studio.catalog.recipes import PAIR_FIELDS
from studio.data.export import write_csv
from studio.data.pairs import PairConfig
from studio.training.settings_file import to_yaml
from studio.ui.datainputs import dialect_of
from studio.ui.dataview import roles_asked
from studio.ui.handlers import owner_of


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/download/runs/{run_id}.zip")
    def download_model(run_id: str, request: Request) -> FileResponse:
        owner = owner_of(request)
        record = studio.runs.see(owner, run_id)
        archive = studio.exports.archive(owner, run_id)
        return FileResponse(archive, media_type="application/zip", filename=f"{file_name(record.name)}.zip")

    @app.get("/download/runs/{run_id}/config.json")
    def download_config(run_id: str, request: Request) -> Response:
        record = studio.runs.see(owner_of(request), run_id)
        body = json.dumps(record.config.model_dump(), indent=1)
        disposition = f'attachment; filename="{file_name(record.name)}.config.json"'
        return Response(body, media_type="application/json", headers={"content-disposition": disposition})

    @app.get("/download/runs/{run_id}/config.yaml")
    def download_settings(run_id: str, request: Request) -> Response:
        record = studio.runs.see(owner_of(request), run_id)
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


def file_name(name: str) -> str:
    """A run's name as a file name that every system takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"
