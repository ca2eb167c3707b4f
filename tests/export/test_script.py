"""The script of a run makes the run's model, without the studio."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from studio.export.archive import zip_script
from studio.files import read_json, write_json
from studio.training.config import make_config
from studio.training.settings_file import read_settings
from tests.training.conftest import dataset, run_folder  # noqa: F401
from tests.training.test_kills import run_here
from tests.training.test_portions import still_model  # noqa: F401

pytestmark = pytest.mark.model
STOCK = {"engine": "stock", "precision": "fp32", "batch_size": 8, "evaluations": 3, "learning_rate": 5e-4}
CASES = {
    "in-batch, best kept": ({"keep_best": True, "epochs": 2, "pooling": "cls", "max_seq_length": 32}, "pair"),
    "lora": ({"loss": "TripletLoss", "lora_rank": 4, "lr_scheduler": "cosine_with_restarts"}, "triplet"),
    "frozen, classes": (
        {"loss": "BatchAllTripletLoss", "modifier": "Matryoshka", "freeze_layers": 1, "gradient_accumulation_steps": 2},
        "classed_text",
    ),
    "static": ({"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2, "loss": "CoSENTLoss"}, "scored_pair"),
}
TEXTS = ["Where is my card?", "I lost my phone.", "How do I top up?"]


def test_scripts_make_the_models_of_their_runs(run_folder, tiny_model, tmp_path):  # noqa: F811
    models, scripts = {}, []
    for number, (name, (values, format)) in enumerate(CASES.items()):
        folder = run_folder({**STOCK, "base_model": str(tiny_model), **values}, format, 60, name=f"run{number}")
        write_json(folder.run, {"id": "x", "name": f'{name} "quoted" \\ {{brace}}'})
        assert run_here(folder) == 0, name
        zip_script(folder.path, tmp_path / f"script{number}.zip")
        with zipfile.ZipFile(tmp_path / f"script{number}.zip") as archive:
            archive.extractall(tmp_path / "out")
        place = tmp_path / "out" / f"script{number}"
        assert {p.name for p in place.iterdir()} >= {"script.py", "data.parquet", "config.yaml", "requirements.txt"}
        assert read_settings((place / "config.yaml").read_text(), "config.yaml")["epochs"] == values.get("epochs", 1.0)
        assert "studio." not in (place / "script.py").read_text().partition('"""')[2].partition('"""')[2]
        scripts.append(str(place / "script.py"))
        models[name] = (folder, place / "model")
    assert read_json(models["in-batch, best kept"][0].outcome)["kept_step"] > 0
    program = (
        "import runpy, sys, torch; torch.set_num_threads(1)\n"
        f"for path in {scripts!r}: runpy.run_path(path, run_name='__main__')\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'studio']"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name, (folder, made) in models.items():
        ours, theirs = (SentenceTransformer(str(path), local_files_only=True) for path in (folder.model, made))
        assert np.allclose(ours.encode(TEXTS), theirs.encode(TEXTS), atol=1e-4), name
        base = SentenceTransformer(str(tiny_model), local_files_only=True) if name != "static" else None
        if base is not None:
            assert not np.allclose(ours.encode(TEXTS), base.encode(TEXTS), atol=1e-3), name


def test_the_script_of_a_fast_run_says_that_it_is_the_stock_equivalent(run_folder, tiny_model):  # noqa: F811
    config = make_config({**STOCK, "base_model": str(tiny_model), "engine": "fast"})
    folder = run_folder(config.model_dump(), "pair", 40)
    assert run_here(folder) == 0
    text = (folder.script / "script.py").read_text()
    assert "stock equivalent" in " ".join(text.split())
    assert "bf16=False" in text
