"""A run as a Python script that needs sentence-transformers and nothing of the studio.

The worker writes it when a run has succeeded: then it is known what was done, batch size and kept step included. The
archive adds the rows. The script makes the steps that the run made, with the stock trainer, and no checks in between.
"""

import json
import pprint
import shutil
import textwrap
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses

from studio import __version__
from studio.catalog.losses import LOSS, MODIFIER
from studio.catalog.models import MODEL
from studio.files import write_json
from studio.training.bases import base_of
from studio.training.config import TrainConfig
from studio.training.folder import RunFolder
from studio.training.objective import loss_arguments, modifier_arguments
from studio.training.settings_file import to_yaml
from studio.training.train import Trained, argument_values

PACKAGES = ("sentence-transformers", "transformers", "torch", "datasets", "accelerate")
MISSING = "missing.txt"
SOURCES: dict[str, dict[str, str]] = {
    "columns": {},
    "class": {"text": "text"},
    "once": {"text": "text"},
    "twice": {"text": "text", "again": "text"},
}
"""Feeding of a loss -> what it is given and the column of the dataset; empty: all texts, and score or label."""
NAMESPACES = (losses.TripletDistanceMetric, losses.SiameseDistanceMetric, losses.BatchHardTripletLossDistanceFunction)


def write_script(done: Trained, folder: RunFolder, name: str) -> None:
    """Write script.py, rows.json, config.yaml and requirements.txt into the run's ``script`` folder.

    Where the training needs more than sentence-transformers, missing.txt says so instead.
    """
    out = folder.script
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    reason = missing(done)
    if reason:
        (out / MISSING).write_text(reason, encoding="utf-8")
        return
    (out / "script.py").write_text(_script(done, folder, name), encoding="utf-8")
    write_json(out / "rows.json", done.rows.train.tolist())
    (out / "config.yaml").write_text(to_yaml(done.config, name), encoding="utf-8")
    packages = [*PACKAGES, *(["peft"] if done.config.lora_rank else []), *_base_packages(done.config)]
    (out / "requirements.txt").write_text("".join(f"{p}=={version(p)}\n" for p in packages), encoding="utf-8")


def missing(done: Trained) -> str:
    """Why a training cannot be a script of sentence-transformers alone; empty: it can."""
    config = done.config
    loss = LOSS[config.loss]
    if done.others:
        return "Several datasets trained together."
    if config.projection is not None or config.normalize != "keep" or config.similarity != "default":
        return "The model has layers or a similarity that the studio added."
    if any(done.model.prompts.values()):
        return "Words are put before the texts, by the roles that the studio knows."
    if loss.feeding.startswith("teacher"):
        return f"{loss.label} learns from a teacher, which the studio asks before training."
    if loss.feeding not in SOURCES:
        return f"{loss.label} learns from texts that the studio makes anew in each epoch."
    if "guide" in {p.argument for p in loss.parameters}:
        return f"{loss.label} needs a guide model, which the studio brings along."
    return ""


def _script(done: Trained, folder: RunFolder, name: str) -> str:
    config, rows = done.config, done.rows
    precision = "fp32" if done.engine == "fast" else done.precision
    arguments = argument_values(config, rows, precision, done.model.device, "stock")
    arguments["batch_sampler"] = arguments["batch_sampler"].value
    data = pq.read_schema(folder.dataset / "data.parquet").empty_table()
    columns = SOURCES[LOSS[config.loss].feeding] or {n: n for n in data.column_names if n not in ("row", "class")}
    note = ""
    if done.engine == "fast":
        note = (
            "The run used the studio's fast engine, which computes the same without padding and draws other dropout "
            "masks: this is its stock equivalent, and its result differs by chance as another seed's does."
        )
    return TEMPLATE.format(
        name=json.dumps(name)[1:-1],
        studio=__version__,
        note=textwrap.fill(note, 110) + "\n\n" if note else "",
        imports=_imports(config),
        seed=config.seed,
        kept=done.kept_step,
        steps=done.steps,
        base=_base(config, folder),
        build=textwrap.indent(_build(config), "    "),
        columns=pprint.pformat(columns, sort_dicts=False),
        classes=CLASSES if LOSS[config.loss].feeding == "class" else "",
        loss=_loss(done),
        arguments=textwrap.indent(_keywords(arguments), " " * 8),
        end=textwrap.indent(MERGE, "    ") if config.lora_rank else "",
    )


