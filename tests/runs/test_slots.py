"""Where runs train, what waits for memory, when a waiting run will start; quotas, and the queue's switch."""

import os
import time

import pytest

from studio.errors import HostError, RunError
from studio.files import read_json
from studio.runs import gpus
from studio.runs.gpus import Gpu, Gpus
from studio.runs.queue import turns
from studio.runs.slots import CPU, Device, Devices, expected_starts, place
from studio.runs.store import RUNS
from tests.runs.scene import StandIn, config, make_dataset, start_run, wait_for, wait_until_over


def cards(*free_mb: float) -> Gpus:
    return Gpus(
        tuple(Gpu(i, f"GPU-{i}{i}", f"Card {i}", 80_000, 80_000 - free, 0, 30) for i, free in enumerate(free_mb))
    )


def row(id: str, **fields) -> dict:
    return {"id": id, "device": None, "wants": "gpu", "memory_mb": None, "expected_s": None, **fields}


def test_without_a_gpu_all_slots_are_on_the_processors():
    devices = Devices(2, 1, lambda: Gpus((), "none"))
    assert [(d.id, d.slots) for d in devices.now()] == [(CPU, 2)]
    assert devices.kind(row("a")) == CPU
    assert devices.environment(devices.now()[0]) == {}


def test_each_gpu_has_its_slots_and_the_processors_one_for_what_gains_nothing_from_a_gpu():
    devices = Devices(1, 1, lambda: cards(80_000, 80_000))
    assert [(d.id, d.slots) for d in devices.now()] == [("gpu:0", 1), ("gpu:1", 1), (CPU, 1)]
    assert devices.kind(row("a")) == "gpu"
    assert devices.kind(row("a", wants="cpu")) == CPU
    told = [devices.environment(device)["CUDA_VISIBLE_DEVICES"] for device in devices.now()]
    assert told == ["GPU-00", "GPU-11", ""]


@pytest.mark.parametrize(
    ("named", "indices"), [(None, [0, 1]), ("1", [1]), ("GPU-00", [0]), ("", []), ("GPU-1,0", [0, 1])]
)
def test_only_those_gpus_are_used_that_the_server_may_see(monkeypatch, named, indices):
    monkeypatch.setattr(gpus, "look", lambda: cards(1.0, 2.0))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert [gpu.index for gpu in gpus.ours().found] == indices


def test_a_run_goes_to_the_gpu_with_the_fewest_runs_and_the_most_memory():
    both = [Device("gpu:0", 2, 80_000, 10_000), Device("gpu:1", 2, 80_000, 60_000)]
    assert place(row("a"), both, [])[0].id == "gpu:1"
    assert place(row("a"), both, [row("b", device="gpu:1")])[0].id == "gpu:0"
    assert place(row("a"), both, [row(str(i), device=f"gpu:{i % 2}") for i in range(4)]) == (None, "")


def test_what_does_not_fit_beside_another_run_waits_and_says_so_and_an_idle_device_takes_anything():
    one = [Device("gpu:0", 2, 80_000, 5_000)]
    assert place(row("a", memory_mb=4_000.0), one, [row("b", device="gpu:0")])[0].id == "gpu:0"
    device, why = place(row("a", memory_mb=9_000.0), one, [row("b", device="gpu:0")])
    assert device is None
    assert why == "It waits for memory: it needs about 9.0 GB, 5.0 GB are free."
    assert place(row("a", memory_mb=9_000.0), one, [])[0].id == "gpu:0"


def test_starts_are_reckoned_from_what_runs_and_what_waits_before():
    order = [row("a", expected_s=100.0), row("b", expected_s=50.0), row("c", expected_s=10.0)]
    assert expected_starts(order, [row("x")], {"x": 30.0}, 1) == {"a": 30.0, "b": 130.0, "c": 180.0}
    assert expected_starts(order, [row("x")], {"x": 30.0}, 2) == {"a": 0.0, "b": 30.0, "c": 80.0}
    assert expected_starts(order, [row("x")], {}, 1) == {"a": None, "b": None, "c": None}
    unknown = [row("a"), row("b", expected_s=1.0)]
    assert expected_starts(unknown, [], {}, 1) == {"a": 0.0, "b": None}


