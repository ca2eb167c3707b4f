"""A Studio in a temporary workspace, with a stand-in for the worker where training itself is not the subject."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.runs import supervisor
from studio.runs.executors.local import LocalExecutor
from studio.runs.records import DatasetRecord
from studio.runs.store import Store
from studio.runs.studio import Studio
from studio.settings import Settings
from tests.runs.scene import StandIn, kill_workers, make_dataset


@pytest.fixture(autouse=True)
def _quick_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks ten times as often as it does for people, so that tests need not wait."""
    monkeypatch.setattr(supervisor, "TICK_S", 0.1)


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrations take a third of a second: they are run once and their result is copied."""
    path = tmp_path_factory.mktemp("database") / "studio.db"
    store = Store(f"sqlite:///{path}")
    store.open()
    store.close()
    return path


@pytest.fixture
def settings(tmp_path: Path, new_database: Path) -> Settings:
    settings = Settings(workspace=tmp_path / "workspace", stop_grace_s=1)
    settings.workspace.mkdir()
    shutil.copyfile(new_database, settings.workspace / "studio.db")
    return settings


@pytest.fixture
def make_studio(settings: Settings) -> Iterator[Callable[..., Studio]]:
    """Starts servers; at the end closes them and ends what their workers left running."""
    started: list[Studio] = []

    def make(executor: LocalExecutor | None = None, **changes: object) -> Studio:
        studio = Studio(settings.model_copy(update=changes), executor)
        studio.start()
        started.append(studio)
        return studio

    yield make
    for studio in started:
        studio.close()
    kill_workers(settings.workspace)


@pytest.fixture
def studio(make_studio: Callable[..., Studio]) -> Studio:
    return make_studio(StandIn())


@pytest.fixture
def dataset(studio: Studio, tmp_path: Path) -> DatasetRecord:
    return make_dataset(studio, tmp_path)


@pytest.fixture
def serve(settings):
    """Starts servers as processes of their own."""
    servers: list[subprocess.Popen] = []

    def start() -> subprocess.Popen:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.runs.server", str(settings.workspace)], stdout=subprocess.PIPE, text=True
        )
        servers.append(server)
        assert server.stdout.readline() == "up\n"
        return server

    yield start
    for server in servers:
        server.kill()
        server.wait()
        server.stdout.close()
