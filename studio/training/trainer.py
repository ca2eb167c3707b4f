"""sentence-transformers' Trainer with checkpoints that hold what was trained, and looks that leave no trace."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformerTrainer

from studio.training.trainable import restore, trained

WEIGHTS = "weights.safetensors"


class Trainer(SentenceTransformerTrainer):
    """The stock training step. The rest of a model than its trained weights is the base model, which is here anyway."""

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: p.detach().cpu().contiguous() for name, p in trained(self.model).items()}, folder / WEIGHTS)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:
        restore(self.model, load_file(Path(checkpoint_path) / WEIGHTS))

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        # Reading rows draws random numbers, and so do losses of layers: without this, one look more would make another
        # model.
        devices = [self.args.device] if self.args.device.type == "cuda" else []
        before, numbers = random.getstate(), np.random.get_state()
        try:
            with torch.random.fork_rng(devices=devices):
                return super().evaluate(*arguments, **options)
        finally:
            random.setstate(before)
            np.random.set_state(numbers)
