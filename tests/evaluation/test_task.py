import numpy as np
import pyarrow as pa

from studio.evaluation.task import make_task

TABLE = pa.table(
    {
        "anchor": ["a", "a", "b", "c"],
        "positive": ["x", "y", "x", "z"],
        "row": [2, 3, 4, 5],
    }
)


def test_a_question_with_two_answers_has_both_as_right_ones():
    task = make_task(TABLE, "pair", np.array([0, 1, 2]))
    assert task.retrieval.queries == ("a", "b")
    assert task.retrieval.corpus == ("x", "y")
    assert task.retrieval.relevant == (frozenset({0, 1}), frozenset({0}))


def test_shared_answers_are_all_searched():
    assert make_task(TABLE, "pair", np.array([2]), "answers").retrieval.corpus == ("x", "y", "z")


def test_an_answer_that_only_a_training_row_gives_is_right_too():
    # 'a' is asked for with 'x' only, but 'y' stands in the corpus and answers it as well.
    task = make_task(TABLE, "pair", np.array([0, 2]), "answers")
    assert task.retrieval.relevant[0] == frozenset({0, 1})


def test_the_corpus_of_a_quick_look_keeps_every_right_answer():
    rows = pa.table(
        {"anchor": [f"q{i}" for i in range(50)], "positive": [f"p{i}" for i in range(50)], "row": range(50)}
    )
    task = make_task(rows, "pair", np.arange(5), "answers", most_others=7)
    assert set(task.positives) <= set(task.retrieval.corpus)
    assert len(task.retrieval.corpus) <= 12


def test_negatives_are_among_the_texts_that_are_searched(triplets):
    task = make_task(triplets, "triplet", np.arange(10))
    assert {text for row in task.negatives for text in row} <= set(task.retrieval.corpus)
    assert len(task.negatives[0]) == 2
    assert len(task.texts) == len(set(task.texts))


def test_the_primary_metric_comes_first(triplets, scored):
    assert make_task(triplets, "triplet", np.arange(5)).metric_ids[0] == "triplet_accuracy"
    assert make_task(scored, "scored_pair", np.arange(5)).metric_ids == ("spearman", "pearson")


CLASSED = pa.table({"text": list("abcdef"), "class": ["x", "y", "x", "y", "x", "z"], "row": list(range(2, 8))})


def test_a_text_asks_for_those_of_its_class_but_not_for_itself():
    task = make_task(CLASSED, "classed_text", np.array([0, 3, 5]))
    assert task.retrieval.corpus == ("a", "d", "f", "b", "c", "e")
    assert task.retrieval.queries == ("a", "d")  # no other text is of the class of f
    assert task.retrieval.own == (0, 1)
    assert task.retrieval.relevant == (frozenset({4, 5}), frozenset({3}))
    assert task.rows == 3
    assert "and 3 training texts" in task.note


def test_training_texts_are_not_searched_where_enough_are_held_out():
    rows = 1200
    data = pa.table({"text": [f"t{i}" for i in range(rows)], "class": ["x", "y"] * 600, "row": np.arange(rows)})
    task = make_task(data, "classed_text", np.arange(500))
    assert len(task.retrieval.corpus) == 500
    assert "training texts" not in task.note


def test_the_first_half_of_a_plain_text_asks_for_the_second():
    data = pa.table({"text": ["one two three four", "fünf sechs sieben", "unteilbar", "x"], "row": [2, 3, 4, 5]})
    task = make_task(data, "texts", np.array([1, 2]))
    assert task.retrieval.queries == ("fünf", "unte")
    assert task.retrieval.corpus == ("sechs sieben", "ilbar", "three four", "x")
    assert task.retrieval.relevant == (frozenset({0}), frozenset({1}))
    assert "weaker evidence" in task.note
