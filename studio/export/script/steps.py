"""The steps of a script: the Trainer's arguments, how batches are made, and where training ends."""

import dataclasses
import math
import textwrap
from typing import Any

import pyarrow.parquet as pq
from sentence_transformers import SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.training_args import BatchSamplers

from studio.catalog.losses import LOSS
from studio.export.script.page import Page, Raw
from studio.export.script.rows import configs_of, draws
from studio.training.folder import RunFolder
from studio.training.inputs import input_names
from studio.training.parts import FIRST
from studio.training.prompts import column_prompts
from studio.training.train import Trained, argument_values

CONSTANTS = {
    "num_train_epochs": "EPOCHS",
    "per_device_train_batch_size": "BATCH_SIZE",
    "learning_rate": "LEARNING_RATE",
}
"""Arguments that stand on top of the script."""
ALWAYS = ("lr_scheduler_type", "warmup_steps")
LINES_OF_LOSS = 20
SAMPLERS = {
    BatchSamplers.NO_DUPLICATES: "NoDuplicatesBatchSampler",
    BatchSamplers.GROUP_BY_LABEL: "GroupByLabelBatchSampler",
}


def write_constants(page: Page, done: Trained) -> None:
    """What a person looks for first."""
    page.constant("SEED", done.config.seed)
    page.constant("EPOCHS", done.config.epochs)
    page.constant("BATCH_SIZE", done.rows.batch_size)
    page.constant("LEARNING_RATE", done.config.learning_rate)


def write_main(page: Page, done: Trained, folder: RunFolder) -> str:
    """The functions that training needs besides, and the script's last lines."""
    page.use("sys")
    page.use("pathlib", "Path")
    page.use("sentence_transformers", "SentenceTransformerTrainer", "SentenceTransformerTrainingArguments")
    page.use("transformers", "set_seed")
    callbacks = []
    if draws(done):
        callbacks.append("epoch")
    if done.kept_step < done.steps:
        page.use("transformers", "TrainerCallback")
        page.constant("LAST_STEP", done.kept_step, f"of {done.steps}: the one whose model the run kept")
        page.define(STOP)
        callbacks.append("Stop()")
    trainer = page.call(
        "SentenceTransformerTrainer", model=Raw("model"), args=Raw("args"),
        train_dataset=Raw(f"read_rows({'epoch' if draws(done) else ''})"), loss=Raw("loss"),
        **({"callbacks": Raw(f"[{', '.join(callbacks)}]")} if callbacks else {}),
    )  # fmt: skip
    lines = [
        "set_seed(SEED)",
        "model = build_model()",
        "set_seed(SEED)  # a loss may have weights of its own",
        "loss = build_loss(model)",
        f"args = {page.call('SentenceTransformerTrainingArguments', **_arguments(page, done, folder))}",
        *(["epoch = Epoch()"] if draws(done) else []),
        f"trainer = {trainer}",
        "trainer.train()",
        *(["merge_adapters(model)"] if done.config.lora_rank else []),
        "model.save_pretrained(str(out))",
        'print("saved", out)',
    ]
    return MAIN.format(body=textwrap.indent("\n".join(lines), "    "))


def _arguments(page: Page, done: Trained, folder: RunFolder) -> dict[str, Any]:
    precision = "fp32" if done.engine == "fast" else done.precision
    values = argument_values(done.config, done.rows, precision, done.model.device, "stock")
    defaults = {field.name: field.default for field in dataclasses.fields(SentenceTransformerTrainingArguments)}
    sampler = values.pop("batch_sampler")
    if not done.others:
        values.pop("multi_dataset_batch_sampler")
    told = {"output_dir": Raw('str(HERE / "training")')}
    for name, value in values.items():
        if name in CONSTANTS:
            told[name] = Raw(CONSTANTS[name])
        elif name in ("seed", "data_seed"):
            told[name] = Raw("SEED")
        elif name in ALWAYS or (value != defaults[name] and value not in ({}, None)):
            told[name] = value
    told |= _batches(page, done, folder, sampler)
    if prompts := _prompts(done, folder):
        told["prompts"] = prompts
    told |= {"save_strategy": "no", "report_to": "none", "logging_steps": math.ceil(done.steps / LINES_OF_LOSS)}
    return told


def _batches(page: Page, done: Trained, folder: RunFolder, first: BatchSamplers) -> dict[str, Any]:
    """How batches are made; nothing where it is by chance."""
    kinds = {key: BatchSamplers(LOSS[config.loss].sampler) for key, config in configs_of(done).items()}
    if len(set(kinds.values())) == 1:
        if first == BatchSamplers.BATCH_SAMPLER:
            return {}
        page.use("sentence_transformers.sentence_transformer.training_args", "BatchSamplers")
        return {"batch_sampler": Raw(f"BatchSamplers.{first.name}")}
    columns = _columns(done, folder)
    sampled = {columns[key]: SAMPLERS[kind] for key, kind in kinds.items() if kind in SAMPLERS}
    base = "sentence_transformers.base.sampler"
    page.use(base, "DefaultBatchSampler", *sampled.values())
    page.use("datasets", "Dataset")
    page.use("torch.utils.data", "BatchSampler", "RandomSampler")
    inner = "".join(f"    {page.source(names)}: {sampler},\n" for names, sampler in sampled.items())
    page.define(f"# Columns of a dataset -> what makes its batches.\nSAMPLERS = {{\n{inner}}}")
    page.define(SAMPLER)
    return {"batch_sampler": Raw("batch_sampler")}


def _columns(done: Trained, folder: RunFolder) -> dict[str, tuple[str, ...]]:
    """Names of the columns that each dataset's loss is given."""
    schemas = {FIRST: pq.read_schema(folder.dataset / "data.parquet")}
    schemas |= {other.part.key: other.part.data.schema for other in done.others}
    return {key: input_names(schemas[key].names, LOSS[config.loss].feeding) for key, config in configs_of(done).items()}


def _prompts(done: Trained, folder: RunFolder) -> dict[str, str]:
    names = dict.fromkeys(name for columns in _columns(done, folder).values() for name in columns)
    return column_prompts(done.model, [name for name in names if name not in ("label", "score")])


STOP = '''
class Stop(TrainerCallback):
    """Ends training where the run's model comes from; the schedule is that of all steps."""

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step >= LAST_STEP
'''

SAMPLER = '''
def batch_sampler(dataset: Dataset, **arguments) -> BatchSampler:
    """Each dataset is put into batches as its loss needs it."""
    columns = tuple(name for name in dataset.column_names if name != "dataset_name")
    if columns in SAMPLERS:
        return SAMPLERS[columns](dataset, **arguments)
    return DefaultBatchSampler(RandomSampler(dataset, generator=arguments["generator"]), **arguments)
'''

MAIN = """
def main(out: Path) -> None:
{body}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "model")
"""
