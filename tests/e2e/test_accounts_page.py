"""A server that people sign in to, in a real browser; and what a member and a viewer get of another's things, private and
shared ones, through the page's handlers."""

import httpx
import pytest
from launch import Server
from proxy import under_a_path

from studio.data.table import Roles
from studio.runs.store import CORPORA, DATASETS, KEYS, MAKINGS, RUNS, SWEEPS, UPLOADS, Store
from studio.runs.studio import Studio
from studio.settings import Settings
from tests.runs.scene import StandIn, config, wait_until_over

PASSWORD = "a long enough one"
SECRET, SHOWN = "velociraptor", "brontosaurus"
"""Words of ada's: one that nobody else may ever be told, and one of what she shares with the lab."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The server, and ids and a path of ada's."""
    workspace = tmp_path_factory.mktemp("lab") / "workspace"
    studio = Studio(Settings(workspace=workspace), StandIn())
    studio.start()
    for name, role in (("root", "admin"), ("ada", "member"), ("bob", "member"), ("eve", "viewer")):
        studio.accounts.add(name, PASSWORD, role)
    table = workspace / "tmp" / "gradio" / "table.csv"
    private, shown = (_things(studio, table, word) for word in (SECRET, SHOWN))
    for kind, id in zip(("dataset", "corpus", "run"), shown[1:], strict=True):
        studio.sharing.with_lab("ada", kind, id, True)
    studio.close()
    server = Server(workspace, STUDIO_ACCOUNTS="required", STUDIO_ROOT_PATH="/tools/studio")
    server.start()
    yield server, private, shown, str(table)
    server.end()


def _things(studio, table, word):
    """Ids of an upload, a dataset, a corpus and a run."""
    table.write_text("question,answer\n" + "".join(f"{word} {i}?,the {word} is {i}\n" for i in range(30)))
    upload = studio.datasets.stage("ada", table, f"{word}.csv")
    dataset = studio.datasets.create("ada", upload.id, Roles("question", "answer"), word)
    corpus = studio.corpora.create_from_dataset("ada", dataset.id)
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), word))
    return [upload.id, dataset.id, corpus.id, run.id]


def _had(server, owner):
    """What the database holds of somebody: (kind, id, name or file name)."""
    store = Store(f"sqlite:///{server.workspace / 'studio.db'}")
    tables = (UPLOADS, DATASETS, CORPORA, RUNS, MAKINGS, SWEEPS, KEYS)
    had = {(t.name, row["id"], row.get("name")) for t in tables for row in store.all_of(t, owner)}
    store.close()
    return had


@pytest.fixture(scope="module")
def proxied(lab):
    """Its address behind a proxy that serves it under a path."""
    with under_a_path(lab[0].url, "/tools/studio") as url:
        yield url


def test_people_sign_in_and_out_on_a_page_and_see_their_own_things_only(proxied, chromium):
    """Behind a proxy and under a path: every address that the page asks for has to stay there."""
    context = chromium.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.set_default_timeout(30_000)
    failed = []
    page.on("response", lambda answer: answer.status >= 400 and answer.status != 403 and failed.append(answer.url))
    page.goto(f"{proxied}/?tab=data")
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill("not this one")
    page.get_by_role("button", name="Sign in").click()
    assert "Name or password is wrong" in page.get_by_role("alert").inner_text()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#tabs [role=tab]")
    assert "tab=data" in page.url
    page.locator("#account").get_by_text("ada").wait_for()
    page.get_by_label("Or choose one of your datasets").click()
    page.get_by_role("option", name=SECRET).wait_for()
    page.get_by_role("option", name=SECRET).click()
    page.locator("#data-rows td").first.wait_for()
    page.get_by_role("tab", name="Runs").click()
    page.locator("#runs-view .run-name", has_text=SECRET).wait_for()
    assert failed == []
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()
    page.go_back()
    page.get_by_role("button", name="Sign in").wait_for()
    context.close()


@pytest.mark.parametrize("who", ["bob", "eve"])
def test_others_get_nothing_private_and_change_nothing_through_any_handler_of_the_page(lab, who):
    """Every function of the page, the hidden ones too, called as the browser calls it, with ada's ids in every text."""
    server, private, shown, table = lab
    ids = [*private[:3], table, shown[1]] if who == "bob" else [private[1], *shown[1:]]
    before = _had(server, "ada")
    with httpx.Client(base_url=server.url, timeout=30) as client:
        assert client.post("/login", data={"name": who, "password": PASSWORD}).status_code == 303
        config = client.get("/config").json()
        kinds = {component["id"]: component for component in config["components"]}
        functions = [f for f in config["dependencies"] if f["backend_fn"]]
        assert len(functions) > 20
        for function in functions:
            for place, id in enumerate(ids):
                session = f"s{function['id']}x{place}"
                data = [_value(kinds[component], id) for component in function["inputs"]]
                told = _call(client, {"data": data, "fn_index": function["id"], "session_hash": session}, id)
                assert SECRET not in told.replace(f"{SECRET}.csv", ""), (
                    f"{function['api_name']} with {id}: {told[:500]}"
                )
    assert _had(server, "ada") == before
    if who == "eve":
        assert not _had(server, who), "a viewer has made something"


def _call(client, body, id):
    joined = client.post("/gradio_api/queue/join", json={**body, "event_data": {"run": id, "making": id}})
    told = joined.text
    if joined.status_code == 200:
        with client.stream("GET", "/gradio_api/queue/data", params={"session_hash": body["session_hash"]}) as stream:
            for line in stream.iter_lines():
                told += line
                if '"process_completed"' in line or '"close_stream"' in line:
                    break
    return told


def _value(component, id):
    kind = component["type"]
    if kind in ("number", "slider"):
        return 1
    if kind == "file":
        return {"path": id, "meta": {"_type": "gradio.FileData"}}
    return [] if component["props"].get("multiselect") else id
