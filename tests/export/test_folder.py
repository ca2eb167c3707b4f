import json
import logging
import shutil

import numpy as np
import pyarrow as pa
import pytest
from sentence_transformers import SentenceTransformer

from studio.data.dataset import DatasetInfo
from studio.errors import ModelError
from studio.evaluation.result import MetricResult, Verdict
from studio.export.folder import POOLING_KEYS, for_older_versions, save_model
from studio.export.sections import with_examples
from studio.training.bases import inspect_folder, limits, resolve_base
from studio.training.config import make_config
from studio.training.model import build_model

pytestmark = pytest.mark.model
INFO = DatasetInfo("Bank questions", "pair", 300, {"anchor": "q", "positive": "t"}, "q.csv")
VERDICT = Verdict(
    "better", "Finds the right text first for 71 of 100 questions, was 52 (+19, between +14 and +24).", (), "ndcg@10",
    (MetricResult("ndcg@10", 0.7, 0.8, 0.05, 0.15),), 300, 77, "A note on the split.",
)  # fmt: skip
TEXTS = ["My card is lost.", "Where is my money?", " ".join(["a long text"] * 60)]


def save(tmp_path, **values):
    config = make_config(values)
    model = build_model(config)
    model.model_card_data.add_tags("generated_from_trainer")  # as the Trainer does
    save_model(model, tmp_path / "model", config, VERDICT, INFO)
    return model, tmp_path / "model"


@pytest.mark.parametrize("pooling", ["default", *POOLING_KEYS])
def test_a_saved_transformer_loads_and_embeds_alike(tmp_path, tiny_model, pooling):
    model, folder = save(tmp_path, base_model=str(tiny_model), pooling=pooling, max_seq_length=40)
    again = SentenceTransformer(str(folder), local_files_only=True)
    assert again.max_seq_length == 40
    assert np.allclose(model.encode(TEXTS), again.encode(TEXTS), atol=1e-6)


def test_a_saved_model_keeps_all_its_modules(tmp_path):
    model, folder = save(tmp_path)
    again = SentenceTransformer(str(folder), local_files_only=True)
    assert [type(module).__name__ for module in again] == ["Transformer", "Pooling", "Normalize"]
    assert np.allclose(model.encode(TEXTS), again.encode(TEXTS), atol=1e-6)


def test_a_saved_static_model_cuts_texts_off_as_it_did_in_training(tmp_path):
    model, folder = save(tmp_path, base_model="wordllama-l2-supercat-256", max_seq_length=16)
    again = SentenceTransformer(str(folder), local_files_only=True)
    assert np.allclose(model.encode(TEXTS), again.encode(TEXTS), atol=1e-6)


def test_a_saved_model_is_a_base_for_the_next_training(tmp_path, tiny_model):
    for number, base in enumerate((str(tiny_model), "wordllama-l2-supercat-256")):
        model, folder = save(tmp_path / str(number), base_model=base)
        kind = "static" if number else "sentence"
        assert inspect_folder(folder) == kind
        assert limits(resolve_base(str(folder))).dimension == model.get_embedding_dimension()
        again = build_model(make_config({"base_model": str(folder)}))
        assert np.allclose(model.encode(TEXTS), again.encode(TEXTS), atol=1e-6)


def test_the_settings_are_those_that_older_versions_know(tmp_path, tiny_model):
    _, folder = save(tmp_path, base_model=str(tiny_model), max_seq_length=40, pooling="cls")
    modules = json.loads((folder / "modules.json").read_text())
    assert [m["type"] for m in modules] == [
        "sentence_transformers.models.Transformer",
        "sentence_transformers.models.Pooling",
    ]
    assert json.loads((folder / "sentence_bert_config.json").read_text()) == {
        "max_seq_length": 40,
        "do_lower_case": False,
    }
    pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
    assert pooling["word_embedding_dimension"] == 128
    assert [key for key, value in pooling.items() if value is True] == ["pooling_mode_cls_token", "include_prompt"]


