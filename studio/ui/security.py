"""What is refused before any handler sees it: foreign hosts, foreign pages, bodies that are too large.

Gradio reflects every Origin for a host name that is not localhost; a page elsewhere could then read and drive the
studio through a visitor's browser, and DNS rebinding would do the same for a server on 127.0.0.1.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.settings import LOOPBACK

TOO_LARGE = "That is more than this server takes in one upload."
WILDCARDS = ("0.0.0.0", "::", "")

HEADERS = {
    # Gradio's own page has inline scripts and styles, and gr.HTML compiles its templates.
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def allowed_hosts(host: str, more: Iterable[str] = ()) -> frozenset[str]:
    """Host names that the server answers to: loopback, the one it listens on, the machine's own, and ``more``."""
    names = {*LOOPBACK, *(name.strip().lower() for name in more if name.strip())}
    if host in WILDCARDS:
        names.add(socket.gethostname().lower())
        names.add("*ip")
    else:
        names.add(host.lower())
    return frozenset(names)


def host_name(value: str) -> str:
    """The name in a Host header or an authority, without its port; '' when it is none."""
    try:
        return (urlsplit(f"//{value}").hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """ASGI middleware, outermost."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], max_body_bytes: int):
        self.app, self.hosts, self.max_body_bytes = app, hosts, max_body_bytes

    def refusal(self, method: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """Status and words when a request is refused, else None. ``headers``: lower-case names."""
        host = headers.get("host", "")
        name = host_name(host)
        # An address literal cannot be rebound, so a server that listens everywhere answers to all of its addresses.
        if name not in self.hosts and not ("*ip" in self.hosts and _is_ip(name)):
            return 421, "This server does not answer to that host name. Allow it with STUDIO_ALLOWED_HOSTS."
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return 403, "Requests from other sites are refused."
        if method not in ("GET", "HEAD") and headers.get("sec-fetch-site", "same-origin") not in (
            "same-origin",
            "none",
        ):
            return 403, "Requests from other sites are refused."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.max_body_bytes:
            return 413, TOO_LARGE
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self.refusal(scope.get("method", "GET"), headers)
        if scope["type"] == "websocket":
            if refused is not None:
                await send({"type": "websocket.close", "code": 1008})
                return
            await self.app(scope, receive, send)
            return
        if refused is not None:
            await _answer(send, *refused)
            return

        taken = 0
        refused_late = False

        async def receive_within_limit() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.max_body_bytes:  # a body of unannounced length
                return {"type": "http.disconnect"}
            return message

        async def send_with_headers(message: Message) -> None:
            nonlocal refused_late
            if taken > self.max_body_bytes:
                if not refused_late:
                    refused_late = True
                    await _answer(send, 413, TOO_LARGE)
                return
            if message["type"] == "http.response.start":
                kept = [(n, v) for n, v in message["headers"] if not n.lower().startswith(b"access-control-")]
                message = {**message, "headers": kept + [(n.encode(), v.encode()) for n, v in HEADERS.items()]}
            await send(message)

        try:
            await self.app(scope, receive_within_limit, send_with_headers)
        except ClientDisconnect:
            if taken <= self.max_body_bytes:
                raise
            if not refused_late:
                await _answer(send, 413, TOO_LARGE)


async def _answer(send: Send, status: int, words: str) -> None:
    body = words.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
