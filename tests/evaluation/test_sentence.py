import numpy as np
import pytest

from studio.catalog.formats import FORMATS
from studio.evaluation.result import MetricResult
from studio.evaluation.sentence import (
    FEW_TRAINED,
    HARDLY_BETTER,
    HURTING,
    LEAST_ROWS,
    MOST_ROWS,
    NARROW,
    RISEN,
    SMALL_BATCH,
    Facts,
    advice,
    keyword_sentence,
    outcome_of,
    rows_needed,
    verdict_sentence,
)

NDCG = MetricResult("ndcg@10", 0.7, 0.8, 0.05, 0.15)
ACCURACY = MetricResult("accuracy@1", 0.52, 0.71, 0.14, 0.24)


def metric(id, base, tuned, low, high):
    return MetricResult(id, base, tuned, low, high)


def said(primary, *others, rows=300, format="pair"):
    return verdict_sentence(primary, (primary, *others) if primary else others, rows, format)


def test_better_is_said_in_questions_of_a_hundred():
    assert said(NDCG, ACCURACY) == (
        "Finds the right text first for 71 of 100 questions, was 52 (+19, between +14 and +24)."
    )


def test_accuracy_that_is_not_surely_better_leaves_the_word_to_the_primary_metric():
    unsure = metric("accuracy@1", 0.52, 0.53, -0.01, 0.03)
    assert said(NDCG, unsure) == "Right texts stand at nDCG@10 0.800, was 0.700 (+0.100, between +0.050 and +0.150)."


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.001, 0.1, "better"),
        (0.0, 0.1, "no_difference"),
        (-0.1, 0.1, "no_difference"),
        (-0.1, 0.0, "no_difference"),
        (-0.1, -0.001, "worse"),
    ],
)
def test_the_outcome_follows_the_interval_of_the_primary_metric(low, high, outcome):
    assert outcome_of(metric("spearman", 0.5, 0.5, low, high), 300) == outcome


def test_worse_says_to_keep_the_base_model():
    worse = metric("spearman", 0.82, 0.61, -0.3, -0.1)
    assert said(worse, format="scored_pair") == (
        "It got worse: keep the base model. "
        "Ranks pairs as the scores do with a Spearman of 0.610, was 0.820 (-0.210, between -0.300 and -0.100)."
    )


def test_held_out_rows_that_show_nothing_are_named_with_how_many_would_do():
    unsure = metric("ndcg@10", 0.70, 0.75, -0.04, 0.14)
    assert said(unsure, rows=40) == (
        "No measurable difference: 40 held-out rows are too few; about 300 would do. "
        "nDCG@10 is 0.750, was 0.700 (+0.050, between -0.040 and +0.140)."
    )


@pytest.mark.parametrize("change", [0.04, 0.1])
def test_as_many_rows_as_are_asked_for_show_the_difference_four_times_of_five(change):
    chance = np.random.default_rng(0)
    spread, rows = 0.5, 40
    half = 1.96 * spread / np.sqrt(rows)
    needed = rows_needed(metric("ndcg@10", 0.5, 0.5 + change, change - half, change + half), rows)
    seen = [chance.normal(change, spread, needed) for _ in range(400)]
    found = np.mean([one.mean() - 1.96 * one.std() / np.sqrt(needed) > 0 for one in seen])
    assert 0.75 < found < 0.97


def test_no_more_rows_are_asked_for_than_a_verdict_takes():
    def unsure(change):
        return metric("ndcg@10", 0.7, 0.7 + change, change - 0.05, change + 0.05)

    # 2 * 200 * (0.05 / change)² rows: 2,000 at a change of 0.02236.
    assert rows_needed(unsure(0.0224), 200) == MOST_ROWS
    assert rows_needed(unsure(0.0223), 200) is None
    assert "about 2,000 would do" in said(unsure(0.0224), rows=200)
    assert said(unsure(0.0223), rows=200).endswith("So small a change takes more than 2,000 rows to see.")


def test_an_interval_close_around_zero_says_how_large_a_difference_can_be():
    close, wider = metric("ndcg@10", 0.7, 0.701, -0.01, NARROW), metric("ndcg@10", 0.7, 0.701, -0.01, NARROW + 1e-6)
    assert said(close).endswith("If there is one, it is no larger than 0.020.")
    assert "no larger" not in said(wider)


def test_small_moves_of_questions_are_said_with_a_digit_more():
    large, small = (metric("accuracy@1", 0.5, 0.5 + move, 0.001, 0.05) for move in (0.02, 0.0199))
    primary = metric("ndcg@10", 0.7, 0.8, 0.05, 0.15)
    assert "52 of 100 questions, was 50 (+2, " in said(primary, large)
    assert "52.0 of 100 questions, was 50.0 (+2.0, " in said(primary, small)


def test_a_handful_of_rows_judges_nothing_however_clear_it_looks():
    assert outcome_of(NDCG, LEAST_ROWS - 1) == "no_difference"
    assert outcome_of(NDCG, LEAST_ROWS) == "better"
    assert said(NDCG, rows=1) == "Cannot be judged: 1 held-out row is too few to tell anything from chance."


def test_equal_models_are_called_equal():
    same = metric("triplet_accuracy", 1.0, 1.0, 0.0, 0.0)
    assert said(same, format="triplet") == (
        "No difference: Triplet accuracy is 1.000 with both models on 300 held-out rows."
    )


