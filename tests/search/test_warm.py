import gc
import threading
import weakref

import pytest

from studio.errors import ModelError
from studio.search import warm
from studio.search.warm import WarmModels

STATIC = "wordllama-l2-supercat-256"


@pytest.fixture
def loads(monkeypatch):
    """The names that were really loaded, in order."""
    names = []
    really = warm.load

    def counting(name):
        names.append(name)
        return really(name)

    monkeypatch.setattr(warm, "load", counting)
    return names


def test_a_model_is_loaded_once(loads):
    models = WarmModels(2)
    assert models.get(STATIC) is models.get(STATIC)
    assert loads == [STATIC]


def test_threads_that_ask_at_once_share_one_load(loads):
    models = WarmModels(2)
    together = threading.Barrier(8)
    got = []

    def ask():
        together.wait()
        got.append(models.get(STATIC))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len({id(model) for model in got}) == 1
    assert loads == [STATIC]


def test_the_least_recently_used_model_goes_first(loads, tiny_model, tmp_path):
    copy = tmp_path / "copy"
    copy.symlink_to(tiny_model)
    models = WarmModels(2)
    for name in (STATIC, str(tiny_model), STATIC, str(copy), STATIC, str(tiny_model)):
        models.get(name)
    assert len(models) == 2
    assert loads == [STATIC, str(tiny_model), str(copy), str(tiny_model)]


def test_a_dropped_model_is_loaded_anew(loads):
    models = WarmModels(2)
    models.get(STATIC)
    models.drop(STATIC)
    models.get(STATIC)
    assert loads == [STATIC, STATIC]


def test_a_model_that_cannot_be_had_is_asked_for_again(loads, tmp_path):
    models = WarmModels(2)
    for _ in range(2):
        with pytest.raises(ModelError):
            models.get(str(tmp_path))
    assert len(loads) == 2
    assert len(models) == 0


def test_models_that_nobody_asks_for_leave_memory_and_come_again(loads):
    models = WarmModels(2)
    gone = weakref.ref(models.get(STATIC))
    models.drop_idle(60)
    assert len(models) == 1
    models.drop_idle(0)
    gc.collect()
    assert len(models) == 0
    assert gone() is None
    models.get(STATIC)
    assert loads == [STATIC, STATIC]


def test_models_are_ready_to_encode():
    assert not WarmModels(2).get(STATIC).training
