"""The estimate before the button against what then happens: python benchmarks/estimate.py TABLE.csv

For each model, length and batch: what the cost model guesses, what it says after a few timed steps, and what a real run
takes (its worker's time and its memory at the most). A studio that has trained knows what its runs took, too: with
``--learn`` each row is also estimated from the runs above it, as the server would. Prints the share by which each is off.
Other programs on the machine change all of them: look at the load that is printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

from studio.data.dataset import DatasetInfo, save_dataset
from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.roles import guess_roles
from studio.files import write_json
from studio.training.config import make_config
from studio.training.estimate import Estimate, estimate
from studio.training.folder import RunFolder
from studio.training.speeds import Speeds

CASES = (
    ("all-MiniLM-L6-v2", 16, 64, 600),
    ("all-MiniLM-L6-v2", 32, None, 600),
    ("all-MiniLM-L6-v2", 64, 32, 1200),
    ("wordllama-l2-supercat-256", 64, None, 4000),
    ("wordllama-l2-supercat-256", 256, None, 4000),
)
"""Base model, batch size, longest text, rows that train."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--learn", action="store_true")
    arguments = parser.parse_args()
    table = read_table(arguments.table)
    roles = guess_roles(table)
    prepared = prepare(table, roles)
    columns = {name: name for name in prepared.data.column_names if name != "row"}
    info = DatasetInfo("Benchmark", prepared.format, len(prepared.data), columns, arguments.table.name)
    with tempfile.TemporaryDirectory() as place:
        learnt = Speeds(Path(place) / "learnt.json")
        for number, (base, batch_size, length, rows) in enumerate(CASES):
            values = {"base_model": base, "batch_size": batch_size, "max_train_rows": rows, "max_seq_length": length}
            values["learning_rate"] = 2e-2 if base.startswith("wordllama") else 1e-4
            config = make_config(values)
            folder = RunFolder(Path(place) / f"run-{number}")
            save_dataset(folder.dataset, prepared.data, info)
            write_json(folder.config, config.model_dump())
            write_json(folder.run, {"id": folder.path.name, "name": folder.path.name})
            timed = Speeds(Path(place) / f"timed-{number}.json")
            timed.keep(json.loads(ask("studio.training.timing", folder).splitlines()[-1]))
            guesses = {
                "guess": estimate(info, prepared.data, config),
                "timed": estimate(info, prepared.data, config, speeds=timed),
            }
            if arguments.learn and number:
                guesses["runs"] = estimate(info, prepared.data, config, speeds=learnt)
            begun = time.monotonic()
            ask("studio.worker", folder)
            seconds = time.monotonic() - begun
            speed = json.loads(folder.speed.read_text())
            learnt.keep(speed)
            say(f"{base}, batch {batch_size}, length {length or 'all'}", guesses, seconds, speed["memory_mb"])


def ask(module: str, folder: RunFolder) -> str:
    done = subprocess.run([sys.executable, "-m", module, str(folder.path)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def say(what: str, guesses: dict[str, Estimate], seconds: float, memory_mb: float) -> None:
    said = [
        f"{name} {one.seconds:.0f} s ({one.seconds / seconds - 1:+.0%}), {one.memory_mb:,.0f} MB ({one.memory_mb / memory_mb - 1:+.0%})"
        for name, one in guesses.items()
    ]
    print(
        f"{what}: took {seconds:.0f} s, {memory_mb:,.0f} MB; {'; '.join(said)}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