def test_what_an_owner_has_put_first_goes_before_the_owner_s_others_and_before_nobody_else_s():
    waiting = [
        {"id": "a1", "owner": "ada", "queued": 1.0, "priority": 0},
        {"id": "b1", "owner": "bob", "queued": 2.0, "priority": 0},
        {"id": "a2", "owner": "ada", "queued": 3.0, "priority": 5},
    ]
    order = [found["id"] for found in turns(waiting, [], {"ada": 2.0, "bob": 1.0})]
    assert order == ["b1", "a2", "a1"]


def test_a_run_is_told_its_gpu_and_waits_while_both_are_taken(make_studio, tmp_path, monkeypatch):
    """The cards are made up; processes, queue and what the processes are told are real."""
    monkeypatch.setattr(Devices.__init__, "__defaults__", (lambda: cards(80_000, 60_000),))
    studio = make_studio(StandIn())
    dataset = make_dataset(studio, tmp_path)
    transformer = config(base_model="all-MiniLM-L6-v2", learning_rate=1e-4)
    runs = [studio.runs.create("ada", dataset.id, transformer, "long") for _ in range(3)]
    light = studio.runs.create("ada", dataset.id, config(), "long")
    at = lambda run: studio.runs.get("ada", run.id)  # noqa: E731
    wait_for(lambda: at(light).state == "running" and sum(at(run).state == "running" for run in runs) == 2)
    assert [at(run).device for run in runs] == ["gpu:0", "gpu:1", None]
    assert at(light).device == CPU, "a static model leaves the GPUs to others"
    told = {run.id: _visible(at(run).folder) for run in (*runs[:2], light)}
    assert list(told.values()) == ["GPU-00", "GPU-11", ""]
    assert (at(runs[2]).state, at(runs[2]).position) == ("queued", 1)
    for run in (*runs, light):
        studio.runs.stop("ada", run.id, keep=False)
    wait_until_over(studio, runs[0])
    wait_until_over(studio, light)
    assert studio._store.gpu_seconds("ada", 0) > 0


def test_hours_in_which_the_machine_was_off_are_nobody_s(studio, dataset):
    run = wait_until_over(studio, studio.runs.create("ada", dataset.id, config(), "plain"))
    hour_ago, ten_minutes_later = time.time() - 3600, time.time() - 3000
    for name in ("events.jsonl", "outcome.json"):
        os.utime(run.folder / name, (ten_minutes_later, ten_minutes_later))
    row = {**studio._store.get(RUNS, "ada", run.id), "state": "running", "started": hour_ago, "device": "gpu:0"}
    studio.runs._lane._note_use(row)
    assert studio._store.gpu_seconds("ada", 0) == pytest.approx(600, abs=5)


def _visible(folder):
    pid = wait_for(lambda: read_json(folder / "process.json"))["worker"]["pid"]
    with open(f"/proc/{pid}/environ", "rb") as file:
        variables = dict(part.split(b"=", 1) for part in file.read().split(b"\0") if b"=" in part)
    return variables[b"CUDA_VISIBLE_DEVICES"].decode()


def test_a_waiting_run_knows_its_place_and_about_when_it_starts(studio, dataset):
    start_run(studio, dataset, "long")
    second, third = (studio.runs.create("ada", dataset.id, config(), name) for name in ("second", "third"))
    assert [studio.runs.get("ada", run.id).position for run in (second, third)] == [1, 2]
    times = [studio.runs.get("ada", run.id).starts_in_s for run in (second, third)]
    assert all(seconds is not None for seconds in times)
    assert times[1] >= times[0] + second.expected_s > times[0]
    studio.runs.put_first("ada", third.id)
    assert [studio.runs.get("ada", run.id).position for run in (second, third)] == [2, 1]


