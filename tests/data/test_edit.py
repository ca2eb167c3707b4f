import pyarrow as pa
import pytest

from studio.data.dataset import import_dataset, load_corpus, load_info, load_rows
from studio.data.edit import (
    MAX_STEPS,
    Column,
    check_step,
    columns_of,
    counts,
    edited_rows,
    find_rows,
    fold,
    read_row,
    save_edits,
)
from studio.data.read import read_table
from studio.data.retrieval import read_folder
from studio.data.roles import guess_roles
from studio.errors import DataError
from tests.data.test_retrieval import beir, own

PAIR = (Column("anchor", "text"), Column("positive", "text"))
SCORED = (*PAIR, Column("score", "score", 0.0, 5.0))
LABELLED = (*PAIR, Column("label", "label"))


@pytest.fixture
def dataset(tmp_path):
    """Makes a dataset of pairs; ``extra`` values become a last column."""

    def make(rows=12, header="question,answer", extra=None):
        lines = [
            f"What is thing {i}?,It is matter {i}." + ("" if extra is None else f",{extra(i)}") for i in range(rows)
        ]
        path = tmp_path / "pairs.csv"
        path.write_text("\n".join([header, *lines]))
        table = read_table(path)
        import_dataset(tmp_path / "first", table, guess_roles(table), "Pairs")
        return tmp_path / "first"

    return make


def opened(folder):
    info, data = load_info(folder), load_rows(folder)
    return info, data, columns_of(info, data)


def test_changes_drops_and_additions_make_a_new_version_with_history(dataset, tmp_path):
    folder = dataset()
    steps = [
        {"do": "change", "row": 1, "values": {"anchor": "Which thing is 1?"}},
        {"do": "change", "row": 2, "values": {"positive": "It is mind 2."}},
        {"do": "change", "row": 1, "values": {"positive": "It is mind 1."}},
        {"do": "drop", "row": 5},
        {"do": "drop", "row": 6},
        {"do": "keep", "row": 6},
        {"do": "add", "values": {"anchor": "What is new?", "positive": "This is."}},
        {"do": "add", "values": {"anchor": "And this?", "positive": "No."}},
        {"do": "change", "row": -1, "values": {"positive": "This is, really."}},
        {"do": "drop", "row": -2},
    ]
    info = save_edits(folder, tmp_path / "second", steps, "Pairs (version 2)")
    assert info.history == ("By hand: 2 rows changed, 1 left out, 1 added",)
    rows = load_rows(tmp_path / "second").to_pylist()
    assert len(rows) == info.rows == 12
    assert rows[1] == {"anchor": "Which thing is 1?", "positive": "It is mind 1.", "row": 3}
    assert rows[2]["positive"] == "It is mind 2."
    assert {row["row"] for row in rows} == {*range(2, 14), 14} - {7}
    assert rows[-1] == {"anchor": "What is new?", "positive": "This is, really.", "row": 14}
    assert load_rows(folder)["anchor"][1].as_py() == "What is thing 1?"
    assert load_info(folder).history == ()


def test_a_change_that_was_changed_back_counts_for_nothing(dataset, tmp_path):
    folder = dataset()
    back = [
        {"do": "change", "row": 1, "values": {"anchor": "Else?"}},
        {"do": "change", "row": 1, "values": {"anchor": "What is thing 1?"}},
    ]
    _, data, columns = opened(folder)
    assert not counts(data, fold(back), columns)
    with pytest.raises(DataError, match="Nothing was changed"):
        save_edits(folder, tmp_path / "second", back)
    assert not (tmp_path / "second").exists()


def test_rows_that_became_equal_are_left_out_and_told(dataset, tmp_path):
    steps = [{"do": "change", "row": 1, "values": {"anchor": "What is thing 0?", "positive": "It is matter 0."}}]
    info = save_edits(dataset(), tmp_path / "second", steps)
    assert info.rows == 11
    assert info.history == ("By hand: 1 row changed; 1 row left out: the same as another then",)


def test_edits_that_leave_too_little_to_train_on_are_refused_and_nothing_is_written(dataset, tmp_path):
    steps = [{"do": "drop", "row": i} for i in range(10)]
    with pytest.raises(DataError, match="After these edits"):
        save_edits(dataset(), tmp_path / "second", steps)
    assert not (tmp_path / "second").exists()


def test_scores_are_edited_on_the_scale_of_the_file_and_the_others_stay_to_the_last_bit(dataset, tmp_path):
    folder = dataset(header="sentence1,sentence2,score", extra=lambda i: f"{i * 0.41:.2f}")
    info, data, columns = opened(folder)
    assert columns[2] == Column("score", "score", 0.0, 5.0)
    assert read_row(data, 4, fold([]), columns).values["score"] == 1.64
    steps = [check_step({"do": "change", "row": 4, "values": {"score": "2,5"}}, columns, len(data), [])]
    after = save_edits(folder, tmp_path / "second", steps)
    scores = load_rows(tmp_path / "second")["score"].to_pylist()
    assert scores[4] == 0.5
    assert scores[:4] + scores[5:] == data["score"].to_pylist()[:4] + data["score"].to_pylist()[5:]
    assert after.score_scale == info.score_scale == (0.0, 5.0)


