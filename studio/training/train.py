"""One training, from a run's folder to a tuned model."""

import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from torch import nn
from transformers import PrinterCallback, set_seed

from studio.catalog.losses import LOSS, MODIFIER
from studio.data.dataset import DatasetInfo, load_corpus, load_info, load_rows
from studio.data.rows import class_numbers, text_columns
from studio.errors import ConfigError, HostError, RunError
from studio.evaluation.measure import Measurement, measure
from studio.evaluation.sentence import Facts
from studio.evaluation.task import Task, make_task
from studio.files import read_json, write_json
from studio.training.bases import Base, base_of
from studio.training.callbacks import (
    MOST_TRAIN_EVENTS,
    Cancelled,
    Checkpoints,
    Downloading,
    Events,
    LiveEvaluator,
    Stopping,
    StopWatch,
)
from studio.training.checkpoints import ASIDE, newest_whole, step_of
from studio.training.config import TrainConfig, make_config
from studio.training.engine.fast import fast, fits, has_fast_bf16
from studio.training.estimate import LIVE_ROWS
from studio.training.feeding import Epoch, feed
from studio.training.fetch import download
from studio.training.fit import packs
from studio.training.folder import EventWriter, RunFolder
from studio.training.fresh import build_base
from studio.training.model import build_model, changes_base, load_base
from studio.training.objective import Heads, batch_sampler, build_loss, companions, restore_head
from studio.training.parts import Part, load_parts, plan_together, trained_rows
from studio.training.prompts import column_prompts
from studio.training.rows import RowPlan, grouped, plan_rows
from studio.training.suggest import check_fit
from studio.training.teacher import has_teacher, teach
from studio.training.together import datasets_of, look_at, losses_of, sampler_of, trained_by

CHECKPOINT_EVERY_S = 60.0
CHECKPOINT_BYTES = 12
"""Bytes of a checkpoint for each weight: the weight and Adam's two moments, four bytes each."""


@dataclass(frozen=True)
class JudgedPart:
    """A further dataset and what the base model finds on its held-out rows."""

    part: Part
    task: Task
    base: Measurement


@dataclass(frozen=True)
class Trained:
    """What a training leaves for judging and saving."""

    config: TrainConfig
    info: DatasetInfo
    model: SentenceTransformer
    task: Task
    base: Measurement
    rows: RowPlan
    others: tuple[JudgedPart, ...]
    facts: Facts
    step: int
    steps: int


