from dataclasses import asdict

import pytest

from studio.data.dataset import load_info, load_rows
from studio.data.table import Dialect, Roles
from studio.errors import DataError
from studio.making import importing
from studio.making.maker import Stopped


@pytest.fixture
def task(tmp_path):
    """Two files as the server lays them down, and what it asks for."""
    places = {}
    for number, name in enumerate(("one.csv", "two.csv")):
        place = tmp_path / "files" / str(number) / name
        place.parent.mkdir(parents=True)
        place.write_text(
            "q;a\n" + "".join(f"question {number} {i};answer {i}, not more\n" for i in range(300)) + ";x\n"
        )
        places[str(place.relative_to(tmp_path))] = name
    asked = importing.task_of(list(places.items()), "one.csv and 1 other", Roles("q", "a"), Dialect("", delimiter=";"))
    return {**asked, "name": "Mine", "kind": "import"}


def test_files_become_the_dataset_that_their_roles_say(tmp_path, task):
    told = []
    result = importing.make(tmp_path, task, lambda *news: told.append(news), lambda: False)
    assert result["rows"] == 600
    info = load_info(tmp_path / "dataset")
    assert (info.name, info.rows, info.roles, info.dropped) == (
        "Mine", 600, {"anchor": "q", "positive": "a"}, {"anchor is empty": 2},
    )  # fmt: skip
    assert load_rows(tmp_path / "dataset")["anchor"][599].as_py() == "question 1 299"
    assert not any("mb" in words for _, _, words in told)
    assert {"Checking the rows", "Writing the dataset"} <= {words for _, _, words in told}


@pytest.mark.parametrize("looks", [0, 3, 8])
def test_what_is_stopped_leaves_no_dataset(tmp_path, task, looks):
    left = iter(range(looks))
    with pytest.raises(Stopped):
        importing.make(tmp_path, task, lambda *_: None, lambda: next(left, None) is None)
    assert not (tmp_path / "dataset").exists()


def test_a_making_that_was_killed_begins_anew(tmp_path, task):
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "data.parquet").write_bytes(b"half")
    assert importing.make(tmp_path, task, lambda *_: None, lambda: False)["rows"] == 600


def test_roles_that_the_file_has_not_are_told(tmp_path, task):
    wrong = {**task, "roles": asdict(Roles("nothing", "a"))}
    with pytest.raises(DataError, match="no column 'nothing'"):
        importing.make(tmp_path, wrong, lambda *_: None, lambda: False)