def test_low_scores_alone_do_not_change_the_scale(dataset, tmp_path):
    folder = dataset(header="sentence1,sentence2,score", extra=lambda i: f"{i * 0.41:.2f}")
    steps = [{"do": "drop", "row": i} for i in range(4, 12)]
    save_edits(folder, tmp_path / "second", steps)
    assert load_rows(tmp_path / "second")["score"].to_pylist() == load_rows(folder)["score"].to_pylist()[:4]


def test_labels_and_classes_are_edited(dataset, tmp_path):
    folder = dataset(header="sentence1,sentence2,label", extra=lambda i: i % 2)
    save_edits(folder, tmp_path / "second", [{"do": "change", "row": 0, "values": {"label": 1}}])
    assert load_rows(tmp_path / "second")["label"].to_pylist()[:3] == [1, 1, 0]
    table = read_table(tmp_path / "pairs.csv")
    roles = guess_roles(table)
    classed = type(roles)(text="sentence1", class_="label")
    import_dataset(tmp_path / "classed", table, classed, "Classed")
    save_edits(tmp_path / "classed", tmp_path / "third", [{"do": "change", "row": 0, "values": {"class": "1"}}])
    assert load_rows(tmp_path / "third")["class"].to_pylist()[:3] == ["1", "1", "0"]


@pytest.mark.parametrize(
    ("columns", "step", "words"),
    [
        (PAIR, {"do": "change", "row": 3, "values": {"anchor": " \n "}}, "The anchor cannot be empty"),
        (PAIR, {"do": "change", "row": 3, "values": {"anchor": None}}, "The anchor cannot be empty"),
        (PAIR, {"do": "change", "row": 3, "values": {"anchor": "x" * 100_001}}, "at most 100,000"),
        (PAIR, {"do": "change", "row": 12, "values": {"anchor": "x"}}, "no such row"),
        (PAIR, {"do": "change", "row": -1, "values": {"anchor": "x"}}, "no such row"),
        (PAIR, {"do": "drop", "row": "1"}, "no such row"),
        (PAIR, {"do": "change", "row": 3, "values": {"row": 9}}, "cannot be made"),
        (PAIR, {"do": "change", "row": 3, "values": {}}, "cannot be made"),
        (PAIR, {"do": "explode", "row": 3}, "cannot be made"),
        (PAIR, {"do": "add", "values": {"anchor": "x"}}, "The new row has no positive"),
        (PAIR, {"do": "add", "values": {"anchor": "x", "positive": ""}}, "The positive of the new row cannot be empty"),
        (SCORED, {"do": "change", "row": 3, "values": {"score": 5.1}}, "from 0 to 5"),
        (SCORED, {"do": "change", "row": 3, "values": {"score": "nan"}}, "from 0 to 5"),
        (SCORED, {"do": "change", "row": 3, "values": {"score": "high"}}, "from 0 to 5"),
        (LABELLED, {"do": "change", "row": 3, "values": {"label": 0.5}}, "must be 1"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_with_the_column(columns, step, words):
    with pytest.raises(DataError, match=words):
        check_step(step, columns, 12, [])


def test_a_draft_does_not_grow_for_ever():
    with pytest.raises(DataError, match="at most"):
        check_step({"do": "drop", "row": 1}, PAIR, 12, [{"do": "drop", "row": 1}] * MAX_STEPS)


def test_half_of_a_surrogate_pair_does_not_break_the_draft():
    step = check_step({"do": "change", "row": 1, "values": {"anchor": "so \ud83d what"}}, PAIR, 12, [])
    pa.array([step["values"]["anchor"]]).cast(pa.large_string())


def test_the_search_sees_the_rows_as_they_are_edited(dataset):
    _, data, columns = opened(dataset())
    edits = fold(
        [
            {"do": "change", "row": 3, "values": {"anchor": "Wherever is THE CAT?"}},
            {"do": "add", "values": {"anchor": "A cat?", "positive": "Yes."}},
            {"do": "drop", "row": 7},
        ]
    )
    assert find_rows(data, edits, columns, "cat", False) == [-1, 3]
    assert find_rows(data, edits, columns, "thing 3", False) == []
    assert find_rows(data, edits, columns, "13", False) == [11]
    assert find_rows(data, edits, columns, "", True) == [-1, 3, 7]
    assert find_rows(data, edits, columns, "matter", True) == [3, 7]
    assert list(find_rows(data, edits, columns, "", False)) == [-1, *range(12)]
    row = read_row(data, 3, edits, columns)
    assert (row.number, row.changed, row.dropped) == ("5", ("anchor",), False)
    assert read_row(data, -1, edits, columns).number == "new 1"
    assert edited_rows(data, edits, columns)["row"].to_pylist() == [2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14]


def test_a_retrieval_set_keeps_its_corpus_and_its_parts(tmp_path):
    table = read_folder(beir(tmp_path / "set", train=own(0, 12), test=own(12, 20)))
    import_dataset(tmp_path / "first", table, guess_roles(table), "Set")
    steps = [
        {"do": "drop", "row": 0},
        {"do": "change", "row": 13, "values": {"anchor": "how about number 13"}},
        {"do": "add", "values": {"anchor": "what is new", "positive": "a new document"}},
    ]
    info = save_edits(tmp_path / "first", tmp_path / "second", steps)
    rows = load_rows(tmp_path / "second")
    assert rows["part"].to_pylist() == ["test"] * 7 + ["train"] * 13
    assert info.corpus_rows == len(load_corpus(tmp_path / "second")) == 30
