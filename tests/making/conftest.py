import json
from dataclasses import replace

import pytest

from studio.data.dataset import import_dataset
from studio.data.read import read_table
from studio.data.roles import guess_roles
from studio.making import negatives
from studio.search import warm
from tests.making.languagemodel import KEY, MODEL, LanguageModel

WORDLLAMA = "wordllama-l2-supercat-256"


def nothing(*_):
    """A report that nobody reads."""


@pytest.fixture
def loaded_once(monkeypatch, static_model):
    """The static model is loaded once for all tests instead of once a making."""
    for module in (negatives, warm):
        monkeypatch.setattr(module, "load", lambda name: static_model)


@pytest.fixture
def source(tmp_path, loaded_once):
    """Makes the folder of a making, with rows as its dataset: ``source(path or rows, names)``."""

    def make(table, names=("anchor", "positive"), rows=None, roles=None):
        folder = tmp_path / "making"
        if isinstance(table, list):
            path = tmp_path / "table.jsonl"
            path.write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in table))
            table = path
        read = read_table(table)
        if rows is not None:
            read = replace(read, data=read.data.slice(0, rows), rows=read.rows.slice(0, rows))
        import_dataset(folder / "source", read, roles or guess_roles(read), "Rows")
        return folder

    return make


@pytest.fixture
def language_model(monkeypatch):
    """A service that answers, and the environment that a host would set for it."""
    server = LanguageModel()
    for name, value in (("URL", server.url), ("MODEL", MODEL), ("KEY", KEY), ("CONCURRENCY", "3"), ("TIMEOUT_S", "2")):
        monkeypatch.setenv(f"STUDIO_LLM_{name}", value)
    yield server
    server.close()
