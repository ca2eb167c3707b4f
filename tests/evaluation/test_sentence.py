import pytest

from studio.catalog.formats import FORMATS
from studio.evaluation.result import MetricResult
from studio.evaluation.sentence import FEW_ROWS, LEAST_ROWS, Facts, advice, outcome_of, verdict_sentence

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


def test_few_held_out_rows_that_show_nothing_are_named_as_the_reason():
    unsure = metric("ndcg@10", 0.70, 0.71, -0.02, 0.05)
    few, many = said(unsure, rows=FEW_ROWS - 1), said(unsure, rows=FEW_ROWS)
    assert few == (
        "No measurable difference: nDCG@10 is 0.710, was 0.700, "
        "and 199 held-out rows are too few to tell +0.010 from chance."
    )
    assert many == "No measurable difference: nDCG@10 is 0.710, was 0.700 (+0.010, between -0.020 and +0.050)."


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


@pytest.mark.parametrize(
    ("changes", "outcome", "rows", "word"),
    [
        ({}, "worse", 500, "lower learning rate"),
        ({}, "no_difference", 500, "higher learning rate"),
        ({"heldout_losses": (1.0, 0.6, 0.9)}, "better", 500, "rose"),
        ({"heldout_losses": (1.0, 0.8, 0.6)}, "better", 500, "still falling"),
        ({"train_rows": 120}, "better", 500, "120 rows trained"),
        ({"batch_size": 8}, "better", 500, "larger batches"),
        ({}, "no_difference", 50, "held-out share"),
    ],
)
def test_advice_follows_from_facts(changes, outcome, rows, word):
    assert any(word in sentence for sentence in advice(facts(**changes), outcome, rows))
    assert not any(word in sentence for sentence in advice(facts(), "better", 500))
