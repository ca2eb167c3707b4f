"""From table and roles to training rows: every row is used or has a reason."""

import pytest

from studio.data.prepare import prepare, score_scale
from studio.data.table import Roles
from studio.errors import DataError

PAIR = Roles("q", "a")


def test_texts_are_stripped_and_rows_without_them_dropped_with_numbers(table):
    prepared = prepare(table({"q": [" a ", "", None, "c", "e\n"], "a": ["b", "x", "y", "\u00a0 ", "f g"]}), PAIR)
    assert prepared.format == "pair"
    assert prepared.data.to_pylist() == [
        {"anchor": "a", "positive": "b", "row": 2},
        {"anchor": "e", "positive": "f g", "row": 6},
    ]
    assert {why: [n.row for n in notes] for why, notes in prepared.dropped.items()} == {
        "anchor is empty": [3, 4],
        "positive is empty": [5],
    }


def test_a_row_that_stands_there_again_counts_once(table):
    prepared = prepare(table({"q": ["a", "b", " a", "a"], "a": ["x", "x", "x ", "z"]}), PAIR)
    assert prepared.data["row"].to_pylist() == [2, 3, 5]
    (note,) = prepared.dropped["the same row again"]
    assert (note.row, note.message) == (4, "the same as row 2")


def test_rows_that_differ_in_their_label_only_are_kept(table):
    prepared = prepare(table({"q": ["a", "a"], "a": ["x", "x"], "l": ["1", "0"]}), Roles("q", "a", label="l"))
    assert prepared.data["label"].to_pylist() == [1, 0]


def test_columns_are_in_the_order_of_the_format_whatever_the_file_has(table):
    source = table({"n2": ["d"], "s": ["1"], "n1": ["c"], "a": ["b"], "q": ["a"]})
    assert prepare(source, Roles("q", "a", ("n1", "n2"))).data.column_names == [
        "anchor",
        "positive",
        "negative_1",
        "negative_2",
        "row",
    ]
    assert prepare(source, Roles("q", "a", ("n2",))).data.column_names == ["anchor", "positive", "negative", "row"]
    assert prepare(source, Roles("q", "a", score="s")).data.column_names == ["anchor", "positive", "score", "row"]


def test_a_triplet_needs_all_its_negatives(table):
    prepared = prepare(
        table({"q": ["a", "b"], "a": ["c", "d"], "n1": ["e", "f"], "n2": ["g", ""]}), Roles("q", "a", ("n1", "n2"))
    )
    assert prepared.data["row"].to_pylist() == [2]
    assert [n.row for n in prepared.dropped["a negative is empty"]] == [3]


def test_lists_of_negatives_give_as_many_as_every_row_has(table):
    source = table({"q": ["a", "b", "c"], "a": ["x", "y", "z"], "n": [["1", "2", "3"], ["4", " ", "5"], []]})
    prepared = prepare(source, Roles("q", "a", ("n",)))
    assert prepared.data.select(["negative_1", "negative_2"]).to_pylist() == [
        {"negative_1": "1", "negative_2": "2"},
        {"negative_1": "4", "negative_2": "5"},
    ]
    assert prepared.notes == ("'n' holds up to 3 negatives a row; the first 2 of each row are used.",)
    many = prepare(table({"q": ["a"], "a": ["b"], "n": [[str(i) for i in range(15)]]}), Roles("q", "a", ("n",)))
    assert many.data.column_names[-2:] == ["negative_10", "row"]


def test_each_of_several_positives_makes_a_row(table):
    prepared = prepare(table({"q": ["a", "b", "c"], "a": [["x", "y"], None, ["z"]]}), PAIR)
    assert prepared.data.to_pylist() == [
        {"anchor": "a", "positive": "x", "row": 2},
        {"anchor": "a", "positive": "y", "row": 2},
        {"anchor": "c", "positive": "z", "row": 4},
    ]
    assert [n.row for n in prepared.dropped["positive is empty"]] == [3]
    assert "3 rows of the file make 4" in prepared.notes[0]


@pytest.mark.parametrize(
    "words", [("1", "0"), ("1.0", "0.0"), ("TRUE", "False"), ("yes", "No"), ("ja", "nein"), ("1,00", "-0")]
)
def test_labels_may_be_spelt_in_several_ways(table, words):
    prepared = prepare(
        table({"q": ["a", "b", "c"], "a": ["x", "y", "z"], "l": [*words, " "]}), Roles("q", "a", label="l")
    )
    assert prepared.data["label"].to_pylist() == [1, 0]
    assert [n.row for n in prepared.dropped["label is missing"]] == [4]