def train(
    folder: RunFolder, events: EventWriter, watch: StopWatch, checkpoint_every_s: float = CHECKPOINT_EVERY_S
) -> Trained:
    """Train as ``folder`` says; continues from its newest whole checkpoint when there is one.

    Raises:
        StudioError: what a person can do something about.
        Cancelled: somebody asked the run to stop and keep nothing.
    """
    events.write("phase", phase="loading")
    config, info, data = load(folder)
    check_fit(info, config, data)
    rows = plan_rows(data, config)
    parts = load_parts(folder, config, data, rows)
    rows = plan_together(data, config, rows, parts)
    write_split(folder, data, rows)
    for message in rows.notes:
        events.write("note", message=message, severity="warning")
    for part in parts:
        events.write("note", message=part.words, severity="info")
    if len({config.loss, *(part.config.loss for part in parts)}) > 1:
        message = (
            "Losses are on different scales, and the training loss jumps between them: the held-out curves tell more."
        )
        events.write("note", message=message, severity="info")

    base_model = ready_base(folder, config, training_texts(data, rows, parts), events, watch)
    set_seed(config.seed)
    model = build_model(config, base=base_model)
    model.model_card_data.train_datasets = [{"name": one.name} for one in (info, *(part.info for part in parts))]
    live_rows = draw(rows.heldout, config.seed)
    fingerprint = fingerprint_of(folder)
    asked = np.concatenate([rows.train, live_rows])
    taught = None
    if has_teacher(config):
        taught = teach(folder.taught, fingerprint, data.take(asked), config, model.device, watch.look)
    loss = build_loss(model, config, None if taught is None else taught.shape[-1])
    losses = losses_of(loss, model, parts)
    learning = trained_by(losses)
    check_room(folder, learning)
    engine = choose_engine(config, model, loss)
    for part in parts if engine == "fast" else ():
        engine = choose_engine(part.config, model, losses[part.key])
    if engine != config.engine and engine != choose_engine(config, model):
        message = f"{LOSS[config.loss].label} trains with the stock engine here: the fast one cannot serve it."
        events.write("note", message=message, severity="info")
    precision = choose_precision(config, model.device, engine)
    corpus = load_corpus(folder.dataset)
    task = make_task(data, info.judged_as, rows.heldout, rows.split.shared, corpus=corpus)
    live = make_task(data, info.judged_as, live_rows, rows.split.shared, LIVE_ROWS, corpus)
    if live.rows < task.rows:
        message = (
            f"While training runs, {live.rows:,} of the {task.rows:,} held-out rows are looked at; the end takes all."
        )
        events.write("note", message=message, severity="info")
    watch.look()

    events.write("phase", phase="judging base")
    begun = time.monotonic()
    # A layer with random weights or words it does not know would make the base model look worse than it is.
    changed = changes_base(config)
    judged = load_base(base_model).eval() if changed else model
    base = measure(judged, task, tick=watch.look)
    others = [judged_part(part, judged, watch) for part in parts]
    del judged
    judging_s = time.monotonic() - begun
    events.write(
        "plan",
        steps=rows.steps,
        train_rows=trained_rows(rows, parts),
        heldout_rows=task.rows,
        device=name_device(model.device),
        precision=precision,
        engine=engine,
        primary=task.primary,
        base={name: base.metrics.get(name) for name in task.metric_ids},
    )
    watch.look()

    arguments = training_arguments(folder, config, rows, precision, model.device, engine)
    reporter = Events(
        events, task.metric_ids, looks(rows.steps, config.evaluations), trained_rows(rows, parts), judging_s
    )
    epoch = Epoch()
    first = feed(data, rows.train, config, taught if taught is None else taught[: len(rows.train)], epoch)
    train_dataset = datasets_of(first, parts, epoch)
    arguments.batch_sampler = sampler_of(config, parts, train_dataset)
    columns = {name: None for one in (train_dataset.values() if parts else [first]) for name in one.column_names}
    arguments.prompts = column_prompts(model, columns) or None
    trainer = SentenceTransformerTrainer(
        model=model,
        args=arguments,
        train_dataset=train_dataset,
        loss=losses,
        evaluator=LiveEvaluator(live, base if live.texts == task.texts and not changed else None),
        callbacks=[
            reporter,
            Stopping(watch),
            epoch,
            Heads(learning, model),
            Checkpoints(folder.checkpoints, fingerprint, checkpoint_every_s, note_into(events)),
        ],
    )
    heldout = loss_rows(data, live_rows, config, taught if taught is None else taught[len(rows.train) :])
    look_at(trainer, heldout, parts)
    trainer.remove_callback(PrinterCallback)
    checkpoint = find_checkpoint(folder, fingerprint, events)

    events.write("phase", phase="training")
    if checkpoint is not None:
        restore_head(learning, model, checkpoint)
    with fast(model, precision == "bf16", companions(learning)) if engine == "fast" else nullcontext():
        if checkpoint is None and config.evaluations > 0:
            trainer.evaluate()
        watch.look()
        if watch.keep and checkpoint is None:
            raise Cancelled("Stopped before the first step: there was nothing to keep.")
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if not all(torch.isfinite(p).all() for p in model.parameters()):
        raise ConfigError(
            "The weights stopped being numbers in the last steps: the model is lost.",
            hint=f"The learning rate of {config.learning_rate:g} is too high for this model; try a tenth of it.",
        )
    shutil.rmtree(folder.checkpoints / ASIDE, ignore_errors=True)
    facts = Facts(config.loss, config.learning_rate, rows.batch_size, trained_rows(rows, parts), tuple(reporter.losses))
    return Trained(
        config, info, model.eval(), task, base, rows, tuple(others), facts, trainer.state.global_step, rows.steps
    )


