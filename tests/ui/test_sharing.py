"""A lab of four: what is shared is seen, searched and started from; the rest is as absent as ever. Links and keys open
what they are for and nothing else."""

import asyncio
import base64
import inspect
import json
import re
import time

import numpy as np
import pytest
from starlette.testclient import TestClient

from studio.data.table import Roles
from studio.errors import AccessError, NotFound, StudioError
from studio.files import write_json
from studio.runs import rates
from studio.runs.store import CORPORA, DATASETS, KEYS, MAKINGS, RUNS, SWEEPS, UPLOADS
from studio.runs.studio import Studio
from studio.search import indexer
from studio.search.index import model_hash
from studio.search.result import Asked
from studio.settings import Settings
from studio.training.folder import RunFolder
from studio.ui.server import build_server
from tests.runs.scene import StandIn, config, wait_for, wait_until_over
from tests.ui.test_gate import ENDLESS, OF_EVERYBODY, STREAMS, sign_in, walk

PASSWORD = "a long enough one"
TABLES = (CORPORA, DATASETS, MAKINGS, RUNS, SWEEPS, UPLOADS, KEYS)
PRIVATE, SHOWN = "velociraptor", "brontosaurus"
"""Words of ada's things: of those that are hers alone, and of those that the lab may see."""


def both(run_id):
    """The two columns of a run."""
    return [f"base:{run_id}", f"run:{run_id}"]


class HereAndNow(StandIn):
    """Runs are played by the stand-in; indexes are really built, in this process."""

    def start(self, folder, module):
        if module != "studio.search.indexer":
            super().start(folder, module)
            return
        write_json(folder / "outcome.json", indexer.run(folder, lambda: False))
        write_json(folder / "exit.json", {"code": 0, "signal": None, "oom_kills": 0})


class Lab:
    def __init__(self, folder, static_model):
        self.settings = Settings(
            workspace=folder,
            port=0,
            accounts="required",
            proxy_header="X-User",
            api_per_minute=1000,
            demo_per_minute=1000,
        )
        self.studio = Studio(self.settings, HereAndNow())
        self.studio.start()
        for name, role in (("root", "admin"), ("ada", "member"), ("bob", "member"), ("eve", "viewer")):
            self.studio.accounts.add(name, PASSWORD, role)
        self.private, self.shown = (self._things(word, static_model) for word in (PRIVATE, SHOWN))
        for kind, id in self.shown.items():
            if kind in ("dataset", "run", "corpus"):
                self.studio.sharing.with_lab("ada", kind, id, True)

        async def build():
            return build_server(self.studio, self.settings)

        self.app = asyncio.run(build())

    def _things(self, word, model):
        """A dataset, a run with a model, and a corpus that both of its models have read."""
        studio = self.studio
        table = self.settings.workspace / "tmp" / "gradio" / f"{word}.csv"
        table.write_text(
            "question,answer\n" + "".join(f"Where is {word} {i}?,The {word} {i} is here\n" for i in range(30))
        )
        upload = studio.datasets.stage("ada", table, f"{word}.csv")
        dataset = studio.datasets.create("ada", upload.id, Roles("question", "answer"), word)
        run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), word))
        model.save_pretrained(str(RunFolder(run.folder).model))
        corpus = studio.corpora.create_from_dataset("ada", dataset.id)
        wait_for(lambda: all(i.state == "ready" for i in studio.searches.ensure("ada", corpus.id, both(run.id))), 60)
        return {"dataset": dataset.id, "run": run.id, "corpus": corpus.id, "upload": upload.id}

    def browser(self, name=None):
        client = TestClient(
            self.app, base_url="http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False
        )
        if name is not None:
            sign_in(client, name)
        return client


@pytest.fixture(scope="module")
def lab(tmp_path_factory, static_model):
    lab = Lab(tmp_path_factory.mktemp("lab"), static_model)
    yield lab
    lab.studio.close()


@pytest.fixture
def studio(lab):
    return lab.studio


