"""Taking a model along through the routes that the page asks, with real makings and a real upload."""

import json
import os
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from studio.files import write_json
from studio.runs import supervisor
from studio.runs.executors.local import LocalExecutor
from studio.runs.studio import Studio
from studio.settings import Settings
from studio.training.folder import RunFolder
from studio.ui.server import build_server
from tests.export import modelhub
from tests.runs.scene import StandIn, config, make_dataset, wait_for, wait_until_over
from tests.ui.conftest import in_event_loop

pytestmark = pytest.mark.model


class TrainsNothing(StandIn):
    """The stand-in trains; makings are really made."""

    def start(self, folder: Path, module: str) -> None:
        if module == "studio.making.maker":
            LocalExecutor.start(self, folder, module)
        else:
            super().start(folder, module)


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supervisor, "TICK_S", 0.1)
        settings = Settings(
            workspace=tmp_path_factory.mktemp("along"), port=0, accounts="required", proxy_header="X-User"
        )
        studio = Studio(settings, TrainsNothing())
        studio.start()
        yield studio
        studio.close()


@pytest.fixture(scope="module")
def run(studio, static_model, tmp_path_factory):
    """ada's run, with a real model, as a worker leaves it."""
    dataset = make_dataset(studio, tmp_path_factory.mktemp("table"))
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(modifier="Matryoshka"), "trial, mine"))
    folder = RunFolder(run.folder)
    static_model.save_pretrained(str(folder.model))
    numbers = list(range(2, 42))
    write_json(folder.split, {"train": numbers[:20], "heldout": numbers[20:], "note": "", "shared": "nothing"})
    return run


@pytest.fixture(scope="module")
def browser(studio):
    """browser(name) -> what a member's browser can ask."""
    app = in_event_loop(build_server, studio, studio.settings)

    def of(name: str) -> TestClient:
        return TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 5), headers={"x-user": name})

    return of


def test_a_form_and_the_sizes_are_made_once_and_go_with_the_run(studio, run, browser):
    ada, path = browser("ada"), f"/api/runs/{run.id}/takealong"
    before = ada.get(path).json()
    assert [(form["id"], form["missing"]) for form in before["forms"]] == [("onnx", ""), ("openvino", "")]
    assert before["sizes"]["found"] is None
    assert ada.get(f"/download/runs/{run.id}/export/openvino.zip").status_code == 404
    for what in ("openvino", "sizes"):
        assert ada.post(f"{path}/{what}").json()["making"]["state"] in ("queued", "running")
    again = ada.post(f"{path}/openvino").json()["making"]
    assert len([m for m in studio.makings.list("ada") if m.kind == "export"]) == 1, "asked twice, made once"
    assert browser("bob").get(f"/api/makings/{again['id']}").status_code == 404

    def done():
        now = ada.get(path).json()
        over = {
            name: making
            for name, making in (("form", now["forms"][1]["making"]), ("sizes", now["sizes"]["making"]))
            if making
        }
        assert not [m["message"] for m in over.values() if m["state"] == "failed"]
        return not over and now

    now = wait_for(done, 60)
    assert all("keeps" in file["words"] for file in now["forms"][1]["files"])
    assert now["sizes"]["found"]["sentence"].startswith(("The cheapest within 1 %", "Keep all 256"))
    assert now["sizes"]["found"]["matryoshka"] == [256, 128, 64, 32]
    assert ada.post(f"{path}/openvino").json() == {"making": None}, "it is there: nothing is made again"
    assert studio.makings.list("ada") == []
    answer = ada.get(f"/download/runs/{run.id}/export/openvino-int8.zip")
    names = zipfile.ZipFile(BytesIO(answer.content)).namelist()
    assert "trial-mine-openvino-int8/openvino/openvino_model_int8.xml" in names
    assert "trial-mine-openvino-int8/openvino/openvino_model.xml" not in names
    for asked in (path, f"/download/runs/{run.id}/export/openvino.zip", f"/api/runs/{run.id}/push"):
        assert browser("bob").get(asked).status_code == 404
    assert browser("bob").post(f"{path}/onnx").status_code == 404
    (run.folder / "model" / "more.txt").write_text("another model")
    assert not ada.get(path).json()["forms"][1]["files"][0]["words"], "it is of another model"
    (run.folder / "model" / "more.txt").unlink()
    assert ada.get(path).json()["forms"][1]["files"][0]["words"]


