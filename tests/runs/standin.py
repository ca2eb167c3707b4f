"""A worker that trains nothing, for tests of what happens around one: python -m tests.runs.standin RUN_DIR.

Steps pass, events and checkpoints are written as the real worker writes them. Words in the run's name say how it
misbehaves.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from studio.evaluation.result import MetricResult, Verdict
from studio.files import read_json, write_json
from studio.training.folder import EventWriter, RunFolder

STEPS = 12
STEP_S = 0.02


def main(path: Path) -> None:
    folder = RunFolder(path)
    ways = set(read_json(folder.run)["name"].split())
    if "deaf" in ways:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "polite" in ways:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(finish(folder, "cancelled", 0, "Ended from outside.")))
    if "parent" in ways:
        child = subprocess.Popen(["sleep", "600"])
        write_json(path / "child.json", child.pid)
    steps = 100_000 if ways & {"long", "deaf"} else STEPS
    done = [int(p.parent.name.split("-")[1]) for p in folder.checkpoints.glob("*/manifest.json")]
    events = EventWriter(folder.events)
    print("starting, pid", os.getpid())
    events.write("phase", phase="training")
    events.write(
        "plan", steps=steps, train_rows=9, heldout_rows=1, device="cpu", primary="ndcg@10", base={"ndcg@10": 0.5}
    )
    for step in range(max(done, default=0) + 1, steps + 1):
        time.sleep(STEP_S)
        if "deaf" not in ways and folder.stop.exists():
            kept = json.loads(folder.stop.read_text())["keep"]
            finish(
                folder, "succeeded" if kept else "cancelled", step, "Stopped early." if kept else "Nothing was kept."
            )
            return
        if "crash" in ways and step == 3:
            print("about to fall over")
            os.kill(os.getpid(), signal.SIGKILL)
        if "crash-once" in ways and step == 7 and not done:
            os.kill(os.getpid(), signal.SIGKILL)
        events.write("train", step=step, loss=1 / step, learning_rate=0.1, rows_per_s=5.0, eta_s=1.5, pid=os.getpid())
        if step % 5 == 0:
            write_json(folder.checkpoints / f"checkpoint-{step}" / "manifest.json", {})
    if "refused" in ways:
        write_json(folder.outcome, {"state": "failed", "message": "No.", "hint": "Ask nicely.", "step": steps})
        sys.exit(2)
    finish(folder, "succeeded", steps, "Done.")
    if "lingers" in ways:
        time.sleep(600)


def finish(folder: RunFolder, state: str, step: int, message: str) -> None:
    if state == "succeeded" and "trial" in read_json(folder.run)["name"]:
        judge(folder)
    if state == "succeeded":
        write_json(folder.model / "modules.json", [])
    write_json(folder.outcome, {"state": state, "message": message, "hint": "", "step": step})


def judge(folder: RunFolder) -> None:
    """A verdict that likes two epochs."""
    value = 0.5 + 0.1 * read_json(folder.config)["epochs"]
    Verdict("better", "It got better.", (), "ndcg@10", (MetricResult("ndcg@10", 0.5, value, 0.0, 0.1),), 4, 9, "").save(
        folder.verdict
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
