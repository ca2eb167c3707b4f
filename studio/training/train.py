"""One training, from a run's folder to a tuned model."""

import gc
import hashlib
import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from torch import nn
from transformers import PrinterCallback, TrainerCallback, set_seed

from studio.catalog.losses import LOSS, MODIFIER
from studio.data.codes import picked
from studio.data.dataset import DatasetInfo, load_corpus, load_info, load_rows
from studio.data.rows import class_numbers, label_count, text_columns
from studio.errors import ConfigError, HostError, RunError
from studio.evaluation.evidence import texts_to_keep
from studio.evaluation.known import know_again
from studio.evaluation.measure import Measurement, measure
from studio.evaluation.sentence import Facts
from studio.evaluation.task import Shown, Task, make_task
from studio.files import read_json, write_json
from studio.process import is_out_of_memory
from studio.training.bases import Base, base_of, resolve_base
from studio.training.best import Best
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
from studio.training.checkpoints import ASIDE, KEEP, newest_whole, step_of
from studio.training.config import AUTO, TrainConfig, make_config
from studio.training.engine.fast import fast, fits, has_fast_bf16
from studio.training.engine.static import cut_with, is_static, static
from studio.training.engine.tokens import keep
from studio.training.feeding import Epoch, feed
from studio.training.fetch import download
from studio.training.fit import packs
from studio.training.folder import EventWriter, RunFolder
from studio.training.fresh import build_base
from studio.training.judging import OwnTest, own_test, same_columns, task_of
from studio.training.largest import find_largest
from studio.training.memory import Memory
from studio.training.model import build_model, changes_base, load_base
from studio.training.objective import Heads, batch_sampler, build_loss, companions, restore_head
from studio.training.parts import Part, load_parts, plan_together, trained_rows
from studio.training.portions import can_divide, in_portions, portion_of
from studio.training.prompts import column_prompts
from studio.training.rows import LIVE_ROWS, START_BATCH_SIZE, RowPlan, grouped, most_rows, plan_rows
from studio.training.suggest import check_fit, suggest_loss
from studio.training.teacher import has_teacher, teach
from studio.training.together import datasets_of, look_at, losses_of, sampler_of, trained_by
from studio.training.trainable import can_compute_twice, choose_trainable, compute_twice, merge_adapters
from studio.training.trainer import Trainer

CHECKPOINT_EVERY_S = 60.0
TEXTS_AT_A_TIME = 20_000
DECAY_SHARE = 0.2
"""Share of the steps in which the schedule 'warm-up, stable, decay' lets the learning rate fall."""
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
    shown: tuple[Shown, ...]
    """Texts whose embeddings are kept; the base Measurement has seen them."""
    rows: RowPlan
    others: tuple[JudgedPart, ...]
    facts: Facts
    step: int
    steps: int
    kept_step: int
    """The step whose weights the model has."""
    chosen: str
    """Why it ended there and why this step; empty: there was no choice."""
    engine: str
    precision: str
    teacher_dimension: int | None
    general: dict[str, np.ndarray] | None
    """How the base model does in the check of general ability; None: it is switched off."""
    steps_made: int
    """By this process."""
    steps_s: float
    """Seconds that they took."""
    ready_at: float
    """When everything was loaded, seconds since 1970."""
    taught_s: float
    """Seconds that a teacher was asked."""
    usual: bool
    """Nothing happened that tells nothing of other trainings: a download, a search for the batch, memory that ran out."""
    portion: int | None = None
    """Rows that were embedded at a time after memory ran out; None: whole batches, or as the loss says."""
    labels: int = 2
    """How many labels or classes pairs were told apart by."""
    computed_twice: bool = False
    """Layers were computed twice instead of being remembered."""