def test_rows_that_define_no_metric_are_said_to_say_nothing():
    assert "no two different scores" in said(None, format="scored_pair")
    assert "no two different labels" in said(None, format="labelled_pair")


@pytest.mark.parametrize("format", [f.id for f in FORMATS])
def test_every_formats_primary_metric_has_words_for_better_and_worse(format):
    primary = next(f.primary_metric for f in FORMATS if f.id == format)
    assert "0.8" in said(metric(primary, 0.7, 0.812, 0.05, 0.2), format=format) or "81 of 100" in said(
        metric(primary, 0.7, 0.812, 0.05, 0.2), format=format
    )
    assert said(metric(primary, 0.8, 0.7, -0.2, -0.05), format=format).startswith("It got worse")


def facts(**changes):
    values = {
        "loss": "MultipleNegativesRankingLoss",
        "learning_rate": 1e-4,
        "batch_size": 32,
        "train_rows": 1000,
        "heldout_losses": (1.0, 0.8, 0.79),
    }
    return Facts(**{**values, **changes})


def test_nothing_to_say_after_a_good_training():
    assert advice(facts(), "better", 500) == ()


NDCG_WIDE = metric("ndcg@10", 0.7, 0.75, -0.04, 0.14)


@pytest.mark.parametrize(
    ("changes", "outcome", "word"),
    [
        ({}, "worse", "lower learning rate"),
        ({}, "no_difference", "higher learning rate"),
        ({}, "no_difference", "held-out share"),
        ({"suggested_loss": "CoSENTLoss"}, "worse", "Try the loss 'CoSENT'"),
        ({"suggested_loss": "CoSENTLoss"}, "no_difference", "Try the loss 'CoSENT'"),
        ({"findings": (("contradictory_labels", 12),)}, "worse", "Contradictory labels' in 12 rows"),
        ({"heldout_losses": (1.0, 0.6, 0.9)}, "better", "rose"),
        ({"heldout_losses": (1.0, 0.8, 0.6)}, "better", "still falling"),
        ({"train_rows": 120}, "better", "120 rows trained"),
        ({"batch_size": 8}, "better", "larger batches"),
    ],
)
def test_advice_follows_from_facts(changes, outcome, word):
    assert any(word in sentence for sentence in advice(facts(**changes), outcome, 40, NDCG_WIDE))
    assert not any(word in sentence for sentence in advice(facts(), "better", 40, NDCG_WIDE))


@pytest.mark.parametrize(
    ("changes", "others", "word"),
    [
        ({"train_rows": FEW_TRAINED - 1}, {"train_rows": FEW_TRAINED}, "rows trained"),
        ({"batch_size": SMALL_BATCH - 1}, {"batch_size": SMALL_BATCH}, "larger batches"),
        ({"heldout_losses": (1.0, 0.6, 0.6 * RISEN + 0.01)}, {"heldout_losses": (1.0, 0.6, 0.6 * RISEN)}, "rose"),
        ({"heldout_losses": (1.0, 0.8, 0.759)}, {"heldout_losses": (1.0, 0.8, 0.761)}, "still falling"),
        ({"heldout_losses": (1.0, 0.4, 0.501)}, {"heldout_losses": (1.0, 0.4, 0.499)}, "rose"),
    ],
)
def test_each_threshold_of_the_advice_has_two_sides(changes, others, word):
    assert any(word in sentence for sentence in advice(facts(**changes), "better", 500))
    assert not any(word in sentence for sentence in advice(facts(**others), "better", 500))


def test_a_base_model_that_is_nearly_perfect_is_the_reason():
    good, less = (metric("ndcg@10", base, base, -0.001, 0.001) for base in (HARDLY_BETTER, HARDLY_BETTER - 1e-6))
    assert any("nearly everything right" in one for one in advice(facts(), "no_difference", 500, good))
    assert not any("nearly everything right" in one for one in advice(facts(), "no_difference", 500, less))


@pytest.mark.parametrize("outcome", ["worse", "no_difference"])
@pytest.mark.parametrize("losses", [(), (1.0,), (1.0, 0.8, 0.79), (1.0, 0.6, 0.9), (1.0, 0.8, 0.6)])
def test_nobody_is_left_without_something_to_try(outcome, losses):
    assert advice(facts(heldout_losses=losses), outcome, 500, NDCG_WIDE)


def test_no_more_than_two_findings_are_repeated_and_only_those_that_can_be_the_cause():
    found = (("personal_data", 400), *((code, 9) for code in HURTING))
    told = [one for one in advice(facts(findings=found), "worse", 500) if "data check" in one]
    assert len(told) == 2
    assert "Personal" not in " ".join(told)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.05, 0.2, "finds the right text first for 52 of 100; the tuned model does better (+19, between"),
        (-0.2, -0.05, "for texts like these, words alone find more"),
        (-0.05, 0.05, "no measurable difference to the tuned model"),
    ],
)
def test_keyword_search_is_compared_honestly(low, high, words):
    ndcg = metric("ndcg@10", 0.6, 0.7, low, high)
    accuracy = metric("accuracy@1", 0.52, 0.71, 0.14 if low > 0 else low, 0.24 if high > 0 else high)
    assert words in keyword_sentence((ndcg, accuracy), 300, "pair")
    assert "too few" in keyword_sentence((ndcg, accuracy), LEAST_ROWS - 1, "pair")
