"""One run without a server: its folder is made, its worker started and waited for. The command line trains this way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.catalog.designs import DISTIL
from studio.catalog.models import DEFAULT_MODEL, MODEL
from studio.catalog.presets import DEFAULT_PRESET, PRESET
from studio.data.dataset import DatasetInfo, import_dataset, load_info, load_rows
from studio.data.table import Roles, Table
from studio.errors import ConfigError, HostError, RunError
from studio.evaluation.result import Verdict
from studio.files import read_json, write_json
from studio.training import sweep
from studio.training.config import MODEL_FIELDS, TrainConfig, make_config
from studio.training.folder import Outcome, RunFolder
from studio.training.judging import own_test
from studio.training.memory import after_a_kill
from studio.training.parts import check_part
from studio.training.suggest import apply_preset, check_fit, suggest_config
from studio.training.sweep import Trial

POLL_S = 0.25
SAY_EVERY_S = 5.0
"""Between two lines about training steps."""
STOP_GRACE_S = 20.0
"""Between asking the worker to end and killing it."""


def make_run(
    out: Path,
    table: Table,
    roles: Roles,
    given: dict[str, Any],
    name: str,
    also: Sequence[tuple[Table, Roles]] = (),
    preset: str = DEFAULT_PRESET,
    test: tuple[Table, Roles] | None = None,
) -> tuple[RunFolder, TrainConfig]:
    """Import a table and write a run's folder; settings that are not given are suggested by the data.

    ``also``: further tables that train along; ``preset``: what the suggestion is made into; ``test``: the table that judges
    instead of rows that are held out.

    Leaves ``out`` as it was when anything is wrong.

    Raises:
        HostError: ``out`` is not empty or cannot be written.
        DataError, ConfigError, ModelError: as the parts say.
    """
    out = out.absolute()
    existed = out.exists()
    try:
        if existed and (not out.is_dir() or any(out.iterdir())):
            raise HostError(f"{out} is not empty.", hint="Name a new folder for the run.")
        out.mkdir(parents=True, exist_ok=True)
        folder = RunFolder(out)
        try:
            info = import_dataset(folder.dataset, table, roles, name)
            for number, (other, others_roles) in enumerate(also, 1):
                import_dataset(folder.datasets / str(number), other, others_roles, other.name)
            if test is not None:
                import_dataset(folder.test, *test, test[0].name)
            config = _make_config(folder, info, given, preset)
            write_json(folder.config, config.model_dump())
            write_json(folder.run, {"id": uuid.uuid4().hex, "name": name})
        except BaseException:
            for place in (folder.dataset, folder.datasets, folder.test):
                shutil.rmtree(place, ignore_errors=True)
            for file in (folder.config, folder.run):
                file.unlink(missing_ok=True)
            if not existed:
                out.rmdir()
            raise
    except OSError as error:
        raise HostError(f"{out} cannot be written: {error.strerror}.", hint="Name another folder.") from None
    return folder, config


def _make_config(folder: RunFolder, info: DatasetInfo, given: dict[str, Any], preset: str) -> TrainConfig:
    rows = load_rows(folder.dataset)
    given = dict(given)
    for field in MODEL_FIELDS:
        named = given.get(field)
        distil = DISTIL if str(named or "").startswith(DISTIL) else ""
        place = Path(str(named or "").removeprefix(distil)).expanduser()
        if named is not None and named not in MODEL and place.is_dir():
            given[field] = f"{distil}{place.absolute()}"  # the worker may stand somewhere else
    base_model = str(given.get("base_model", DEFAULT_MODEL))
    if preset not in PRESET:
        raise ConfigError(f"There is no preset '{preset}'.", hint=f"Presets are: {', '.join(PRESET)}.")
    suggested = apply_preset(suggest_config(info, base_model, rows), PRESET[preset], info.rows).model_dump()
    if isinstance(given.get("max_train_rows"), int):
        least = min(suggested["batch_size"], given["max_train_rows"])
        suggested["batch_size"] = max(2, least - least % 2 if least > 2 else least)
    config = make_config({**suggested, **given, "base_model": base_model})
    check_fit(info, config, rows, own_test(folder.test, config.seed))
    for place in folder.datasets.glob("*"):
        check_part(load_info(place), config, load_rows(place))
    return config


def run_worker(folder: RunFolder, say: Callable[[str], None]) -> Outcome:
    """Start the worker of a run and wait for it; ``say`` gets a line of progress now and then.

    Ctrl-C and SIGTERM end the worker too, and raise KeyboardInterrupt.

    Raises:
        RunError: It ended without saying how.
    """
    progress = Progress(folder.events)
    code = _work(folder, progress, say)
    if code == -signal.SIGKILL and read_json(folder.outcome) is None and after_a_kill(folder.memory):
        say("warning: the process was killed, as machines do when memory runs out; it goes on in smaller portions")
        code = _work(folder, progress, say)
    value = read_json(folder.outcome)
    if value is None:
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        raise RunError(
            f"The training process was ended {how} before it could say why.",
            hint=f"Often memory ran out: try a smaller batch size. Its last words are in {folder.log}.",
        )
    return Outcome(**value)


def _work(folder: RunFolder, progress: "Progress", say: Callable[[str], None]) -> int:
    """One process of the worker, to its end; returns its exit code."""
    with folder.log.open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "studio.worker", str(folder.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone: the worker is asked to stop, not torn down
        )
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while worker.poll() is None:
            time.sleep(POLL_S)
            for line in progress.news():
                say(line)
    finally:
        signal.signal(signal.SIGTERM, before)
        _end(worker)
    return worker.returncode


def run_sweep(
    out: Path,
    table: Table,
    roles: Roles,
    given: dict[str, Any],
    tried: dict[str, Any],
    name: str,
    say: Callable[[str], None],
) -> tuple[RunFolder, tuple[Trial, ...], Outcome]:
    """Try several settings in turn, then train the best ones on the whole table and judge them on rows no trial saw.

    ``tried``: fields of studio.training.sweep.SweepPlan except ``start``. Returns the winner's run, all trials, its outcome.

    Raises:
        RunError: no trial worked. Else as :func:`make_run`.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HostError(f"{out} is not empty.", hint="Name a new folder for the sweep.")
    winner, start = make_run(out / "winner", table, roles, given, name)
    plan = sweep.make_plan({"start": start.model_dump(), **tried})
    sweep.begin(out, plan, load_info(winner.dataset), load_rows(winner.dataset))
    begun = time.monotonic()
    for _ in range(plan.trials):
        if plan.minutes and time.monotonic() - begun > 60 * plan.minutes:
            break
        number, config = sweep.ask(out)
        trial = RunFolder(out / "trials" / str(number + 1))
        shutil.copytree(out / "dataset", trial.dataset)
        write_json(trial.config, config.model_dump())
        write_json(trial.run, {"id": uuid.uuid4().hex, "name": f"{name}: trial {number + 1}"})
        outcome = run_worker(trial, lambda line: None)
        verdict = Verdict.load(trial.verdict)
        value = next((m.tuned for m in verdict.metrics if m.id == verdict.primary), None) if verdict else None
        sweep.tell(out, number, value)
        settings = ", ".join(f"{field} {getattr(config, field)}" for field in plan.parameters)
        score = f"failed: {outcome.message}" if value is None else f"{value:.4f}"
        say(f"trial {number + 1} of {plan.trials}: {score} ({settings})")
    found = sweep.trials(out)
    best = sweep.best(found)
    if best is None:
        raise RunError("No trial worked.", hint=f"Their logs are in {out / 'trials'}.")
    write_json(winner.config, sweep.config_of(plan, best).model_dump())
    say(f"trial {best.number + 1} is the best; its settings train on the whole table")
    return winner, found, run_worker(winner, say)


