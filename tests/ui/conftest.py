"""A real studio in a temporary workspace, and requests as Gradio hands them over."""

import asyncio
from types import SimpleNamespace

import pytest

from studio.runs.studio import Studio
from studio.settings import Settings
from studio.ui import admin, data, runs, search, start, train
from studio.ui import app as page_module
from studio.ui.server import build_server
from studio.ui.shell import TABS


def in_event_loop(function, *arguments):
    """Call it inside a running loop: outside of one, Gradio makes loops of its own and never closes them."""

    async def call():
        return function(*arguments)

    return asyncio.run(call())


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(workspace=tmp_path_factory.mktemp("workspace"), port=0)


@pytest.fixture(scope="module")
def studio(settings):
    studio = Studio(settings)
    studio.start()
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def tabs(studio, settings):
    """name -> what the tab's module built."""
    kept = {}
    with pytest.MonkeyPatch.context() as patch:
        for name, module in zip(TABS, (start, data, train, runs, search, admin), strict=True):

            def remembered(shell, name=name, build=module.build):
                kept[name] = build(shell)
                return kept[name]

            patch.setattr(module, "build", remembered)
        in_event_loop(page_module.build_app, studio, settings)
    return kept


@pytest.fixture(scope="module")
def server(studio, settings):
    """The whole application: page, routes and guard."""
    return in_event_loop(build_server, studio, settings)


@pytest.fixture
def request_double():
    """Stands for the browser's request; the address of the page has no parameters."""
    return SimpleNamespace(query_params={}, state=SimpleNamespace(account="local"))


@pytest.fixture
def staged(settings):
    """Writes a file where the page's uploads arrive: (name, content) -> path."""

    def write(name, content):
        path = settings.workspace / "tmp" / "gradio" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write
