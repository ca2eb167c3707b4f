"""What happens to a server's machine, really done to it: both processes killed, a full disk, a locked database, a clock set back."""

import os
import shutil
import signal
import sqlite3
import threading
import time

import pytest

from studio.errors import HostError
from studio.runs import store as store_module
from studio.runs.studio import Studio
from tests.runs.scene import StandIn, last_step, make_dataset, processes, start_run, wait_for, write_pairs


def test_server_and_worker_killed_at_once_cost_the_steps_since_the_last_checkpoint(serve, make_studio, tmp_path):
    first = make_studio(StandIn())
    run = start_run(first, make_dataset(first, tmp_path), "long")
    wait_for(lambda: last_step(run.folder) > 12)
    first.close()
    server = serve()  # finds the run
    for process in (*processes(run.folder).values(), server):
        os.kill(process.pid, signal.SIGKILL)
    server.wait()
    wait_for(lambda: not processes(run.folder))
    reached = last_step(run.folder)
    second = make_studio(StandIn())
    wait_for(lambda: last_step(run.folder) > reached)
    assert second.runs.get("ada", run.id).attempt == 2
    steps = [int(step) for step in second.runs.feed("ada", run.id)["train"]["step"]]
    assert steps == sorted(set(steps)), "steps that were done again are shown once"


def test_a_clock_that_is_set_back_ends_nothing_and_keeps_nobody_waiting(studio, dataset, monkeypatch):
    run = start_run(studio, dataset, "long")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 7200)
    step = last_step(run.folder)
    wait_for(lambda: last_step(run.folder) > step + 3)
    assert studio.runs.get("ada", run.id).state == "running"
    studio.runs.stop("ada", run.id, keep=False)
    wait_for(lambda: studio.runs.get("ada", run.id).state == "cancelled", 5)
    later = start_run(studio, dataset, "plain")
    wait_for(lambda: studio.runs.get("ada", later.id).state == "succeeded")
    assert studio.longest_wait_s() == 0


def test_a_database_that_another_program_holds_is_said_and_the_supervisor_goes_on(
    make_studio, settings, tmp_path, monkeypatch
):
    monkeypatch.setattr(store_module, "LOCK_WAIT_S", 0.2)
    studio = make_studio(StandIn())
    dataset = make_dataset(studio, tmp_path)
    run = start_run(studio, dataset, "long")
    other = sqlite3.connect(settings.workspace / "studio.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(HostError, match="Another program holds"):
        studio.runs.stop("ada", run.id, keep=False)
    with pytest.raises(HostError, match="Another program holds"):
        studio.datasets.delete("ada", dataset.id)
    assert studio.datasets.get("ada", dataset.id).name == dataset.name, "reading goes on"
    release = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
    release.start()
    release.join()
    other.close()
    studio.runs.stop("ada", run.id, keep=False)
    wait_for(lambda: studio.runs.get("ada", run.id).state == "cancelled")


@pytest.fixture
def small_disk(mount_disk):
    return mount_disk(600)


def test_a_full_disk_is_said_loses_nothing_and_goes_on_once_there_is_room(small_disk, settings, tmp_path):
    studio = Studio(settings.model_copy(update={"workspace": small_disk / "workspace"}), StandIn())
    studio.start()
    try:
        dataset = make_dataset(studio, tmp_path)
        uploads = sorted(studio.workspace.uploads.iterdir())
        filler = small_disk / "filler"
        with filler.open("wb") as file:
            while (free := shutil.disk_usage(small_disk).free) > 0:
                file.write(bytes(min(2**20, free)))
                file.flush()
        for attempt in (
            lambda: studio.datasets.stage("ada", write_pairs(tmp_path / "more.csv"), "more.csv"),
            lambda: start_run(studio, dataset, "plain"),
        ):
            with pytest.raises(HostError, match="disk"):
                attempt()
        assert [each.id for each in studio.datasets.list("ada")] == [dataset.id]
        assert studio.runs.list("ada") == []
        assert sorted(studio.workspace.uploads.iterdir()) == uploads
        filler.unlink()
        run = start_run(studio, dataset, "plain")
        wait_for(lambda: studio.runs.get("ada", run.id).state == "succeeded")
    finally:
        studio.close()