# demo links


@pytest.fixture
def demo(lab, studio):
    """A link to the search page of ada's private things."""
    yield studio.demos.open("ada", lab.private["run"], lab.private["corpus"])
    studio.demos.close("ada", lab.private["run"])


def test_a_link_opens_a_search_page_without_an_account(lab, demo):
    visitor = lab.browser()
    page = visitor.get(f"/demo/{demo.token}")
    assert page.status_code == 200
    assert "Search 30 texts by meaning" in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers.get_list("content-security-policy")[0]
    for asset in set(re.findall(r'(?:src|href)="([^"]+)"', page.text)):
        assert visitor.get(f"/demo/{asset}").status_code == 200, asset
    found = visitor.post(f"/demo/{demo.token}/search", json={"query": f"{PRIVATE} 7"}).json()
    assert len(found["before"]) == len(found["after"]) == 10
    assert found["after"][0]["text"] == f"The {PRIVATE} 7 is here"


def test_a_link_leads_nowhere_else(lab, demo):
    """Every route and every handler, asked by whoever has nothing but the link."""
    visitor = lab.browser()
    assert visitor.get(f"/demo/{demo.token}").status_code == 200
    ids = [lab.private["run"], lab.private["dataset"], demo.token]
    paths = {path for path, _ in walk(lab.app)} - {"/login", "/healthz", "/metrics", "", "/ui"}
    asked = 0
    for path in sorted(paths):
        if path.startswith("/demo/"):
            continue
        for id in ids if "{" in path else [""]:
            where = re.sub(r"\{[^}]*\}", id, path)
            for method in ("GET", "POST", "DELETE"):
                answer = visitor.request(method, where, headers={"referer": f"http://127.0.0.1/demo/{demo.token}"})
                assert answer.status_code in (401, 303), f"{method} {where}: {answer.status_code}"
                assert PRIVATE not in answer.text
                asked += 1
    assert asked > 200
    for tail in ("/", "/../../api/runs", "/%2e%2e/%2e%2e/api/runs", "/search/x", "/x"):
        answer = visitor.get(f"/demo/{demo.token}{tail}")
        assert answer.status_code in (303, 307, 401, 404, 405), tail
        assert PRIVATE not in answer.text


def test_what_is_switched_off_ends_at_once_with_a_friendly_page(lab, studio, demo):
    visitor = lab.browser()
    studio.demos.close("ada", lab.private["run"])
    page = visitor.get(f"/demo/{demo.token}")
    assert page.status_code == 404
    assert "This demo is not here any more." in page.text
    assert PRIVATE not in page.text
    assert visitor.post(f"/demo/{demo.token}/search", json={"query": PRIVATE}).status_code == 404
    again = studio.demos.open("ada", lab.private["run"], lab.private["corpus"])
    assert again.token != demo.token
    assert visitor.get(f"/demo/{demo.token}").status_code == 404


