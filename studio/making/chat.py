"""A client for one OpenAI-compatible service, the one that the host configured. No other address is ever called.

The key is sent in a header and is nowhere else: not in an error, not in a log, not in a file.
"""

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from studio.errors import ConfigError, HostError, StudioError
from studio.settings import Settings

TRIES = 5
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
BUSY = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))
"""Answers that call for another try."""
OLD_LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
"""Newer services know the second only, and say so."""
MAX_ANSWER_BYTES = 1_000_000
MAX_TOLD = 200

logging.getLogger("httpx").setLevel(logging.WARNING)


class Unanswered(StudioError):
    """This one question got no answer, whatever was tried; others may."""


@dataclass(frozen=True)
class Reply:
    text: str
    refused: bool
    """The service or the model would not answer."""
    tokens_in: int
    tokens_out: int


def service(settings: Settings) -> str:
    """Where texts are sent, for people: the name of the machine. Empty: nothing is configured."""
    return (urlsplit(settings.llm_url).hostname or "") if settings.llm_url and settings.llm_model else ""


class Chat:
    """Use as ``async with Chat(settings) as chat``.

    Raises:
        ConfigError: nothing is configured.
    """

    def __init__(self, settings: Settings, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep):
        if not service(settings):
            raise ConfigError(
                "No language model is configured.",
                hint="Whoever hosts the studio sets STUDIO_LLM_URL and STUDIO_LLM_MODEL.",
            )
        address = settings.llm_url.rstrip("/")
        self._address = address if address.endswith("/chat/completions") else f"{address}/chat/completions"
        self._model = settings.llm_model
        self._key = settings.llm_key.get_secret_value()
        self._limit = OLD_LIMIT
        self._sleep = sleep
        headers = {"authorization": f"Bearer {self._key}"} if self._key else {}
        # No redirects and no proxies or logins of the environment: what is configured is what is called.
        self._client = httpx.AsyncClient(
            timeout=settings.llm_timeout_s, headers=headers, follow_redirects=False, trust_env=False,
            limits=httpx.Limits(max_connections=settings.llm_concurrency),
        )  # fmt: skip

    async def __aenter__(self) -> "Chat":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def ask(self, system: str, user: str, max_tokens: int) -> Reply:
        """One answer.

        Raises:
            ConfigError: the key, the address or the model is wrong: no other question would fare better.
            HostError: the service cannot be reached.
            Unanswered: it was busy or failed each time, or does not take this question.
        """
        problem: StudioError = Unanswered("There was no answer.")
        for attempt in range(TRIES):
            wait_s = min(FIRST_WAIT_S * 2**attempt * (1 + random.random()), LONGEST_WAIT_S)
            limit = self._limit  # another question may find out meanwhile which one it is
            try:
                status, headers, content = await self._send(system, user, {limit: max_tokens})
            except httpx.TimeoutException:
                problem = Unanswered("The language model took too long.")
            except (httpx.HTTPError, OSError) as error:
                problem = HostError(
                    f"The language model at {self._host} cannot be reached ({type(error).__name__}).", hint=TELL
                )
            else:
                if status == 200:
                    reply = _reply(content)
                    if reply is not None:
                        return reply
                    problem = Unanswered("The language model answered with something that is no answer.")
                elif status in BUSY:
                    problem = Unanswered(f"The language model was busy or failed (status {status}).")
                    wait_s = max(wait_s, _seconds(headers.get("retry-after")))
                elif status == 400 and limit == OLD_LIMIT and NEW_LIMIT in content.decode("utf-8", "replace"):
                    self._limit = NEW_LIMIT
                    continue
                else:
                    raise self._refusal(status, content)
            if attempt + 1 < TRIES:
                await self._sleep(wait_s)
        raise problem

    async def _send(self, system: str, user: str, limit: dict[str, int]) -> tuple[int, httpx.Headers, bytes]:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        body = {"model": self._model, "messages": messages, **limit}
        async with self._client.stream("POST", self._address, json=body) as answer:
            content = b""
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > MAX_ANSWER_BYTES:
                    break
            return answer.status_code, answer.headers, content

    @property
    def _host(self) -> str:
        return urlsplit(self._address).hostname or ""

    def _refusal(self, status: int, content: bytes) -> StudioError:
        if status in (401, 403):
            return ConfigError(f"The language model at {self._host} refuses the key (status {status}).", hint=TELL)
        if status == 404:
            return ConfigError(
                f"{self._host} has no model '{self._model}', or not at this address (status 404).", hint=TELL
            )
        if 300 <= status < 400:
            return ConfigError(
                f"{self._host} sends on to another address, which is not followed (status {status}).", hint=TELL
            )
        said = self._without_key(_error_words(content))
        return Unanswered(
            f"The language model does not take this question (status {status}){f': {said}' if said else '.'}"
        )

    def _without_key(self, words: str) -> str:
        return words.replace(self._key, "...") if self._key else words


TELL = "Tell whoever hosts the studio. What was answered so far is kept."


def _reply(content: bytes) -> Reply | None:
    """None: this is no answer in OpenAI's form."""
    try:
        value = json.loads(content)
        choice = value["choices"][0]
        message = choice["message"]
        text = message.get("content")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None
    if isinstance(text, list):  # parts, as some services write it
        text = "".join(part.get("text", "") for part in text if isinstance(part, dict))
    if text is not None and not isinstance(text, str):
        return None
    usage = value.get("usage") if isinstance(value.get("usage"), dict) else {}
    refused = bool(message.get("refusal")) or choice.get("finish_reason") == "content_filter"
    return Reply(text or "", refused, _whole(usage.get("prompt_tokens")), _whole(usage.get("completion_tokens")))


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _seconds(value: str | None) -> float:
    try:
        return min(max(float(value or 0), 0.0), LONGEST_WAIT_S)
    except ValueError:
        return 0.0


def _error_words(content: bytes) -> str:
    try:
        error = json.loads(content)["error"]
        words = error["message"] if isinstance(error, dict) else error
    except (ValueError, KeyError, TypeError):
        return ""
    return " ".join(str(words).split())[:MAX_TOLD]
