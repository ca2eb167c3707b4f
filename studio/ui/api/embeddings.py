"""``/v1``: embeddings for programs, asked and answered as OpenAI's service does it, so that its clients work unchanged.

Who asks is told by the key in the header alone; a browser's session opens nothing here.
"""

import asyncio
import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from studio.errors import NotFound, StudioError
from studio.runs.embeddings import MAX_CHARACTERS, MAX_TEXTS
from studio.runs.rates import TooOften
from studio.runs.records import RunRecord
from studio.ui.handlers import report_bug

MAX_BODY_BYTES = 8_000_000
TEXTS_AT_ONCE = 32
"""Between two such portions whoever else waits gets a turn."""
MOST_WAITING = 64
"""Requests that are under way; more are sent away at once instead of being kept waiting."""
WAIT_S = 5


class Wanted(BaseModel):
    """OpenAI's request, and ``input_type`` for models that read a prompt before queries and documents."""

    model_config = ConfigDict(extra="ignore")

    model: StrictStr
    input: StrictStr | list[StrictStr]
    encoding_format: str = Field("float", pattern="^(float|base64)$")
    dimensions: StrictInt | None = Field(None, ge=1)
    input_type: str = Field("document", pattern="^(query|document)$")

    @property
    def texts(self) -> list[str]:
        return [self.input] if isinstance(self.input, str) else self.input


class Refused(Exception):
    """An answer in OpenAI's words."""

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None,
        kind: str = "invalid_request_error", headers: Mapping[str, str] | None = None,
    ):  # fmt: skip
        super().__init__(message)
        self.status, self.headers = status, headers
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def add(app: FastAPI, studio: Any) -> None:
    waiting = 0

    @app.exception_handler(Refused)
    def refused(request: Request, error: Refused) -> JSONResponse:
        return JSONResponse(error.body, error.status, error.headers)

    @app.get("/v1/models")
    def models(request: Request) -> dict[str, Any]:
        owner = _owner(studio, request)
        return {"object": "list", "data": [_model(run) for run in studio.embeddings.models(owner)]}

    @app.get("/v1/models/{model}")
    def model(model: str, request: Request) -> dict[str, Any]:
        owner = _owner(studio, request)
        try:
            return _model(studio.embeddings.model(owner, model))
        except NotFound as error:
            raise _no_model(error) from None

    @app.post("/v1/embeddings")
    async def embeddings(request: Request) -> JSONResponse:
        nonlocal waiting
        loop = asyncio.get_running_loop()
        owner = await loop.run_in_executor(None, _owner, studio, request)
        try:
            studio.embeddings.count(owner)
        except TooOften as error:
            raise _too_often(429, "Rate limit reached for this account.", error.seconds) from None
        wanted = _wanted(await _body(request))
        if waiting >= MOST_WAITING:
            raise _too_often(503, "The server has too many requests to answer.", WAIT_S, "server_error")
        waiting += 1
        try:
            parts = [wanted.texts[i : i + TEXTS_AT_ONCE] for i in range(0, len(wanted.texts), TEXTS_AT_ONCE)]
            vectors, tokens = [], 0
            for part in parts:
                found, read = await loop.run_in_executor(studio.encoding, _embed, studio, owner, wanted, part)
                vectors.append(found)
                tokens += read
        except NotFound as error:
            raise _no_model(error) from None
        except StudioError as error:
            raise Refused(400, str(error)) from None
        except Exception as error:
            words = f"Something went wrong (error id {report_bug(error)})."
            raise Refused(500, words, kind="server_error") from None
        finally:
            waiting -= 1
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        spelt = [_spelt(vector, wanted.encoding_format) for vector in np.concatenate(vectors)]
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(spelt)]
        return JSONResponse({"object": "list", "data": data, "model": wanted.model, "usage": usage})


def _embed(studio: Any, owner: str, wanted: Wanted, texts: list[str]) -> tuple[np.ndarray, int]:
    query = wanted.input_type == "query"
    return studio.embeddings.embed(owner, wanted.model, texts, query=query, dimensions=wanted.dimensions)


def _owner(studio: Any, request: Request) -> str:
    """The account that the key in the header speaks for."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    owner = studio.keys.whose(secret.strip()) if scheme.lower() == "bearer" else None
    if owner is None:
        headers = {"www-authenticate": "Bearer"}
        words = "Incorrect API key provided. Make one on the page of a run, or with 'sentence-studio key make'."
        raise Refused(401, words, code="invalid_api_key", headers=headers)
    return owner


async def _body(request: Request) -> Any:
    taken = bytearray()
    async for part in request.stream():
        taken += part
        if len(taken) > MAX_BODY_BYTES:
            raise Refused(413, f"The request has more than {MAX_BODY_BYTES:,} bytes. Send fewer texts at a time.")
    try:
        return json.loads(taken)
    except (ValueError, RecursionError):
        raise Refused(400, "The body is not JSON.") from None


def _wanted(body: Any) -> Wanted:
    if not isinstance(body, dict):
        raise Refused(400, "The body is not a JSON object.")
    if not _are_texts(body.get("input")):
        raise Refused(
            400, "'input' must be a string or a list of strings; lists of tokens are not taken.", param="input"
        )
    try:
        wanted = Wanted.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = str(first["loc"][0])
        raise Refused(400, f"'{name}': {first['msg']}.", param=name) from None
    texts = wanted.texts
    if not texts or not all(text.strip() for text in texts):
        raise Refused(400, "'input' is empty, or holds an empty string.", param="input")
    if len(texts) > MAX_TEXTS:
        raise Refused(400, f"'input' holds {len(texts):,} texts; at most {MAX_TEXTS:,} are taken.", param="input")
    if sum(map(len, texts)) > MAX_CHARACTERS:
        words = f"'input' has more than {MAX_CHARACTERS:,} characters. Send fewer texts at a time."
        raise Refused(400, words, param="input")
    if any("\ud800" <= character <= "\udfff" for text in texts for character in text):
        raise Refused(400, "'input' holds broken characters.", param="input")
    return wanted


def _are_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def _spelt(vector: np.ndarray, encoding_format: str) -> list[float] | str:
    if encoding_format == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return vector.tolist()


def _model(run: RunRecord) -> dict[str, Any]:
    created = int(run.created.timestamp())
    return {"id": run.id, "object": "model", "created": created, "owned_by": run.owner, "name": run.name}


def _no_model(error: NotFound) -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, error.message, param="model", code="model_not_found")


def _too_often(status: int, words: str, seconds: int, kind: str = "rate_limit_error") -> Refused:
    headers = {"retry-after": str(seconds)}
    words = f"{words} Try again in {seconds} s."
    return Refused(status, words, code="rate_limit_exceeded" if status == 429 else None, kind=kind, headers=headers)
