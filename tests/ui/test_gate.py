"""Strangers get the page to sign in and nothing else; members get nothing of each other's."""

import asyncio

import pytest
from starlette.testclient import TestClient

from studio.data.table import Roles
from studio.runs.studio import Studio
from studio.settings import Settings
from studio.ui.gate import COOKIE, _local, sign_in_page
from studio.ui.server import build_server

PASSWORD = "a long enough one"
SECRET = "velociraptor"
"""A word of ada's that nobody else may ever be told."""
OF_EVERYBODY = ("/svelte", "/static", "/assets", "/theme", "/pwa_icon", "/custom_component")
"""The page's own parts."""
ENDLESS = "/gradio_api/heartbeat"
"""A stream that tells nothing but that the server is alive."""
STREAMS = "/gradio_api/call"
"""Answers with a stream whose content tells that there is no such event."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A server that people sign in to, and what ada has there."""
    settings = Settings(workspace=tmp_path_factory.mktemp("lab"), port=0, accounts="required", proxy_header="X-User")
    studio = Studio(settings)
    studio.start()
    for name in ("ada", "bob"):
        studio.accounts.add(name, PASSWORD)
    table = settings.workspace / "tmp" / "gradio" / "table.csv"
    table.write_text("question,answer\n" + "".join(f"{SECRET} {i}?,the {SECRET} is {i}\n" for i in range(30)))
    upload = studio.datasets.stage("ada", table, f"{SECRET}.csv")
    dataset = studio.datasets.create("ada", upload.id, Roles("question", "answer"), SECRET)
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)

    async def build():
        return build_server(studio, settings)

    yield asyncio.run(build()), [upload.id, dataset.id, corpus.id], str(table)
    studio.close()


@pytest.fixture
def client(lab):
    """A browser at an address that is no proxy's."""
    return TestClient(lab[0], base_url="http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False)


def walk(app, before=""):
    """(path, methods) of every route, those of Gradio's own application too."""
    for route in getattr(app, "routes", ()):
        path, inner = before + (getattr(route, "path", None) or ""), getattr(route, "app", None)
        if hasattr(route, "original_router"):
            yield from walk(route.original_router, before)
        elif hasattr(inner, "routes"):
            yield from walk(inner, path)
        else:
            yield path, getattr(route, "methods", None) or {"GET"}


def sign_in(client, name, password=PASSWORD, **form):
    return client.post("/login", data={"name": name, "password": password, **form})


def test_a_stranger_is_led_to_the_page_to_sign_in(client):
    answer = client.get("/?tab=runs&run=abc", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "./login?next=%2F%3Ftab%3Druns%26run%3Dabc")
    page = client.get(answer.headers["location"])
    assert page.status_code == 200
    assert "Sign in" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_every_other_path_tells_a_stranger_nothing(client, lab):
    paths = {path for path, _ in walk(lab[0])}
    assert len(paths) > 40, "the walk must see Gradio's routes too"
    for path in sorted(paths - {"/login", "/healthz", "/metrics", "", "/ui"}):
        for method in ("GET", "POST", "DELETE"):
            answer = client.request(method, path.replace("{", "x").replace("}", ""))
            assert answer.status_code in (401, 303), f"{method} {path}: {answer.status_code}"
            assert SECRET not in answer.text


def test_signing_in_opens_the_page_that_was_asked_for(client):
    answer = sign_in(client, "ada", next="/?tab=runs")
    assert (answer.status_code, answer.headers["location"]) == (303, "./?tab=runs")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert client.get("/", headers={"accept": "text/html"}).status_code == 200


def test_behind_https_the_cookie_is_for_https_only(client):
    answer = client.post("/login", data={"name": "ada", "password": PASSWORD}, headers={"x-forwarded-proto": "https"})
    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_password_is_said_on_the_page_and_the_name_stays(client):
    answer = sign_in(client, "<b>nobody</b>", "wrong")
    assert answer.status_code == 403
    assert "Name or password is wrong." in answer.text
    assert "<b>nobody" not in answer.text
    assert COOKIE not in answer.headers.get("set-cookie", "")


def test_signing_out_ends_the_session_for_good(client):
    sign_in(client, "bob")
    session = client.cookies[COOKIE]
    assert client.post("/logout").headers["location"] == "./login"
    client.cookies.set(COOKIE, session)
    assert client.get("/api/runs").status_code == 401


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/\r\nx", ""]
)
def test_nobody_is_led_to_another_site(path):
    assert _local(path) == "./"
    assert 'evil.example"' not in sign_in_page('"><a href="https://evil.example"')


def test_another_member_gets_nothing_through_the_routes(client, lab):
    app, ids, table = lab
    sign_in(client, "bob")
    asked = 0
    for route, methods in walk(app):
        if "{" not in route or route.startswith(ENDLESS):
            continue
        for method in methods - {"HEAD"}:
            for id in [*ids, table]:
                path = route.split("{")[0] + id + route.partition("}")[2]
                answer = client.request(method, path, json={"keep": False} if method == "POST" else None)
                assert answer.status_code >= 400 or route.startswith((*OF_EVERYBODY, STREAMS)), (
                    f"{method} {path}: {answer.status_code}"
                )
                assert SECRET not in answer.text.replace(f"{SECRET}.csv", "")
                asked += 1
    assert asked > 60


def test_a_proxy_is_believed_only_at_its_own_address(lab):
    headers = {"x-user": "carol"}
    near = TestClient(lab[0], base_url="http://127.0.0.1", client=("127.0.0.1", 5), headers=headers)
    far = TestClient(lab[0], base_url="http://127.0.0.1", client=("10.0.0.9", 5), headers=headers)
    assert near.get("/api/runs").json()["runs"] == []
    assert far.get("/api/runs").status_code == 401
