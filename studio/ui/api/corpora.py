"""Corpora and their indexes: what static/search.js asks, and an API for programs (see docs/guide.md)."""

from dataclasses import asdict
from typing import Any

import pyarrow as pa
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from studio.data.corpus import CorpusInfo, documents
from studio.runs.accounts import LOCAL
from studio.runs.records import CorpusRecord, IndexRecord, MakingRecord
from studio.ui.api.downloads import csv_of, file_name
from studio.ui.handlers import owner_of
from studio.ui.makings import making_status


class Document(BaseModel):
    text: str
    title: str = ""
    fields: dict[str, str | float | None] = {}


class NewCorpus(BaseModel):
    """One of ``dataset`` (an id), ``upload`` (an id, with its columns) and ``documents``."""

    name: str = ""
    dataset: str = ""
    upload: str = ""
    text: str = ""
    title: str = ""
    fields: list[str] = []
    documents: list[Document] = []


class Columns(BaseModel):
    columns: list[str] = Field(max_length=20)
    retry: bool = False


class TidyWish(BaseModel):
    column: str
    alike: float = 0.95
    topics: int = 0


def add(app: FastAPI, studio: Any) -> None:
    api = APIRouter(prefix="/api")

    @api.get("/corpora")
    def corpora(request: Request) -> dict[str, Any]:
        owner = owner_of(request)
        listed = [*studio.corpora.list(owner), *studio.corpora.shared(owner)]
        made = {corpus.dataset_id for corpus in listed}
        theirs = (
            (*studio.datasets.list(owner), *studio.datasets.shared(owner)) if studio.accounts.may_start(owner) else ()
        )
        datasets = [{"id": d.id, "name": f"{d.name}{shared_by(d, owner)}"} for d in theirs if d.id not in made]
        return {
            "corpora": [corpus_row(corpus, owner) for corpus in listed],
            "datasets": datasets,
            "sources": sources(studio, owner),
            "no_reranking": studio.searches.why_no_reranking(),
        }

    @api.post("/corpora")
    def create(request: Request, wish: NewCorpus) -> dict[str, Any]:
        owner = owner_of(request)
        return brought(bring(studio, owner, wish), owner)

    @api.get("/corpora/{corpus_id}")
    def corpus(corpus_id: str, request: Request) -> dict[str, Any]:
        owner = owner_of(request)
        record, info = studio.corpora.see(owner, corpus_id), studio.corpora.info(owner, corpus_id)
        indexes = [index_row(index) for index in studio.searches.indexes(owner, corpus_id)]
        share = record.owner == owner and owner != LOCAL
        return {**corpus_row(record, owner), **info_row(info), "indexes": indexes, "share": share}

    @api.put("/corpora/{corpus_id}")
    def update(corpus_id: str, request: Request, wish: NewCorpus) -> dict[str, Any]:
        owner = owner_of(request)
        studio.corpora.get(owner, corpus_id)
        return brought(bring(studio, owner, wish, corpus_id), owner)

    @api.delete("/corpora/{corpus_id}")
    def delete(corpus_id: str, request: Request) -> dict[str, Any]:
        studio.corpora.delete(owner_of(request), corpus_id)
        return {}

    @api.post("/corpora/{corpus_id}/indexes")
    def index(corpus_id: str, request: Request, wish: Columns) -> dict[str, Any]:
        records = studio.searches.ensure(owner_of(request), corpus_id, wish.columns, wish.retry)
        rows = zip(wish.columns, records, strict=False)
        return {"indexes": [{"column": column, **index_row(record)} for column, record in rows]}

    @api.post("/corpora/{corpus_id}/indexes/{key}/stop")
    def stop(corpus_id: str, key: str, request: Request) -> dict[str, Any]:
        studio.searches.stop(owner_of(request), corpus_id, key)
        return {}

    @api.post("/corpora/{corpus_id}/tidy")
    def tidy(corpus_id: str, request: Request, wish: TidyWish) -> dict[str, Any]:
        return tidied(studio.tidying.begin(owner_of(request), corpus_id, wish.column, wish.alike, wish.topics))

    @api.get("/corpora/{corpus_id}/tidy")
    def last_tidy(corpus_id: str, request: Request) -> dict[str, Any]:
        return tidied(studio.tidying.latest(owner_of(request), corpus_id))

    @api.get("/tidy/{making_id}/{table}.csv")
    def tidy_table(making_id: str, table: str, request: Request) -> FileResponse:
        rows = studio.tidying.table(owner_of(request), making_id, table)
        return csv_of(studio, rows, f"{file_name(table)}.csv")

    app.include_router(api)


