import pytest

from tests.making.languagemodel import KEY, MODEL, LanguageModel


@pytest.fixture
def language_model(monkeypatch):
    """A service that answers, and the environment that a host would set for it."""
    server = LanguageModel()
    for name, value in (("URL", server.url), ("MODEL", MODEL), ("KEY", KEY), ("CONCURRENCY", "3"), ("TIMEOUT_S", "2")):
        monkeypatch.setenv(f"STUDIO_LLM_{name}", value)
    yield server
    server.close()