@pytest.fixture
def hub(monkeypatch):
    with modelhub.serve() as (address, hub):
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_TOKEN", "hf_ofTheHost")
        yield hub


def pushed(ada, run, **wish):
    answer = ada.post(f"/api/runs/{run.id}/push", json={"name": "mine", "token": modelhub.TOKEN, **wish})
    assert answer.status_code == 200, answer.text
    return wait_for(lambda: (push := ada.get(f"/api/runs/{run.id}/push").json()["push"])["over"] and push, 30)


def test_an_upload_is_what_was_listed_private_and_the_token_stays_nowhere(
    studio, run, browser, hub, monkeypatch, caplog
):
    from studio.export import hub as uploads

    started = []
    real = uploads.subprocess.Popen
    monkeypatch.setattr(uploads.subprocess, "Popen", lambda *a, **k: started.append((a, k.get("env"))) or real(*a, **k))
    ada = browser("ada")
    listed = ada.get(f"/api/runs/{run.id}/takealong").json()["hub"]["files"]
    push = pushed(ada, run)
    assert push["url"].endswith("/ada/mine"), push
    assert hub.private == {"ada/mine": True}
    assert {name: len(content) for name, content in hub.files["ada/mine"].items()} == {
        f["name"]: f["bytes"] for f in listed
    }
    assert set(hub.headers) == {f"Bearer {modelhub.TOKEN}"}, "the host's own token is not used"
    told = json.dumps(ada.get(f"/api/runs/{run.id}/takealong").json()) + caplog.text + repr(started)
    assert "hf_ofTheHost" not in repr(started)
    assert modelhub.TOKEN not in told
    files = [file for file in studio.workspace.path.rglob("*") if file.is_file()]
    assert any(file.name == "pushed.json" for file in files)
    assert any(file.name == "studio.db" for file in files)
    for file in files:
        assert modelhub.TOKEN.encode() not in file.read_bytes(), file
    assert modelhub.TOKEN not in json.dumps(dict(os.environ))


def test_no_row_of_the_data_is_uploaded_unless_somebody_asks_for_it(run, browser, hub):
    ada = browser("ada")
    assert pushed(ada, run)["url"]
    assert b"What is thing number" not in b"".join(hub.files["ada/mine"].values())
    there = pushed(ada, run)
    assert "already" in there["message"]
    assert pushed(ada, run, update=True, examples=True)["url"]
    assert b"What is thing number 0?" in hub.files["ada/mine"]["README.md"]
    hub.private["ada/mine"] = False
    assert "is public: nothing was uploaded" in pushed(ada, run, update=True)["message"]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"token": modelhub.READS_ONLY}, "may not write"),
        ({"token": "hf_wrong"}, "does not accept this token"),
        ({"name": "carol/hers"}, "knows no owner"),
    ],
)
def test_what_the_hub_refuses_is_said_in_words(run, browser, hub, wish, words):
    push = pushed(browser("ada"), run, **wish)
    assert words in push["message"]
    assert push["hint"]


def test_a_hub_that_cannot_be_reached_is_said(run, browser, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert pushed(browser("ada"), run)["message"] == "The hub cannot be reached from here."


@pytest.mark.parametrize(
    ("wish", "words"),
    [({"name": "no name"}, "no name of a repository"), ({"token": " "}, "no token"), ({"forms": ["onnx"]}, "not made")],
)
def test_a_wish_that_cannot_be_is_refused_before_anything_is_sent(run, browser, wish, words):
    answer = browser("ada").post(f"/api/runs/{run.id}/push", json={"name": "mine", "token": "hf_x", **wish})
    assert answer.status_code in (400, 404)
    assert words in answer.json()["message"]


def test_a_host_can_switch_uploads_off(studio, run, browser, monkeypatch):
    monkeypatch.setattr(studio.pushes, "allowed", False)
    ada = browser("ada")
    assert ada.get(f"/api/runs/{run.id}/takealong").json()["hub"]["allowed"] is False
    answer = ada.post(f"/api/runs/{run.id}/push", json={"name": "mine", "token": "hf_x"})
    assert (answer.status_code, answer.json()["message"]) == (403, "Uploads to the hub are switched off here.")
