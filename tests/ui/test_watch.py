"""What a host sees of a server from outside: numbers, lines in the log, whether it is well."""

import asyncio
import json
import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from studio.runs.studio import Studio
from studio.settings import Settings
from studio.ui import watch
from studio.ui.server import LOG_LINE, build_server, set_up_log

HERE, ELSEWHERE = ("127.0.0.1", 5), ("10.1.2.3", 5)
TOKEN = "a long and secret word"


def browser(server, address=HERE):
    return TestClient(server, base_url="http://127.0.0.1", client=address, raise_server_exceptions=False)


def build(studio, settings):
    async def inside():
        return build_server(studio, settings)

    return asyncio.run(inside())


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    settings = Settings(workspace=tmp_path_factory.mktemp("lab"), port=0, metrics_token=TOKEN)
    studio = Studio(settings)
    studio.start()
    yield build(studio, settings), studio, settings
    studio.close()


def test_numbers_say_what_is_queued_and_how_long_answers_take(server):
    client = browser(server)
    client.get("/api/runs")
    client.get("/api/runs/a-secret-id?words=velociraptor")
    answer = client.get("/metrics")
    found = {sample.name: sample for family in text_string_to_metric_families(answer.text) for sample in family.samples}
    for name in (
        "studio_disk_free_bytes",
        "studio_memory_bytes",
        "studio_supervisor_age_seconds",
        "studio_requests_total",
    ):
        assert found[name].value > 0, name
    assert 'route="/api/runs/{run_id}"' in answer.text
    assert "velociraptor" not in answer.text
    assert "a-secret-id" not in answer.text


def test_numbers_are_for_this_machine_alone_unless_there_is_a_word_for_them(server, lab):
    assert browser(server, ELSEWHERE).get("/metrics").status_code == 404
    assert browser(server).get("/metrics", headers={"x-forwarded-for": "10.1.2.3"}).status_code == 404, "a proxy's"
    guarded, _, _ = lab
    assert browser(guarded).get("/metrics").status_code == 404
    assert browser(guarded).get("/metrics", headers={"authorization": "Bearer another word"}).status_code == 404
    assert browser(guarded, ELSEWHERE).get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_stuck_supervisor_makes_the_server_unwell(lab, monkeypatch):
    server, studio, _ = lab
    assert browser(server).get("/healthz").json()["status"] == "ok"
    monkeypatch.setattr(watch, "STUCK_S", 0.2)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(studio.supervisor, "_housekeeping", full)
    studio.supervisor.wake()
    asyncio.run(asyncio.sleep(0.5))
    answer = browser(server).get("/healthz")
    assert answer.status_code == 503
    assert "stuck" in answer.json()["status"]


def test_requests_that_change_something_or_fail_have_a_line_without_their_query(server, caplog):
    with caplog.at_level(logging.INFO, "studio.requests"):
        client = browser(server)
        client.get("/api/runs")
        client.post("/api/runs/nosuch/resume?words=velociraptor")
    [line] = [record for record in caplog.records if record.name == "studio.requests"]
    assert line.getMessage().startswith("POST /api/runs/{run_id}/resume 404 in ")
    assert "velociraptor" not in str(vars(line))


def test_the_log_can_be_one_json_object_a_line(capsys):
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    try:
        set_up_log("json")
        logging.getLogger("studio.requests").info("%(route)s", {"route": "/x"}, extra={"status": 404})
        said = json.loads(capsys.readouterr().err)
    finally:
        root.handlers[:] = before
    assert (said["level"], said["logger"], said["message"], said["status"]) == ("INFO", "studio.requests", "/x", 404)
    assert "time" in said
    assert "asctime" in LOG_LINE
