"""Signing in with the lab's own accounts: OpenID Connect, by Authlib. Off unless the host names a provider.

The provider says who somebody is (a signed token, its nonce, audience and issuer checked); what they may do here is the
studio's own business: an account of that name, made as a member when it comes for the first time. Between leaving and
coming back the browser keeps state, nonce and PKCE's secret in a signed cookie that lasts ten minutes.
"""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from studio.errors import AccessError
from studio.runs.accounts import SESSION_S
from studio.settings import Settings
from studio.ui import html
from studio.ui.gate import COOKIE, _local, sign_in_page

LEAVE, BACK = "/login/oidc", "/login/oidc/back"
ON_THE_WAY = "studio_oidc"
ON_THE_WAY_S = 600
TIMEOUT_S = 10

_log = logging.getLogger(__name__)


def add_oidc(app: FastAPI, accounts: Any, settings: Settings) -> None:
    """The way to the provider and back."""
    from authlib.integrations.starlette_client import OAuth

    provider = OAuth().register(
        "lab",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value() or None,
        server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256", "timeout": TIMEOUT_S},
    )
    root = settings.public_url.rstrip("/")
    secure = root.startswith("https:")

    @app.get(LEAVE)
    async def leave(request: Request, next: str = "/") -> Response:
        request.scope["session"] = {}
        try:
            answer = await provider.authorize_redirect(request, f"{root}{BACK}")
        except Exception as error:
            return _refused(error)
        kept = accounts.seal({"session": request.scope["session"], "next": next[:4000]}, ON_THE_WAY)
        answer.set_cookie(ON_THE_WAY, kept, max_age=ON_THE_WAY_S, httponly=True, samesite="lax", secure=secure)
        return answer

    @app.get(BACK)
    async def back(request: Request) -> Response:
        kept = accounts.unseal(request.cookies.get(ON_THE_WAY, ""), ON_THE_WAY, ON_THE_WAY_S)
        if kept is None:
            return _refused(AccessError("Signing in took too long, or was begun in another browser."))
        request.scope["session"] = kept["session"]
        claims = {
            "iss": {"essential": True, "value": settings.oidc_issuer},
            "aud": {"essential": True, "value": settings.oidc_client_id},
        }
        try:
            told = await provider.authorize_access_token(request, claims_options=claims)
            name = str((told.get("userinfo") or {}).get(settings.oidc_name) or "").strip().lower()
            session = await run_in_threadpool(accounts.sign_in_vouched, name)
        except Exception as error:
            return _refused(error)
        answer = RedirectResponse(f"{root}{_local(kept['next'])[1:]}", HTTPStatus.SEE_OTHER)
        answer.set_cookie(COOKIE, session, max_age=SESSION_S, httponly=True, samesite="lax", secure=secure)
        answer.delete_cookie(ON_THE_WAY)
        return answer

    def _refused(error: Exception) -> Response:
        """The page to sign in, with what went wrong; what the provider said stands in the log."""
        if isinstance(error, AccessError):
            words, hint = error.message, error.hint
        else:
            _log.warning("Signing in by OpenID Connect failed: %s: %s", type(error).__name__, error)
            words, hint = (
                "The lab's accounts could not be asked who you are.",
                "Try again, or ask whoever hosts the studio.",
            )
        page = sign_in_page(notice=html.notice(words, hint), elsewhere=settings.oidc_label)
        # The page stands at the root of the studio; from here its addresses would lead beside it.
        page = page.replace('="./', f'="{html.text(root)}/')
        return HTMLResponse(page, HTTPStatus.FORBIDDEN)
