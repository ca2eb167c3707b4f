"""Every format that is not a table of two texts, from a real table through the worker to a verdict."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from studio import worker
from studio.data.read import read_table
from studio.data.retrieval import read_folder
from studio.data.roles import guess_roles
from studio.data.table import Roles
from studio.evaluation.result import Verdict
from studio.files import read_json
from studio.launch import make_run
from studio.training.folder import RunFolder

pytestmark = pytest.mark.model
STATIC = {"base_model": "wordllama-l2-supercat-256"}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These models are so small that two threads wait for each other longer than they compute."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(folder: RunFolder) -> Verdict:
    """The worker's own run, without another process; its handler of SIGTERM is put back."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert worker.run(folder, 60.0) == 0, read_json(folder.outcome)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (folder.model / "modules.json").is_file()
    return Verdict.load(folder.verdict)


def start(tmp_path: Path, file: Path, rows: int, roles: Roles, given: dict) -> tuple[RunFolder, str]:
    """A run on evenly spread rows of a table; its folder and its loss."""
    table = read_table(file)
    places = list(range(0, len(table.data), max(1, len(table.data) // rows)))
    table = replace(table, data=table.data.take(places), rows=table.rows.take(places))
    folder, config = make_run(tmp_path / "run", table, roles, given, file.name)
    return folder, config.loss


def test_texts_with_classes(tmp_path, shared_data):
    roles = Roles(text="text", class_="category")
    folder, loss = start(
        tmp_path, shared_data / "banking77" / "train.csv", 800, roles, {**STATIC, "epochs": 2, "evaluations": 1}
    )
    assert loss == "BatchAllTripletLoss"
    verdict = trained(folder)
    assert (verdict.outcome, verdict.primary) == ("better", "ndcg@10")
    assert verdict.sentence.startswith(("Finds a text of the same class", "Texts of the same class"))
    assert verdict.corpus_size > 700
    assert "for they are few" in verdict.note


def test_plain_texts(tmp_path, shared_data, tiny_model):
    given = {
        "base_model": str(tiny_model),
        "evaluations": 1,
        "max_train_rows": 64,
        "batch_size": 8,
        "max_seq_length": 32,
    }
    file = shared_data / "nasty" / "27_one_column.csv"
    folder, loss = start(tmp_path, file, 400, Roles(text="text"), given)
    assert loss == "SimCSE"
    verdict = trained(folder)
    assert "weaker evidence" in verdict.note
    assert verdict.heldout_rows == 18
    assert verdict.corpus_size > 100
    assert "weaker evidence" in (folder.model / "README.md").read_text(encoding="utf-8")


def test_triplets_of_entailment(tmp_path, shared_data):
    roles = Roles("sentence1", "sentence2", label="entailment", as_triplets=True)
    folder, loss = start(
        tmp_path, shared_data / "sick" / "train.csv", 4500, roles, {**STATIC, "loss": "TripletLoss", "epochs": 1}
    )
    assert loss == "TripletLoss"
    assert trained(folder).primary == "triplet_accuracy"


def test_a_retrieval_set_searches_its_whole_corpus(tmp_path, shared_data):
    table = read_folder(shared_data / "debian")
    folder, _ = make_run(tmp_path / "run", table, guess_roles(table), {**STATIC, "evaluations": 1}, "debian")
    verdict = trained(folder)
    assert (verdict.corpus_size, verdict.heldout_rows) == (6000, 100)
    assert verdict.metrics[0].base > 0.5
