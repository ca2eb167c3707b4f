"""Searches, marks on hits and blind tests, for static/search.js and for programs.

Models are asked in threads of their own: a page that wants a list never waits behind somebody's search.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal, TypeVar

import pyarrow as pa
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field, ValidationError

from studio.errors import SearchError
from studio.runs.feedback import Summary
from studio.search.result import Asked, Column, Found, Hit
from studio.ui.api.downloads import csv_of
from studio.ui.handlers import owner_of

T = TypeVar("T")


class Wish(BaseModel):
    """A search, as Asked, and the columns that are to answer."""

    columns: list[str] = Field(max_length=20)
    query: str
    top_k: int = 10
    filters: list[dict[str, Any]] = Field([], max_length=20)
    threshold: float | None = None
    hybrid: bool = False
    rerank: bool = False
    note: bool = False
    """Write it into the history."""

    @property
    def asked(self) -> Asked:
        return Asked(self.query, self.top_k, self.filters, self.threshold, self.hybrid, self.rerank)


class Mark(BaseModel):
    version: str
    query: str
    mark: Literal["good", "bad", "first", ""]
    document: int
    span: tuple[int, int] | None = None
    above: list[int] = Field([], max_length=100)


class Vote(BaseModel):
    choice: str


class TrainWish(BaseModel):
    run: str


def add(app: FastAPI, studio: Any) -> None:
    api = APIRouter(prefix="/api")

    @api.post("/corpora/{corpus_id}/search")
    async def search(corpus_id: str, request: Request, wish: Wish) -> dict[str, Any]:
        owner = owner_of(request)
        found = await aside(
            studio, lambda: studio.searches.search(owner, corpus_id, wish.columns, wish.asked, wish.note)
        )
        return {**found_row(found), "marks": studio.feedback.of_query(owner, corpus_id, found.query)}

    @api.get("/corpora/{corpus_id}/hits.csv")
    async def hits(corpus_id: str, request: Request, asked: str) -> FileResponse:
        """``asked``: the search as JSON."""
        owner = owner_of(request)
        try:
            wish = Wish.model_validate_json(asked)
        except ValidationError:
            raise SearchError("The address does not say what to search for.", hint="Search again.") from None
        found = await aside(studio, lambda: studio.searches.search(owner, corpus_id, wish.columns, wish.asked))
        return csv_of(studio, hits_table(found), "hits.csv")

    @api.get("/corpora/{corpus_id}/history")
    def history(corpus_id: str, request: Request) -> dict[str, Any]:
        return {"searches": studio.searches.history(owner_of(request), corpus_id)}

    @api.delete("/corpora/{corpus_id}/history")
    def forget(corpus_id: str, request: Request) -> dict[str, Any]:
        studio.searches.forget(owner_of(request), corpus_id)
        return {}

    @api.get("/corpora/{corpus_id}/samples/{run_id}")
    def samples(corpus_id: str, run_id: str, request: Request) -> dict[str, Any]:
        return studio.searches.samples(owner_of(request), corpus_id, run_id)

    @api.get("/corpora/{corpus_id}/feedback")
    def feedback(corpus_id: str, request: Request) -> dict[str, Any]:
        return summary_row(studio.feedback.summary(owner_of(request), corpus_id))

    @api.post("/corpora/{corpus_id}/marks")
    def mark(corpus_id: str, request: Request, said: Mark) -> dict[str, Any]:
        owner = owner_of(request)
        summary = studio.feedback.mark(
            owner, corpus_id, said.version, said.query, said.mark, said.document, said.span, said.above
        )
        return {**summary_row(summary), "marks": studio.feedback.of_query(owner, corpus_id, said.query)}

    @api.post("/corpora/{corpus_id}/feedback")
    def dataset(corpus_id: str, request: Request) -> dict[str, Any]:
        made = studio.feedback.dataset(owner_of(request), corpus_id)
        return {"dataset": made.id, "name": made.name, "rows": made.info.rows}

    @api.get("/corpora/{corpus_id}/feedback.csv")
    def feedback_table(corpus_id: str, request: Request) -> FileResponse:
        return csv_of(studio, studio.feedback.rows(owner_of(request), corpus_id), "feedback.csv")

    @api.post("/corpora/{corpus_id}/train")
    def train(corpus_id: str, request: Request, wish: TrainWish) -> dict[str, Any]:
        return {"run": studio.feedback.train(owner_of(request), corpus_id, wish.run).id}

    @api.post("/corpora/{corpus_id}/blind")
    async def blind(corpus_id: str, request: Request, wish: Wish) -> dict[str, Any]:
        owner = owner_of(request)
        pair = await aside(studio, lambda: studio.blind.ask(owner, corpus_id, wish.columns, wish.asked))
        sides = {"left": [bare(hit) for hit in pair.left], "right": [bare(hit) for hit in pair.right]}
        return {"pair": pair.id, "query": pair.query, **sides}

    @api.post("/blind/{pair_id}")
    def vote(pair_id: str, request: Request, said: Vote) -> dict[str, Any]:
        left, right = studio.blind.vote(owner_of(request), pair_id, said.choice)
        return {"left": left, "right": right}

    @api.get("/corpora/{corpus_id}/preferences")
    def preferences(corpus_id: str, request: Request) -> dict[str, Any]:
        return {"preferences": [asdict(each) for each in studio.blind.preferences(owner_of(request), corpus_id)]}

    @api.delete("/corpora/{corpus_id}/preferences")
    def begin_anew(corpus_id: str, request: Request) -> dict[str, Any]:
        studio.blind.forget(owner_of(request), corpus_id)
        return {}

    app.include_router(api)


async def aside(studio: Any, work: Callable[[], T]) -> T:
    """Do something that takes a model, in a thread that no page waits for."""
    return await asyncio.get_running_loop().run_in_executor(studio.encoding, work)


def found_row(found: Found) -> dict[str, Any]:
    return {
        "query": found.query, "documents": found.documents, "passed": found.passed, "seconds": round(found.seconds, 4),
        "columns": [column_row(column) for column in found.columns],
    }  # fmt: skip


def column_row(column: Column) -> dict[str, Any]:
    about = {"id": column.id, "label": column.label, "kind": column.kind, "note": column.note}
    return {**about, "seconds": round(column.seconds, 4), "hits": [asdict(hit) for hit in column.hits]}


def bare(hit: Hit) -> dict[str, Any]:
    """A hit without scores and ranks, which would tell the columns apart."""
    kept = ("document", "title", "text", "whole", "marks", "title_marks", "fields", "rank")
    return {name: value for name, value in asdict(hit).items() if name in kept}


def summary_row(summary: Summary) -> dict[str, Any]:
    return {"good": summary.good, "bad": summary.bad, "queries": summary.queries, "dataset": summary.dataset_id}


def hits_table(found: Found) -> pa.Table:
    """One row a hit and column."""
    rows = [
        {
            "query": found.query, "column": column.label, "rank": hit.rank, "score": hit.score, "similarity": hit.similarity,
            "percentile": hit.percentile, "row": hit.row, "title": hit.title, "text": hit.text,
            "ranks_elsewhere": json.dumps(
                {other.label: hit.ranks[other.id] for other in found.columns if other.id in hit.ranks}, ensure_ascii=False
            ),
            **{f"{name} (column)" if name in ("query", "column", "row", "text", "title") else name: str(value) for name, value in hit.fields.items()},
        }
        for column in found.columns
        for hit in column.hits
    ]  # fmt: skip
    return pa.Table.from_pylist(rows) if rows else pa.table({"query": pa.array([], pa.string())})
