"""The best check of a training: when to stop waiting for a better one, and which weights to keep."""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import TrainerCallback

from studio.catalog.metrics import METRIC
from studio.files import read_json, write_json
from studio.training.trainable import restore, trained

STATE = "best.json"
WEIGHTS = "best.safetensors"


class Best(TrainerCallback):
    """Follows one metric over the checks.

    ``patience``: checks in a row without a new best that end training, 0 for never; ``keep``: hold the best weights.
    """

    def __init__(self, metric: str, patience: int, keep: bool):
        self._metric, self._patience, self._keep = metric, patience, keep
        self._weights: dict[str, torch.Tensor] = {}
        self.value: float | None = None
        self.step = 0
        """Of the best check; 0: there was none yet."""
        self.checks = 0
        self.stale = 0
        """Checks since the best one."""
        self.ended = False
        """It ended the training."""

    def on_evaluate(self, args, state, control, metrics, model, **kwargs):
        value = metrics.get(f"eval_{self._metric}")
        # Step 0 is the base model: what is kept has been trained.
        if state.global_step == 0 or value is None or not math.isfinite(value):
            return
        self.checks += 1
        if self.value is None or value > self.value:
            self.value, self.step, self.stale = value, state.global_step, 0
            if self._keep:
                self._weights = {name: p.detach().to("cpu", copy=True) for name, p in trained(model).items()}
            return
        self.stale += 1
        if self._patience and self.stale >= self._patience and state.global_step < state.max_steps:
            self.ended = control.should_training_stop = True

    def save(self, folder: Path) -> None:
        """Into a checkpoint."""
        if self._weights:
            save_file(self._weights, folder / WEIGHTS)
        write_json(folder / STATE, {name: getattr(self, name) for name in ("value", "step", "checks", "stale")})

    def load(self, folder: Path) -> None:
        """Out of a checkpoint."""
        for name, value in (read_json(folder / STATE) or {}).items():
            setattr(self, name, value)
        if self._keep and (folder / WEIGHTS).exists():
            self._weights = load_file(folder / WEIGHTS)

    def apply(self, model: SentenceTransformer, step: int) -> int:
        """Give ``model``, which has made ``step`` steps, the best weights. Returns the step that it then is of."""
        if not self._weights:
            return step
        restore(model, self._weights)
        return self.step

    def words(self, step: int) -> str:
        """What came of it, for people; empty: nothing to say. ``step``: the last one."""
        if self.value is None:
            return ""
        label = METRIC[self._metric].label
        said = []
        if self.ended:
            said.append(f"Stopped at step {step:,}: {label} had not risen for {self.stale} checks.")
        if self._keep:
            said.append(
                f"The model of step {self.step:,} is kept: {label} {self.value:.4f} was the best of {self.checks} checks."
            )
        return " ".join(said)