def test_a_paused_queue_starts_nothing_and_goes_on_when_it_is_opened(studio, dataset):
    studio.admin.set_queue("local", "paused")
    run = studio.runs.create("ada", dataset.id, config(), "plain")
    time.sleep(0.5)
    waiting = studio.runs.get("ada", run.id)
    assert (waiting.state, waiting.starts_in_s) == ("queued", None)
    assert studio.admin.queue_state("local")[:2] == ("paused", "local")
    studio.admin.set_queue("local", "open")
    assert wait_until_over(studio, run).state == "succeeded"


def test_a_queue_that_runs_empty_finishes_what_it_has_and_takes_nothing_new(studio, dataset):
    first = start_run(studio, dataset, "long")
    waits = studio.runs.create("ada", dataset.id, config(), "plain")
    studio.admin.set_queue("local", "draining")
    with pytest.raises(RunError, match="takes nothing new: local"):
        studio.runs.create("ada", dataset.id, config(), "late")
    studio.runs.stop("ada", first.id, keep=False)
    assert wait_until_over(studio, waits).state == "succeeded"
    with pytest.raises(RunError, match="takes nothing new"):
        studio.runs.create("ada", dataset.id, config(), "late")


def test_the_switch_outlives_the_server(make_studio, tmp_path):
    first = make_studio(StandIn())
    first.admin.set_queue("local", "paused")
    first.close()
    again = make_studio(StandIn())
    assert again.admin.queue_state("local")[0] == "paused"


def test_quotas_are_said_in_words(make_studio, tmp_path):
    studio = make_studio(StandIn(), quota_queued_runs=1, quota_gpu_hours=2.0)
    dataset = make_dataset(studio, tmp_path)
    studio.admin.set_queue("local", "paused")
    studio.runs.create("ada", dataset.id, config(), "one")
    with pytest.raises(RunError, match="1 of your runs wait already; 1 may"):
        studio.runs.create("ada", dataset.id, config(), "two")
    other = make_dataset(studio, tmp_path, owner="bob")
    studio._store.add_usage("bob", "gpu:0", time.time(), 2.5 * 3600)
    studio._store.add_usage("bob", "gpu:0", time.time() - 31 * 24 * 3600, 9e9)
    with pytest.raises(RunError, match=r"2\.5 hours of GPU in 30 days"):
        studio.runs.create("bob", other.id, config(), "one")


def test_a_full_account_brings_and_starts_nothing_more_and_can_make_room(make_studio, tmp_path):
    studio = make_studio(StandIn(), quota_disk_gb=0.001)
    dataset = make_dataset(studio, tmp_path)
    (studio.workspace.datasets / dataset.id / "more.bin").write_bytes(os.urandom(2_000_000))
    studio.runs._quotas._used.forget(lambda key: True)
    for attempt in (
        lambda: make_dataset(studio, tmp_path),
        lambda: studio.runs.create("ada", dataset.id, config(), "x"),
        lambda: studio.corpora.create_from_dataset("ada", dataset.id),
    ):
        with pytest.raises(HostError, match=r"an account may have 0\.001 GB"):
            attempt()
    make_dataset(studio, tmp_path, owner="bob")
    studio.datasets.delete("ada", dataset.id)
    studio.trash.empty("ada")
    studio.runs._quotas._used.forget(lambda key: True)
    make_dataset(studio, tmp_path)


def test_what_no_device_can_hold_is_refused_before_it_waits(studio, dataset, monkeypatch):
    monkeypatch.setattr(Devices, "largest_mb", lambda self, kind: 500.0)
    with pytest.raises(RunError, match="needs more than 1 GB of memory; this machine has 0 GB"):
        studio.runs.create("ada", dataset.id, config(), "x")
