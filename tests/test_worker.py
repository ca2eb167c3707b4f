"""The worker as a process, and what it says when something goes wrong."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest

from studio import process, worker
from studio.data.dataset import DatasetInfo, load_info, load_rows, save_dataset
from studio.errors import HostError
from studio.evaluation.result import Verdict
from studio.files import read_json, write_json
from studio.training.config import make_config
from studio.training.estimate import estimate
from studio.training.folder import RunFolder
from studio.training.speeds import Speeds

pytestmark = pytest.mark.model
STATIC = {"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2, "batch_size": 16}


@pytest.fixture
def run_folder(tmp_path, samples):
    def make(values: dict, name: str = "run", rows: int = 300) -> RunFolder:
        folder = RunFolder(tmp_path / name)
        with (samples / "banking77.csv").open(encoding="utf-8", newline="") as file:
            found = [list(row.values()) for row in csv.DictReader(file)][:rows]
        data = pa.table(
            {"anchor": [r[0] for r in found], "positive": [r[1] for r in found], "row": np.arange(2, rows + 2)}
        )
        info = DatasetInfo("Questions", "pair", rows, {"anchor": "q", "positive": "t"}, "q.csv")
        save_dataset(folder.dataset, data, info)
        write_json(folder.config, make_config({"general_check": False, **values}).model_dump())
        return folder

    return make


def start(folder: RunFolder, *more: str) -> subprocess.Popen:
    with folder.log.open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "studio.worker", str(folder.path), *more],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )


def events(folder: RunFolder, kind: str) -> list[dict]:
    if not folder.events.exists():
        return []
    lines = folder.events.read_text(encoding="utf-8").split("\n")[:-1]
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def wait_for(condition, seconds: float = 120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited for too long"
        time.sleep(0.05)


def in_process(folder: RunFolder) -> int:
    """The worker's own run, without another process; its handler of SIGTERM is put back."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        return worker.run(folder, 60.0)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_run_leaves_a_model_a_verdict_and_an_outcome(run_folder):
    folder = run_folder({**STATIC, "batch_size": 64, "general_check": True, "modifier": "Matryoshka"}, rows=2000)
    process = start(folder)
    assert process.wait(120) == 0
    outcome = read_json(folder.outcome)
    assert outcome["state"] == "succeeded"
    assert outcome["train_rows"] + outcome["heldout_rows"] == 2000
    assert outcome["seconds"] > 0
    verdict = Verdict.load(folder.verdict)
    assert verdict.sentence == outcome["message"]
    assert verdict.outcome == "better"
    assert verdict.general.questions == 350
    assert {part.label for part in verdict.general.parts} == {"Words", "Meanings"}
    assert verdict.general.low <= verdict.general.tuned - verdict.general.base <= verdict.general.high
    assert verdict.general.sentence in (folder.model / "README.md").read_text(encoding="utf-8")
    assert (folder.model / "modules.json").is_file()
    assert not folder.checkpoints.exists()
    assert {path.name for path in folder.evidence.iterdir()} == {
        "meta.json", "texts.parquet", "rows.parquet", "hits.parquet", "slices.json", "base.npy", "tuned.npy"
    }  # fmt: skip
    phases = [event["phase"] for event in events(folder, "phase")]
    assert phases == ["loading", "judging base", "training", "judging tuned", "saving", "done"]
    assert "Traceback" not in folder.log.read_text()
    speeds = Speeds(folder.path / "speeds.json")
    speeds.keep(read_json(folder.speed))
    again = estimate(
        load_info(folder.dataset), load_rows(folder.dataset), make_config(read_json(folder.config)), speeds=speeds
    )
    assert again.seconds == pytest.approx(outcome["seconds"], rel=0.25)
    # A model that is trained to be cut is judged at each length, on the page and in its card.
    assert [one.dimension for one in verdict.lengths] == [256, 128, 64, 32]
    assert verdict.lengths[0].value == pytest.approx(verdict.metrics[0].tuned, abs=1e-6)
    assert verdict.lengths[-1].value < verdict.lengths[0].value
    card = (folder.model / "README.md").read_text(encoding="utf-8")
    assert f"| 32 | {verdict.lengths[-1].value:.4f} |" in card
    assert "**Language:** English" in card
    # No text of the rows stands in what people pass on.
    rows = load_rows(folder.dataset)
    for column in ("anchor", "positive"):
        assert not [text for text in set(rows[column].to_pylist()) if text in card]


