"""The script of a run makes the run's model, without the studio: one of each kind of run."""

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from studio.catalog.losses import LOSSES
from studio.data.dataset import save_dataset
from studio.errors import NotFound
from studio.export.archive import zip_script
from studio.export.script.model import Places
from studio.export.script.page import Page
from studio.files import read_json, write_json
from studio.training.bases import Base
from studio.training.config import make_config
from studio.training.folder import RunFolder
from studio.training.settings_file import read_settings
from studio.training.trainer import Trainer
from tests.training.conftest import dataset, run_folder, small_bert  # noqa: F401
from tests.training.test_kills import run_here

pytestmark = pytest.mark.model
STOCK = {"engine": "stock", "precision": "fp32", "batch_size": 8, "evaluations": 2, "learning_rate": 1e-3}
STATIC = {"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2}
TEACHER = {"teacher_model": "SECOND"}
CASES = {
    # what is special -> settings, format of the rows, further datasets
    "stopped early, best kept, own pooling and length": (
        {"early_stopping": 1, "keep_best": True, "epochs": 4, "evaluations": 12, "weight_decay": 0.1,
         "pooling": "max+mean", "max_seq_length": 16, "lr_scheduler": "polynomial"}, "pair",
    ),
    "prompts, projection, unit length, dot product": (
        {"query_prompt": "find: ", "document_prompt": "in: ", "projection": 16, "projection_activation": "tanh",
         "normalize": "on", "similarity": "dot", "token_layers": "weighted", "pooling": "cls", "epochs": 2}, "pair",
    ),
    "automatic batch, computed twice": (
        {"batch_size": "auto", "loss": "MegaBatchMarginLoss", "gradient_checkpointing": True}, "pair",
    ),
    "lora, distances": (
        {"loss": "TripletLoss", "lora_rank": 4, "lr_scheduler": "cosine_with_restarts", "normalize": "off",
         "similarity": "euclidean"}, "triplet",
    ),
    "lora and two copies": ({"loss": "ContrastiveTensionLossInBatchNegatives", "lora_rank": 2}, "texts"),
    "frozen, classes, short embeddings": (
        {"loss": "BatchAllTripletLoss", "modifier": "Matryoshka", "freeze_layers": 1, "gradient_accumulation_steps": 2},
        "classed_text",
    ),
    "static": ({**STATIC, "loss": "CoSENTLoss", "max_seq_length": 16}, "scored_pair"),
    "guided by a package": ({"loss": "GISTEmbedLoss", "loss_margin": 0.1}, "pair"),
    "margins of a teacher": ({"loss": "MarginMSELoss", **TEACHER}, "triplet"),
    "a teacher's embeddings": ({"loss": "EmbedDistillLoss", **TEACHER}, "texts"),
    "words left out": ({"loss": "DenoisingAutoEncoderLoss", "noise_ratio": 0.3, "epochs": 2}, "texts"),
    "paired by chance": ({"loss": "ContrastiveTensionLoss", "epochs": 2}, "texts"),
    "a classifier of its own": ({"loss": "SoftmaxLoss", "learning_rate": 1e-4}, "classed_pair"),
    "layers and dimensions by chance": ({"modifier": "Matryoshka2d"}, "pair"),
    "several datasets": (
        {"query_prompt": "find: ", "dataset_turns": "round_robin"}, "pair", "classed_text", "texts", "scored_pair",
    ),
    "new transformer": ({"base_model": "new:bert", "layers": 1, "width": 32, "vocabulary": 300}, "pair"),
    "new static model": ({"base_model": "new:static", "width": 32, "vocabulary": 300}, "pair"),
    "new word vectors": ({"base_model": "new:cnn", "width": 32}, "pair"),
    "new weighted word vectors": ({"base_model": "new:weighted-words", "width": 32}, "pair"),
    "new bag of words": ({"base_model": "new:bag-of-words", "width": 32}, "pair"),
    "short of memory": ({"loss": "CoSENTLoss"}, "scored_pair"),
}  # fmt: skip
TEXTS = ["Where is my card?", "I lost my phone.", "How do I top up?"]
TOLERANCE = 2e-5
"""Largest difference between two numbers of unit vectors. Runs differ by some tenths after as many steps."""


def little_memory(monkeypatch, rows: int) -> None:
    """A step of more rows at a time runs out of memory, as torch says it."""
    stock = Trainer.compute_loss

    def compute(self, model, inputs, *arguments, **options):
        portion = getattr(self.loss, "mini_batch_size", len(inputs["anchor_input_ids"]))
        if model.training and portion > rows:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        return stock(self, model, inputs, *arguments, **options)

    monkeypatch.setattr(Trainer, "compute_loss", compute)


def without_dropout(model: Path, out: Path) -> str:
    """A copy of the model that portions and whole batches train alike: they draw other masks."""
    config = json.loads((shutil.copytree(model, out) / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (out / "config.json").write_text(json.dumps(config))
    return str(out)


@pytest.fixture
def finished(run_folder, dataset, small_bert, tmp_path):  # noqa: F811
    """finished(name of a case) -> folder of the run and the folder of its unpacked script."""

    def make(name: str):
        values, format, *others = CASES[name]
        values = {**STOCK, "base_model": str(small_bert()), **values}
        values |= {key: str(small_bert(48)) for key, value in values.items() if value == "SECOND"}
        if "memory" in name:
            values["base_model"] = without_dropout(Path(values["base_model"]), tmp_path / "still")
        number = len(list(tmp_path.iterdir()))
        folder = run_folder(values, format, 44, name=f"run{number}")
        for at, other in enumerate(others, 1):
            info, data = dataset(other, 200)
            save_dataset(folder.datasets / str(at), data.slice(170), info)
        write_json(folder.run, {"id": "x", "name": f'{name} "quoted" \\ {{brace}} """'})
        with pytest.MonkeyPatch.context() as patch:
            if "memory" in name:
                little_memory(patch, 4)
            assert run_here(folder) == 0, (name, read_json(folder.outcome))
        archive = tmp_path / f"script{number}.zip"
        zip_script(folder.path, archive)
        with zipfile.ZipFile(archive) as files:
            files.extractall(tmp_path / "out")
        return folder, tmp_path / "out" / f"script{number}"

    return make


def test_every_kind_of_run_has_a_script_that_makes_its_model(finished, small_bert, tmp_path):  # noqa: F811
    made = {name: finished(name) for name in CASES}
    for name, (_, place) in made.items():
        assert {p.name for p in place.iterdir()} >= {"script.py", "train.parquet", "config.yaml", "requirements.txt"}
        assert read_settings((place / "config.yaml").read_text(), "config.yaml")["epochs"] == CASES[name][0].get(
            "epochs", 1
        )
        imported = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in ast.walk(ast.parse((place / "script.py").read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert not [module for module in imported if module.split(".")[0] == "studio"], name
    told = {name: read_json(folder.outcome) for name, (folder, _) in made.items()}
    assert 0 < told["stopped early, best kept, own pooling and length"]["step"] < 20
    assert told["automatic batch, computed twice"]["batch_size"] not in (0, 8)
    assert read_json(made["short of memory"][0].memory)["halvings"] == 1
    written = [str(place / "script.py") for _, place in made.values()]
    for command in (["check", "--select", "E,F,I,B,UP,SIM"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--isolated", "--line-length", "120", *written]
        told_by_ruff = subprocess.run(ruff, capture_output=True, text=True)
        assert told_by_ruff.returncode == 0, told_by_ruff.stdout
    # One process for all: importing torch takes longer than training.
    moved = shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    places = {name: Path(moved) / place.name for name, (_, place) in made.items()}
    program = (
        "import runpy, sys, torch; torch.set_num_threads(1)\n"
        f"for path in {[str(place / 'script.py') for place in places.values()]!r}: runpy.run_path(path, run_name='__main__')\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'studio']"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    far = {}
    for name, (folder, _) in made.items():
        ours, theirs = (
            SentenceTransformer(str(path), local_files_only=True) for path in (folder.model, places[name] / "model")
        )
        assert ours.prompts == theirs.prompts, name
        assert ours.similarity_fn_name == theirs.similarity_fn_name, name
        vectors = [model.encode(TEXTS, normalize_embeddings=True) for model in (ours, theirs)]
        far[name] = float(np.abs(vectors[0] - vectors[1]).max())
    # Gradients of portions differ from those of whole batches by rounding, which Adam makes more of.
    wrong = {name: value for name, value in far.items() if value >= (1e-3 if "memory" in name else TOLERANCE)}
    assert not wrong


def test_the_cases_hold_every_way_in_which_rows_reach_a_loss():
    seen = {
        "SimCSE",
        *(values.get("loss") for values, *_ in CASES.values()),
    }  # plain texts that train along have SimCSE
    fed = {loss.feeding for loss in LOSSES if loss.id in seen}
    # A teacher's vector of the first text is a column of labels as the others are.
    assert {loss.feeding for loss in LOSSES} - fed <= {"teacher_vector"}


def test_a_model_of_the_hub_is_named_with_the_version_that_the_run_started_from(tmp_path):
    base = Base("owner/name", "name", "sentence", tmp_path / "snapshots" / "0a1b", "owner/name")
    page = Page()
    loaded = Places(RunFolder(tmp_path)).of(page, base, "BASE")
    assert loaded == "SentenceTransformer(BASE, revision=BASE_REVISION).float()"
    assert 'BASE = "owner/name"' in page.text("t", [], "")
    assert 'BASE_REVISION = "0a1b"' in page.text("t", [], "")


def test_the_script_of_a_fast_run_says_that_it_is_the_stock_equivalent(run_folder, small_bert, tmp_path):  # noqa: F811
    start = shutil.copytree(small_bert(), tmp_path / "start")
    config = make_config({**STOCK, "base_model": str(start), "engine": "fast"})
    folder = run_folder(config.model_dump(), "pair", 40)
    assert run_here(folder) == 0
    text = (folder.script / "script.py").read_text()
    assert "stock equivalent" in " ".join(text.split())
    assert "bf16" not in text
    shutil.rmtree(start)
    with pytest.raises(NotFound, match="is not there any more"):
        zip_script(folder.path, tmp_path / "script.zip")
    assert not list(tmp_path.glob("*.zip"))
