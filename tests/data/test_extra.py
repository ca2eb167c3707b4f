import pyarrow as pa
import pytest

from studio.data.dataset import import_dataset, load_extra, load_info, load_rows
from studio.data.edit import save_edits
from studio.data.extra import LONGEST, MOST_COLUMNS, MOST_VALUES, extra_columns
from studio.data.fix import apply_fixes
from studio.data.read import read_table
from studio.data.table import Dialect, Roles, Table

ROLES = Roles("question", "answer")


def table(**columns: list[str]) -> Table:
    rows = len(next(iter(columns.values())))
    texts = {"question": [f"question {i}" for i in range(rows)], "answer": [f"answer {i}" for i in range(rows)]}
    return Table("t.csv", pa.table({**texts, **columns}), pa.array(range(2, rows + 2)), Dialect("csv"))


def kept(**columns: list[str]) -> pa.Table | None:
    made = table(**columns)
    return extra_columns(made, ROLES, made.rows)


def test_a_column_of_few_values_is_kept_and_one_of_texts_is_not():
    found = kept(source=["mail", "chat"] * 20, note=[f"note {i}" for i in range(40)], same=["x"] * 40)
    assert found.column_names == ["row", "source"]
    assert found["source"].to_pylist() == ["mail", "chat"] * 20


def test_many_values_sort_nothing():
    rows = 2 * (MOST_VALUES + 1)
    few, many = ([f"v{i % different}" for i in range(rows)] for different in (MOST_VALUES, MOST_VALUES + 1))
    assert kept(few=few, many=many).column_names == ["row", "few"]


def test_long_values_are_texts():
    short, long = (["x" * length, "y"] * 10 for length in (LONGEST, LONGEST + 1))
    assert kept(short=short, long=long).column_names == ["row", "short"]


def test_many_numbers_become_bands_and_row_numbers_do_not():
    found = kept(price=[str(i % 80) for i in range(160)], id=[str(i) for i in range(160)])
    assert found.column_names == ["row", "price"]
    assert sorted(set(found["price"].to_pylist())) == ["0 to 19", "20 to 39", "40 to 59", "60 to 79"]


def test_cells_without_a_value_stay_empty_and_a_column_of_them_is_left():
    found = kept(source=["mail", "", "chat", "mail"] * 5, rare=["x", *[""] * 18, "y"])
    assert found.column_names == ["row", "source"]
    assert found["source"].to_pylist()[:2] == ["mail", None]


def test_no_more_columns_are_kept_than_a_person_reads():
    found = kept(**{f"c{i}": ["a", "b"] * 10 for i in range(MOST_COLUMNS + 2)})
    assert len(found.column_names) == MOST_COLUMNS + 1


@pytest.fixture
def imported(tmp_path):
    lines = [f"question {i},answer number {i},{'mail' if i % 2 else 'chat'}" for i in range(30)]
    path = tmp_path / "t.csv"
    path.write_text("question,answer,source\n" + "\n".join([*lines, lines[0]]) + "\n")
    import_dataset(tmp_path / "dataset", read_table(path), ROLES, "Questions")
    return tmp_path / "dataset"


def test_a_dataset_keeps_the_columns_of_its_own_rows_and_trains_on_none_of_them(imported):
    data, extra = load_rows(imported), load_extra(imported)
    assert data.column_names == ["anchor", "positive", "row"]
    assert extra["row"].to_pylist() == data["row"].to_pylist()  # not the repeated row
    assert extra["source"].to_pylist()[:2] == ["chat", "mail"]


def test_versions_keep_them_too(imported, tmp_path):
    save_edits(imported, tmp_path / "edited", [{"do": "drop", "row": 0}])
    extra = load_extra(tmp_path / "edited")
    assert len(extra) == load_info(tmp_path / "edited").rows == 29
    assert 2 not in extra["row"].to_pylist()
    apply_fixes(tmp_path / "edited", tmp_path / "fixed", ["swapped_columns"])
    assert load_extra(tmp_path / "fixed").equals(extra)


def test_an_earlier_dataset_has_none(imported):
    (imported / "extra.parquet").unlink()
    assert load_extra(imported) is None
    assert load_info(imported).rows == 30