def test_a_link_that_never_was_looks_like_one_that_was_ended(lab):
    page = lab.browser().get("/demo/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    assert page.status_code == 404
    assert "This demo is not here any more." in page.text


def test_deleting_what_a_link_shows_ends_it_and_forgets_how_it_was_shared(lab, studio, static_model):
    made, visitor = lab._things("iguanodon", static_model), lab.browser()
    link = studio.demos.open("ada", made["run"], made["corpus"])
    assert visitor.get(f"/demo/{link.token}").status_code == 200
    studio.corpora.delete("ada", made["corpus"])
    assert visitor.get(f"/demo/{link.token}").status_code == 404
    assert studio.demos.of("ada", made["run"]) is None
    corpus = studio.corpora.create_from_dataset("ada", made["dataset"])
    link = studio.demos.open("ada", made["run"], corpus.id)
    assert visitor.get(f"/demo/{link.token}").status_code == 200
    studio.runs.delete("ada", made["run"])
    assert visitor.get(f"/demo/{link.token}").status_code == 404
    studio.corpora.delete("ada", corpus.id)

    studio.sharing.with_lab("ada", "dataset", made["dataset"], True)
    studio.datasets.delete("ada", made["dataset"])
    assert made["dataset"] not in [shown.id for shown in studio.datasets.shared("bob")], "in the trash it is nobody's"
    studio.trash.empty("ada")
    assert studio._store.ways(DATASETS, made["dataset"]) == set()


def test_a_link_of_an_account_that_is_kept_out_is_closed(lab, studio, demo):
    studio.accounts.disable("ada")
    try:
        assert lab.browser().get(f"/demo/{demo.token}").status_code == 404
    finally:
        studio.accounts.enable("ada")


def test_nobody_makes_or_sees_a_link_for_what_is_not_theirs(lab, studio, demo):
    for run, corpus in ((lab.private["run"], lab.private["corpus"]), (lab.shown["run"], lab.shown["corpus"])):
        for owner in ("bob", "root"):
            with pytest.raises(NotFound):
                studio.demos.open(owner, run, corpus)
            with pytest.raises(NotFound):
                studio.demos.of(owner, run)
            with pytest.raises(NotFound):
                studio.demos.close(owner, run)
    with pytest.raises(AccessError):
        studio.demos.open("eve", lab.shown["run"], lab.shown["corpus"])
    assert demo.token not in lab.browser("bob").get(f"/api/runs/{lab.private['run']}/sharing").text


def test_who_searches_too_often_through_a_link_is_asked_to_wait(lab, studio, demo, monkeypatch):
    monkeypatch.setattr(studio.demos, "_addresses", rates.Rate(2))
    visitor = lab.browser()
    ask = lambda: visitor.post(f"/demo/{demo.token}/search", json={"query": "here"})  # noqa: E731
    assert [ask().status_code for _ in range(3)] == [200, 200, 429]
    late = ask()
    assert 1 <= int(late.headers["retry-after"]) <= 60
    assert "Try again in" in late.json()["hint"]


@pytest.mark.parametrize("body", [{"query": ""}, {"query": "x" * 5000}, {"query": 7}, {}, []])
def test_bad_queries_through_a_link_are_refused_in_words(lab, demo, body):
    answer = lab.browser().post(f"/demo/{demo.token}/search", json=body)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text


def test_whom_nobody_knows_cannot_send_much(lab, demo):
    large = b'{"query": "' + b"x" * 100_000 + b'"}'
    for path in (f"/demo/{demo.token}/search", "/demo/none/search", "/login", "/api/runs"):
        assert lab.browser().post(path, content=large).status_code == 413, path
        assert lab.browser().post(path, content=iter([large])).status_code == 413, "of unannounced length"


def test_a_viewer_s_files_do_not_even_arrive(lab):
    files = {"files": ("t.csv", b"a,b\n")}
    assert lab.browser("eve").post("/gradio_api/upload", files=files).status_code == 403
    assert lab.browser("bob").post("/gradio_api/upload", files=files).status_code == 200


# the embeddings service


@pytest.fixture(scope="module")
def served(lab):
    """ada's key, and the model that she lets answer."""
    lab.studio.sharing.serve("ada", lab.private["run"], True)
    return lab.studio.keys.make("ada", "laptop")[1], lab.private["run"]


@pytest.fixture
def client(lab, served):
    """OpenAI's own client, speaking to the application without a network."""
    import httpx
    import openai

    inner = TestClient(lab.app, base_url="http://127.0.0.1", raise_server_exceptions=False)

    def send(request):
        headers = {n: v for n, v in request.headers.items() if n not in ("host", "content-length", "accept-encoding")}
        answer = inner.request(request.method, request.url.path, content=request.read(), headers=headers)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    with httpx.Client(transport=httpx.MockTransport(send)) as http:
        yield openai.OpenAI(api_key=served[0], base_url="http://127.0.0.1/v1", http_client=http, max_retries=0)


def test_openai_s_client_gets_the_vectors_that_the_model_makes(client, served, static_model):
    texts = ["one text", "quite another", "one text"]
    answer = client.embeddings.create(model=served[1], input=texts)
    want = static_model.encode(texts, normalize_embeddings=True)
    assert [each.index for each in answer.data] == [0, 1, 2]
    np.testing.assert_allclose([each.embedding for each in answer.data], want, atol=1e-5)
    assert (answer.object, answer.model) == ("list", served[1])
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 4
    plain = client.embeddings.create(model=served[1], input="one text", encoding_format="float")
    np.testing.assert_allclose(plain.data[0].embedding, want[0], atol=1e-5)
    assert [model.id for model in client.models.list()] == [served[1]]
    assert client.models.retrieve(served[1]).owned_by == "ada"


def test_base64_is_little_endian_floats(lab, served):
    ask = {"model": served[1], "input": "one", "encoding_format": "base64"}
    headers = {"authorization": f"Bearer {served[0]}"}
    spelt = lab.browser().post("/v1/embeddings", json=ask, headers=headers).json()["data"][0]["embedding"]
    plain = lab.browser().post("/v1/embeddings", json={**ask, "encoding_format": "float"}, headers=headers).json()
    np.testing.assert_allclose(np.frombuffer(base64.b64decode(spelt), "<f4"), plain["data"][0]["embedding"], atol=1e-7)


def test_fewer_dimensions_are_the_first_ones_at_length_one(client, served, static_model):
    import openai

    vector = np.array(client.embeddings.create(model=served[1], input="one", dimensions=16).data[0].embedding)
    whole = static_model.encode("one")[:16]
    np.testing.assert_allclose(vector, whole / np.linalg.norm(whole), atol=1e-5)
    with pytest.raises(openai.BadRequestError, match="256 dimensions"):
        client.embeddings.create(model=served[1], input="one", dimensions=5000)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": []}, "input"), ({"input": ""}, "input"), ({"input": ["a", " "]}, "input"), ({"input": [1, 2]}, "input"),
        ({"input": ["x"] * 2049}, "input"), ({"input": "x" * 400_001}, "input"), ({"input": "\ud800"}, "input"),
        ({"input": "x", "encoding_format": "hex"}, "encoding_format"), ({"input": "x", "dimensions": 0}, "dimensions"),
        ({"input": "x", "dimensions": "9"}, "dimensions"), ({"input": "x", "model": 3}, "model"), ({"input": "x", "model": "no"}, "model"),
    ],
)  # fmt: skip
def test_what_cannot_be_embedded_is_refused_in_openai_s_words(lab, served, body, param):
    content = json.dumps({"model": served[1], **body})
    answer = lab.browser().post("/v1/embeddings", content=content, headers={"authorization": f"Bearer {served[0]}"})
    assert answer.status_code == (404 if body.get("model") == "no" else 400)
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000, b" " * 8_000_001])
def test_bodies_that_are_no_requests_are_refused(lab, served, content):
    answer = lab.browser().post("/v1/embeddings", content=content, headers={"authorization": f"Bearer {served[0]}"})
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", "Bearer sk-studio-x", "Basic YTpi"])
def test_without_a_key_nothing_answers_and_a_session_is_no_key(lab, served, header):
    for client in (lab.browser(), lab.browser("ada")):
        for method, path in (("GET", "/v1/models"), ("GET", f"/v1/models/{served[1]}"), ("POST", "/v1/embeddings")):
            answer = client.request(method, path, headers={"authorization": header})
            assert answer.status_code == 401, path
            assert answer.json()["error"]["code"] == "invalid_api_key"


