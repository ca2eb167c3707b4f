import os
import time
from pathlib import Path

import pytest

from studio.data.table import Dialect, Roles
from studio.errors import DataError, NotFound
from studio.runs.samples import SAMPLES
from studio.settings import ASSETS
from tests.runs.scene import PAIRS, StandIn, make_dataset, write_pairs


@pytest.fixture
def upload(studio, tmp_path):
    return studio.datasets.stage("ada", write_pairs(tmp_path / "pairs.csv"), "../../pairs.csv")


def test_a_file_is_taken_in_under_a_harmless_name_and_the_original_stays(studio, upload, tmp_path):
    assert upload.file_name == "pairs.csv"
    assert upload.path.read_bytes() == (tmp_path / "pairs.csv").read_bytes()
    assert upload.path.is_relative_to(studio.workspace.uploads)


def test_a_file_that_was_uploaded_into_the_workspace_is_moved_so_that_its_path_leads_nobody_to_it(studio):
    path = write_pairs(studio.workspace.tmp / "pairs.csv")
    held = path.stat().st_ino
    upload = studio.datasets.stage("ada", path, "pairs.csv")
    assert upload.path.stat().st_ino == held, "no second room is needed"
    with pytest.raises(DataError):
        studio.datasets.stage("bob", path, "pairs.csv")


def test_a_path_into_the_workspace_is_not_an_upload(studio, dataset, tmp_path):
    for path in (dataset.folder / "data.parquet", studio.workspace.path / "studio.db", tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match="no such file"):
            studio.datasets.stage("bob", path, "x.parquet")
    link = studio.workspace.tmp / "link.parquet"
    link.symlink_to(dataset.folder / "data.parquet")
    with pytest.raises(DataError, match="no such file"):
        studio.datasets.stage("bob", link, "x.parquet")


def test_a_file_above_the_limit_is_refused(make_studio, tmp_path):
    studio = make_studio(StandIn(), max_upload_mb=1)
    (tmp_path / "big.csv").write_bytes(b"a,b\n" * 300_000)
    with pytest.raises(DataError, match="at most 1 MB"):
        studio.datasets.stage("ada", tmp_path / "big.csv", "big.csv")
    assert list(studio.workspace.uploads.iterdir()) == []


def test_a_table_is_parsed_once_for_each_way_of_reading_it(studio, upload):
    table = studio.datasets.table("ada", upload.id)
    assert table.columns == ("question", "answer")
    assert studio.datasets.table("ada", upload.id) is table
    other = studio.datasets.table("ada", upload.id, Dialect("csv", header=False))
    assert len(other.data) == len(table.data) + 1


def test_a_report_guesses_the_roles_and_takes_corrections(studio, upload):
    report = studio.datasets.report("ada", upload.id)
    assert report.to_json()["format"] == "pair"
    turned = studio.datasets.report("ada", upload.id, Roles(anchor="answer", positive="question"))
    assert turned.to_json()["roles"] == {"anchor": "answer", "positive": "question"}


def test_a_dataset_holds_the_rows_in_the_roles_that_were_chosen(studio, upload):
    dataset = studio.datasets.create("ada", upload.id, PAIRS, " My\npairs ")
    assert (dataset.name, dataset.info.rows, dataset.info.format) == ("My pairs", 40, "pair")
    rows = studio.datasets.rows("ada", dataset.id, 38, 10)
    assert rows["anchor"].to_pylist() == ["What is thing number 38?", "What is thing number 39?"]
    assert studio.datasets.get("ada", dataset.id) == dataset
    assert studio.datasets.list("ada") == [dataset]


def test_nothing_is_left_of_a_dataset_that_could_not_be_made(studio, upload):
    with pytest.raises(DataError):
        studio.datasets.create("ada", upload.id, Roles(anchor="question", positive="question"), "Bad")
    assert studio.datasets.list("ada") == []
    assert list(studio.workspace.datasets.iterdir()) == []
    assert list(studio.workspace.tmp.iterdir()) == [studio.workspace.page_tmp]


