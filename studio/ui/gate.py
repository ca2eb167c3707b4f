"""Who is asking: every request gets the account that it belongs to, or goes no further than the page to sign in."""

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.errors import AccessError
from studio.runs.accounts import LOCAL, SESSION_S
from studio.settings import Settings
from studio.ui import html

COOKIE = "studio_session"
OPEN_PATHS = (
    "/login",
    "/healthz",
    "/metrics",
    "/ui/studio.css",
    "/ui/logo.svg",
    "/ui/demo.css",
    "/ui/demo.js",
    "/login/oidc",
    "/login/oidc/back",
)
"""What can be seen without signing in; /metrics looks itself who asks."""
OWN_RIGHTS = {
    "GET": re.compile(r"/demo/[^/]+|/v1/models(/[^/]+)?"),
    "POST": re.compile(r"/demo/[^/]+/search|/v1/embeddings"),
}
"""These ask for a right of their own, the link's token or a key, and never look at who is signed in."""
MOST_FROM_STRANGERS = 64 * 1024
"""Bytes of a body whose sender nobody knows; /v1/embeddings takes more, and counts itself."""
UPLOAD = "/gradio_api/upload"
"""Where the page's files arrive, before any handler is asked."""


class Gate:
    """ASGI middleware. Writes the account's name into the request's state as ``account``."""

    def __init__(self, app: ASGIApp, accounts: Any, settings: Settings):
        self.app, self._accounts = app, accounts
        self._needed = settings.needs_accounts
        self._header = settings.proxy_header.strip().lower()
        self._proxies = frozenset(part.strip() for part in settings.proxies.split(",") if part.strip())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if scope["type"] == "http" and _has_own_right(scope["method"], scope["path"]):
            scope.setdefault("state", {})["account"] = ""
            if scope["path"].startswith("/demo/") and _is_large(scope):
                await _too_large()(scope, receive, send)
            else:
                await self.app(scope, receive, _unkept(send))
            return
        name = LOCAL
        if self._needed:
            name = await run_in_threadpool(self._account, HTTPConnection(scope)) or ""
        scope.setdefault("state", {})["account"] = name
        if scope["type"] == "http" and not name and _is_large(scope):
            await _too_large()(scope, receive, send)
        elif scope["path"] == UPLOAD and name and not await run_in_threadpool(self._accounts.may_start, name):
            words = {"message": "You may look and search here, but not bring files."}
            await JSONResponse(words, HTTPStatus.FORBIDDEN)(scope, receive, send)
        elif name or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, _unkept(send) if self._needed else send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _to_sign_in(Request(scope))(scope, receive, send)

    def _account(self, connection: HTTPConnection) -> str | None:
        if self._header and connection.client is not None and connection.client.host in self._proxies:
            said = connection.headers.get(self._header, "").strip().lower()
            if said:
                return self._said_by_proxy(said)
        record = self._accounts.whose(connection.cookies.get(COOKIE, ""))
        return None if record is None else record.name

    def _said_by_proxy(self, name: str) -> str | None:
        """An account that a proxy vouches for; one that the proxy brings for the first time is made, without a password."""
        record = self._accounts.vouched(name)
        return None if record is None or record.disabled else record.name


def _has_own_right(method: str, path: str) -> bool:
    pattern = OWN_RIGHTS.get(method)
    return pattern is not None and pattern.fullmatch(path) is not None


def _is_large(scope: Scope) -> bool:
    """Whether a body is announced to be large, or not announced."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    return b"transfer-encoding" in headers or not length.isdigit() or int(length) > MOST_FROM_STRANGERS


def _too_large() -> Response:
    return JSONResponse({"message": "That is too much."}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _unkept(send: Send) -> Send:
    """Pages are not kept by the browser: after signing out, Back must not show them."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = dict(message["headers"]).get(b"content-type", b"")
            if kind.startswith(b"text/html"):
                message = {**message, "headers": [*message["headers"], (b"cache-control", b"no-store")]}
        await send(message)

    return sent


def _to_sign_in(request: Request) -> Response:
    if request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", ""):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        up = "../" * (request.url.path.count("/") - 1)
        return RedirectResponse(f"./{up}login?next={quote(asked, safe='')}", HTTPStatus.SEE_OTHER)
    return JSONResponse({"message": "You are not signed in.", "hint": "Load the page again."}, HTTPStatus.UNAUTHORIZED)


def add_sign_in(app: FastAPI, accounts: Any, elsewhere: str = "") -> None:
    """The page to sign in, and the way out. ``elsewhere``: the button that leads to the lab's own accounts; empty: none."""

    @app.get("/login")
    def page(request: Request, next: str = "/") -> Response:
        if request.state.account:
            return RedirectResponse(_local(next), HTTPStatus.SEE_OTHER)
        return HTMLResponse(sign_in_page(next, elsewhere=elsewhere))

    @app.post("/login")
    def sign_in(
        request: Request, name: str = Form("", max_length=200), password: str = Form("", max_length=2000),
        next: str = Form("/", max_length=4000),
    ) -> Response:  # fmt: skip
        address = request.client.host if request.client else ""
        try:
            session = accounts.sign_in(name, password, address)
        except AccessError as error:
            page = sign_in_page(next, name, html.notice(error.message, error.hint), elsewhere)
            return HTMLResponse(page, HTTPStatus.FORBIDDEN)
        answer = RedirectResponse(_local(next), HTTPStatus.SEE_OTHER)
        secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))
        answer.set_cookie(COOKIE, session, max_age=SESSION_S, httponly=True, samesite="lax", secure=secure)
        return answer

    @app.post("/logout")
    def sign_out(request: Request) -> Response:
        accounts.end_sessions(request.state.account)
        answer = RedirectResponse("./login", HTTPStatus.SEE_OTHER)
        answer.delete_cookie(COOKIE)
        return answer


def _local(path: str) -> str:
    """A path of this server, as seen from its root; anything else becomes the first page."""
    parts = urlsplit(path)
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return f".{path}" if plain and not any(ord(c) < 32 for c in path) else "./"


def sign_in_page(next: str = "/", name: str = "", notice: str = "", elsewhere: str = "") -> str:
    asked = quote(next, safe="")
    other = f'<a class="elsewhere" href="./login/oidc?next={asked}">{html.text(elsewhere)}</a>' if elsewhere else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in - Sentence Studio</title>
<link rel="icon" href="./ui/logo.svg" type="image/svg+xml"><link rel="stylesheet" href="./ui/studio.css"></head>
<body class="sign-in"><script>if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.className = "dark";</script>
<main><form method="post" action="./login">
<h1><img src="./ui/logo.svg" alt="" width="30" height="30">Sentence Studio</h1>
{notice}
<label>Name<input name="name" value="{html.text(name)}" autocomplete="username" autocapitalize="none" required {"" if name else "autofocus"}></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required {"autofocus" if name else ""}></label>
<input type="hidden" name="next" value="{html.text(next)}">
<button type="submit">Sign in</button>
{other}
<p>Accounts are given by whoever hosts this studio.</p>
</form></main></body></html>"""


def account_line(name: str, viewer: bool = False) -> str:
    """Who is signed in, and the way out; nothing on a server that nobody signs in to. ``viewer``: static/sharing.css hides
    what starts something."""
    if not name or name == LOCAL:
        return ""
    kind = "account viewer" if viewer else "account"
    return (
        f'<form method="post" action="./logout" class="{kind}"><span>{html.text(name)}</span>'
        '<button type="submit" class="button plain">Sign out</button></form>'
    )
