"""Signing in with accounts of a provider: a small one, of the kind that labs have, runs here and really signs its tokens."""

import asyncio
import base64
import hashlib
import secrets
import socket
import threading
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from studio.errors import HostError
from studio.runs.studio import Studio
from studio.settings import Settings
from studio.ui.gate import COOKIE
from studio.ui.server import build_server

CLIENT, SECRET = "sentence-studio", "a secret of two"
PUBLIC = "http://127.0.0.1"


class Provider:
    """Who asks is ``person``; ``lies`` changes the token that it gives out."""

    def __init__(self):
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.person, self.lies, self.given = "carol", {}, {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.server = uvicorn.Server(
            uvicorn.Config(self.app(), host="127.0.0.1", port=urlsplit(self.url).port, log_level="error")
        )
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        until = time.monotonic() + 10
        while not self.server.started:
            assert time.monotonic() < until
            time.sleep(0.02)

    def app(self):
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        def about():
            return {
                "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks", "id_token_signing_alg_values_supported": ["RS256"],
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
            }  # fmt: skip

        @app.get("/jwks")
        def jwks():
            return {"keys": [self.key.as_dict(private=False)]}

        @app.get("/authorize")
        def authorize(request: Request):
            asked = dict(request.query_params)
            assert asked["client_id"] == CLIENT
            assert asked["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe()
            self.given[code] = asked
            return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}", 302)

        @app.post("/token")
        def token(request: Request, code: str = Form(), code_verifier: str = Form()):
            asked = self.given.pop(code)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
            basic = base64.b64encode(f"{CLIENT}:{SECRET.replace(' ', '+')}".encode()).decode()
            plain = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
            if challenge != asked["code_challenge"] or request.headers["authorization"].split()[1] not in (
                basic,
                plain,
            ):
                return JSONResponse({"error": "invalid_grant"}, 400)
            now = int(time.time())
            claims = {
                "iss": self.url, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 60, "nonce": asked["nonce"],
                "preferred_username": self.person, **self.lies,
            }  # fmt: skip
            signer = self.lies.get("signer", self.key)
            claims.pop("signer", None)
            signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, signer)
            return {"access_token": "x", "token_type": "Bearer", "expires_in": 60, "id_token": signed}

        return app


@pytest.fixture(scope="module")
def provider():
    provider = Provider()
    yield provider
    provider.server.should_exit = True
    provider.thread.join(10)


@pytest.fixture(scope="module")
def lab(provider, tmp_path_factory):
    settings = Settings(
        workspace=tmp_path_factory.mktemp("oidc"), port=0, accounts="required", oidc_issuer=provider.url,
        oidc_client_id=CLIENT, oidc_client_secret=SECRET, public_url=PUBLIC,
    )  # fmt: skip
    studio = Studio(settings)
    studio.start()

    async def build():
        return build_server(studio, settings)

    yield studio, asyncio.run(build())
    studio.close()


@pytest.fixture
def browser(lab, provider):
    provider.person, provider.lies = "carol", {}
    return TestClient(lab[1], base_url=PUBLIC, raise_server_exceptions=False, follow_redirects=False)


def there_and_back(browser, next="/"):
    """The answer when the provider has sent the browser back."""
    away = browser.get("/login/oidc", params={"next": next})
    assert away.status_code == 302, away.text
    returned = httpx.get(away.headers["location"]).headers["location"]
    return browser.get(returned.removeprefix(PUBLIC))


def test_the_page_to_sign_in_leads_to_the_provider_and_back_to_what_was_asked_for(browser, lab):
    assert "/login/oidc?next=%2F%3Ftab%3Druns" in browser.get("/login", params={"next": "/?tab=runs"}).text
    answer = there_and_back(browser, "/?tab=runs")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PUBLIC}/?tab=runs")
    assert browser.get("/api/runs").status_code == 200
    assert lab[0].accounts.get("carol").role == "member"


def test_nobody_is_led_to_another_site(browser):
    assert there_and_back(browser, "//evil.example").headers["location"] == f"{PUBLIC}/"


@pytest.mark.parametrize(
    "lies", [{"aud": "another"}, {"iss": "http://evil.example"}, {"nonce": "x"}, {"exp": 1}, {"signer": RSAKey.generate_key(2048)}]
)  # fmt: skip
def test_a_token_that_is_not_for_us_lets_nobody_in(browser, provider, lies):
    provider.lies = lies
    answer = there_and_back(browser)
    assert answer.status_code == 403
    assert "could not be asked" in answer.text
    assert COOKIE not in browser.cookies
    assert browser.get("/api/runs").status_code == 401


def test_what_another_browser_began_is_not_finished_here(browser, lab):
    away = browser.get("/login/oidc")
    returned = httpx.get(away.headers["location"]).headers["location"].removeprefix(PUBLIC)
    other = TestClient(lab[1], base_url=PUBLIC, raise_server_exceptions=False, follow_redirects=False)
    assert other.get(returned).status_code == 403
    forged = {"state": parse_qs(urlsplit(away.headers["location"]).query)["state"][0] + "x", "code": "y"}
    assert browser.get("/login/oidc/back", params=forged).status_code == 403
    assert browser.get("/login/oidc/back").status_code == 403


def test_who_is_kept_out_here_stays_out(browser, lab, provider):
    provider.person = "mallory"
    assert there_and_back(browser).status_code == 303
    lab[0].accounts.disable("mallory")
    browser.cookies.clear()
    answer = there_and_back(browser)
    assert answer.status_code == 403
    assert "kept out" in answer.text


@pytest.mark.parametrize("name", ["", "<b>x</b>", "local", None])
def test_a_name_that_could_do_harm_becomes_no_account(browser, provider, name):
    provider.person = name
    assert there_and_back(browser).status_code == 403
    assert browser.get("/api/runs").status_code == 401


def test_a_server_that_is_told_half_of_it_says_what_is_missing(tmp_path):
    settings = Settings(workspace=tmp_path, accounts="required", oidc_issuer="https://login.example.org")
    with pytest.raises(HostError, match="STUDIO_PUBLIC_URL"):
        Studio(settings).start()