def train(
    folder: RunFolder, events: EventWriter, watch: StopWatch, checkpoint_every_s: float = CHECKPOINT_EVERY_S
) -> Trained:
    """Train as ``folder`` says; continues from its newest whole checkpoint when there is one.

    When memory runs out it goes back to that checkpoint and computes the same batches in smaller portions. Where that
    is not possible it begins again with half the batch, and says so.

    Raises:
        StudioError: what a person can do something about.
        Cancelled: somebody asked the run to stop and keep nothing.
    """
    events.write("phase", phase="loading")
    note = note_into(events)
    config, info, data = load(folder)
    test = own_test(folder.test, config.seed)
    check_fit(info, config, data, test)
    memory = Memory.load(folder.memory)
    automatic = config.batch_size == AUTO
    if automatic:
        config = config.model_copy(update={"batch_size": memory.batch_size or START_BATCH_SIZE})
    config = smaller_batch(config, memory)
    rows, parts = plan_all(folder, config, data, test)
    write_split(folder, data, rows)
    downloads = base_of(config).needs_download
    base_model = ready_base(folder, config, training_texts(data, rows, parts), events, watch)
    infos = [info, *(part.info for part in parts)]
    model = new_model(config, infos, memory, base_model)
    live_rows = draw(rows.looked_at, config.seed)
    taught, asked_at = None, time.monotonic()
    if has_teacher(config):
        asked = data.take(rows.train if rows.looks_at_test else np.concatenate([rows.train, live_rows]))
        taught = teach(folder.taught, fingerprint_of(folder), asked, config, model.device, watch.look)
    taught_s = time.monotonic() - asked_at
    work = Work(folder, config, rows, parts, data, taught)
    if automatic and memory.batch_size is None:
        memory = find_batch_size(work, model, memory, note, watch)
        config = smaller_batch(config.model_copy(update={"batch_size": memory.batch_size}), memory)
        rows, parts = plan_all(folder, config, data, test)
        work = replace(work, config=config, rows=rows, parts=parts)
        del model
        free_memory()
        model = new_model(config, infos, memory, base_model)
    for message in rows.notes:
        note(message, "warning")
    if test is not None:
        note(f"'{test.info.name}' judges. {rows.split.note}", "info")
    for part in parts:
        note(part.words, "info")
    if len({config.loss, *(part.config.loss for part in parts)}) > 1:
        note(
            "Losses are on different scales, and the training loss jumps between them: the held-out curves tell more.",
            "info",
        )
    losses = new_losses(work, model, memory)
    learning = trained_by(losses)
    check_room(folder, learning, model, config)
    engine = engine_of(work, model, losses)
    if engine != config.engine and engine != choose_engine(config, model):
        note(f"{LOSS[config.loss].label} trains with the stock engine here: the fast one cannot serve it.", "info")
    elif engine != config.engine and model.device.type == "cpu" and model.transformers_model is not None:
        note("The fast engine does not take this model: the stock one trains it.", "info")
    precision = choose_precision(config, model.device, engine)
    task, live = tasks_of(folder, info, data, rows, live_rows)
    if config.chooses:
        message = f"{len(rows.validation):,} rows choose when to stop and what to keep; they neither train nor judge."
        note(message, "info")
    elif live.rows < task.rows:
        message = (
            f"While training runs, {live.rows:,} of the {task.rows:,} held-out rows are looked at; the end takes all."
        )
        note(message, "info")
    watch.look()

    ready_at = time.time()
    events.write("phase", phase="judging base")
    begun = time.monotonic()
    # A layer with random weights or words it does not know would make the base model look worse than it is.
    changed = changes_base(config)
    judged = load_base(base_model).eval() if changed else model
    shown = texts_to_keep(task, config.seed)
    base = measure(judged, task, tick=watch.look, keep=shown)
    others = [judged_part(part, judged, watch) for part in parts]
    judging_s = time.monotonic() - begun
    live_base = base if live.texts == task.texts else measure(judged, live, tick=watch.look)
    general = general_of_base(config, judged, watch.look)
    del judged
    events.write(
        "plan",
        steps=rows.steps,
        train_rows=trained_rows(rows, parts),
        heldout_rows=task.rows,
        validation_rows=len(rows.validation),
        batch_size=rows.batch_size,
        device=name_device(model.device),
        precision=precision,
        engine=engine,
        primary=live.primary,
        base={name: live_base.metrics.get(name) for name in live.metric_ids},
    )
    watch.look()

    reporter = Events(
        events,
        live.metric_ids,
        looks(rows.steps, config.evaluations, config.evaluation_steps),
        trained_rows(rows, parts),
        judging_s,
    )
    fingerprint = fingerprint_of(folder, config.batch_size if automatic or memory.batch_most else None, engine)
    configs = [config, *(part.config for part in parts)]
    if rows.looks_at_test:
        comparable = taught is None and same_columns(test, info, data)
        eval_rows = loss_rows(test.data, live_rows, config) if comparable else None
    else:
        eval_rows = loss_rows(data, live_rows, config, None if taught is None else taught[len(rows.train) :])
    events.write("phase", phase="training")
    while True:
        best = Best(live.primary, config.early_stopping, config.keep_best) if config.chooses else None
        trainer = make_trainer(
            work, model, losses, engine, precision,
            evaluator=LiveEvaluator(live, None if changed else live_base),
            callbacks=[
                reporter,
                *([best] if best else []),
                Stopping(watch),
                Heads(learning, model),
                Checkpoints(
                    folder.checkpoints, fingerprint, checkpoint_every_s, note, best.save if best else lambda into: None
                ),
            ],
        )  # fmt: skip
        look_at(trainer, eval_rows, parts)
        checkpoint = find_checkpoint(folder, fingerprint, events)
        if checkpoint is not None:
            restore_head(learning, model, checkpoint)
        if best and checkpoint:
            best.load(checkpoint)
        try:
            with engaged(engine, model, precision, learning, work):
                if checkpoint is None and (config.evaluations > 0 or config.evaluation_steps):
                    trainer.evaluate()
                watch.look()
                if watch.keep and checkpoint is None:
                    raise Cancelled("Stopped before the first step: there was nothing to keep.")
                trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
                step = trainer.state.global_step
                kept = best.apply(model, step) if best else step
            break
        except Exception as error:
            smaller = less_memory(trainer, rows, memory, configs) if is_out_of_memory(error) else None
            if smaller is None:
                raise
        halved = smaller[0].batch_most != memory.batch_most
        memory, words = smaller
        memory.save(folder.memory)
        note(words, "warning")
        del trainer, model, losses, learning, best
        free_memory()
        if halved:
            return train(folder, events, watch, checkpoint_every_s)
        model = new_model(config, infos, memory, base_model)
        losses = new_losses(work, model, memory)
        learning = trained_by(losses)
    portion = (
        largest_portion(losses, rows.batch_size) if memory.halvings and all(map(can_divide, each(losses))) else None
    )
    inner = model.transformers_model
    twice = inner is not None and bool(getattr(inner, "is_activation_checkpointing", False))
    merge_adapters(model)
    if not all(torch.isfinite(p).all() for p in model.parameters()):
        raise ConfigError(
            "The weights stopped being numbers in the last steps: the model is lost.",
            hint=f"The learning rate of {config.learning_rate:g} is too high for this model; try a tenth of it.",
        )
    shutil.rmtree(folder.checkpoints / ASIDE, ignore_errors=True)
    chosen = best.words(step) if best else ""
    if chosen:
        note(chosen, "info")
    facts = Facts(
        config.loss, config.learning_rate, rows.batch_size, trained_rows(rows, parts), tuple(reporter.losses),
        test is not None, suggest_loss(info.format, resolve_base(config.base_model)), warnings_of(info),
    )  # fmt: skip
    return Trained(
        config, info, model.eval(), task, base, shown, rows, tuple(others), facts, step, rows.steps, kept, chosen, engine, precision,
        None if taught is None else taught.shape[-1], general, reporter.steps_made, reporter.steps_s, ready_at, taught_s,
        usual=not (automatic or parts or downloads or memory != Memory()) and reporter.steps_made == step,
        portion=portion, labels=label_count(data), computed_twice=twice,
    )  # fmt: skip