def test_a_key_opens_nothing_but_the_service(lab, served):
    headers = {"authorization": f"Bearer {served[0]}"}
    for path in ("/api/runs", "/config", f"/download/runs/{served[1]}.zip"):
        assert lab.browser().get(path, headers=headers).status_code == 401


def test_only_models_that_their_owner_chose_answer_and_only_to_who_may_see_them(lab, studio, served):
    def ids(key):
        answer = lab.browser().get("/v1/models", headers={"authorization": f"Bearer {key}"})
        return [model["id"] for model in answer.json()["data"]]

    bob = studio.keys.make("bob", "desk")[1]
    assert ids(bob) == []
    ask = {"model": lab.shown["run"], "input": "x"}
    for key in (bob, served[0]):
        headers = {"authorization": f"Bearer {key}"}
        answer = lab.browser().post("/v1/embeddings", json=ask, headers=headers)
        assert answer.status_code == 404, "shared with the lab, but not chosen to answer"
        assert answer.json()["error"]["code"] == "model_not_found"
    studio.sharing.serve("ada", lab.shown["run"], True)
    assert ids(bob) == [lab.shown["run"]]
    assert lab.browser().post("/v1/embeddings", json=ask, headers={"authorization": f"Bearer {bob}"}).status_code == 200
    studio.sharing.serve("ada", lab.shown["run"], False)
    assert ids(bob) == []
    for name in ("bob", "eve"):
        with pytest.raises((NotFound, AccessError)):
            studio.sharing.serve(name, lab.shown["run"], True)


