from dataclasses import replace

import pyarrow as pa
import pytest

from studio.catalog.formats import FORMATS
from studio.catalog.losses import LOSSES
from studio.errors import ConfigError
from studio.training.config import make_config
from studio.training.suggest import check_fit, losses_for, suggest_config

STATIC = {"base_model": "wordllama-l2-supercat-256", "learning_rate": 2e-2}


@pytest.mark.parametrize(
    ("format", "first"),
    [
        ("pair", "MultipleNegativesRankingLoss"),
        ("triplet", "MultipleNegativesRankingLoss"),
        ("scored_pair", "CoSENTLoss"),
        ("labelled_pair", "ContrastiveLoss"),
        ("classed_text", "BatchAllTripletLoss"),
        ("texts", "SimCSE"),
    ],
)
def test_the_suggested_loss_comes_first_and_unfit_ones_last(format, first):
    choices = losses_for(format, 1 if format == "triplet" else 0)
    assert choices[0].loss.id == first
    assert len(choices) == len(LOSSES)
    fits = [choice.fits for choice in choices]
    assert fits == sorted(fits, reverse=True)
    assert all(choice.reason for choice in choices)


def test_triplet_loss_takes_one_negative_only():
    fits = {n: {c.loss.id: c.fits for c in losses_for("triplet", n)}["TripletLoss"] for n in (1, 2)}
    assert fits == {1: True, 2: False}


@pytest.mark.parametrize("format", [f.id for f in FORMATS])
@pytest.mark.parametrize("rows", [20, 120, 600, 3000])
def test_what_is_suggested_fits(dataset, format, rows):
    info, _ = dataset(format, 20)
    info = replace(info, rows=rows)
    config = suggest_config(info)
    check_fit(info, config)
    assert config.epochs == {20: 3.0, 120: 3.0, 600: 2.0, 3000: 1.0}[rows]


def test_learning_rates_follow_the_base_model(dataset, tiny_model):
    info, _ = dataset("pair", 20)
    rates = [
        suggest_config(info, base).learning_rate for base in ("all-MiniLM-L6-v2", STATIC["base_model"], str(tiny_model))
    ]
    assert rates[1] > 50 * rates[0]
    assert rates[2] > rates[0]


def test_the_longest_text_is_the_smallest_limit_that_leaves_most_texts_whole(dataset):
    info, data = dataset("pair", 100)
    assert suggest_config(info, data=data).max_seq_length == 64
    longer = data.set_column(0, "anchor", pa.array([" ".join([text] * 8) for text in data["anchor"].to_pylist()]))
    assert suggest_config(info, data=longer).max_seq_length in (128, None)
    assert suggest_config(info).max_seq_length is None


def test_a_loss_that_needs_another_format_is_named_with_those_that_fit(dataset):
    info, _ = dataset("scored_pair", 100)
    with pytest.raises(ConfigError, match="needs pairs or triplets; this dataset has scored pairs") as caught:
        check_fit(info, make_config({}))
    assert "CoSENT" in caught.value.hint


def test_fewer_rows_than_a_batch_says_both_numbers(dataset):
    info, data = dataset("pair", 20)
    with pytest.raises(ConfigError, match="18 rows train, but a batch has 32") as caught:
        check_fit(info, make_config({"batch_size": 32}), data)
    assert "at most 18" in caught.value.hint
    with pytest.raises(ConfigError, match="10 rows train, but a batch has 16"):
        check_fit(info, make_config({"batch_size": 16, "max_train_rows": 10}))


def test_two_negatives_are_too_many_for_triplet_loss(dataset):
    info, _ = dataset("triplet", 50, 2)
    with pytest.raises(ConfigError, match="takes 1 negative a row; this dataset has 2"):
        check_fit(info, make_config({"loss": "TripletLoss"}))


def test_labels_or_scores_that_are_all_alike_teach_nothing(dataset):
    for format, loss in (("labelled_pair", "ContrastiveLoss"), ("scored_pair", "CoSENTLoss")):
        info, data = dataset(format, 60)
        column = "label" if format == "labelled_pair" else "score"
        same = data.set_column(2, column, pa.array([1] * 60, data.schema.field(column).type))
        check_fit(info, make_config({"loss": loss, "batch_size": 8}), data)
        with pytest.raises(ConfigError, match=f"Every row has the {column} 1"):
            check_fit(info, make_config({"loss": loss, "batch_size": 8}), same)


def test_a_static_model_has_no_pooling_and_no_portions(dataset):
    info, _ = dataset("pair", 100)
    with pytest.raises(ConfigError, match="no pooling"):
        check_fit(info, make_config({**STATIC, "pooling": "cls"}))
    with pytest.raises(ConfigError, match="in portions"):
        check_fit(info, make_config({**STATIC, "loss": "CachedMultipleNegativesRankingLoss"}))


def test_texts_cannot_be_longer_than_the_model_has_positions(dataset):
    info, _ = dataset("pair", 100)
    check_fit(info, make_config({"max_seq_length": 512}))
    with pytest.raises(ConfigError, match="at most 512 tokens"):
        check_fit(info, make_config({"max_seq_length": 513}))


def test_plain_texts_teach_a_model_without_dropout_nothing(dataset, tiny_model):
    info, data = dataset("texts", 100)
    check_fit(info, suggest_config(info, str(tiny_model), data), data)
    with pytest.raises(ConfigError, match="SimCSE cannot train WordLlama"):
        check_fit(info, make_config({**STATIC, "loss": "SimCSE"}), data)


def test_batches_by_class_are_even_and_need_two_classes_of_two(dataset):
    info, data = dataset("classed_text", 60)
    for rows in (9, 31, 60):
        assert suggest_config(replace(info, rows=rows)).batch_size % 2 == 0
    values = {"loss": "BatchAllTripletLoss"}
    with pytest.raises(ConfigError, match="must be even"):
        make_config({**values, "batch_size": 9})
    with pytest.raises(ConfigError, match="two classes at least with two rows each"):
        check_fit(info, make_config({**values, "batch_size": 4, "max_train_rows": 4, "seed": 1}), data)
