"""A dataset on disk: written whole or not at all, read back as it was."""

import pytest

from studio.data.dataset import import_dataset, load_info, load_rows
from studio.data.prepare import prepare
from studio.data.read import read_table
from studio.data.roles import guess_roles
from studio.data.table import Roles
from studio.errors import DataError


def test_an_imported_table_is_read_back_as_it_was(samples, tmp_path):
    table = read_table(samples / "programs_triplets.csv")
    roles = guess_roles(table)
    info = import_dataset(tmp_path / "d", table, roles, "Programs")
    assert load_info(tmp_path / "d") == info
    assert (info.name, info.format, info.rows, info.file_name) == ("Programs", "triplet", 729, "programs_triplets.csv")
    assert load_rows(tmp_path / "d").equals(prepare(table, roles).data)


def test_scores_and_what_was_left_out_are_remembered(table, texts, tmp_path):
    q, a = texts(60), texts(60, 9)
    q[4] = ""
    info = import_dataset(
        tmp_path / "d", table({"q": q, "a": a, "s": ["1", "3", "5"] * 20}), Roles("q", "a", score="s"), "x"
    )
    assert (info.score_scale, info.dropped) == ((1.0, 5.0), {"anchor is empty": 1})
    assert load_info(tmp_path / "d") == info


@pytest.mark.parametrize("roles", [Roles("q"), Roles("q", "a", score="s")])
def test_nothing_is_written_when_a_table_cannot_be_used(table, texts, tmp_path, roles):
    source = table({"q": texts(60), "a": texts(60), "s": ["3"] * 60})
    with pytest.raises(DataError):
        import_dataset(tmp_path / "d", source, roles, "x")
    assert not (tmp_path / "d").exists()
