"""Comparisons, leaderboards, the trash and reports through the server's own routes."""

import pytest
from starlette.testclient import TestClient

from tests.compare.scene import found_first, stored_run


@pytest.fixture(scope="module")
def client(server):
    return TestClient(server, base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.fixture(scope="module")
def dataset(studio):
    return studio.datasets.create_sample("local", "banking77")


@pytest.fixture(scope="module")
def runs(studio, dataset):
    """Ids of two runs of ours on the dataset, one that failed, and one of somebody else's."""
    return [
        stored_run(studio, "local", dataset, "One <b>", found_first(0.9, 1), epochs=2),
        stored_run(studio, "local", dataset, "Two", found_first(0.6, 2)),
        stored_run(studio, "local", dataset, "Failed", None, state="failed"),
        stored_run(studio, "grace", dataset, "Theirs", found_first(0.8, 3)),
    ]


def test_a_comparison_has_ranking_settings_and_curves(client, runs):
    answer = client.get("/api/compare", params={"runs": ",".join(runs[:3])}).json()
    assert answer["sentences"][0].startswith("'One <b>' stands first")
    (group,) = answer["groups"]
    assert [one["run"] for one in group["standings"]] == [runs[0], runs[1], None]
    assert group["standings"][1]["interval"]["high"] < 0
    assert answer["left"] == {runs[2]: "It failed before it was judged."}
    assert {"label": "Epochs", "values": ["2", "1", "1"]} in answer["settings"]
    assert [len(run["curves"]["train"]["step"]) for run in answer["runs"]] == [30, 30, 0]
    assert answer["gone"] == []


def test_runs_of_others_and_deleted_ones_are_told_and_the_rest_is_compared(client, studio, runs):
    extra = stored_run(studio, "local", studio.datasets.list("local")[0], "Soon gone", found_first(0.7, 4))
    studio.runs.delete("local", extra)
    answer = client.get("/api/compare", params={"runs": ",".join([*runs[:2], runs[3], "nosuch", extra])}).json()
    assert [run["id"] for run in answer["runs"]] == runs[:2]
    theirs, missing, gone = answer["gone"]
    assert theirs == missing == "There is no such run. It may have been deleted."
    assert "'Soon gone' was deleted" in gone
    assert "Theirs" not in str(answer)
    alone = client.get("/api/compare", params={"runs": f"{runs[0]},{runs[3]}"})
    assert (alone.status_code, alone.json()["hint"]) == (404, "Choose other runs to compare.")
    assert client.get("/api/compare", params={"runs": runs[0]}).json()["message"] == "There is nothing to compare."


def test_the_leaderboard_of_a_dataset_has_our_runs_only_sorted(client, dataset, runs):
    board = client.get(f"/api/leaderboards/{dataset.id}").json()
    assert [one["run"] for one in board["groups"][0]["standings"]] == [runs[0], runs[1], None]
    assert runs[2] in board["left"]
    assert runs[3] not in board["runs"]


def test_tags_and_notes_are_kept_and_found(client, runs):
    told = {"tags": ["paper", "paper", " <i>x "], "notes": "Mind\nthis"}
    assert client.put(f"/api/runs/{runs[0]}/about", json=told).status_code == 200
    run = client.get(f"/api/runs/{runs[0]}").json()
    assert (run["tags"], run["notes"]) == (["paper", "<i>x"], "Mind\nthis")
    assert [one["id"] for one in client.get("/api/runs", params={"tag": "paper"}).json()["runs"]] == [runs[0]]
    assert [one["id"] for one in client.get("/api/runs", params={"words": "mind"}).json()["runs"]] == [runs[0]]
    assert client.get("/api/runs", params={"limit": 1}).json()["total"] >= 3
    assert client.put(f"/api/runs/{runs[3]}/about", json=told).status_code == 404


def test_a_deleted_run_comes_back_by_undo_and_not_by_somebody_else(client, runs, monkeypatch):
    assert client.delete(f"/api/runs/{runs[1]}").status_code == 200
    (one,) = [each for each in client.get("/api/trash").json()["deleted"] if each["id"] == runs[1]]
    assert (one["kind"], one["name"]) == ("run", "Two")
    with monkeypatch.context() as patch:
        patch.setattr("studio.ui.api.trash.owner_of", lambda request: "bob")
        assert client.get("/api/trash").json()["deleted"] == []
        assert client.post(f"/api/trash/run/{runs[1]}/undo").status_code == 404
        assert client.delete(f"/api/trash/run/{runs[1]}").status_code == 404
        assert client.delete("/api/trash").status_code == 200
    assert client.post(f"/api/trash/run/{runs[1]}/undo").status_code == 200
    assert client.post(f"/api/trash/run/{runs[1]}/undo").status_code == 200, "it is there: nothing to complain of"
    assert client.get(f"/api/runs/{runs[1]}").json()["name"] == "Two"


def test_reports_are_downloads_and_never_pages_of_this_server(client, runs):
    one = client.get(f"/download/runs/{runs[0]}/report.html")
    several = client.get("/download/compare/report.html", params={"runs": ",".join(runs[:2])})
    for answer, name in ((one, "One-b.report.html"), (several, "2-runs-compared.report.html")):
        assert answer.status_code == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert "One &lt;b&gt;" in answer.text
    assert client.get(f"/download/runs/{runs[3]}/report.html").status_code == 404