class Progress:
    """Lines for people out of an events file that grows."""

    def __init__(self, events: Path):
        self._events = events
        self._offset = 0
        self._steps = 0
        self._looked_at = "held out"
        self._said = 0.0

    def news(self) -> Iterator[str]:
        """What is worth saying since the last call."""
        for event in self._read():
            now = time.monotonic()
            if event["event"] == "phase" and event["phase"] != "done":
                yield f"{event['phase']} ..."
            elif event["event"] == "download" and (now - self._said >= SAY_EVERY_S or event["done"] == event["total"]):
                self._said = now
                yield f"{event['done'] / 1e6:,.1f} of {event['total'] / 1e6:,.1f} MB"
            elif event["event"] == "note":
                yield f"{event['severity']}: {event['message']}"
            elif event["event"] == "plan":
                self._steps = event["steps"]
                self._looked_at = "validation" if event["validation_rows"] else "held out"
                yield (
                    f"{event['steps']:,} steps on {event['train_rows']:,} rows, {event['heldout_rows']:,} held out; "
                    f"{event['device']}, {event['precision']}"
                )
            elif event["event"] == "train" and now - self._said >= SAY_EVERY_S:
                self._said = now
                left = "" if event["eta_s"] is None else f", {event['eta_s']:,.0f} s left"
                yield f"step {event['step']:,} of {self._steps:,}, loss {event['loss']:.4f}{left}"
            elif event["event"] == "eval":
                figures = ", ".join(f"{name} {value:.4f}" for name, value in event["metrics"].items())
                yield f"step {event['step']:,}, {self._looked_at}: {figures}"

    def _read(self) -> Iterator[dict[str, Any]]:
        try:
            with self._events.open("rb") as file:
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            yield json.loads(line)


def _end(worker: subprocess.Popen) -> None:
    """Leave no worker behind: ask, wait, then kill it with all it started."""
    if worker.poll() is None:
        worker.terminate()
        try:
            worker.wait(STOP_GRACE_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
