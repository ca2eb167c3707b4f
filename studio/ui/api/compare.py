"""Several runs side by side, and the leaderboard of a dataset; both as static/compare.js shows them, and reports as files."""

from typing import Any

from fastapi import FastAPI, Request, Response

from studio.compare.curves import curves
from studio.ui.api.downloads import file_name
from studio.ui.handlers import owner_of
from studio.ui.records import STATES

MOST_ASKED = 200
"""Ids that are looked up of one request."""


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/api/compare")
    def compared(request: Request, runs: str = "", against: str = "") -> dict[str, Any]:
        found = studio.comparisons.compare(owner_of(request), ids(runs), against)
        plain = found.comparison.plain()
        for run, facts in zip(plain["runs"], found.comparison.runs, strict=True):
            run |= {"label": STATES[facts.state], "curves": curves(facts.folder)}
        return {**plain, "gone": list(found.gone)}

    @app.get("/api/leaderboards/{dataset_id}")
    def leaderboard(dataset_id: str, request: Request) -> dict[str, Any]:
        return studio.comparisons.leaderboard(owner_of(request), dataset_id).plain()

    @app.get("/download/runs/{run_id}/report.html")
    def report(run_id: str, request: Request) -> Response:
        return as_file(studio.comparisons.report(owner_of(request), run_id))

    @app.get("/download/compare/report.html")
    def report_of_several(request: Request, runs: str = "", against: str = "") -> Response:
        return as_file(studio.comparisons.report_of_several(owner_of(request), ids(runs), against))


def ids(text: str) -> list[str]:
    return [id for id in text.split(",")[:MOST_ASKED] if id]


def as_file(report: Any) -> Response:
    """To be kept and never shown by this server: a report holds what people and their files say."""
    headers = {"content-disposition": f'attachment; filename="{file_name(report.name)}.report.html"'}
    return Response(report.html, media_type="text/html; charset=utf-8", headers=headers)
