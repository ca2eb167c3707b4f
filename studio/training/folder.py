"""The folder of one run: all that a worker knows, all that it leaves.

Written by whoever starts a run (the server, the command line, a test), before the worker starts:

    run.json         id, name
    config.json      TrainConfig
    environment.json on which device it trains, where there are several: variables that the process is started with
    dataset/         data.parquet and dataset.json, as studio.data.dataset writes them
    datasets/<n>/    the same of each further dataset that trains along; often none
    test/            the same of the test data that judge; often none: then rows of dataset/ are held out

Written by the worker:

    events.jsonl     one object a line, append only; see EVENTS
    log.txt          what the process printed
    base/built/      the model that training starts from, where it was built and not loaded
    split.json       which rows train, choose and judge, and how they were kept apart
    memory.json      what it has learnt about the memory it may use; see studio.training.memory
    tokens/          the texts of a static model, cut into tokens; see studio.training.engine.tokens
    taught/          what a teacher model said of the rows, for losses that learn from one
    checkpoints/     checkpoint-<step>/, each with a manifest.json written last
    model/           the tuned model: SentenceTransformer(folder)
    verdict.json     base against tuned
    evidence/        what the verdict rests on, row by row; see studio.evaluation.evidence
    script/          the same training as a stand-alone script; see studio.export.script
    speed.json       what its steps took, for estimates of others; see studio.training.speeds
    outcome.json     written last: how it ended

Written by whoever controls it:

    stop.json        {"keep": bool}: stop at the next step; keep: save and judge what there is

JSON files are written with studio.files.write_json: whole or not there at all. No torch.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PHASES = ("downloading", "building", "loading", "judging base", "training", "judging tuned", "saving", "done")

EVENTS = """
Every event has ``t`` (seconds since 1970) and ``event``:

phase    phase (one of PHASES)
download done, total (bytes of the base model that are on this machine)
plan     steps, train_rows, heldout_rows, validation_rows, batch_size, device, precision, engine, primary (metric),
         base (metric -> value or null: of the rows that are looked at)
train    step, epoch, loss, learning_rate, grad_norm, rows_per_s, eta_s
eval     step, loss (of the rows looked at; may be null), metrics (metric -> value)
note     message (a sentence for people), severity (info | warning)
"""


@dataclass(frozen=True)
class RunFolder:
    path: Path

    run = property(lambda self: self.path / "run.json")
    config = property(lambda self: self.path / "config.json")
    dataset = property(lambda self: self.path / "dataset")
    datasets = property(lambda self: self.path / "datasets")
    test = property(lambda self: self.path / "test")
    events = property(lambda self: self.path / "events.jsonl")
    log = property(lambda self: self.path / "log.txt")
    split = property(lambda self: self.path / "split.json")
    built = property(lambda self: self.path / "base" / "built")
    memory = property(lambda self: self.path / "memory.json")
    checkpoints = property(lambda self: self.path / "checkpoints")
    tokens = property(lambda self: self.path / "tokens")
    taught = property(lambda self: self.path / "taught")
    model = property(lambda self: self.path / "model")
    verdict = property(lambda self: self.path / "verdict.json")
    evidence = property(lambda self: self.path / "evidence")
    script = property(lambda self: self.path / "script")
    speed = property(lambda self: self.path / "speed.json")
    outcome = property(lambda self: self.path / "outcome.json")
    stop = property(lambda self: self.path / "stop.json")


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    state: str
    """``succeeded``, ``failed`` or ``cancelled``."""
    message: str = ""
    """What happened, for people."""
    hint: str = ""
    """What to do about it."""
    error_id: str = ""
    """Finds the whole error in log.txt when it was not one that people can do something about."""
    step: int = 0
    """The last one that was made."""
    kept_step: int = 0
    """The one whose weights the model has; as ``step``, unless the best check is kept."""
    batch_size: int = 0
    seconds: float = 0.0
    train_rows: int = 0
    heldout_rows: int = 0


class EventWriter:
    """Appends events; one line a write, flushed, so that a reader sees whole lines except perhaps the last."""

    def __init__(self, path: Path):
        torn = _ends_in_mid_line(path)
        self._file = path.open("a", encoding="utf-8")
        if torn:  # a process was killed in mid-line: what follows must not be read as part of it
            self._file.write("\n")

    def write(self, event: str, **fields: Any) -> None:
        self._file.write(json.dumps({"t": round(time.time(), 3), "event": event, **fields}, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _ends_in_mid_line(path: Path) -> bool:
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(-1, 2)
        return file.read() != b"\n"