def tasks_of(
    folder: RunFolder, info: DatasetInfo, data: pa.Table, rows: RowPlan, live_rows: np.ndarray
) -> tuple[Task, Task]:
    """What judges at the end, and what is looked at while training runs."""
    test, corpus = rows.test, load_corpus(folder.dataset)
    if test is None:
        task = make_task(data, info.judged_as, rows.heldout, rows.split.shared, corpus=corpus)
    else:
        task = task_of(test, np.arange(len(test.data)), rows.split, data)
    if rows.looks_at_test:
        return task, task_of(test, live_rows, rows.split, data, LIVE_ROWS)
    return task, make_task(data, info.judged_as, live_rows, rows.looks_shared, LIVE_ROWS, corpus)


def general_of_base(
    config: TrainConfig, base: SentenceTransformer, tick: Callable[[], None] = lambda: None
) -> dict[str, np.ndarray] | None:
    """How the base model does in the check of general ability; None where it is switched off."""
    return know_again(base, tick) if config.general_check else None


def judged_part(part: Part, model: SentenceTransformer, watch: StopWatch) -> JudgedPart:
    """The base model on a further dataset."""
    task = make_task(part.data, part.info.judged_as, part.rows.heldout, part.rows.split.shared, corpus=part.corpus)
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


def plan_all(
    folder: RunFolder, config: TrainConfig, data: pa.Table, test: OwnTest | None
) -> tuple[RowPlan, tuple[Part, ...]]:
    """The plan of the first dataset, with the steps that all make together, and the further datasets."""
    rows = plan_rows(data, config, test)
    parts = load_parts(folder, config, data, rows)
    return plan_together(data, config, rows, parts), parts


