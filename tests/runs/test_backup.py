import json
import tarfile

import pytest
from typer.testing import CliRunner

from studio.cli import app
from studio.errors import HostError, NotFound
from studio.runs.backup import back_up, restore
from studio.runs.studio import Studio
from tests.runs.scene import StandIn, make_dataset, start_run, wait_for


@pytest.fixture
def copy(tmp_path):
    """Where a workspace is restored; its server, once started, is closed."""
    started = []

    def start(settings, backup):
        place = tmp_path / "elsewhere" / "workspace"
        restore(backup, place)
        studio = Studio(settings.model_copy(update={"workspace": place}), StandIn())
        started.append(studio)
        studio.start()
        return studio

    yield start
    for studio in started:
        studio.close()


def test_a_backup_beside_a_running_server_comes_back_and_its_runs_go_on(studio, dataset, settings, tmp_path, copy):
    run = start_run(studio, dataset, "long")
    backup = tmp_path / "backup.tar"
    back_up(settings, backup)
    assert backup.stat().st_mode & 0o077 == 0, "it holds people's texts and the key that sessions are signed with"
    with tarfile.open(backup) as archive:
        names = archive.getnames()
    assert f"runs/{run.id}/config.json" in names
    assert not [name for name in names if name.endswith(("process.json", "alive.lock"))], "processes stay behind"
    assert studio.runs.get("ada", run.id).state == "running", "the first server's run is left alone"

    second = copy(settings, backup)
    assert second.datasets.get("ada", dataset.id).name == dataset.name
    assert second.datasets.rows("ada", dataset.id, 0, 50).equals(studio.datasets.rows("ada", dataset.id, 0, 50))
    wait_for(lambda: second.runs.get("ada", run.id).attempt == 2)
    second.runs.stop("ada", run.id, keep=False)
    wait_for(lambda: second.runs.get("ada", run.id).state == "cancelled")
    assert studio.runs.get("ada", run.id).state == "running", "and so is its process, by the second one"


def test_what_is_deleted_or_made_meanwhile_is_in_it_wholly_or_not_at_all(studio, dataset, settings, tmp_path, copy):
    kept = make_dataset(studio, tmp_path)
    made = []

    def meanwhile(part, done):
        if part == "datasets":
            studio.datasets.delete("ada", dataset.id)
            studio.trash.empty("ada")
            made.append(make_dataset(studio, tmp_path))

    back_up(settings, tmp_path / "backup.tar", meanwhile)
    second = copy(settings, tmp_path / "backup.tar")
    assert [each.id for each in second.datasets.list("ada")] == [kept.id]
    for gone in (dataset.id, made[0].id):
        assert not (second.workspace.datasets / gone).exists()
        with pytest.raises(NotFound):
            second.datasets.get("ada", gone)


def test_nothing_in_a_restored_workspace_points_at_the_old_one(studio, dataset, settings, tmp_path):
    start_run(studio, dataset, "long")
    back_up(settings, tmp_path / "backup.tar")
    restore(tmp_path / "backup.tar", tmp_path / "new")
    for path in (tmp_path / "new").rglob("*.json"):
        assert str(settings.workspace) not in path.read_text(), path


@pytest.mark.parametrize("harm", ["a byte", "its end", "another file", "no backup"])
def test_a_damaged_backup_is_refused_and_nothing_is_left(studio, dataset, settings, tmp_path, harm):
    backup = tmp_path / "backup.tar"
    back_up(settings, backup)
    content = bytearray(backup.read_bytes())
    if harm == "a byte":
        with tarfile.open(backup) as archive:
            content[archive.getmember(f"datasets/{dataset.id}/data.parquet").offset_data + 5] ^= 1
        backup.write_bytes(content)
    elif harm == "its end":
        backup.write_bytes(content[: len(content) // 2])
    elif harm == "another file":
        with tarfile.open(backup, "a") as archive:
            info = tarfile.TarInfo("../outside.txt")
            archive.addfile(info)
    else:
        backup.write_text(json.dumps({"files": {}}))
    with pytest.raises(HostError, match="not a whole backup"):
        restore(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "outside.txt").exists()
    assert not list(tmp_path.glob(".new*"))


def test_nothing_is_overwritten(studio, settings, tmp_path):
    run = CliRunner()
    backup = tmp_path / "backup.tar"
    made = run.invoke(app, ["backup", str(backup), "--workspace", str(settings.workspace)])
    assert made.exit_code == 0
    assert "MB" in made.output
    with pytest.raises(HostError, match="is there already"):
        back_up(settings, backup)
    with pytest.raises(HostError, match="is not empty"):
        restore(backup, settings.workspace)
    with pytest.raises(HostError, match="cannot lie in the workspace"):
        back_up(settings, settings.workspace / "backup.tar")
    with pytest.raises(HostError, match="no workspace"):
        back_up(settings.model_copy(update={"workspace": tmp_path / "nowhere"}), tmp_path / "other.tar")
