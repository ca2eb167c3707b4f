"""Everything that the server answers beside the Gradio page: the routes of ``api/``, the files of the page, errors."""

import functools
import gzip
import importlib.util
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

from studio.errors import AccessError, NotFound, StudioError
from studio.ui.api import PARTS
from studio.ui.handlers import report_bug
from studio.ui.theme import SCRIPTS, STATIC


def add_routes(app: FastAPI, studio: Any) -> None:
    """Everything except the Gradio page itself."""
    for part in PARTS:
        part.add(app, studio)

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


@functools.lru_cache(maxsize=1)
def plotly_js() -> bytes:
    """plotly.js as the installed plotly package brings it, compressed with gzip: 4.5 MB become 1.4 MB."""
    folder = Path(importlib.util.find_spec("plotly").submodule_search_locations[0])
    return gzip.compress((folder / "package_data" / "plotly.min.js").read_bytes(), compresslevel=6)