def judged_part(part: Part, model: SentenceTransformer, watch: StopWatch) -> JudgedPart:
    """The base model on a further dataset."""
    task = make_task(part.data, part.info.format, part.rows.heldout, part.rows.split.shared, corpus=part.corpus)
    return JudgedPart(part, task, measure(model, task, tick=watch.look))


def ready_base(
    folder: RunFolder, config: TrainConfig, texts: Callable[[], list[str]], events: EventWriter, watch: StopWatch
) -> Base:
    """The base model with its files on this machine: downloaded or built where need be, which is said in the events."""
    base = base_of(config)
    if base.needs_download:
        events.write("phase", phase="downloading")
        base = download(base, Downloading(events, watch))
        events.write("phase", phase="loading")
    if base.design is not None:
        events.write("phase", phase="building")
        watch.look()
        base = build_base(base, config, texts(), folder.built, get_device())
        events.write("phase", phase="loading")
    return base


def training_texts(data: pa.Table, rows: RowPlan, parts: Sequence[Part] = ()) -> Callable[[], list[str]]:
    """All different texts that train, of the dataset and those that train along; read when they are asked for."""

    def texts() -> list[str]:
        tables = [(data, rows.train), *((part.data, part.rows.train) for part in parts)]
        columns = (table[name].take(train) for table, train in tables for name in text_columns(table))
        return list(dict.fromkeys(text for column in columns for text in column.to_pylist()))

    return texts


def get_device() -> torch.device:
    """What this machine trains on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load(folder: RunFolder) -> tuple[TrainConfig, DatasetInfo, pa.Table]:
    """Config and dataset of a run."""
    values = read_json(folder.config)
    if values is None:
        raise RunError(f"The run's folder {folder.path.name} holds no config.json.", hint="Start the run again.")
    return make_config(values), load_info(folder.dataset), load_rows(folder.dataset)


def training_arguments(
    folder: RunFolder, config: TrainConfig, rows: RowPlan, precision: str, device: torch.device, engine: str
) -> SentenceTransformerTrainingArguments:
    """The config in the Trainer's words."""
    # The fast engine sets bf16 up itself: for the transformer alone, so that the loss is computed in fp32.
    return SentenceTransformerTrainingArguments(
        output_dir=str(folder.checkpoints / ASIDE),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=rows.batch_size,
        # A batch by class is even; the sampler fills it as far as there are rows.
        per_device_eval_batch_size=rows.batch_size
        if LOSS[config.loss].by_class
        else min(rows.batch_size, len(rows.heldout)),
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler,
        warmup_steps=math.ceil(config.warmup_ratio * rows.steps),
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        bf16=precision == "bf16" and engine == "stock",
        fp16=precision == "fp16",
        seed=config.seed,
        data_seed=config.seed,
        batch_sampler=batch_sampler(config),
        multi_dataset_batch_sampler=config.dataset_turns,
        dataloader_drop_last=rows.drop_last,
        dataloader_pin_memory=device.type == "cuda",
        use_cpu=device.type == "cpu",
        eval_strategy="no",  # the callbacks ask for looks and checkpoints
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=math.ceil(rows.steps / MOST_TRAIN_EVENTS),
        logging_first_step=True,
        logging_nan_inf_filter=False,  # it would show a lost model as a loss of 0
        report_to="none",
        disable_tqdm=True,
    )


def looks(steps: int, evaluations: int) -> frozenset[int]:
    """Steps after which the held-out rows are looked at: evenly spread, the last one always."""
    return frozenset(max(1, round(steps * i / evaluations)) for i in range(1, evaluations + 1)) | {steps}


def choose_engine(config: TrainConfig, model: SentenceTransformer, loss: nn.Module | None = None) -> str:
    """``fast`` where the config wants it and the model and the loss allow it, else ``stock``."""
    if config.engine != "fast" or (loss is not None and not packs(LOSS[config.loss], MODIFIER[config.modifier])):
        return "stock"
    return "fast" if all(fits(one) for one in (model, *(companions(loss) if loss is not None else ()))) else "stock"


