"""Models of the hub, from a hub that plays on this machine: downloads, their progress, and refusals in plain words."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studio.files import write_json
from studio.training.callbacks import Cancelled, StopWatch
from studio.training.folder import EventWriter, RunFolder
from studio.training.rows import plan_rows
from studio.training.train import load, ready_base, training_texts
from tests.training.hub import serve

pytestmark = pytest.mark.model

ASK = """
import json, sys
from studio.errors import ModelError
from studio.training.bases import resolve_base
from studio.training.fetch import download
for name in json.loads(sys.argv[1]):
    seen = []
    try:
        base = download(resolve_base(name), lambda done, total: seen.append((done, total)))
        print(json.dumps([name, "", "", base.kind, seen[-1], seen == sorted(seen), resolve_base(name).needs_download]))
    except ModelError as error:
        print(json.dumps([name, error.message, error.hint, None, seen[-1:], None, None]))
"""


@pytest.fixture(scope="module")
def hub(tiny_model, tmp_path_factory):
    """name -> folder of models that the hub has, good and bad."""
    place = tmp_path_factory.mktemp("hub")

    def make(name: str, settings: dict | None = None, files: dict | None = None, drop: tuple[str, ...] = ()) -> None:
        folder = shutil.copytree(tiny_model, place / name.replace("/", "--"))
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **(settings or {})}))
        for file, content in (files or {}).items():
            (folder / file).write_text(content if isinstance(content, str) else json.dumps(content))
        for file in drop:
            (folder / file).unlink()
        models[name] = folder

    models: dict[str, Path] = {}
    make("good/tiny", files={"README.md": "# Tiny", "pytorch_model.bin": "a pickle", "modeling.py": "print('run')"})
    make("bad/pickle", files={"pytorch_model.bin": "a pickle"}, drop=("model.safetensors",))
    make("bad/code", {"auto_map": {"AutoModel": "modeling.Mine"}})
    make("bad/future", {"model_type": "bert42", "transformers_version": "9.9.0"})
    make("bad/reranker", {"architectures": ["BertForSequenceClassification"]})
    make("bad/sparse", files={"config_sentence_transformers.json": {"model_type": "SparseEncoder"}})
    make(
        "bad/colbert",
        files={"modules.json": [{"idx": 0, "name": "0", "path": "", "type": "pylate.models.Dense.Dense"}]},
    )
    make("bad/no-config", drop=("config.json",))
    return models


def environment(address: str, home: Path) -> dict[str, str]:
    left_out = ("HF_HUB_OFFLINE", "HF_TOKEN")
    return {**{k: v for k, v in os.environ.items() if k not in left_out}, "HF_ENDPOINT": address, "HF_HOME": str(home)}


@pytest.fixture(scope="module")
def answers(hub, tmp_path_factory):
    """name -> what download says of it, and which files were asked for: one process for all names."""
    log: list[str] = []
    names = [*hub, "shy/gated", "shy/private", "shy/token", "shy/broken", "no/such"]
    with serve(hub, log) as address:
        done = subprocess.run(
            [sys.executable, "-c", ASK, json.dumps(names)],
            env=environment(address, tmp_path_factory.mktemp("cache")), capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {line[0]: line[1:] for line in map(json.loads, done.stdout.splitlines())}, log


def test_a_model_is_downloaded_and_how_far_is_said(answers, hub):
    message, _, kind, (done, total), ascending, needs_download = answers[0]["good/tiny"]
    assert (message, kind, ascending, needs_download) == ("", "transformer", True, False)
    asked = sum(p.stat().st_size for p in hub["good/tiny"].iterdir() if p.suffix in (".json", ".safetensors"))
    assert done == total == asked


def test_pickles_and_code_are_never_downloaded(answers):
    asked = answers[1]
    assert "good/tiny/model.safetensors" in asked
    assert not [path for path in asked if path.endswith((".bin", ".py"))]
    assert not [path for path in asked if path.startswith("bad/") and path.endswith(".safetensors")]


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("bad/pickle", "are a pickle", "safetensors"),
        ("bad/code", "program code of its own, which the studio never runs", "supports by itself"),
        ("bad/future", "kind 'bert42', which the installed transformers does not know. It was made with transformers 9.9.0", "upgrade"),
        ("bad/reranker", "is a cross-encoder", "one vector of one text"),
        ("bad/sparse", "makes sparse vectors", "one vector of one text"),
        ("bad/colbert", "one vector for each token", "one vector of one text"),
        ("bad/no-config", "holds no model", "config.json"),
        ("shy/gated", "accepted its terms", "HF_TOKEN"),
        ("shy/private", "no model 'shy/private' that this machine may read", "spelling"),
        ("shy/token", "does not let this machine read", "token"),
        ("shy/broken", "answered with an error", "Try again later"),
        ("no/such", "no model 'no/such'", "spelling"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_be_taken_is_refused_in_plain_words(answers, name, words, hint):
    message, more, *_ = answers[0][name]
    assert words in message
    assert hint in more
    assert name in message


def test_a_hub_that_is_not_there_names_what_is(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", ASK, '["good/tiny"]'],
        env=environment("http://127.0.0.1:9", tmp_path), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    _, message, hint, *_ = json.loads(done.stdout)
    assert "cannot be reached" in message
    assert "all-MiniLM-L6-v2" in hint


@pytest.fixture
def online(monkeypatch, tmp_path):
    """This process as one that may reach a hub: online(address)."""
    from huggingface_hub import constants

    def use(address: str) -> None:
        for name, value in (
            ("HF_HUB_OFFLINE", False),
            ("ENDPOINT", address),
            ("HF_HUB_CACHE", str(tmp_path / "cache")),
            ("HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"),
        ):
            monkeypatch.setattr(constants, name, value)

    return use


def prepared(folder: RunFolder, stop: bool = False):
    """The base model of a run, brought as the run brings it."""
    config, _, data = load(folder)
    events = EventWriter(folder.events)
    if stop:
        write_json(folder.stop, {"keep": False})
    try:
        return ready_base(folder, config, training_texts(data, plan_rows(data, config)), events, StopWatch(folder))
    finally:
        events.close()


def test_a_run_downloads_its_base_model_and_says_how_far(hub, run_folder, online, events_of):
    folder = run_folder({"base_model": "good/tiny", "batch_size": 16})
    with serve(hub, []) as address:
        online(address)
        assert prepared(folder).kind == "transformer"
    assert [event["phase"] for event in events_of(folder, "phase")] == ["downloading", "loading"]
    last = events_of(folder, "download")[-1]
    assert last["done"] == last["total"] > 10_000_000


def test_a_download_ends_when_the_run_is_stopped(hub, run_folder, online):
    folder, log = run_folder({"base_model": "good/tiny", "batch_size": 16}), []
    with serve(hub, log) as address:
        online(address)
        with pytest.raises(Cancelled):
            prepared(folder, stop=True)
    assert "good/tiny/model.safetensors" not in log