def _loss(done: Trained) -> str:
    """The lines that make the loss."""
    record = LOSS[done.config.loss]
    arguments = loss_arguments(done.model, done.config, done.teacher_dimension)
    line = f"losses.{record.cls or record.id}(model{_more(arguments)})"
    if done.config.modifier == "none":
        return line
    outer = f"losses.{MODIFIER[done.config.modifier].id}Loss"
    return f"{line}\n    loss = {outer}(model, loss{_more(modifier_arguments(done.model, done.config))})"


def _more(arguments: dict[str, Any]) -> str:
    return "".join(f", {name}={_source(value)}" for name, value in arguments.items())


def _keywords(arguments: dict[str, Any]) -> str:
    return "".join(f"{name}={_source(value)},\n" for name, value in arguments.items()).rstrip()


def _source(value: Any) -> str:
    """The value as Python says it in the script."""
    if value is None or isinstance(value, str | int | float | bool | dict | list | tuple):
        return repr(value)
    for place in NAMESPACES:
        for name, member in vars(place).items():
            if not name.startswith("_") and (member is value or getattr(place, name) is value):
                return f"losses.{place.__name__}.{name}"
    if getattr(util, getattr(value, "__name__", ""), None) is value:
        return f"util.{value.__name__}"
    raise TypeError(f"no source for {value!r}")


def _imports(config: TrainConfig) -> str:
    lines = []
    path = base_of(config).path
    if path is not None and path.is_file():
        lines += ["from safetensors.torch import load_file", "from tokenizers import Tokenizer"]
    if config.lora_rank:
        lines += ["from peft import LoraConfig", "from peft.tuners.tuners_utils import BaseTunerLayer"]
    return "\n".join(lines) + "\n" if lines else ""


def _base(config: TrainConfig, folder: RunFolder) -> str:
    """The lines that load the base model."""
    base = base_of(config)
    record = MODEL.get(config.base_model)
    if base.design is not None:
        where = 'str(HERE / "base" / "built")'
    elif record is not None and record.package:
        place = f"package({record.package!r})"
        if base.path.is_file():
            return (
                f"tokenizer = Tokenizer.from_file(str({place} / {record.tokenizer!r}))\n"
                "    tokenizer.no_truncation()\n"
                f"    vectors = load_file({place} / {record.path!r})\n"
                '    vectors = vectors["embedding.weight" if "embedding.weight" in vectors else "embeddings"].float()\n'
                "    static = modules.StaticEmbedding(tokenizer, embedding_weights=vectors)\n"
                '    model = SentenceTransformer(modules=[static], similarity_fn_name="cosine")'
            )
        where = f"str({place} / {record.path!r})"
    elif Path(config.base_model).is_relative_to(folder.path):
        where = f"str(HERE / {str(Path(config.base_model).relative_to(folder.path))!r})"
    else:
        where = repr(config.base_model)
    return f'model = SentenceTransformer({where}, model_kwargs={{"use_safetensors": True, "dtype": torch.float32}})'


def _base_packages(config: TrainConfig) -> list[str]:
    record = MODEL.get(config.base_model)
    return [record.package.replace("_", "-")] if record is not None and record.package else []


