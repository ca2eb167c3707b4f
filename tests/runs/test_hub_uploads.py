import pytest

from studio.errors import ConfigError, DataError, NotFound
from studio.making.hub import HubName
from studio.runs.executors.local import LocalExecutor
from tests.making.datasethub import serve
from tests.runs.scene import wait_for


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one dataset, which processes of the studio reach."""
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "train.csv").write_text("q,a\n" + "".join(f"question {i},answer {i}\n" for i in range(5_000)))
    with serve({"some/answers": folder}, []) as address:
        for name, value in (("HF_ENDPOINT", address), ("HF_HUB_OFFLINE", "0"), ("HF_HOME", str(tmp_path / "home"))):
            monkeypatch.setenv(name, value)
        yield


def test_a_dataset_of_the_hub_becomes_an_upload_of_whoever_asked(make_studio, hub):
    studio = make_studio(LocalExecutor(), max_hub_rows=3_000)
    with pytest.raises(ConfigError, match="between 1 and 3,000"):
        studio.hub.begin("ada", HubName("some/answers"), 3_001)
    making = studio.hub.begin("ada", HubName("some/answers"), 2_500)
    with pytest.raises(DataError, match="still being downloaded"):
        studio.hub.begin("ada", HubName("some/answers"), 10)
    over = wait_for(lambda: (now := studio.makings.get("ada", making.id)).is_over and now, 60)
    assert (over.state, over.result["rows"]) == ("succeeded", 2_500)
    assert studio.hub.latest("ada").id == making.id
    with pytest.raises(NotFound):
        studio.hub.arrive("bob", making.id)
    upload = studio.hub.arrive("ada", making.id)
    assert studio.hub.latest("ada") is None
    report = studio.datasets.report("ada", upload.id)
    assert (report.table.name, len(report.table.data), report.roles.columns) == (
        "some answers train.parquet", 2_500, {"anchor": "q", "positive": "a"},
    )  # fmt: skip
    wrong = studio.hub.begin("ada", HubName("no/such"), 10)
    wait_for(lambda: studio.makings.get("ada", wrong.id).is_over, 60)
    with pytest.raises(DataError, match="no dataset 'no/such'"):
        studio.hub.arrive("ada", wrong.id)