def test_a_fix_makes_a_new_dataset_with_its_history_and_the_original_stays(studio, tmp_path):
    path = write_pairs(tmp_path / "pairs.csv")
    with path.open("a") as file:
        file.write("Who wrote it?,ada@example.org\nWhere?,ada@example.org\n")
    upload = studio.datasets.stage("ada", path, "pairs.csv")
    first = studio.datasets.create("ada", upload.id, PAIRS, "Pairs")
    fixed = studio.datasets.fix("ada", first.id, ["personal_data"])
    assert (fixed.name, fixed.info.name, fixed.info.rows) == ("Pairs (version 2)", "Pairs (version 2)", 40)
    assert fixed.info.history == ("2 rows left out: personal data",)
    assert studio.datasets.get("ada", first.id) == first
    assert len(studio.datasets.rows("ada", first.id, 0, 100)) == 42
    again = studio.datasets.fix("ada", fixed.id, ["swapped_columns"])
    assert (again.name, len(again.info.history)) == ("Pairs (version 3)", 2)
    assert {d.id for d in studio.datasets.list("ada")} == {first.id, fixed.id, again.id}


def test_a_fix_that_cannot_be_made_leaves_nothing_behind(studio, dataset):
    for code in ("personal_data", "../../etc"):
        with pytest.raises(DataError):
            studio.datasets.fix("ada", dataset.id, [code])
    assert studio.datasets.list("ada") == [dataset]
    assert list(studio.workspace.tmp.iterdir()) == [studio.workspace.page_tmp]


def test_a_deleted_dataset_is_gone_from_the_list_and_once_removed_for_good_from_the_disk(studio, dataset):
    studio.datasets.delete("ada", dataset.id)
    assert studio.datasets.list("ada") == []
    with pytest.raises(NotFound, match="'Pairs' was deleted"):
        studio.datasets.rows("ada", dataset.id, 0, 1)
    studio.trash.remove("ada", "dataset", dataset.id)
    assert not dataset.folder.exists()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_every_sample_becomes_a_dataset_without_losing_a_row(studio, sample):
    dataset = studio.datasets.create_sample("ada", sample.id)
    with (ASSETS / "samples" / sample.file).open() as file:
        lines = sum(1 for _ in file) - 1
    assert dataset.info.rows == lines
    assert set(dataset.info.roles) == set(sample.roles.columns)


def test_there_is_no_sample_that_is_not_listed(studio):
    with pytest.raises(NotFound):
        studio.datasets.create_sample("ada", "../../etc/passwd")


def test_old_uploads_and_temporary_files_are_swept_at_start_and_new_ones_are_not(make_studio, tmp_path):
    first = make_studio(StandIn())
    old, new = (first.datasets.stage("ada", write_pairs(tmp_path / "pairs.csv"), "pairs.csv") for _ in range(2))
    stale = first.workspace.tmp / "stale"
    stale.mkdir()
    os.utime(stale, (1, 1))
    arriving = first.workspace.page_tmp / "arriving.csv"
    arriving.write_text("a,b")
    os.utime(first.workspace.page_tmp, (1, 1))
    dataset = make_dataset(first, tmp_path)
    with first._store._writing() as connection:
        connection.exec_driver_sql("UPDATE uploads SET created = ? WHERE id = ?", (time.time() - 90_000, old.id))
    first.close()
    second = make_studio(StandIn())
    _wait_gone(old.path)
    _wait_gone(stale)
    assert new.path.exists()
    assert arriving.exists()
    assert second.datasets.get("ada", dataset.id).folder.exists()
    with pytest.raises(NotFound):
        second.datasets.table("ada", old.id)


def _wait_gone(path: Path) -> None:
    from tests.runs.scene import wait_for

    wait_for(lambda: not path.exists())
