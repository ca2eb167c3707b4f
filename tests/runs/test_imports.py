import pytest

from studio.data import read
from studio.data.table import Roles
from studio.errors import NotFound
from studio.runs.executors.local import LocalExecutor
from tests.runs.scene import wait_for


@pytest.fixture
def studio(make_studio):
    return make_studio(LocalExecutor())


@pytest.fixture
def large(studio, tmp_path, monkeypatch):
    """An upload of two files that counts as large."""
    monkeypatch.setattr(read, "LARGE_MB", 0)
    paths = [tmp_path / name for name in ("one.csv", "two.csv")]
    for path in paths:
        path.write_text(
            "q,a\n" + "".join(f"{path.stem} question {i},answer {i}\n" for i in range(60_000)) + "the last,\n"
        )
    return studio.datasets.stage("ada", paths[0], "one.csv", [(paths[1], "two.csv")])


def test_a_large_upload_is_shown_by_its_first_rows_and_imported_in_the_background(studio, large):
    report = studio.datasets.report("ada", large.id)
    assert report.table.partial
    assert len(report.table.data) < 120_000
    assert studio.imports.takes_time("ada", large.id)
    making = studio.imports.begin("ada", large.id, Roles("q", "a"), "Mine")
    assert studio.imports.running("ada").id == making.id
    assert studio.imports.running("bob") is None
    with pytest.raises(NotFound):
        studio.imports.begin("bob", large.id, Roles("q", "a"), "Mine")
    over = wait_for(lambda: (now := studio.makings.get("ada", making.id)).is_over and now, 120)
    assert (over.state, over.message) == ("succeeded", "120,000 rows were imported.")
    record = studio.datasets.get("ada", over.made_dataset_id)
    assert (record.name, record.info.rows, record.info.file_name) == ("Mine", 120_000, "one.csv and 1 other")
    for rows in (
        studio.datasets.left_out("ada", large.id, Roles("q", "a")),  # far below the first rows
        studio.imports.left_out("ada", record.id),
    ):
        assert [row["row"] for part in rows for row in part.to_pylist()] == [60_002, 120_004]
    assert studio.imports.has_left_out(record)
    with pytest.raises(NotFound):
        studio.imports.left_out("bob", record.id)
    studio.makings.delete("ada", making.id)
    assert not studio.imports.has_left_out(record)
    with pytest.raises(NotFound, match="not there any more"):
        studio.imports.left_out("ada", record.id)
    assert studio.datasets.rows("ada", record.id, 119_999, 9)["anchor"].to_pylist() == ["two question 59999"]