def test_keys_are_kept_as_hashes_and_end_when_they_are_revoked(lab, studio):
    record, secret = studio.keys.make("bob", "gone soon")
    stored = b"".join(path.read_bytes() for path in lab.settings.workspace.glob("studio.db*"))
    assert secret.encode() not in stored
    assert record.id.encode() in stored
    assert studio.keys.whose(secret) == "bob"
    assert studio.keys.list("bob")[0].used is not None
    with pytest.raises(NotFound):
        studio.keys.revoke("ada", record.id)
    studio.keys.revoke("bob", record.id)
    assert studio.keys.whose(secret) is None


def test_a_key_ends_with_its_account_and_a_viewer_has_none(lab, studio):
    secret = studio.keys.make("bob", "x")[1]
    studio.accounts.disable("bob")
    assert studio.keys.whose(secret) is None
    studio.accounts.enable("bob")
    studio.accounts.set_role("bob", "viewer")
    assert studio.keys.whose(secret) is None
    studio.accounts.set_role("bob", "member")
    assert studio.keys.whose(secret) == "bob"
    with pytest.raises(AccessError):
        studio.keys.make("eve", "x")


def test_an_account_that_asks_too_often_gets_429_and_others_go_on(lab, studio, served, monkeypatch):
    monkeypatch.setattr(studio.embeddings, "_rate", rates.Rate(2))
    studio.sharing.serve("ada", lab.shown["run"], True)
    bob = studio.keys.make("bob", "rate")[1]
    ask = lambda key: lab.browser().post(  # noqa: E731
        "/v1/embeddings", json={"model": lab.shown["run"], "input": "x"}, headers={"authorization": f"Bearer {key}"}
    )
    assert [ask(served[0]).status_code for _ in range(3)] == [200, 200, 429]
    late = ask(served[0])
    assert 1 <= int(late.headers["retry-after"]) <= 60
    assert late.json()["error"]["code"] == "rate_limit_exceeded"
    assert ask(bob).status_code == 200
    studio.sharing.serve("ada", lab.shown["run"], False)


def test_a_large_request_does_not_keep_a_small_one_waiting(lab, studio, served, monkeypatch):
    """Portions of several requests take turns: one that came later and is small is answered first."""
    from concurrent.futures import ThreadPoolExecutor

    really = studio.embeddings.embed
    slow = lambda *rest, **more: (time.sleep(0.02), really(*rest, **more))[1]  # noqa: E731
    monkeypatch.setattr(studio.embeddings, "embed", slow)
    done = []

    def ask(name, many):
        headers = {"authorization": f"Bearer {served[0]}"}
        body = {"model": served[1], "input": [f"text {i}" for i in range(many)]}
        assert client.post("/v1/embeddings", json=body, headers=headers).status_code == 200
        done.append(name)

    with lab.browser() as client, ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(ask, f"large {i}", 960) for i in range(2)]
        time.sleep(0.15)
        asked.append(threads.submit(ask, "small", 1))
        for each in asked:
            each.result()
    assert done[0] == "small"


