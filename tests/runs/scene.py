"""What tests of the server say and do."""

import csv
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from studio.data.table import Roles
from studio.files import write_json
from studio.runs.executors.local import LocalExecutor
from studio.runs.records import DatasetRecord, RunRecord
from studio.runs.studio import Studio
from studio.training.config import TrainConfig, make_config

PAIRS = Roles(anchor="question", positive="answer")
WORDLLAMA = "wordllama-l2-supercat-256"


class StandIn(LocalExecutor):
    """Starts tests/runs/standin.py instead of the worker, through the real shim."""

    def start(self, folder: Path, module: str) -> None:
        super().start(folder, "tests.runs.standin")


def wait_for(condition: Callable[[], object], timeout_s: float = 15) -> object:
    """The first true value of ``condition``."""
    last = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < last, "it did not happen in time"
        time.sleep(0.02)
    return value


def write_pairs(path: Path, rows: int = 40) -> Path:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["question", "answer"])
        table.writerows([f"What is thing number {i}?", f"It is the answer about matter {i}."] for i in range(rows))
    return path


def config(**values: object) -> TrainConfig:
    return make_config({"base_model": WORDLLAMA, "batch_size": 8, "learning_rate": 2e-2, "epochs": 1, **values})


def make_dataset(studio: Studio, tmp_path: Path, owner: str = "ada") -> DatasetRecord:
    upload = studio.datasets.stage(owner, write_pairs(tmp_path / "pairs.csv"), "pairs.csv")
    return studio.datasets.create(owner, upload.id, PAIRS, "Pairs")


def start_run(studio: Studio, dataset: DatasetRecord, name: str) -> RunRecord:
    """A run of ada's whose stand-in has begun its steps."""
    run = studio.runs.create("ada", dataset.id, config(), name)
    wait_for(lambda: studio.runs.get("ada", run.id).step >= 1)
    return studio.runs.get("ada", run.id)


def wait_until_over(studio: Studio, run: RunRecord, timeout_s: float = 15) -> RunRecord:
    return wait_for(lambda: (now := studio.runs.get(run.owner, run.id)).is_over and now, timeout_s)


def processes(folder: Path) -> dict[str, psutil.Process]:
    """The shim and the worker of a run, found by their command lines."""
    found = {}
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if str(folder) in line and process.status() != psutil.STATUS_ZOMBIE:
            found["shim" if "studio.runs.executors.shim" in line else "worker"] = process
    return found


def last_step(folder: Path) -> int:
    """Steps that the stand-in has told, those done again counted again."""
    return (folder / "events.jsonl").read_text().count('"train"')


def kill_workers(workspace: Path) -> None:
    for process in psutil.process_iter(["cmdline"]):
        if any(part.startswith(f"{workspace}/") for part in process.info["cmdline"] or []):
            process.kill()


class Here(LocalExecutor):
    """Builds indexes and makes makings in this process, while the supervisor waits; the stand-in trains."""

    def start(self, folder: Path, module: str) -> None:
        if module == "studio.search.indexer":
            from studio.search.indexer import run

            write_json(folder / "outcome.json", run(folder, (folder / "stop.json").exists))
        elif module == "studio.making.maker":
            from studio.making.maker import make

            write_json(folder / "outcome.json", make(folder, (folder / "stop.json").exists))
        else:
            super().start(folder, "tests.runs.standin")