def test_weights_are_safetensors_and_nothing_is_a_pickle(tmp_path, tiny_model):
    _, folder = save(tmp_path, base_model=str(tiny_model))
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors", ".md"}


def test_the_card_says_what_came_out_and_how_it_was_made(tmp_path):
    _, folder = save(tmp_path, epochs=2.0, base_model="all-MiniLM-L6-v2")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\n")
    assert "license: apache-2.0" in card
    assert VERDICT.sentence in card
    assert "| nDCG@10 | 0.7000 | 0.8000 | +0.0500 to +0.1500 |" in card
    assert "Bank questions, 300 rows" in card
    assert "**Format:** Pairs" in card
    assert "**Licence of the base model:** Apache-2.0" in card
    assert "## Limits" in card
    assert "No gain" not in card
    assert "**Epochs** (`epochs`): 2.0" in card
    assert card.index("## Base against tuned") < card.index("## Model Details") < card.index("## Usage")
    kept = json.loads((folder / "studio.json").read_text(encoding="utf-8"))
    assert make_config(kept["config"]).epochs == 2.0


def test_the_licence_of_a_folder_is_that_of_its_card_and_no_path_of_this_machine_is_told(tmp_path, tiny_model):
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    (base / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# A model\n")
    _, folder = save(tmp_path, base_model=str(base))
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "license: cc-by-4.0" in card
    assert "**Licence of the base model:** cc-by-4.0" in card
    for file in folder.rglob("*.json"):
        assert str(tmp_path) not in file.read_text(encoding="utf-8"), file.name
    assert str(tmp_path) not in card
    _, plain = save(tmp_path / "plain", base_model=str(tiny_model))
    assert "not stated" in (plain / "README.md").read_text(encoding="utf-8")


def test_example_rows_cannot_break_out_of_their_table():
    data = pa.table(
        {
            "anchor": ["a | b\nc", "<b>x</b>", "3", "4"],
            "positive": ["[l](http://x)", "y", "z", "w"],
            "row": [2, 3, 4, 5],
        }
    )
    card = with_examples("# T\n\n## Model Details\nrest\n", data)
    assert card.index("## Example rows") < card.index("## Model Details")
    assert r"| a \| b c | \[l\](http://x) |" in card
    assert r"\<b\>x" in card
    assert "| 4 |" not in card


def test_saving_asks_no_hub(tmp_path, tiny_model, caplog, monkeypatch):
    import socket

    def refuse(*_, **__):
        raise AssertionError("somebody wants the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with caplog.at_level(logging.ERROR):
        _, folder = save(tmp_path, base_model=str(tiny_model))
    assert (folder / "README.md").is_file()
    assert not caplog.records


def test_a_half_written_folder_is_never_seen(tmp_path, tiny_model, monkeypatch):
    from studio.export import folder as export

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "extend_card", full)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, base_model=str(tiny_model))
    assert not (tmp_path / "model").exists()
    monkeypatch.undo()
    _, folder = save(tmp_path, base_model=str(tiny_model))
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_module_class_of_ones_own_is_not_saved_for_others(tmp_path, tiny_model):
    model, folder = save(tmp_path, base_model=str(tiny_model))
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "mine.Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError, match=r"mine\.Pooling"):
        for_older_versions(folder, model)


def test_a_matryoshka_models_card_says_how_to_cut_it_and_it_can_be_cut(tmp_path, tiny_model):
    model, folder = save(tmp_path, base_model=str(tiny_model), modifier="Matryoshka2d", matryoshka_dims="32, 128")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "with 128, 32 of them" in card
    assert "truncate_dim=32" in card
    assert "Fewer layers" in card
    short = SentenceTransformer(str(folder), local_files_only=True, truncate_dim=32)
    assert np.allclose(short.encode(TEXTS), model.encode(TEXTS)[:, :32], atol=1e-6)
    _, plain = save(tmp_path / "plain", base_model=str(tiny_model))
    assert "Shorter embeddings" not in (plain / "README.md").read_text(encoding="utf-8")
