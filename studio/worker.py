"""The process of one run: ``python -m studio.worker RUN_DIR``. It reads and writes that folder, and nothing else.

Ends with exit code 0 when the run succeeded or was cancelled, 2 for what a person can do something about, else 1.
What happened is in outcome.json, written last.
"""

import argparse
import logging
import os
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from studio.errors import HostError, StudioError
from studio.files import read_json, write_json
from studio.process import is_disk_full, is_out_of_memory, prepare_process
from studio.training.folder import EventWriter, Outcome, RunFolder

if TYPE_CHECKING:
    from studio.evaluation.result import General
    from studio.training.train import Trained

LAST_WORDS_BYTES = 128 * 1024
"""Kept on the disk while a run goes on, so that one that fills it can still say so."""

logger = logging.getLogger("studio.worker")


def main(arguments: list[str] | None = None) -> int:
    """Run the folder given on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m studio.worker", description="Train what a run's folder asks for.")
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--checkpoint-every", type=float, default=60.0, metavar="SECONDS")
    options = parser.parse_args(arguments)
    prepare_process()
    return run(RunFolder(options.run_dir), options.checkpoint_every)


def run(folder: RunFolder, checkpoint_every_s: float) -> int:
    """Train, judge, save. Returns the exit code."""
    begun = time.monotonic()
    from studio.training.callbacks import Cancelled
    from studio.training.checkpoints import ASIDE

    for left_over in (folder.outcome, folder.verdict):
        left_over.unlink(missing_ok=True)
    shutil.rmtree(folder.evidence, ignore_errors=True)
    signal.signal(signal.SIGTERM, _terminated)
    events = EventWriter(folder.events)
    last_words = folder.path / ".room-for-last-words"
    try:
        last_words.write_bytes(os.urandom(LAST_WORDS_BYTES))
        outcome, code = work(folder, events, checkpoint_every_s), 0
    except Cancelled as cancelled:
        hint = "It can go on from its last checkpoint." if any(folder.checkpoints.glob("checkpoint-*")) else ""
        outcome, code = Outcome("cancelled", str(cancelled) or "Stopped; no model was kept.", hint), 0
    except Exception as error:
        outcome, code = explain(error, folder)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # from here on it is only a moment
    last_words.unlink(missing_ok=True)
    if outcome.state != "succeeded":
        shutil.rmtree(folder.checkpoints / ASIDE, ignore_errors=True)
    events.write("phase", phase="done")
    events.close()
    write_json(folder.outcome, {**asdict(outcome), "seconds": round(time.monotonic() - begun, 1)})
    return code


def work(folder: RunFolder, events: EventWriter, checkpoint_every_s: float) -> Outcome:
    """The run itself."""
    from transformers.utils import logging as transformers_logging

    from studio.catalog.losses import MODIFIER
    from studio.data.dataset import load_extra, load_rows
    from studio.evaluation.evidence import write_evidence
    from studio.evaluation.judge import judge, judge_other
    from studio.evaluation.keyword import measure_keyword
    from studio.evaluation.measure import measure
    from studio.export.card import languages_of
    from studio.export.folder import save_model
    from studio.export.script.write import write_script
    from studio.training.callbacks import StopWatch
    from studio.training.fit import trained_lengths
    from studio.training.speeds import as_values
    from studio.training.timing import speed_of
    from studio.training.train import train

    transformers_logging.disable_progress_bar()
    watch = StopWatch(folder)
    done = train(folder, events, watch, checkpoint_every_s)

    events.write("phase", phase="judging tuned")
    modifier, dimension = MODIFIER[done.config.modifier], done.model.get_embedding_dimension()
    lengths = trained_lengths(modifier, done.config.dims, dimension)
    tuned = measure(done.model, done.task, tick=watch.look, record=True, keep=done.shown, lengths=lengths)
    keyword = measure_keyword(done.task, watch.look)
    others = (
        judge_other(one.part.info.name, one.task, one.base, measure(done.model, one.task, tick=watch.look))
        for one in done.others
    )
    verdict = judge(done.task, done.base, tuned, done.facts, done.rows.split_note, tuple(filter(None, others)), keyword)
    if done.rows.test is not None:
        verdict = replace(verdict, judged_on=done.rows.test.info.name)
    if done.general is not None:
        verdict = replace(verdict, general=general_of(done, watch.look))
    logger.info(verdict.sentence)

    events.write("phase", phase="saving")
    saving = time.monotonic()
    languages = languages_of(load_rows(folder.dataset))
    save_model(done.model, folder.model, done.config, verdict, done.info, languages)
    write_script(done, folder, (read_json(folder.run) or {}).get("name", folder.path.name))
    if done.task.retrieval is None or done.task.retrieval.queries:
        models = {"base": done.base, "tuned": tuned, **({"bm25": keyword} if keyword else {})}
        try:
            write_evidence(
                folder.evidence,
                done.task,
                done.shown,
                models,
                load_extra(folder.dataset if done.rows.test is None else folder.test),
            )
        except OSError as error:  # the model is saved: a full disk shall not lose it
            words = f"What the verdict rests on could not be written row by row: {error.strerror}."
            events.write("note", message=words, severity="warning")
    verdict.save(folder.verdict)
    shutil.rmtree(folder.checkpoints, ignore_errors=True)
    shutil.rmtree(folder.tokens, ignore_errors=True)
    speed = speed_of(done, folder, time.monotonic() - saving)
    if speed is not None:
        write_json(folder.speed, as_values(speed))
    early = done.step < done.steps
    return Outcome(
        "succeeded",
        (done.chosen or f"Stopped early at step {done.step:,} of {done.steps:,}.") if early else verdict.sentence,
        step=done.step,
        kept_step=done.kept_step,
        batch_size=done.rows.batch_size,
        train_rows=done.facts.train_rows,
        heldout_rows=done.task.rows,
    )


def general_of(done: "Trained", tick: Callable[[], None]) -> "General":
    """What the tuned model has forgotten of what the base model knows."""
    from studio.evaluation.general import compare_general, known_parts
    from studio.evaluation.known import know

    base = {kind: done.general[kind] for kind in known_parts(done.general)}
    can_lora = done.model.transformers_model is not None and not done.config.lora_rank
    return compare_general(base, know(done.model, tuple(base), tick), done.config.learning_rate, can_lora)


def explain(error: Exception, folder: RunFolder) -> tuple[Outcome, int]:
    """What went wrong in plain words, and the exit code. Everything is in the log."""
    if isinstance(error, StudioError):
        logger.info("%s", error)
        return Outcome("failed", error.message, error.hint), 1 if isinstance(error, HostError) else 2
    logger.exception("The run failed")
    if is_out_of_memory(error):
        return Outcome(
            "failed",
            "The memory of this machine was not enough for this training.",
            "Choose a smaller batch size (half of it needs about half the memory), a shorter longest text, "
            "or a cached loss with a small portion size.",
        ), 2
    if is_disk_full(error, folder.path):
        return Outcome(
            "failed",
            "The disk is full.",
            "Remove old runs or corpora for good, then continue the run from its last checkpoint.",
        ), 1
    error_id = uuid.uuid4().hex[:8]
    logger.error("error id %s", error_id)
    return Outcome(
        "failed",
        f"Something went wrong inside training (error id {error_id}).",
        "The log says more; please report it.",
        error_id,
    ), 1


def _terminated(*_: object) -> None:
    from studio.training.callbacks import Cancelled

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Cancelled("Ended from outside before it was done.")


if __name__ == "__main__":
    sys.exit(main())