def _build(config: TrainConfig) -> str:
    """The lines that make the config's model of the base model."""
    lines = []
    if config.pooling != "default":
        lines.append(
            "for name, module in model.named_children():\n"
            "    if isinstance(module, modules.Pooling):\n"
            "        model._modules[name] = modules.Pooling("
            f"module.embedding_dimension, {tuple(config.pooling.split('+'))!r}, include_prompt=module.include_prompt)"
        )
    if config.max_seq_length is not None:
        lines.append(
            "if isinstance(model[0], modules.StaticEmbedding):\n"
            f"    model[0].tokenizer.enable_truncation({config.max_seq_length})\n"
            f"else:\n    model.max_seq_length = {config.max_seq_length}"
        )
    if config.lora_rank:
        lines.append(
            f"model.add_adapter(LoraConfig(r={config.lora_rank}, lora_alpha={config.lora_alpha}, "
            f'lora_dropout={config.lora_dropout!r}, target_modules="all-linear"))'
        )
    if config.freeze_layers:
        lines.append(FREEZE.format(layers=config.freeze_layers))
    if config.gradient_checkpointing:
        lines.append(
            "model.transformers_model.activation_checkpointing_enable("
            'activation_checkpointing_kwargs={"use_reentrant": False})'
        )
    return "".join(f"{line}\n" for line in lines)


FREEZE = """\
inner = model.transformers_model
blocks = next(m for m in inner.modules() if isinstance(m, nn.ModuleList) and len(m) == inner.config.num_hidden_layers)
lowest = [m for name, m in inner.named_modules() if name.rpartition(".")[2] in {{"embeddings", "embed_tokens", "wte", "wpe", "shared"}}]
for module in (*lowest, *blocks[:{layers}]):
    module.requires_grad_(False)"""

CLASSES = """
    spelt = sorted(set(table["class"].to_pylist()))
    columns["label"] = [spelt.index(one) for one in table["class"].to_pylist()]"""

MERGE = """\
# LoRA's matrices are added to the weights that they belong to: what is saved is a plain model.
for name, layer in [(n, m) for n, m in model.named_modules() if isinstance(m, BaseTunerLayer)]:
    layer.merge(safe_merge=True)
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, layer.get_base_layer())
del model.transformers_model.peft_config
model.transformers_model._hf_peft_config_loaded = False
"""

TEMPLATE = '''"""Trains what the run "{name}" trained, with sentence-transformers alone.

    pip install -r requirements.txt
    python script.py [FOLDER FOR THE MODEL]

{note}Made by Sentence Studio {studio}. data.parquet has the rows; rows.json says which of them train.
"""

import importlib.util
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import torch
from datasets import Dataset
{imports}from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers import util  # noqa: F401
from sentence_transformers.sentence_transformer import losses, modules
from torch import nn  # noqa: F401
from transformers import TrainerCallback, set_seed

HERE = Path(__file__).resolve().parent
SEED = {seed}
LAST_STEP = {kept}  # of {steps}: the step whose model the run kept
COLUMNS = {columns}  # what the loss is given, and where it stands


def package(name):
    """Folder of a Python package that brings the weights of a model."""
    return Path(importlib.util.find_spec(name).submodule_search_locations[0])


def build_model():
    {base}
    model = model.float()
{build}    return model


def read_rows():
    table = pq.read_table(HERE / "data.parquet")
    columns = {{name: table[column].to_pylist() for name, column in COLUMNS.items()}}{classes}
    return Dataset.from_dict(columns).select(json.loads((HERE / "rows.json").read_text()))


class Stop(TrainerCallback):
    """Ends training where the run's model comes from; the schedule is that of all its steps."""

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step >= LAST_STEP


def main(out):
    set_seed(SEED)
    model = build_model()
    set_seed(SEED)
    loss = {loss}
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(HERE / "training"),
        eval_strategy="no",
        save_strategy="no",
        report_to="none",
{arguments}
    )
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=read_rows(), loss=loss, callbacks=[Stop()]
    )
    trainer.train()
{end}    model.save_pretrained(str(out))
    print("saved", out)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "model")
'''
