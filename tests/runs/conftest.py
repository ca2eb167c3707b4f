"""A Studio in a temporary workspace, with a stand-in for the worker where training itself is not the subject."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.runs.executors.local import LocalExecutor
from studio.runs.records import DatasetRecord
from studio.runs.studio import Studio
from studio.settings import Settings
from tests.runs.scene import StandIn, kill_workers, make_dataset


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(workspace=tmp_path / "workspace", stop_grace_s=1)


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
