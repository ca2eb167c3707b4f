import subprocess
import sys

import pytest

from studio.errors import ConfigError
from studio.training import estimate as estimate_module
from studio.training.bases import resolve_base
from studio.training.config import make_config
from studio.training.estimate import estimate, matmul_gflops, token_lengths
from studio.training.rows import plan_rows

STATIC = {"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2}


@pytest.fixture(autouse=True)
def same_speed(monkeypatch):
    """The machine's speed is no part of what is compared."""
    monkeypatch.setattr(estimate_module, "matmul_gflops", lambda: 150.0)
    monkeypatch.setattr(estimate_module, "_has_gpu", lambda: False)


def about(dataset, format="pair", rows=200, **values):
    info, data = dataset(format, rows)
    return estimate(info, data, make_config({"batch_size": 16, **values}))


@pytest.mark.parametrize("values", [{}, {"epochs": 2.5}, {"gradient_accumulation_steps": 3}, {"max_train_rows": 50}])
def test_steps_and_rows_are_exact(dataset, values):
    _, data = dataset("pair", 200)
    rows = plan_rows(data, make_config({"batch_size": 16, **values}))
    found = about(dataset, **values)
    assert (found.steps, found.train_rows, found.heldout_rows) == (rows.steps, len(rows.train), len(rows.heldout))


def test_more_work_takes_longer(dataset):
    least = about(dataset)
    assert about(dataset, epochs=3).seconds > 1.5 * least.seconds
    assert about(dataset, evaluations=50).seconds > least.seconds
    assert about(dataset, loss="CachedMultipleNegativesRankingLoss").seconds > least.seconds
    assert about(dataset, **STATIC).seconds < least.seconds


def test_more_texts_in_a_batch_need_more_memory(dataset):
    small, large = about(dataset), about(dataset, batch_size=64)
    assert large.memory_mb > small.memory_mb > 700
    cached = about(dataset, batch_size=64, loss="CachedMultipleNegativesRankingLoss", mini_batch_size=8)
    assert cached.memory_mb < large.memory_mb


def test_texts_that_will_be_cut_off_are_counted(dataset):
    assert about(dataset).truncated_share == 0
    cut = about(dataset, max_seq_length=8)
    assert 0.2 < cut.truncated_share < 0.9
    assert cut.tokens.p50 <= cut.tokens.p95 <= cut.tokens.max
    assert cut.seconds < about(dataset).seconds


def test_a_model_that_is_not_here_has_steps_but_no_time(dataset):
    found = about(dataset, base_model="somebody/some-model")
    assert found.steps > 0
    assert (found.seconds, found.memory_mb) == (None, None)
    assert "downloaded first" in found.note


def test_what_cannot_train_has_no_estimate(dataset):
    with pytest.raises(ConfigError, match="but a batch has 500"):
        about(dataset, batch_size=500)


def test_lengths_are_those_of_the_models_own_tokenizer(dataset):
    from transformers import AutoTokenizer

    base = resolve_base("all-MiniLM-L6-v2")
    _, data = dataset("pair", 30)
    tokenizer = AutoTokenizer.from_pretrained(str(base.path))
    texts = data["anchor"].to_pylist() + data["positive"].to_pylist()
    assert token_lengths(base, data).tolist() == [len(ids) for ids in tokenizer(texts)["input_ids"]]


def test_speed_is_measured_once():
    assert matmul_gflops() > 0
    assert matmul_gflops() == matmul_gflops()


def test_nothing_here_needs_torch():
    code = (
        "import sys, studio.training.estimate, studio.training.suggest, studio.training.bases, studio.evaluation.sentence;"
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