def new_model(
    config: TrainConfig, infos: Sequence[DatasetInfo], memory: Memory, base: Base | None = None
) -> SentenceTransformer:
    """The model as training starts from it; the same seed makes the same one. ``infos``: of the datasets that train."""
    set_seed(config.seed)
    model = build_model(config, base=base)
    model.model_card_data.train_datasets = [{"name": info.name} for info in infos]
    choose_trainable(model, config)
    if config.gradient_checkpointing or memory.checkpointing:
        compute_twice(model)
    return model


@dataclass(frozen=True)
class Work:
    """What is trained on, and how."""

    folder: RunFolder
    config: TrainConfig
    rows: RowPlan
    parts: tuple[Part, ...]
    """Further datasets that train along."""
    data: pa.Table
    taught: np.ndarray | None
    """What the teacher says of the rows that train, and then of those that are looked at."""


def new_losses(work: Work, model: SentenceTransformer, memory: Memory) -> nn.Module | dict[str, nn.Module]:
    """The losses as training starts from them, in portions where memory has run out before."""
    set_seed(work.config.seed)  # a loss may have weights of its own to start with
    dimension = None if work.taught is None else work.taught.shape[-1]
    first = build_loss(model, work.config, dimension, label_count(work.data))
    losses = losses_of(first, model, work.parts)
    divided = all(map(can_divide, each(losses)))
    if memory.halvings and divided:
        portion = memory.portion(largest_portion(losses, work.rows.batch_size))
        if isinstance(losses, dict):
            return {key: in_portions(loss, portion) for key, loss in losses.items()}
        return in_portions(losses, portion)
    if memory.halvings and can_compute_twice(model):  # the kernel killed the process, and this is what is left
        compute_twice(model)
    return losses


def each(losses: nn.Module | dict[str, nn.Module]) -> list[nn.Module]:
    """The losses of the datasets."""
    return list(losses.values()) if isinstance(losses, dict) else [losses]


