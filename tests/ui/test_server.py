import html
import os
import re
import socket
import subprocess
import sys

import pytest
from starlette.testclient import TestClient

from studio.settings import Settings
from studio.ui.server import address, listen


@pytest.fixture(scope="module")
def client(server):
    return TestClient(server, base_url="http://127.0.0.1", raise_server_exceptions=False)


def test_the_page_is_built_without_torch(repository, tmp_path):
    code = (
        "import sys; from studio.settings import Settings; from studio.runs.studio import Studio; import studio.ui.server;"
        f"s = Settings(workspace={str(tmp_path)!r});"
        "from studio.ui.app import build_app; build_app(object(), s);"
        "print([name for name in ('torch', 'sentence_transformers', 'transformers', 'scipy') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=60)
    assert shown.stdout.strip() == "[]", shown.stderr


def test_gradio_writes_no_stubs_into_the_installation():
    import gradio.component_meta

    assert gradio.component_meta.create_or_modify_pyi.__module__ == "studio.ui"


def test_the_page_and_its_parts_are_served(client):
    page = client.get("/")
    assert page.status_code == 200
    assert "Sentence Studio" in page.text
    for path in ("/studio.js", "/ui/studio.css", "/ui/logo.svg", "/plotly.js", "/healthz"):
        assert client.get(path).status_code == 200, path
    assert "max-age" in client.get("/plotly.js").headers["cache-control"]


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/gradio_api/docs"])
def test_there_is_no_page_about_the_interface(client, path):
    assert client.get(path).status_code in (404, 405)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/runs/nosuch"), ("GET", "/api/runs/nosuch/feed"), ("GET", "/api/runs/nosuch/log"),
        ("GET", "/api/runs/nosuch/evidence"), ("GET", "/api/runs/nosuch/evidence/0"), ("GET", "/api/runs/nosuch/slices"),
        ("GET", "/download/runs/nosuch/evidence.csv"),
        ("POST", "/api/runs/nosuch/stop"), ("POST", "/api/runs/nosuch/resume"), ("DELETE", "/api/runs/nosuch"),
        ("GET", "/api/makings/nosuch"), ("POST", "/api/makings/nosuch/stop"),
        ("GET", "/api/reviews/nosuch"), ("POST", "/api/reviews/nosuch/undo"), ("POST", "/api/reviews/nosuch/finish"),
        ("GET", "/api/drafts/nosuch"), ("POST", "/api/drafts/nosuch/undo"), ("POST", "/api/drafts/nosuch/save"), ("DELETE", "/api/drafts/nosuch"),
        ("PUT", "/api/runs/nosuch/about"), ("POST", "/api/trash/run/nosuch/undo"), ("DELETE", "/api/trash/dataset/nosuch"),
        ("GET", "/api/leaderboards/nosuch"), ("GET", "/api/compare?runs=nosuch,other"), ("GET", "/download/runs/nosuch/report.html"),
        ("GET", "/download/compare/report.html?runs=nosuch"),
        ("GET", "/download/uploads/nosuch/left-out.csv"), ("GET", "/download/runs/nosuch.zip"), ("GET", "/download/runs/nosuch/config.json"),
    ],
)  # fmt: skip
def test_a_run_that_is_not_there_is_said_in_words(client, method, path):
    answer = client.request(method, path, json={"keep": False} if path.endswith(("stop", "about")) else None)
    assert answer.status_code == 404
    assert answer.json()["message"]


def test_a_bug_in_a_route_is_an_id_and_no_traceback(client, studio, monkeypatch):
    monkeypatch.setattr(studio.runs, "page", lambda owner, **asked: 1 / 0)
    answer = client.get("/api/runs")
    assert answer.status_code == 500
    assert "error id" in answer.json()["message"]
    assert "ZeroDivision" not in answer.text


def test_every_route_passes_the_owner_on(client, studio, monkeypatch):
    asked = []
    monkeypatch.setattr("studio.ui.api.runs.owner_of", lambda request: "alice")
    monkeypatch.setattr(studio.runs, "see", lambda owner, id: asked.append(owner) or 1 / 0)
    client.get("/api/runs/x")
    assert asked == ["alice"]


def test_a_port_that_is_taken_is_said_in_one_line(repository, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        env = {**os.environ, "STUDIO_PORT": str(port), "STUDIO_WORKSPACE": str(tmp_path)}
        ended = subprocess.run(
            [sys.executable, "app.py"], cwd=repository, env=env, capture_output=True, text=True, timeout=60
        )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"Port {port}" in ended.stderr


def test_a_workspace_that_cannot_be_written_ends_with_one_line(repository, tmp_path):
    (tmp_path / "file").write_text("in the way")
    env = {**os.environ, "STUDIO_PORT": "0", "STUDIO_WORKSPACE": str(tmp_path / "file" / "workspace")}
    ended = subprocess.run(
        [sys.executable, "app.py"], cwd=repository, env=env, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "cannot be written" in ended.stderr


def test_a_wrong_setting_is_said_in_one_line(repository):
    env = {**os.environ, "STUDIO_PORT": "many"}
    ended = subprocess.run(
        [sys.executable, "app.py"], cwd=repository, env=env, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert "STUDIO_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_starter_says_so_on_an_old_python(repository):
    code = "import sys; sys.version_info = (3, 9, 0); exec(compile(open('app.py').read(), 'app.py', 'exec'))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, timeout=30)
    assert ended.stderr == "Sentence Studio needs Python 3.11 or newer; this is Python 3.9.\n"


def test_addresses_can_be_opened():
    assert address("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert address("::1", 80) == "http://[::1]:80"
    listener = listen("127.0.0.1", 0)
    with listener:
        assert listener.getsockname()[1] > 0


def test_settings_name_hosts():
    assert Settings(allowed_hosts="a.example, b.example").allowed_hosts.split(",")[0] == "a.example"


def test_rows_left_out_can_be_downloaded_as_the_page_offers_them(client, studio, tabs, staged, request_double):
    content = (
        "question;answer;n\n" + "".join(f"What is {i}?;It is {i}.;no {i}\n" for i in range(60)) + ";=1+1;x\na;b;c;d;e\n"
    )
    data = tabs["data"]
    result = data.bring(staged("holes.csv", content), request_double)
    view = dict(zip(map(id, data.upload_outputs), result[7:], strict=False))
    link = html.unescape(re.search(r'href="\.(/download/uploads/[^"]+)"', view[id(data.report)])[1])
    answer = client.get(link)
    assert answer.status_code == 200, answer.text
    lines = answer.text.splitlines()
    assert lines[0].startswith("row,what,reason,question,answer")
    assert lines[1].startswith("62,left out,anchor is empty,,'=1+1")
    assert lines[2].startswith("63,skipped,has 5 cells instead of 3")
    assert len(lines) == 3
    assert not list(studio.workspace.tmp.glob("left-out*"))


def test_a_table_without_holes_offers_no_such_download(tabs, staged, request_double):
    content = "question;answer\n" + "".join(f"What is {i}?;It is {i}.\n" for i in range(60))
    assert not any(
        "left-out.csv" in str(part) for part in tabs["data"].bring(staged("whole.csv", content), request_double)
    )
