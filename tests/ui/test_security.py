import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from studio.ui.security import Guard, allowed_hosts, host_name


async def echo(request: Request) -> PlainTextResponse:
    size = len(await request.body()) if request.method == "POST" else 0
    return PlainTextResponse(f"here {size}", headers={"access-control-allow-origin": "*"})


def client(host="127.0.0.1", more=(), limit=1000):
    app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
    app.add_middleware(Guard, hosts=allowed_hosts(host, more), max_body_bytes=limit)
    return TestClient(app, base_url="http://127.0.0.1:7860", raise_server_exceptions=False)


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "LOCALHOST", "[::1]:7860"])
def test_the_machines_own_names_are_answered(host):
    assert client().get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:7860", "", "10.0.0.5", "localhost@evil.example"]
)
def test_foreign_host_names_are_refused(host):
    assert client().get("/", headers={"host": host}).status_code == 421


def test_a_host_name_can_be_allowed():
    assert client(more=["studio.lab.example"]).get("/", headers={"host": "studio.lab.example"}).status_code == 200


def test_a_server_on_all_addresses_answers_to_addresses_but_not_to_names():
    everywhere = client(host="0.0.0.0")
    assert everywhere.get("/", headers={"host": "10.0.0.5:7860"}).status_code == 200
    assert everywhere.get("/", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:7860"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_requests_of_other_sites_are_refused(origin, method):
    assert client().request(method, "/", headers={"origin": origin}).status_code == 403


def test_requests_of_the_page_itself_are_answered():
    answer = client().post("/", headers={"origin": "http://127.0.0.1:7860"})
    assert answer.status_code == 200


def test_a_form_on_another_site_cannot_post():
    assert client().post("/", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_answers_carry_a_policy_and_no_permission_for_others():
    headers = client().get("/").headers
    assert "access-control-allow-origin" not in headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_a_body_that_is_too_large_is_refused():
    assert client(limit=10).post("/", content=b"x" * 11).status_code == 413
    assert client(limit=10).post("/", content=b"x" * 10).status_code == 200


def test_a_body_of_unannounced_length_is_cut_off():
    answer = client(limit=10).post("/", content=(part for part in (b"x" * 6, b"x" * 6)))
    assert answer.status_code == 413
    assert "more than this server takes" in answer.text


@pytest.mark.parametrize(
    ("value", "name"), [("a.b:1", "a.b"), ("[::1]:80", "::1"), ("A.B.", "a.b"), ("[", ""), ("", "")]
)
def test_host_headers_are_taken_apart(value, name):
    assert host_name(value) == name