def test_another_label_is_refused_by_row_column_and_value(table):
    source = table({"q": ["a", "b", "c"], "a": ["x", "y", "z"], "judged": ["1", "2", "2"]})
    with pytest.raises(
        DataError, match=r"Row 3: 'judged' is '2', which is neither 0 nor 1. So is 1 other row"
    ) as raised:
        prepare(source, Roles("q", "a", label="judged"))
    assert "The column has 1, 2." in raised.value.hint


@pytest.mark.parametrize("value", ["high", "1.2.3", "inf", "1e999", "4/5"])
def test_a_score_that_is_no_number_is_refused_by_row_column_and_value(table, value):
    source = table({"q": ["a", "b", "c", "d"], "a": ["x", "y", "z", "v"], "s": ["1", value, value, value]})
    with pytest.raises(DataError, match=rf"Row 3: 's' is '{value}', which is not a number.* So are 2 other rows"):
        prepare(source, Roles("q", "a", score="s"))


def test_scores_may_have_decimal_commas_and_are_brought_to_0_to_1(table):
    source = table({"q": list("abcd"), "a": list("xyzv"), "s": ["0", "2,5", "5", "nan"]})
    prepared = prepare(source, Roles("q", "a", score="s"))
    assert prepared.data["score"].to_pylist() == [0.0, 0.5, 1.0]
    assert prepared.score_scale == (0.0, 5.0)
    assert [n.row for n in prepared.dropped["score is missing"]] == [5]


@pytest.mark.parametrize(
    ("low", "high", "scale"),
    [
        (0, 1, (0, 1)), (0.2, 0.9, (0, 1)), (-0.3, 1, (-1, 1)), (0, 5, (0, 5)), (1, 5, (1, 5)), (0, 4.8, (0, 5)), (1, 10, (0, 10)),
        (0, 100, (0, 100)), (3, 87, (0, 100)), (0, 4, (0, 4)), (1, 7, (1, 7)), (-5, 5, (-5, 5)), (0, 1200, (0, 1200)), (3, 3, (3, 3)),
    ],
)  # fmt: skip
def test_the_scale_of_scores_is_recognised(low, high, scale):
    assert score_scale(low, high) == scale


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        (Roles("q", "q"), "'q' was chosen twice: as anchor and as positive"),
        (Roles("q", "nope"), "no column 'nope'"),
        (Roles("q"), "no column is the positive"),
        (Roles(None, "a"), "no column is the anchor"),
        (Roles(), "No column was found"),
        (Roles("q", "a", ("n",), score="s"), "negative and score at once"),
        (Roles("q", "a", score="s", label="l"), "score and label at once"),
        (Roles("q", "a", ("n", "n")), "'n' was chosen twice"),
        (Roles("q", "empty"), r"'empty' \(positive\) is empty in every row"),
        (Roles("q", "a", ("empty",)), r"'empty' \(negative\) is empty in every row"),
        (Roles("q", "a", score="empty"), r"'empty' \(score\) is empty in every row"),
        (Roles("q", "half"), "No row is left"),
        (Roles("lists", "a"), r"'lists' \(anchor\) holds lists"),
    ],
)
def test_roles_that_cannot_work_are_refused_with_a_reason(table, roles, said):
    source = table(
        {
            "q": ["a", None], "a": ["b", "c"], "n": ["d", "e"], "s": ["1", "2"], "l": ["1", "0"], "empty": [None, " "],
            "half": [None, "x"], "lists": [["a"], ["b"]],
        }
    )  # fmt: skip
    with pytest.raises(DataError, match=said) as raised:
        prepare(source, roles)
    assert raised.value.hint


def test_one_column_is_said_to_be_too_few(table):
    with pytest.raises(DataError, match=r"one column only \('text'\): two texts a row are needed"):
        prepare(table({"text": ["a", "b"]}), Roles("text"))


def test_of_two_hundred_thousand_rows_none_is_lost(wordnet):
    prepared = prepare(wordnet, Roles("word", "example"))
    assert len(prepared.data) + sum(map(len, prepared.dropped.values())) == 206_978
    missing = wordnet.data["example"].null_count
    assert len(prepared.dropped["positive is empty"]) == missing > 100_000


def test_lists_that_are_spelt_in_a_cell_are_lists(table):
    columns = {"q": ["one", "two"], "a": ['["a", "b"]', "['c, d', \"e's\"]"], "n": ['["x"]', '["y"]']}
    made = prepare(table(columns), Roles("q", "a", ("n",)))
    assert made.data["positive"].to_pylist() == ["a", "b", "c, d", "e's"]
    assert made.data["negative"].to_pylist() == ["x", "x", "y", "y"]
    assert made.data["row"].to_pylist() == [2, 2, 3, 3]
    for cell in ("[sic]", "[1, 2]", "[__import__('os')]"):
        kept = prepare(table({"q": ["one", "two"], "a": ['["a"]', cell]}), Roles("q", "a"))
        assert kept.data["positive"].to_pylist() == ['["a"]', cell]
