import pytest

from studio.files import read_json, write_json
from studio.training.checkpoints import MANIFEST, newest_whole, seal, step_of


@pytest.fixture
def checkpoints(tmp_path):
    """Three checkpoints were sealed; the older of them is gone."""
    folder = tmp_path / "checkpoints"
    for step in (10, 20, 100):
        written = folder / ".writing" / f"checkpoint-{step}"
        (written / "inner").mkdir(parents=True)
        (written / "model.safetensors").write_bytes(bytes(range(256)) * 40)
        (written / "inner" / "optimizer.pt").write_bytes(b"moments" * step)
        seal(written, folder, "mine")
    return folder


def names(folder):
    return sorted(path.name for path in folder.glob("checkpoint-*"))


def test_two_are_kept_and_the_newest_is_taken(checkpoints):
    assert names(checkpoints) == ["checkpoint-100", "checkpoint-20"]
    path, problems = newest_whole(checkpoints, "mine")
    assert (step_of(path), problems) == (100, ())
    assert set(read_json(path / MANIFEST)["files"]) == {"model.safetensors", "inner/optimizer.pt"}


def zero_a_block(path):
    data = bytearray((path / "model.safetensors").read_bytes())
    data[4096:8192] = bytes(4096)
    (path / "model.safetensors").write_bytes(data)


DAMAGE = {
    "a missing file": (lambda path: (path / "inner" / "optimizer.pt").unlink(), "is missing"),
    "zeroed weights": (zero_a_block, "is damaged"),
    "a short file": (lambda path: (path / "model.safetensors").write_bytes(b"x"), "is damaged"),
    "no manifest": (lambda path: (path / MANIFEST).unlink(), "not written to its end"),
    "half a manifest": (lambda path: (path / MANIFEST).write_text("{"), "manifest is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_passed_over_and_named(checkpoints, damage):
    harm, words = DAMAGE[damage]
    harm(checkpoints / "checkpoint-100")
    path, problems = newest_whole(checkpoints, "mine")
    assert step_of(path) == 20
    assert len(problems) == 1
    assert "step 100" in problems[0]
    assert words in problems[0]


def test_none_is_taken_when_none_is_whole(checkpoints):
    for path in checkpoints.glob("checkpoint-*"):
        zero_a_block(path)
    path, problems = newest_whole(checkpoints, "mine")
    assert path is None
    assert len(problems) == 2


def test_a_checkpoint_of_other_settings_is_not_taken(checkpoints):
    path, problems = newest_whole(checkpoints, "other")
    assert path is None
    assert "other settings" in problems[0]


def test_a_folder_that_does_not_exist_holds_none(tmp_path):
    assert newest_whole(tmp_path / "none", "mine") == (None, ())


def test_sealing_again_replaces_the_same_step(checkpoints):
    written = checkpoints / ".writing" / "checkpoint-100"
    written.mkdir(parents=True)
    write_json(written / "trainer_state.json", {"step": 100})
    seal(written, checkpoints, "mine")
    path, problems = newest_whole(checkpoints, "mine")
    assert (step_of(path), problems) == (100, ())
    assert not (path / "model.safetensors").exists()