def choose_precision(config: TrainConfig, device: torch.device, engine: str) -> str:
    """The number format of the computation on this device. Raises ConfigError where it has not got it."""
    if config.precision == "auto":
        if device.type == "cuda":
            return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
        return "bf16" if engine == "fast" and has_fast_bf16() else "fp32"
    if config.precision == "fp16" and device.type == "cpu":
        raise ConfigError("fp16 does not train on a processor.", hint="Choose automatic, fp32 or bf16.")
    if config.precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise ConfigError("This GPU has no bf16.", hint="Choose automatic, fp32 or fp16.")
    return config.precision


def name_device(device: torch.device) -> str:
    """For people."""
    if device.type == "cuda":
        return f"GPU ({torch.cuda.get_device_name(device)})"
    return f"processor ({os.cpu_count()} cores)" if device.type == "cpu" else device.type.upper()


def draw(heldout: np.ndarray, seed: int) -> np.ndarray:
    """At most LIVE_ROWS of the held-out rows, by chance: what is looked at while training runs."""
    if len(heldout) <= LIVE_ROWS:
        return heldout
    return np.sort(np.random.default_rng(seed).choice(heldout, LIVE_ROWS, replace=False))


def loss_rows(
    data: pa.Table, positions: np.ndarray, config: TrainConfig, taught: np.ndarray | None = None
) -> Dataset | None:
    """Held-out rows that the loss is computed on.

    None where a loss that compares rows has too few, and where a text would be compared with itself: without dropout
    there is nothing to tell apart.
    """
    loss = LOSS[config.loss]
    if loss.feeding == "twice":
        return None
    comparable = grouped(class_numbers(data.take(positions))) if loss.by_class else len(positions)
    return feed(data, positions, config, taught) if comparable >= loss.min_batch_size else None


def write_split(folder: RunFolder, data: pa.Table, rows: RowPlan) -> None:
    """split.json: the row numbers (as a spreadsheet counts) of the rows that train and that are held out."""
    numbers = data["row"].to_numpy()
    write_json(
        folder.split,
        {
            "train": numbers[rows.train].tolist(),
            "heldout": numbers[rows.heldout].tolist(),
            "note": rows.split.note,
            "shared": rows.split.shared,
        },
    )


def check_room(folder: RunFolder, loss: nn.Module) -> None:
    """Raises HostError when the disk has no room for two checkpoints and the model. ``loss`` holds the model."""
    weights = sum(p.numel() for p in loss.parameters() if p.requires_grad)
    needed = weights * (2 * CHECKPOINT_BYTES + 4)
    free = shutil.disk_usage(folder.path).free
    if free < needed:
        raise HostError(
            f"The disk has {free / 1e6:,.0f} MB left; this training needs {needed / 1e6:,.0f} MB.",
            hint="Delete old runs or corpora, or choose a smaller base model.",
        )


def fingerprint_of(folder: RunFolder) -> str:
    """Names the config and data that a checkpoint belongs to."""
    parts = [folder.config.read_bytes(), folder.split.read_bytes(), (folder.dataset / "dataset.json").read_bytes()]
    parts += [path.read_bytes() for path in sorted(folder.datasets.glob("*/dataset.json"))]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def find_checkpoint(folder: RunFolder, fingerprint: str, events: EventWriter) -> Path | None:
    """The checkpoint to go on from; says in the events which it is and what was wrong with others."""
    folder.checkpoints.mkdir(exist_ok=True)
    shutil.rmtree(folder.checkpoints / ASIDE, ignore_errors=True)
    checkpoint, problems = newest_whole(folder.checkpoints, fingerprint)
    for problem in problems:
        events.write("note", message=problem, severity="warning")
    if checkpoint is not None:
        events.write("note", message=f"Goes on from the checkpoint of step {step_of(checkpoint)}.", severity="info")
    elif problems:
        events.write("note", message="No checkpoint is whole: training starts again.", severity="warning")
    return checkpoint


def note_into(events: EventWriter):
    """A function that writes a note event."""
    return lambda message, severity: events.write("note", message=message, severity=severity)
