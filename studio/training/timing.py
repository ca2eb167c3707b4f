"""How fast a training goes on this machine: from a few timed steps, and from a run that has ended. See speeds.py."""

import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median

import psutil
import torch
from transformers import set_seed

from studio.data.rows import text_columns
from studio.training.bases import base_of
from studio.training.config import AUTO
from studio.training.estimate import encoding_work, work_of
from studio.training.folder import RunFolder
from studio.training.fresh import build_base
from studio.training.judging import own_test
from studio.training.memory import Memory
from studio.training.rows import START_BATCH_SIZE
from studio.training.speeds import Speed
from studio.training.teacher import ask, has_teacher
from studio.training.together import trained_by
from studio.training.train import (
    Trained,
    Work,
    choose_precision,
    engaged,
    engine_of,
    get_device,
    load,
    make_trainer,
    new_losses,
    new_model,
    plan_all,
    training_texts,
    write_split,
)

WARM = 1
"""Steps that are made before the clock runs: memory is fetched in them."""
STEPS = 8
LONGEST_S = 15.0
"""No further step is timed after so long."""
TEXTS = 96
SAVING_S = 1.5
"""What a run writes at its end."""
TAUGHT_ROWS = 512
"""A teacher is asked about so many rows at most."""


def time_steps(folder: RunFolder, look: Callable[[], None] = lambda: None) -> Speed | None:
    """A few steps of the training that ``folder`` asks for, timed and thrown away. Writes into ``folder`` only.

    ``look`` is called between them and may raise to stop. None: the model's files are not here.
    """
    config, info, data = load(folder)
    if config.batch_size == AUTO:
        config = config.model_copy(update={"batch_size": START_BATCH_SIZE})
    asked = config
    if has_teacher(config):
        config = config.model_copy(update={"max_train_rows": min(config.max_train_rows or TAUGHT_ROWS, TAUGHT_ROWS)})
    work = work_of(info, data, asked)
    if work is None:
        return None
    rows, _ = plan_all(folder, config, data, None)
    write_split(folder, data, rows)
    base = base_of(config)
    if base.design is not None:
        base = build_base(base, config, training_texts(data, rows)(), folder.built, get_device())
    model = new_model(config, [info], Memory(), base)
    startup_s = time.time() - psutil.Process().create_time() + SAVING_S
    look()
    taught = ask(data.take(rows.train), config, model.device, look) if has_teacher(config) else None
    plan = Work(folder, config, rows, (), data, taught)
    losses = new_losses(plan, model, Memory())
    engine = engine_of(plan, model, losses)
    precision = choose_precision(config, model.device, engine)
    trainer = make_trainer(plan, model, losses, engine, precision)
    set_seed(config.seed)
    took: list[float] = []
    with engaged(engine, model, precision, trained_by(losses), plan):
        optimizer = trainer.create_optimizer()
        batches, begun = iter(trainer.get_train_dataloader()), time.monotonic()
        while len(took) < WARM + STEPS and (len(took) <= WARM or time.monotonic() - begun < LONGEST_S):
            look()
            since = time.monotonic()
            several = list(islice(batches, config.gradient_accumulation_steps))
            if not several:
                if not took:
                    return None
                batches = iter(trainer.get_train_dataloader())
                continue
            for batch in several:
                inputs = trainer._prepare_inputs(batch)
                with trainer.compute_loss_context_manager():
                    loss = trainer.compute_loss(model.train(), inputs)
                loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
            _settle(model.device)
            took.append(time.monotonic() - since)
    texts = data[text_columns(data)[0]].take(rows.heldout).to_pylist()[:TEXTS]
    look()
    model.eval()
    model.encode(texts[:8], show_progress_bar=False)
    since = time.monotonic()
    model.encode(texts, show_progress_bar=False)
    reading_s = (time.monotonic() - since) * work.judging / encoding_work(config, texts)
    return Speed(work, median(took[WARM:] or took), reading_s, startup_s, _memory_mb(model.device))


def speed_of(done: Trained, folder: RunFolder, saving_s: float) -> Speed | None:
    """What a run that has just ended in this process took; None where it tells nothing of others: one that was
    continued, that downloaded its model, or whose memory had run out."""
    if not done.usual or not done.steps_made:
        return None
    config, info, data = load(folder)
    work = work_of(info, data, config, own_test(folder.test, config.seed))
    if work is None:
        return None
    begun = psutil.Process().create_time()
    startup_s = done.ready_at - begun - done.taught_s + saving_s
    judging_s = time.time() - begun - startup_s - done.taught_s - done.steps_s
    return Speed(work, done.steps_s / done.steps_made, judging_s, startup_s, _memory_mb(done.model.device))


def _memory_mb(device: torch.device) -> float:
    """The most that this process has taken; on a GPU, of its memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device) / 1e6
    return getrusage(RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(path: Path) -> None:
    """For benchmarks: one measurement in a process of its own, printed as JSON."""
    import json

    from studio.training.speeds import as_values

    speed = time_steps(RunFolder(path))
    print(json.dumps(None if speed is None else as_values(speed)))


if __name__ == "__main__":
    import sys

    from studio.process import prepare_process

    prepare_process()
    main(Path(sys.argv[1]))