def bring(studio: Any, owner: str, wish: NewCorpus, update: str = "") -> CorpusRecord | MakingRecord:
    """A corpus of what a wish names. Raises DataError, SearchError, NotFound."""
    if wish.dataset and not update:
        return studio.corpora.create_from_dataset(owner, wish.dataset)
    if wish.upload:
        return studio.corpora.create_from_upload(
            owner, wish.upload, wish.text, wish.name, title=wish.title, fields=wish.fields, update=update
        )
    columns = {
        "text": pa.chunked_array([pa.array([d.text for d in wish.documents], pa.string())]),
        "row": pa.chunked_array([pa.array(range(1, len(wish.documents) + 1), pa.int64())]),
    }
    if any(d.title for d in wish.documents):
        columns["title"] = pa.chunked_array([pa.array([d.title for d in wish.documents], pa.string())])
    names = list(dict.fromkeys(name for d in wish.documents for name in d.fields))
    fields = {
        name: pa.chunked_array([pa.array([_cell(d.fields.get(name)) for d in wish.documents], pa.string())])
        for name in names
    }
    found = documents(columns, fields, title="title" if "title" in columns else "")
    return studio.corpora.bring(owner, found, wish.name, update)


def _cell(value: str | float | None) -> str | None:
    return None if value is None else f"{value:g}" if isinstance(value, float) else value


def brought(made: CorpusRecord | MakingRecord, owner: str) -> dict[str, Any]:
    if isinstance(made, MakingRecord):
        return {"making": made.id}
    return corpus_row(made, owner)


def corpus_row(record: CorpusRecord, viewer: str) -> dict[str, Any]:
    return {
        "id": record.id, "name": f"{record.name}{shared_by(record, viewer)}", "mine": record.owner == viewer, "rows": record.rows, "note": record.note, "dataset": record.dataset_id,
        "created": record.created.isoformat(),
    }  # fmt: skip


def shared_by(record: Any, viewer: str) -> str:
    """What is added to a name of somebody else's."""
    return "" if record.owner == viewer else f" (shared by {record.owner})"


def info_row(info: CorpusInfo) -> dict[str, Any]:
    return {"version": info.version, "title": info.title, "fields": [asdict(field) for field in info.fields]}


def index_row(record: IndexRecord) -> dict[str, Any]:
    return {
        "key": record.model_key, "label": record.label, "state": record.state, "done": record.done, "total": record.rows,
        "per_s": record.per_s, "eta_s": record.eta_s, "message": record.message, "size_mb": record.size_mb,
        "reused": record.reused, "recall": record.recall,
    }  # fmt: skip


def tidied(making: MakingRecord | None) -> dict[str, Any]:
    if making is None:
        return {"making": None}
    return {"making": making_status(making), "result": making.result}


def sources(studio: Any, owner: str) -> list[dict[str, str]]:
    """What a corpus can be searched with: keywords, base models that are here, and tuned models with what they started from."""
    from studio.training.bases import installed_models

    found = [{"id": "keyword", "label": "Keywords (BM25)", "group": "Without a model"}]
    for run in (*studio.runs.list(owner), *studio.runs.shared(owner)):
        if run.state == "succeeded":
            found.append(
                {
                    "id": f"run:{run.id}",
                    "label": f"{run.name}{shared_by(run, owner)}",
                    "group": "Tuned models",
                    "run": run.id,
                }
            )
            label = f"{run.base_label} (before {run.name})"
            short = f"Before: {run.base_label}"
            group = "What they started from"
            found.append({"id": f"base:{run.id}", "label": label, "short": short, "group": group, "run": run.id})
    found += [{"id": f"model:{m.id}", "label": m.label, "group": "Base models"} for m in installed_models()]
    return found
