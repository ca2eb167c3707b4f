import json
import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studio.files import read_json, write_json
from studio.search.encode import CHUNK
from studio.search.index import open_index
from studio.search.indexer import main

STATIC = "wordllama-l2-supercat-256"


@pytest.fixture
def task(tmp_path):
    def make(texts, model=STATIC, **more):
        pq.write_table(pa.table({"text": texts}), tmp_path / "texts.parquet")
        folder = tmp_path / "index"
        folder.mkdir()
        write_json(folder / "task.json", {"texts": "../texts.parquet", "model": model, **more})
        return folder

    return make


def start(folder):
    return subprocess.Popen([sys.executable, "-m", "studio.search.indexer", str(folder)], stderr=subprocess.PIPE)


def test_the_process_leaves_an_index_and_says_so(task):
    folder = task(["one text", "another text", "one text"])
    process = start(folder)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 0
    outcome = read_json(folder / "outcome.json")
    assert (outcome["state"], outcome["entries"]) == ("succeeded", 3)
    assert read_json(folder / "progress.json")["done"] == 3
    index = open_index(folder, STATIC)
    assert (index.vectors[0] == index.vectors[2]).all(), "equal texts are encoded once"


def test_a_killed_process_goes_on_where_it_was(task, tiny_model):
    folder = task([f"text {i} " + "and more words " * 20 for i in range(6 * CHUNK)], str(tiny_model))
    process = start(folder)
    while read_json(folder / "partial.json", {}).get("done", 0) < CHUNK and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert not (folder / "meta.json").exists()
    assert not (folder / "outcome.json").exists()
    kept = read_json(folder / "partial.json")["done"]
    assert kept >= CHUNK
    process = start(folder)
    process.communicate(timeout=120)
    assert read_json(folder / "outcome.json")["state"] == "succeeded"
    index = open_index(folder, str(tiny_model))
    assert index.vectors.shape[0] == 6 * CHUNK
    assert (abs((index.vectors**2).sum(axis=1) - 1) < 1e-4).all()


@pytest.mark.parametrize("way", ["stop.json", "SIGTERM"])
def test_a_process_that_is_asked_to_stop_does(task, tiny_model, way):
    folder = task([f"text {i} " + "and more words " * 20 for i in range(20 * CHUNK)], str(tiny_model))
    process = start(folder)
    while not (folder / "progress.json").exists() and process.poll() is None:
        time.sleep(0.05)
    if way == "SIGTERM":
        os.kill(process.pid, signal.SIGTERM)
    else:
        (folder / "stop.json").write_text(json.dumps({}))
    process.communicate(timeout=60)
    assert read_json(folder / "outcome.json")["state"] == "cancelled"
    assert not (folder / "meta.json").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "no-such-model"}, "There is no model"),
        ({"column": "nothing"}, "texts of the corpus cannot be read"),
        ({"texts": "missing.parquet"}, "texts of the corpus cannot be read"),
    ],
)
def test_what_a_person_can_mend_is_said_in_the_outcome(task, capfd, change, words):
    folder = task(["a text"])
    write_json(folder / "task.json", {**read_json(folder / "task.json"), **change})
    assert main([str(folder)]) == 1
    outcome = read_json(folder / "outcome.json")
    assert outcome["state"] == "failed"
    assert words in outcome["message"]
    assert outcome["hint"]
    assert outcome["error_id"] == ""
    assert capfd.readouterr().err == ""


def test_a_bug_leaves_an_id_and_a_traceback_in_the_log(task, capfd):
    folder = task(["a text"])
    write_json(folder / "task.json", {"texts": "../texts.parquet"})
    assert main([str(folder)]) == 1
    outcome = read_json(folder / "outcome.json")
    printed = capfd.readouterr().err
    assert "Traceback" not in outcome["message"]
    assert outcome["error_id"]
    assert outcome["error_id"] in printed
    assert "KeyError" in printed


def test_a_call_without_a_folder_is_a_usage_error(tmp_path, capsys):
    assert main([]) == 2
    assert main([str(tmp_path / "none")]) == 2
    assert "usage:" in capsys.readouterr().err