def largest_portion(losses: nn.Module | dict[str, nn.Module], batch_size: int) -> int:
    """Rows that are embedded at a time."""
    return max(portion_of(loss, batch_size) for loss in each(losses))


def engine_of(work: Work, model: SentenceTransformer, losses: nn.Module | dict[str, nn.Module]) -> str:
    """The engine that serves the model and all losses."""
    configs = [work.config, *(part.config for part in work.parts)]
    found = {choose_engine(config, model, loss) for config, loss in zip(configs, each(losses), strict=True)}
    return found.pop() if len(found) == 1 else "stock"


def make_trainer(
    work: Work,
    model: SentenceTransformer,
    losses: nn.Module | dict[str, nn.Module],
    engine: str,
    precision: str,
    callbacks: Sequence[TrainerCallback] = (),
    **more: Any,
) -> Trainer:
    """The Trainer of the rows that train. ``more``: what it takes besides."""
    epoch, taught = Epoch(), None if work.taught is None else work.taught[: len(work.rows.train)]
    first = feed(work.data, work.rows.train, work.config, taught, epoch)
    train_dataset = datasets_of(first, work.parts, epoch)
    arguments = training_arguments(work.folder, work.config, work.rows, precision, model.device, engine)
    arguments.batch_sampler = sampler_of(work.config, work.parts, train_dataset)
    columns = {name: None for one in (train_dataset.values() if work.parts else [first]) for name in one.column_names}
    arguments.prompts = column_prompts(model, columns) or None
    trainer = Trainer(
        model=model, args=arguments, train_dataset=train_dataset, loss=losses, callbacks=[epoch, *callbacks], **more
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def engaged(
    engine: str, model: SentenceTransformer, precision: str, learning: nn.Module, work: Work
) -> AbstractContextManager[None]:
    """A context in which ``engine`` trains ``model``."""
    if engine == "fast":
        return fast(model, precision == "bf16", companions(learning))
    if engine == "static":
        tables = [(work.data, work.rows.train), *((part.data, part.rows.train) for part in work.parts)]
        texts = (
            chunk.to_pylist()
            for table, train in tables
            for name in text_columns(table)
            for start in range(0, len(train), TEXTS_AT_A_TIME)
            for chunk in [picked(table[name], np.sort(train[start : start + TEXTS_AT_A_TIME]))]
        )
        module = model[0]
        name = hashlib.sha256(f"{fingerprint_of(work.folder)} {module.tokenizer.to_str()}".encode()).hexdigest()
        tokens = keep(work.folder.tokens, texts, cut_with(module), module.num_embeddings, name)
        return static(model, tokens, decays=work.config.weight_decay > 0)
    return nullcontext()


def find_batch_size(
    work: Work, model: SentenceTransformer, memory: Memory, note: Callable[[str, str], None], watch: StopWatch
) -> Memory:
    """``memory`` with the largest batch that fits, tried on the longest rows; found once, then remembered.

    Tried with the first dataset, which the run is about.
    """
    config, folder = work.config, work.folder
    most = most_rows(work.data, config, work.rows.test)
    rows = plan_rows(work.data, config.model_copy(update={"batch_size": most}), work.rows.test)
    work = replace(work, rows=rows, parts=())
    loss = new_losses(work, model, memory)
    engine = engine_of(work, model, loss)
    precision = choose_precision(config, model.device, engine)
    trainer = make_trainer(work, model, loss, engine, precision)
    with fast(model, precision == "bf16", companions(loss)) if engine == "fast" else nullcontext():
        found = find_largest(trainer, most, LOSS[config.loss].min_batch_size, memory, folder.memory, watch.look)
    note(found.words, "info")
    memory = replace(memory, batch_size=found.batch_size, trying=None)
    memory.save(folder.memory)
    return memory


def less_memory(
    trainer: Trainer, rows: RowPlan, memory: Memory, configs: Sequence[TrainConfig]
) -> tuple[Memory, str] | None:
    """How to go on after memory ran out, and what to say of it; None: in no other way. ``configs``: of the datasets."""
    divided = all(map(can_divide, each(trainer.loss)))
    portion = largest_portion(trainer.loss, rows.batch_size) if divided else 1
    layers = can_compute_twice(trainer.model) and not trainer.model.transformers_model.is_activation_checkpointing
    least = max(LOSS[config.loss].min_batch_size for config in configs)
    step = 2 if any(LOSS[config.loss].by_class for config in configs) else 1
    half = rows.batch_size // 2 // step * step
    smaller = memory.smaller(portion, layers, half if half >= least else None)
    if smaller is None:
        return None
    if smaller.batch_most != memory.batch_most:
        return smaller, (
            f"Memory ran out, and this training cannot be computed in {'smaller ' * divided}portions. Batches are halved "
            f"to {half:,} rows and the learning rate stays: training begins again, and it is no longer exactly the one "
            "that was asked for."
        )
    how = (
        f"batches are computed in portions of {portion // 2:,} rows"
        if smaller.halvings > memory.halvings
        else "each layer is computed twice instead of being remembered"
    )
    return smaller, (
        f"Memory ran out. From here on {how}: slower, but a step still learns from {rows.batch_size:,} rows at once "
        "and comes to the same."
    )


def smaller_batch(config: TrainConfig, memory: Memory) -> TrainConfig:
    """``config`` with no more rows in a batch than memory has been found to hold."""
    if memory.batch_most is None or config.batch_size <= memory.batch_most:
        return config
    return config.model_copy(update={"batch_size": memory.batch_most})


def free_memory() -> None:
    """Give back what is not used any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def load(folder: RunFolder) -> tuple[TrainConfig, DatasetInfo, pa.Table]:
    """Config and dataset of a run."""
    values = read_json(folder.config)
    if values is None:
        raise RunError(f"The run's folder {folder.path.name} holds no config.json.", hint="Start the run again.")
    return make_config(values), load_info(folder.dataset), load_rows(folder.dataset)


def training_arguments(
    folder: RunFolder, config: TrainConfig, rows: RowPlan, precision: str, device: torch.device, engine: str
) -> SentenceTransformerTrainingArguments:
    """The config in the Trainer's words, with what the studio wants of it besides."""
    return SentenceTransformerTrainingArguments(
        **argument_values(config, rows, precision, device, engine),
        output_dir=str(folder.checkpoints / ASIDE),
        # A batch by class is even; the sampler fills it as far as there are rows.
        per_device_eval_batch_size=rows.batch_size
        if LOSS[config.loss].by_class
        else min(rows.batch_size, len(rows.looked_at)),
        eval_strategy="no",  # the callbacks ask for looks and checkpoints
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=math.ceil(rows.steps / MOST_TRAIN_EVENTS),
        logging_first_step=True,
        logging_nan_inf_filter=False,  # it would show a lost model as a loss of 0
        report_to="none",
        disable_tqdm=True,
    )


def argument_values(
    config: TrainConfig, rows: RowPlan, precision: str, device: torch.device, engine: str
) -> dict[str, Any]:
    """What the training itself depends on, in the Trainer's words."""
    # The fast engine sets bf16 up itself: for the transformer alone, so that the loss is computed in fp32.
    return {
        "num_train_epochs": config.epochs,
        "per_device_train_batch_size": rows.batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": config.lr_scheduler,
        "lr_scheduler_kwargs": schedule_shape(config, rows.steps),
        "warmup_steps": math.ceil(config.warmup_ratio * rows.steps),
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "bf16": precision == "bf16" and engine == "stock",
        "fp16": precision == "fp16",
        "seed": config.seed,
        "data_seed": config.seed,
        "batch_sampler": batch_sampler(config),
        "multi_dataset_batch_sampler": config.dataset_turns,
        "dataloader_drop_last": rows.drop_last,
        "dataloader_pin_memory": device.type == "cuda",
        "use_cpu": device.type == "cpu",
    }


def schedule_shape(config: TrainConfig, steps: int) -> dict[str, float]:
    """What a schedule needs to know besides the warm-up."""
    return {
        "cosine_with_restarts": {"num_cycles": max(2, round(config.epochs))},
        "polynomial": {"power": 2.0},
        "warmup_stable_decay": {"num_decay_steps": math.ceil(DECAY_SHARE * steps)},
    }.get(config.lr_scheduler, {})


def looks(steps: int, evaluations: int, every: int | None = None) -> frozenset[int]:
    """Steps after which rows are looked at: each ``every``, else ``evaluations`` evenly spread; the last one always."""
    if every is not None:
        return frozenset(range(every, steps, every)) | {steps}
    return frozenset(max(1, round(steps * i / evaluations)) for i in range(1, evaluations + 1)) | {steps}


def choose_engine(config: TrainConfig, model: SentenceTransformer, loss: nn.Module | None = None) -> str:
    """``fast``, or ``static`` for a static model, where the config wants it and the model and the loss allow it; else
    ``stock``."""
    if config.engine != "fast" or (loss is not None and not packs(LOSS[config.loss], MODIFIER[config.modifier])):
        return "stock"
    if is_static(model) and config.precision in ("auto", "fp32"):
        return "static"
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
    """split.json: the row numbers (as a spreadsheet counts) of the rows that train, choose and judge."""
    numbers = data["row"].to_numpy()
    write_json(
        folder.split,
        {
            "train": numbers[rows.train].tolist(),
            "validation": numbers[rows.validation].tolist(),
            "heldout": numbers[rows.heldout].tolist(),
            **({} if rows.test is None else {"test": rows.test.data["row"].to_pylist()}),
            "note": rows.split_note,
            "shared": rows.split.shared,
        },
    )


def check_room(folder: RunFolder, loss: nn.Module, model: SentenceTransformer, config: TrainConfig) -> None:
    """Raises HostError when the disk has no room for the checkpoints that are kept, the one that is being written, and
    the model. ``loss`` holds the model."""
    weights = sum(p.numel() for p in model.parameters())
    moved = sum(p.numel() for p in loss.parameters() if p.requires_grad)
    there = min(KEEP, len(list(folder.checkpoints.glob("checkpoint-*"))))
    needed = moved * (CHECKPOINT_BYTES + 4 * config.keep_best) * (KEEP + 1 - there) + weights * 4
    free = shutil.disk_usage(folder.path).free
    if free < needed:
        raise HostError(
            f"The disk has {free / 1e6:,.0f} MB left; this training needs {needed / 1e6:,.0f} MB.",
            hint="Remove old runs or corpora for good, or choose a smaller base model.",
        )


def fingerprint_of(folder: RunFolder, batch_size: int | None = None, engine: str = "") -> str:
    """Names the config and data that a checkpoint belongs to. ``batch_size``: the one that was found by trying."""
    parts = [folder.config.read_bytes(), folder.split.read_bytes(), (folder.dataset / "dataset.json").read_bytes()]
    if batch_size is not None:
        parts.append(str(batch_size).encode())
    if engine == "static":  # its checkpoints hold a part of the table
        parts.append(engine.encode())
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


def warnings_of(info: DatasetInfo) -> tuple[tuple[str, int], ...]:
    """What the data check warned of: (code, rows), the most rows first."""
    found = [(finding.code, finding.count) for finding in info.findings if finding.severity == "warning"]
    return tuple(sorted(found, key=lambda one: -one[1]))


def note_into(events: EventWriter):
    """A function that writes a note event."""
    return lambda message, severity: events.write("note", message=message, severity=severity)