# roles


def test_what_is_shown_to_the_lab_is_seen_by_all_and_says_whose_it_is(lab, studio):
    for name in ("bob", "eve", "root"):
        assert [(d.id, d.owner) for d in studio.datasets.shared(name)] == [(lab.shown["dataset"], "ada")]
        assert [(r.id, r.owner) for r in studio.runs.shared(name)] == [(lab.shown["run"], "ada")]
        assert [(c.id, c.owner) for c in studio.corpora.shared(name)] == [(lab.shown["corpus"], "ada")]
        rows = lab.browser(name).get("/api/runs").json()["runs"]
        assert [(run["name"], run["owner"], run["mine"]) for run in rows] == [(SHOWN, "ada", False)]
        found = studio.searches.search(name, lab.shown["corpus"], both(lab.shown["run"]), Asked(f"{SHOWN} 3"))
        assert found.columns[1].hits[0].text == f"The {SHOWN} 3 is here"
    assert studio.datasets.shared("ada") == studio.runs.shared("ada") == studio.corpora.shared("ada") == []


def test_notes_of_a_shown_run_are_its_owner_s_alone(lab, studio):
    studio.runs.describe("ada", lab.shown["run"], ["good"], f"looks like the {PRIVATE}")
    bob = lab.browser("bob")
    for path in ("/api/runs", f"/api/runs/{lab.shown['run']}", f"/download/runs/{lab.shown['run']}/report.html"):
        answer = bob.get(path)
        assert answer.status_code == 200, path
        assert PRIVATE not in answer.text, path
    assert bob.get("/api/runs", params={"words": PRIVATE}).json()["total"] == 0, "nor are they found by them"
    assert bob.get("/api/runs", params={"tag": "good"}).json()["total"] == 1


def test_what_was_shown_is_gone_for_others_once_it_is_private_again(lab, studio):
    studio.sharing.with_lab("ada", "corpus", lab.shown["corpus"], False)
    try:
        with pytest.raises(NotFound):
            studio.searches.search("bob", lab.shown["corpus"], both(lab.shown["run"]), Asked("x"))
        assert studio.corpora.shared("bob") == []
    finally:
        studio.sharing.with_lab("ada", "corpus", lab.shown["corpus"], True)


def test_a_member_trains_on_a_shown_dataset_and_from_a_shown_model(lab, studio):
    base = config(base_model=f"run:{lab.shown['run']}", learning_rate=1e-3)
    run = wait_until_over(studio, studio.runs.create("bob", lab.shown["dataset"], base, "from ada's"))
    assert (run.owner, run.base_label) == ("bob", SHOWN)
    assert studio.runs.base_folder(run).is_dir(), "it has a copy of its own"
    assert model_hash(str(studio.runs.base_folder(run)))
    for dataset, start in (
        (lab.private["dataset"], config()),
        (lab.shown["dataset"], config(base_model=f"run:{lab.private['run']}")),
    ):
        with pytest.raises(NotFound):
            studio.runs.create("bob", dataset, start, "not allowed")
    studio.runs.delete("bob", run.id)


PARTS = ("comparisons", "datasets", "drafts", "runs", "corpora", "exports", "imports", "hub", "documents", "queries", "sweeps", "makings",
         "reviews", "sharing", "demos", "keys", "embeddings", "searches", "feedback", "blind", "tidying")  # fmt: skip
READS = {
    "datasets": {"see", "shared", "rows", "sample", "examples"},
    "runs": {"see", "shared", "feed", "verdict", "location", "base_model"},
    "corpora": {"see", "shared", "info", "open"},
    "searches": {"history", "samples", "indexes", "forget", "encoder"},
    "feedback": {"summary", "rows", "of_query", "dataset", "train"},
    "blind": {"preferences", "forget"},
    "tidying": {"latest"},
    "exports": {"archive"},
    "comparisons": {"leaderboard", "report"},
}
"""What others may do with what is shown to them; everything else with ada's ids must find nothing."""


