import numpy as np
import pytest

from studio.evaluation.doubts import CLEARLY, DOUBTS, doubts
from studio.evaluation.measure import Hits, Measurement, Seen
from studio.evaluation.task import Retrieval, Task

CORPUS = ("Reset the pin of your card", "Reset the PIN of your card!", "Close an account", "Order a card")


def queries(first: list[int], first_score: list[float], right: list[float], relevant: int = 0) -> list[tuple[str, str]]:
    """Doubts about one query: the base and the tuned model's first hit, its score, the right text's similarity."""
    retrieval = Retrieval(("how do I get a new pin",), CORPUS, (frozenset({relevant}),))
    task = Task("pair", retrieval.queries, (CORPUS[relevant],), (), None, retrieval)
    models = [
        Measurement(
            {},
            hits=Hits(np.array([[place]]), np.array([[score]])),
            seen=Seen(np.zeros((0, 1)), False, np.array([value])),
        )
        for place, score, value in zip(first, first_score, right, strict=True)
    ]
    return doubts(task, dict(zip(("base", "tuned"), models, strict=True)))


def triplet(negative: str, right: tuple[float, float], wrong: tuple[float, float]) -> tuple[str, str]:
    task = Task("triplet", ("a",), ("the right text of this row",), ((negative,),), None, None)
    models = [
        Measurement({}, seen=Seen(np.zeros((0, 1)), False, np.array([r]), np.array([w])))
        for r, w in zip(right, wrong, strict=True)
    ]
    return doubts(task, dict(zip(("base", "tuned"), models, strict=True)))[0]


def pair(format: str, targets: np.ndarray, base: np.ndarray, tuned: np.ndarray) -> list[str]:
    texts = [
        tuple(f"{side} text number {chr(97 + i % 26)}{i}" for i in range(len(targets))) for side in ("this", "that")
    ]
    task = Task(format, *texts, (), targets, None)
    return [code for code, _ in doubts(task, {"base": Measurement({}, {}, base), "tuned": Measurement({}, {}, tuned)})]


def test_another_text_that_both_models_find_clearly_first_is_named():
    assert queries([2, 2], [0.8, 0.7], [0.5, 0.4]) == [("both", CORPUS[2])]


def test_clearly_has_two_sides():
    edge = 0.8 * (1 - CLEARLY)
    assert queries([2, 2], [0.8, 0.8], [edge - 1e-6] * 2) == [("both", CORPUS[2])]
    assert queries([2, 2], [0.8, 0.8], [0.1, edge + 1e-6]) == [("", "")]


def test_models_that_find_different_texts_raise_no_doubt():
    assert queries([2, 3], [0.8, 0.7], [0.5, 0.4]) == [("", "")]


def test_a_right_text_that_is_found_raises_no_doubt():
    assert queries([0, 0], [0.8, 0.7], [0.5, 0.4]) == [("", "")]


def test_a_hit_that_repeats_the_right_text_is_probably_right_too():
    assert queries([2, 1], [0.8, 0.8], [0.79, 0.79]) == [("same", CORPUS[1])]


def test_a_negative_that_repeats_the_positive_or_is_nearer_for_both_models_is_doubtful():
    assert triplet("The right text of this row.", (0.9, 0.9), (0.1, 0.1)) == ("same", "The right text of this row.")
    assert triplet("something else", (0.4, 0.5), (0.7, 0.8)) == ("both", "something else")
    assert triplet("something else", (0.4, 0.9), (0.7, 0.8)) == ("", "")


def test_distances_are_compared_as_similarities_are():
    assert triplet("something else", (-9.0, -9.0), (-5.0, -5.0))[0] == "both"
    assert triplet("something else", (-5.0, -5.0), (-9.0, -9.0))[0] == ""


def test_a_score_that_both_models_see_otherwise_is_doubtful():
    targets = np.linspace(0, 1, 21)
    base, tuned = targets.copy(), targets.copy()
    base[0] = tuned[0] = 2.0  # far more alike than the score says
    tuned[10] = 3.0  # for one model only
    found = pair("scored_pair", targets, base, tuned)
    assert [row for row, code in enumerate(found) if code] == [0]
    assert found[0] == "far_off"


def test_a_label_that_both_models_see_otherwise_is_doubtful():
    targets = np.array([1] * 20 + [0] * 20)
    similarity = targets + np.linspace(0, 0.1, 40)
    base, tuned = similarity.copy(), similarity.copy()
    base[5] = tuned[5] = -1.0
    base[30] = 5.0
    found = pair("labelled_pair", targets, base, tuned)
    assert [row for row, code in enumerate(found) if code] == [5]
    assert found[5] == "wrong_side"


@pytest.mark.parametrize(("label", "code"), [(0, "equal"), (1, "")])
def test_equal_texts_that_are_said_not_to_belong_together_are_doubtful(label, code):
    texts = ("How do I reset my pin",), ("how do i reset my PIN?",)
    task = Task("labelled_pair", *texts, (), np.array([label]), None)
    one = Measurement({}, {}, np.array([0.9]))
    assert doubts(task, {"base": one, "tuned": one})[0][0] == code
    assert code in ("", *DOUBTS)
