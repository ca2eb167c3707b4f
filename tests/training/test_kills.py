"""Real kills, a real memory limit, a really full disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from safetensors.torch import load_file

from studio import worker
from studio.data.dataset import DatasetInfo, save_dataset
from studio.files import read_json, write_json
from studio.training.checkpoints import ASIDE
from studio.training.config import make_config
from studio.training.folder import RunFolder
from studio.training.trainer import Trainer

pytestmark = pytest.mark.model


def attempts(folder: RunFolder, **plan) -> dict:
    path = folder.path / "plan.json"
    path.write_text(json.dumps({"folder": str(folder.path), **plan}))
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.attempts", str(path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout.splitlines()[-1])
    if "skip" in told:
        pytest.skip(told["skip"])
    return told


def test_ten_kills_at_any_moment_leave_the_curve_and_the_model_of_a_run_that_was_never_killed(
    run_folder, events_of, tiny_model
):
    values = {"base_model": str(tiny_model), "batch_size": 4, "learning_rate": 5e-4, "epochs": 3, "evaluation_steps": 9}
    values |= {"keep_best": True, "loss": "CoSENTLoss"}
    whole, killed = (run_folder(values, "scored_pair", 60, name=name) for name in ("whole", "killed"))
    assert attempts(whole)["codes"] == [0]
    told = attempts(killed, kills=10, seed=1)
    assert told["codes"] == [0]
    assert told["in_a_write"] >= 3
    assert max(told["kept"]) <= 3  # two, and for a moment the one that replaces the older
    assert sum(event["message"].startswith("Goes on from") for event in events_of(killed, "note")) >= 8
    curves = [{event["step"]: event["loss"] for event in events_of(folder, "train")} for folder in (whole, killed)]
    assert len(curves[0]) > 30
    assert curves[1] == pytest.approx(curves[0], abs=1e-6)
    looks = [{event["step"]: event["metrics"] for event in events_of(folder, "eval")} for folder in (whole, killed)]
    assert looks[0] == looks[1]
    weights = [load_file(folder.model / "model.safetensors") for folder in (whole, killed)]
    for name, tensor in weights[0].items():
        assert np.allclose(tensor, weights[1][name], atol=1e-6), name
    assert read_json(whole.outcome)["kept_step"] == read_json(killed.outcome)["kept_step"]
    assert not killed.checkpoints.exists()


@pytest.fixture
def heavy_folder(tmp_path, tiny_model):
    """heavy_folder(**settings): one step of 16 rows of 512 tokens: it takes 1,100 MB, of which four rows at a time take 380."""

    def make(**settings) -> RunFolder:
        rows = 24
        words = [f"{i} " + "money card account transfer " * 140 for i in range(rows)]
        columns = {"anchor": words, "positive": [f"so {w}" for w in words], "row": np.arange(2, rows + 2)}
        format, roles = "pair", {"anchor": "a", "positive": "b"}
        if settings.get("loss") == "SoftmaxLoss":
            format, roles = "labelled_pair", {**roles, "label": "c"}
            columns["label"] = np.arange(rows) % 2
        folder = RunFolder(tmp_path / "heavy")
        save_dataset(folder.dataset, pa.table(columns), DatasetInfo("Long", format, rows, roles, "l.csv"))
        values = {"base_model": str(tiny_model), "batch_size": 16, "engine": "stock", "precision": "fp32"}
        values |= {"max_train_rows": 16, "heldout_share": 0.1, "evaluations": 0, "max_seq_length": 512}
        write_json(folder.config, make_config({"general_check": False, **values, **settings}).model_dump())
        write_json(folder.run, {"id": "heavy", "name": "heavy"})
        return folder

    return make


@pytest.mark.parametrize(
    ("limit", "settings"),
    [({"limit_mb": 1000}, {"modifier": "Matryoshka"}), ({"group_mb": 600}, {"loss": "SoftmaxLoss"})],
    ids=["address space, in-batch negatives cut short", "control group, a classifier"],
)
def test_a_real_memory_limit_makes_smaller_portions_and_no_dead_run(heavy_folder, events_of, limit, settings):
    heavy_folder = heavy_folder(**settings)
    told = attempts(heavy_folder, **limit)
    assert told["codes"][-1] == 0, (told, heavy_folder.log.read_text() if heavy_folder.log.exists() else "")
    assert read_json(heavy_folder.outcome)["state"] == "succeeded"
    memory = read_json(heavy_folder.memory)
    assert memory["halvings"] >= 1
    if "group_mb" in limit:  # the kernel killed it, once
        assert told["codes"] == [-9, 0]
        assert memory["kills"] == 1
    else:
        assert told["codes"] == [0]
        assert any("Memory ran out" in event["message"] for event in events_of(heavy_folder, "note"))


@pytest.fixture
def small_disk(mount_disk):
    return mount_disk(200)


def fill(disk: Path, left: int) -> None:
    with (disk / "filler").open("ab") as file:
        while (free := shutil.disk_usage(disk).free) > left:
            file.write(bytes(min(2**20, free - left)))
            file.flush()


def run_here(folder: RunFolder) -> int:
    before = signal.getsignal(signal.SIGTERM)
    try:
        return worker.run(folder, 0.0)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("at", "left"), [("_save", 2_000_000), ("_save_optimizer_and_scheduler", 2_000_000), ("log", 0)]
)
def test_a_full_disk_ends_the_run_with_that_message_and_its_last_checkpoint_goes_on(
    small_disk, run_folder, events_of, tiny_model, monkeypatch, at, left
):
    values = {"base_model": str(tiny_model), "learning_rate": 5e-4, "batch_size": 8, "evaluations": 0}
    folder = RunFolder(Path(shutil.move(run_folder(values, rows=60).path, small_disk / "run")))
    stock, calls = getattr(Trainer, at), []

    def method(self, *arguments, **options):
        calls.append(at)
        if len(calls) == 4:
            fill(small_disk, left)
        return stock(self, *arguments, **options)

    monkeypatch.setattr(Trainer, at, method)
    assert run_here(folder) == 1
    outcome = read_json(folder.outcome)
    assert (outcome["state"], outcome["message"]) == ("failed", "The disk is full.")
    assert "last checkpoint" in outcome["hint"]
    reached = events_of(folder, "train")[-1]["step"]
    assert reached >= 3
    assert not (folder.checkpoints / ASIDE).exists()
    (small_disk / "filler").unlink()
    assert run_here(folder) == 0
    assert "Goes on from the checkpoint of step 3." in [event["message"] for event in events_of(folder, "note")]
    assert read_json(folder.outcome)["state"] == "succeeded"


def test_a_power_cut_costs_the_steps_since_the_last_checkpoint(
    run_folder, events_of, tiny_model, tmp_path, monkeypatch
):
    """All that was not flushed to the disk is lost: such files are empty in the copy that the machine wakes up with."""
    values = {"base_model": str(tiny_model), "learning_rate": 5e-4, "batch_size": 8, "evaluations": 0}
    folder = run_folder(values, rows=60)
    there = {path for path in folder.path.rglob("*") if path.is_file()}
    flushed: dict[int, int] = {}
    stock_fsync, stock_log, calls = os.fsync, Trainer.log, []

    def fsync(handle):
        stock_fsync(handle)
        status = os.fstat(handle if isinstance(handle, int) else handle.fileno())
        flushed[status.st_ino] = status.st_mtime_ns

    def log(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 5:
            copy = tmp_path / "woken"
            shutil.copytree(folder.path, copy)
            for path in folder.path.rglob("*"):
                status = path.stat()
                if path.is_file() and path not in there and flushed.get(status.st_ino) != status.st_mtime_ns:
                    (copy / path.relative_to(folder.path)).write_bytes(b"")
        return stock_log(self, *arguments, **options)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Trainer, "log", log)
    assert run_here(folder) == 0
    monkeypatch.undo()
    woken = RunFolder(tmp_path / "woken")
    assert run_here(woken) == 0
    assert any(event["message"].startswith("Goes on from the checkpoint of step") for event in events_of(woken, "note"))
    one, other = (load_file(each.model / "model.safetensors") for each in (folder, woken))
    for name, tensor in one.items():
        assert np.allclose(tensor, other[name], atol=1e-6), name