@pytest.mark.parametrize("who", ["bob", "eve"])
@pytest.mark.parametrize("part", PARTS)
def test_every_method_is_refused_with_what_is_private_and_reads_only_what_is_shown(lab, studio, who, part):
    owners_things = lambda: {t: studio._store.all_of(t, "ada") for t in TABLES}  # noqa: E731
    before, theirs = owners_things(), {t: studio._store.all_of(t, who) for t in TABLES}
    service = getattr(studio, part)
    for name, function in inspect.getmembers(service, inspect.ismethod):
        parameters = list(inspect.signature(function).parameters)
        if name.startswith("_") or not parameters or parameters[0] not in ("owner", "viewer"):
            continue
        for things, shown in ((lab.private, False), (lab.shown, True)):
            known = _arguments(things)
            if any(p not in known for p in parameters[1:]):
                continue  # no id of a thing among them, or one of a kind that ada has none of
            ids = {p for p in parameters[1:] if p.endswith("_id") or p in ("id", "base_model", "corpus")}
            if not ids:
                continue
            allowed = shown and name in READS.get(part, ())
            if f"{part}.{name}" in FIND_NOTHING:
                assert not function(who, **{p: known[p] for p in parameters[1:]})
                continue
            answered, said = _tried(function, who, **{p: known[p] for p in parameters[1:]})
            if allowed:
                assert answered or "NotFound" not in said, f"{part}.{name} is refused to {who}: {said}"
            else:
                assert not answered or (shown and who == "bob" and name in STARTS), f"{part}.{name} answered {who}"
                assert answered or said in ("NotFound", "AccessError"), f"{part}.{name} said {said} to {who}"
    assert owners_things() == before
    if who == "eve":
        assert {t: studio._store.all_of(t, who) for t in TABLES} == theirs, "a viewer has made something"


def _tried(function, who, **arguments):
    """Whether it answered, and otherwise the kind of error."""
    try:
        function(who, **arguments)
    except StudioError as error:
        return False, type(error).__name__
    return True, ""


FIND_NOTHING = {"makings.latest", "reviews.of"}
"""They look for something of the caller's own by the id of a dataset, and there is nothing."""
STARTS = {"create", "create_from_dataset"}
"""A member may start from what is shown: what comes of it is the member's own."""


def _arguments(things):
    from studio.data.pairs import PairConfig

    return {
        "dataset_id": things["dataset"], "run_id": things["run"], "corpus_id": things["corpus"], "upload_id": things["upload"],
        "base_model": f"run:{things['run']}", "kind": "dataset", "id": things["dataset"], "on": True, "name": "x", "also": (),
        "rows": None, "trial": None, "config": config(), "offset": 0, "limit": 30, "numbers": (2,), "since": 0, "lines": 1,
        "keep": False, "retry": False, "query": PRIVATE, "top_k": 3, "dialect": None, "roles": None, "column": "answer",
        "texts": ["x"], "dimensions": None, "recipes": ("title_body",), "pairs": PairConfig(), "step": {"do": "drop", "row": 0},
        "edited": False, "ids": ("swapped_columns",), "write": lambda *_: None, "role": "positive",
    }  # fmt: skip


OF_THE_CALLER = ("/api/corpora/{corpus_id}/history", "/api/corpora/{corpus_id}/preferences")
"""What the caller asked and said of texts that are shown: the caller's own, to be forgotten by nobody else."""


