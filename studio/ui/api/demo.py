"""The page behind a demo link: one search box over one corpus, for whoever has the link. Nothing else is reached from it."""

import asyncio
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field

from studio.errors import NotFound, StudioError
from studio.runs.rates import TooOften
from studio.search.result import MAX_QUERY_CHARACTERS, Found, Hit
from studio.ui import html

LONGEST = 1_000
"""Characters of a hit that are shown."""
HEADERS = {
    # Stricter than the rest of the studio: a browser obeys both.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "x-robots-tag": "noindex, nofollow",
}


class Ask(BaseModel):
    query: str = Field(max_length=4 * MAX_QUERY_CHARACTERS)


def add(app: FastAPI, studio: Any) -> None:
    @app.get("/demo/{token}")
    def page(token: str) -> Response:
        try:
            visit = studio.demos.visit(token)
        except NotFound as error:
            return HTMLResponse(_page("Gone", _gone(error)), 404, HEADERS)
        words = _search_box(visit.corpus, visit.rows, visit.run, visit.base)
        return HTMLResponse(_page(visit.run, words, '<script src="../ui/demo.js"></script>'), 200, HEADERS)

    @app.post("/demo/{token}/search")
    async def search(token: str, ask: Ask, request: Request) -> Response:
        address = request.client.host if request.client else ""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(studio.encoding, studio.demos.search, token, ask.query, address)
        except TooOften as error:
            headers = {**HEADERS, "retry-after": str(error.seconds)}
            return JSONResponse({"message": error.message, "hint": error.hint}, 429, headers)
        except StudioError as error:
            status = 404 if isinstance(error, NotFound) else 400
            return JSONResponse({"message": error.message, "hint": error.hint}, status, HEADERS)
        return JSONResponse(_found(found), 200, HEADERS)


def _found(found: Found) -> dict[str, Any]:
    base, tuned = found.columns
    return {
        "before": [_hit(hit, tuned.id) for hit in base.hits],
        "after": [_hit(hit, base.id) for hit in tuned.hits],
        "texts": found.documents,
        "seconds": round(found.seconds, 3),
    }


def _hit(hit: Hit, other: str) -> dict[str, Any]:
    text = hit.text if len(hit.text) <= LONGEST else f"{hit.text[:LONGEST]} ..."
    return {"rank": hit.rank, "text": text, "score": round(hit.score, 4), "other": hit.ranks.get(other)}


def _page(title: str, body: str, script: str = "") -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow"><meta name="color-scheme" content="light dark">
<title>{html.text(title)} - Sentence Studio</title>
<link rel="icon" href="../ui/logo.svg" type="image/svg+xml"><link rel="stylesheet" href="../ui/demo.css"></head>
<body><header><img src="../ui/logo.svg" alt="" width="26" height="26"><b>Sentence Studio</b><span>demo</span></header>
<main>{body}</main>{script}</body></html>"""


def _search_box(corpus: str, rows: int, run: str, base: str) -> str:
    return f"""<h1>{html.text(corpus)}</h1>
<p class="about">Search {rows:,} texts by meaning, with a model as it was before training and after.</p>
<form id="ask"><label for="query">What are you looking for?</label>
<div><input id="query" name="query" type="search" maxlength="{MAX_QUERY_CHARACTERS}" autocomplete="off" autofocus required>
<button type="submit">Search</button></div></form>
<p id="notice" role="alert" hidden></p>
<div id="hits" class="hits" aria-live="polite" hidden>
<section><h2>Before <span>{html.text(base)}</span></h2><ol id="before"></ol></section>
<section><h2>After <span>{html.text(run)}</span></h2><ol id="after"></ol></section></div>
<p id="foot" class="about" hidden></p>"""


def _gone(error: NotFound) -> str:
    return f'<div class="gone"><h1>{html.text(error.message)}</h1><p class="about">{html.text(error.hint)}</p></div>'
