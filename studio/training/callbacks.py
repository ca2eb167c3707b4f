"""What happens around the Trainer's steps: events, looks at the held-out rows, checkpoints, stop requests."""

import logging
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from sentence_transformers import SentenceTransformer
from sentence_transformers.base.evaluation import BaseEvaluator
from transformers import TrainerCallback

from studio.errors import ConfigError
from studio.evaluation.measure import Measurement, measure
from studio.evaluation.task import Task
from studio.files import read_json
from studio.training.checkpoints import ASIDE, seal, size_of
from studio.training.folder import EventWriter, RunFolder

MOST_TRAIN_EVENTS = 2000
LOG_EVERY_S = 10.0
SAY_BYTES_EVERY_S = 0.5
SMOOTHING = 0.2
"""Weight of the newest step in the running mean of a step's seconds."""

logger = logging.getLogger(__name__)


class Cancelled(BaseException):
    """Somebody asked the run to stop and to keep nothing. Not an Exception: nothing may swallow it."""


class StopWatch:
    """Looks for stop.json."""

    def __init__(self, folder: RunFolder):
        self._folder = folder
        self.keep = False
        """Somebody asked to stop and to keep what there is."""

    def look(self) -> None:
        """Raises Cancelled when the run is to stop and keep nothing; sets ``keep`` when it is to keep what there is."""
        if not self.keep and self._folder.stop.exists():
            if not (read_json(self._folder.stop) or {}).get("keep"):
                raise Cancelled
            self.keep = True


class Downloading:
    """Says how much of a base model is there, a few times a second at most, and looks whether the run is to stop."""

    def __init__(self, events: EventWriter, watch: StopWatch):
        self._events, self._watch = events, watch
        self._said = 0.0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._said < SAY_BYTES_EVERY_S and done < total:
            return
        self._said = now
        self._watch.look()
        self._events.write("download", done=done, total=total)


class LiveEvaluator(BaseEvaluator):
    """The metrics of each look at the held-out rows. ``base``: what the first look would find, when it is known."""

    def __init__(self, task: Task, base: Measurement | None):
        super().__init__()
        self.primary_metric = task.primary
        self._task, self._base = task, base

    def __call__(self, model: SentenceTransformer, *_: object, steps: int = -1, **__: object) -> dict[str, float]:
        if steps == 0 and self._base is not None:
            return dict(self._base.metrics)
        return dict(measure(model, self._task).metrics)


class Events(TrainerCallback):
    """Writes train and eval events, measures speed, and asks the Trainer for looks at the held-out rows.

    ``metrics``: what LiveEvaluator measures; ``after_s``: seconds of judging after the last step.
    """

    def __init__(
        self, writer: EventWriter, metrics: tuple[str, ...], looks: frozenset[int], train_rows: int, after_s: float
    ):
        self._writer, self._metrics, self._looks = writer, metrics, looks
        self._train_rows, self._after_s = train_rows, after_s
        self._begun = self._step_s = None
        self._look_s = after_s
        self._epoch = self._logged_epoch = 0.0
        self._trained_s = 0.0
        self._said = 0.0
        self.steps_made, self.steps_s = 0, 0.0
        """Of this process: a run that goes on has made others before."""
        self.losses: list[float] = []

    def on_train_begin(self, args, state, control, **kwargs):
        self._epoch = self._logged_epoch = state.epoch or 0.0

    def on_step_begin(self, args, state, control, **kwargs):
        self._begun = time.monotonic()

    def on_step_end(self, args, state, control, **kwargs):
        took = time.monotonic() - self._begun
        self._trained_s += took
        self.steps_made += 1
        self.steps_s += took
        known = self._step_s
        self._step_s = took if known is None else known + SMOOTHING * (took - known)
        self._epoch = state.epoch
        if state.global_step in self._looks:
            control.should_evaluate = True

    def on_log(self, args, state, control, logs, **kwargs):
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise ConfigError(
                f"The loss stopped being a number at step {state.global_step}: the model is lost.",
                hint=f"The learning rate of {args.learning_rate:g} is too high for this model; try a tenth of it.",
            )
        rows = (self._epoch - self._logged_epoch) * self._train_rows
        speed = rows / self._trained_s if self._trained_s > 0 else 0.0
        self._logged_epoch, self._trained_s = self._epoch, 0.0
        left = state.max_steps - state.global_step
        looks_left = sum(step > state.global_step for step in self._looks)
        self._writer.write(
            "train",
            step=state.global_step,
            epoch=round(state.epoch, 4),
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            grad_norm=_finite(logs.get("grad_norm")),
            rows_per_s=round(speed, 2),
            eta_s=round(left * self._step_s + looks_left * self._look_s + self._after_s, 1),
        )
        if time.monotonic() - self._said >= LOG_EVERY_S or left == 0:
            self._said = time.monotonic()
            logger.info(
                "step %d of %d: loss %.4f, %.1f rows/s", state.global_step, state.max_steps, logs["loss"], speed
            )

    def on_evaluate(self, args, state, control, metrics, **kwargs):
        self._look_s = metrics.get("eval_runtime", self._look_s)
        found = {name: metrics[f"eval_{name}"] for name in self._metrics if f"eval_{name}" in metrics}
        loss = _finite(metrics.get("eval_loss"))
        if loss is not None:
            self.losses.append(loss)
        self._writer.write("eval", step=state.global_step, loss=loss, metrics=found)
        figures = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
        logger.info(
            "step %d looked at: loss %s, %s", state.global_step, "-" if loss is None else f"{loss:.4f}", figures
        )


class Stopping(TrainerCallback):
    """Ends training at the step during which somebody asked for it."""

    def __init__(self, watch: StopWatch):
        self._watch = watch

    def on_step_end(self, args, state, control, **kwargs):
        self._watch.look()
        if self._watch.keep:
            control.should_training_stop = True
            control.should_evaluate = True


class Checkpoints(TrainerCallback):
    """Writes a checkpoint every ``every_s`` seconds of training; the Trainer's own, sealed with a manifest.

    ``more``: writes into the checkpoint's folder what the Trainer does not know of.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        every_s: float,
        note: Callable[[str, str], None],
        more: Callable[[Path], None] = lambda folder: None,
    ):
        self._folder, self._fingerprint, self._every_s, self._note = folder, fingerprint, every_s, note
        self._more = more
        self._last = time.monotonic()
        self._size = 0
        self._full = False

    def on_train_begin(self, args, state, control, **kwargs):
        self._last = time.monotonic()

    def on_step_end(self, args, state, control, **kwargs):
        last_step = state.global_step >= state.max_steps
        if last_step or time.monotonic() - self._last < self._every_s or not self._has_room():
            return
        control.should_save = True

    def on_save(self, args, state, control, **kwargs):
        written = self._folder / ASIDE / f"checkpoint-{state.global_step}"
        self._more(written)
        self._size = size_of(written)
        seal(written, self._folder, self._fingerprint)
        self._last = time.monotonic()

    def _has_room(self) -> bool:
        room = shutil.disk_usage(self._folder).free > 1.1 * self._size
        if not room and not self._full:
            self._note("The disk is nearly full: no checkpoints are written until there is room again.", "warning")
        self._full = not room
        self._last = self._last if room else time.monotonic()
        return room


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