def test_a_killed_run_goes_on_from_its_checkpoint_to_the_same_end(run_folder, tiny_model):
    values = {"base_model": str(tiny_model), "batch_size": 8, "learning_rate": 5e-4, "evaluations": 1, "epochs": 2}
    whole, killed = run_folder(values, "whole", 120), run_folder(values, "killed", 120)
    # In a process like the other: bf16 turns another number of threads' rounding into another curve.
    assert start(whole).wait(120) == 0
    process = start(killed, "--checkpoint-every", "0")
    wait_for(lambda: len(events(killed, "train")) >= 8)
    process.kill()
    process.wait()
    assert not killed.outcome.exists()
    reached = events(killed, "train")[-1]["step"]
    assert start(killed).wait(120) == 0
    notes = [event["message"] for event in events(killed, "note")]
    assert any(note.startswith("Goes on from the checkpoint of step") for note in notes)
    steps = [event["step"] for event in events(killed, "train")]
    again = steps[len(steps) - steps[::-1].index(steps[-1]) - 1]
    assert again == events(whole, "train")[-1]["step"]
    assert steps.count(1) == 1  # it did not start again
    assert reached < steps[-1]
    last = {folder.path.name: {e["step"]: e["loss"] for e in events(folder, "train")} for folder in (whole, killed)}
    assert last["killed"] == pytest.approx(last["whole"], abs=1e-6)
    both = [Verdict.load(folder.verdict).metrics[0].tuned for folder in (whole, killed)]
    assert both[0] == pytest.approx(both[1], abs=1e-4)


def test_sigterm_ends_a_run_quickly_and_says_so(run_folder):
    folder = run_folder({**STATIC, "epochs": 100, "batch_size": 4})
    process = start(folder)
    wait_for(lambda: len(events(folder, "train")) >= 3)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert time.monotonic() - begun < 10
    assert read_json(folder.outcome)["state"] == "cancelled"
    assert not folder.model.exists()


def test_stop_and_keep_leaves_a_judged_model(run_folder):
    folder = run_folder({**STATIC, "epochs": 100, "batch_size": 4})
    process = start(folder)
    wait_for(lambda: len(events(folder, "train")) >= 3)
    write_json(folder.stop, {"keep": True})
    assert process.wait(60) == 0
    outcome = read_json(folder.outcome)
    assert outcome["state"] == "succeeded"
    steps = events(folder, "plan")[0]["steps"]
    assert outcome["message"] == f"Stopped early at step {outcome['step']:,} of {steps:,}."
    assert 3 <= outcome["step"] < steps
    assert Verdict.load(folder.verdict).metrics
    assert (folder.model / "model.safetensors").is_file()


def test_stop_leaves_no_model(run_folder):
    folder = run_folder(STATIC)
    write_json(folder.stop, {"keep": False})
    assert in_process(folder) == 0
    assert read_json(folder.outcome)["state"] == "cancelled"
    assert not folder.model.exists()


def test_a_persons_mistake_is_told_with_a_hint(run_folder):
    folder = run_folder({**STATIC, "batch_size": 512})
    assert in_process(folder) == 2
    outcome = read_json(folder.outcome)
    assert outcome["state"] == "failed"
    assert "270 rows train, but a batch has 512" in outcome["message"]
    assert outcome["hint"]
    assert outcome["error_id"] == ""


def test_a_hub_model_without_a_hub_is_a_mistake_that_can_be_mended(run_folder):
    folder = run_folder({**STATIC, "base_model": "somebody/some-model"})
    assert in_process(folder) == 2
    assert "hub cannot be reached" in read_json(folder.outcome)["message"]


def test_what_was_left_by_an_earlier_attempt_is_gone(run_folder):
    folder = run_folder({**STATIC, "batch_size": 512})
    write_json(folder.verdict, {"old": True})
    write_json(folder.outcome, {"state": "succeeded"})
    in_process(folder)
    assert not folder.verdict.exists()
    assert read_json(folder.outcome)["state"] == "failed"


def test_a_bug_gets_an_id_that_finds_it_in_the_log(run_folder, monkeypatch, caplog):
    folder = run_folder(STATIC)

    def broken(*_):
        raise ZeroDivisionError("inner workings")

    monkeypatch.setattr(worker, "work", broken)
    assert in_process(folder) == 1
    outcome = read_json(folder.outcome)
    assert outcome["error_id"] in outcome["message"]
    assert "inner workings" not in json.dumps(outcome)
    assert "inner workings" in caplog.text
    assert outcome["error_id"] in caplog.text


def test_torch_without_memory_is_said_in_plain_words(run_folder):
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**48)
    outcome, code = worker.explain(caught.value, run_folder(STATIC))
    assert code == 2
    assert "memory" in outcome.message
    assert "smaller batch" in outcome.hint
    assert process.is_out_of_memory(MemoryError())
    assert process.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert not process.is_out_of_memory(RuntimeError("shape mismatch"))


def test_a_full_disk_is_said_in_plain_words(run_folder, monkeypatch):
    folder = run_folder(STATIC)
    outcome, code = worker.explain(OSError(errno.ENOSPC, "No space left on device"), folder)
    assert (code, outcome.message) == (1, "The disk is full.")
    failed_write = RuntimeError("unexpected pos 640 vs 534")
    assert not process.is_disk_full(failed_write, folder.path)  # there is room: something else is wrong
    monkeypatch.setattr(process.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 0}))
    assert process.is_disk_full(failed_write, folder.path)


def test_the_machine_in_the_way_is_no_persons_mistake(run_folder):
    assert worker.explain(HostError("The disk is too small."), run_folder(STATIC))[1] == 1