@pytest.mark.parametrize("who", ["bob", "eve"])
def test_no_route_tells_others_of_what_is_private_or_changes_what_is_shown(lab, studio, who):
    client = lab.browser(who)
    asked = 0
    for route, methods in walk(lab.app):
        if "{" not in route or route.startswith((ENDLESS, "/demo/", "/v1/", *OF_EVERYBODY)):
            continue
        for method in methods - {"HEAD"}:
            for things in (lab.private, lab.shown):
                for id in (things["run"], things["dataset"], things["corpus"]):
                    path = re.sub(r"\{kind\}", "dataset", route)
                    path = re.sub(r"\{[^}]*\}", id, path)
                    answer = client.request(
                        method, path, json={"on": False, "keep": False} if method == "POST" else None
                    )
                    assert PRIVATE not in answer.text, f"{method} {path}"
                    if things is lab.private or (method != "GET" and route not in OF_THE_CALLER):
                        assert answer.status_code >= 400 or route.startswith((*OF_EVERYBODY, STREAMS)), (
                            f"{method} {path}"
                        )
                    asked += 1
    assert asked > 100
    for word, things in ((PRIVATE, lab.private), (SHOWN, lab.shown)):
        assert studio.datasets.get("ada", things["dataset"]).name == word
        assert studio.runs.get("ada", things["run"]).state == "succeeded"
        assert studio.corpora.get("ada", things["corpus"])
    assert studio.sharing.state("ada", "dataset", lab.shown["dataset"]).lab


@pytest.mark.parametrize("who", [None, "bob", "eve"])
def test_the_admin_s_routes_answer_nobody_else(lab, who):
    client = lab.browser(who)
    asked = 0
    for route, methods in walk(lab.app):
        if route.startswith("/api/admin"):
            path = route.replace("{name}", "bob").replace("/checkpoints", "/checkpoints?days=0")
            for method in methods - {"HEAD"}:
                body = {
                    "name": "x",
                    "password": PASSWORD,
                    "do": "role",
                    "role": "admin",
                    "state": "paused",
                    "days": 0,
                    "runs": [],
                }
                answer = client.request(method, path, json=body if method == "POST" else None)
                assert answer.status_code == (401 if who is None else 403), f"{method} {path}: {answer.text}"
                asked += 1
    assert asked >= 6
    assert lab.studio.accounts.get("bob").role == "member"
    assert lab.browser("root").get("/api/admin").json()["me"] == "root"


def test_a_viewer_starts_nothing(lab, studio, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\nx,y\n")
    from studio.making.hub import hub_name

    starts = (
        lambda: studio.datasets.stage("eve", tmp_path / "t.csv", "t.csv"),
        lambda: studio.datasets.create_sample("eve", "banking77"),
        lambda: studio.documents.stage("eve", [(tmp_path / "t.csv", "t.txt")]),
        lambda: studio.runs.create("eve", lab.shown["dataset"], config()),
        lambda: studio.corpora.create_from_dataset("eve", lab.shown["dataset"]),
        lambda: studio.makings.create("eve", "queries", "x", {}),
        lambda: studio.hub.begin("eve", hub_name("hub:owner/name"), 10),
        lambda: studio.keys.make("eve"),
    )
    for start in starts:
        with pytest.raises(AccessError, match="not start anything"):
            start()
    assert not any(studio._store.all_of(table, "eve") for table in TABLES)


def test_a_viewer_s_search_does_not_begin_to_read_texts(lab, studio):
    run, corpus = lab.shown["run"], lab.shown["corpus"]
    assert studio._store.remove_indexes(corpus_id=corpus)
    with pytest.raises(StudioError, match="have not been read"):
        studio.searches.search("eve", corpus, both(run), Asked("x"))
    assert not studio._store.remove_indexes(corpus_id=corpus)
    wait_for(lambda: all(i.state == "ready" for i in studio.searches.ensure("bob", corpus, both(run))), 60)
    assert studio.searches.search("eve", corpus, both(run), Asked("x")).columns[1].hits


def test_roles_are_changed_and_the_last_admin_stays(studio):
    with pytest.raises(AccessError, match="only admin"):
        studio.accounts.set_role("root", "viewer")
    with pytest.raises(AccessError, match="no role"):
        studio.accounts.set_role("bob", "king")
