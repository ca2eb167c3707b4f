"""Every combination of format, loss and modifier that the catalogue allows trains; every one that it forbids cannot."""

import gc
import inspect
import json
import math
import re
import shutil
import warnings
from dataclasses import replace

import pytest
import torch
from sentence_transformers import SentenceTransformerTrainer
from sentence_transformers.sentence_transformer import evaluation
from sentence_transformers.sentence_transformer import losses as library
from torch import nn
from transformers import PrinterCallback, TrainerCallback

from studio.catalog.formats import FORMATS
from studio.catalog.losses import FEEDING, LOSS, LOSSES, MODIFIER, MODIFIERS, NEED, SAMPLER
from studio.data.rows import label_count
from studio.errors import ConfigError
from studio.training.bases import resolve_base
from studio.training.config import FIELD, make_config
from studio.training.feeding import Epoch, feed
from studio.training.fit import default_dims, loss_misfit, modifier_misfit
from studio.training.folder import RunFolder
from studio.training.model import build_model
from studio.training.objective import build_loss
from studio.training.rows import plan_rows
from studio.training.suggest import SUGGESTED_LOSS, check_fit, losses_for, modifiers_for, suggest_config
from studio.training.teacher import ask, has_teacher
from studio.training.train import loss_rows, training_arguments
from studio.training.trainable import choose_trainable

pytestmark = pytest.mark.model


@pytest.fixture(autouse=True, scope="module")
def frozen_garbage():
    """The Trainer collects garbage whenever it starts and ends: not through all of torch's modules each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


CPU = torch.device("cpu")
NEGATIVES = {"triplet": (1, 2)}

ALLOWED = [
    (format.id, negatives, loss, modifier)
    for format in FORMATS
    for negatives in NEGATIVES.get(format.id, (0,))
    for loss in LOSSES
    for modifier in MODIFIERS
    if not loss_misfit(loss, format.id, negatives) and not modifier_misfit(modifier, loss)
]
FORBIDDEN = [(loss, modifier) for loss in LOSSES for modifier in MODIFIERS if modifier_misfit(modifier, loss)]


def names(case) -> str:
    format, negatives, loss, modifier = case
    return "-".join((f"{format}{negatives or ''}", loss.id, modifier.id))


class Losses(TrainerCallback):
    def __init__(self):
        self.values = []

    def on_log(self, args, state, control, logs, **kwargs):
        self.values += [logs["loss"]] if "loss" in logs else []


@pytest.fixture
def advisers(small_bert):
    """advisers(settings) -> a guide and a teacher where the loss takes them, other models than the base.

    A teacher that embeds more dimensions, except where that is impossible.
    """

    def choose(settings: dict) -> dict:
        loss, modifier = LOSS[settings["loss"]], MODIFIER[settings.get("modifier", "none")]
        same = loss.feeding == "teacher_vector" or (loss.feeding == "teacher_vectors" and modifier.cuts_dimensions)
        models = {"guide_model": small_bert(24), "teacher_model": small_bert(32, 1) if same else small_bert(48)}
        return {p.id: str(models[p.id]) for p in loss.parameters if p.id in models}

    return choose


@pytest.fixture
def train_few(dataset, small_bert, advisers, tmp_path):
    """train_few(format, negatives, settings) -> losses of the steps and how far the weights moved."""

    def train(format: str, negatives: int, settings: dict, check: bool = True) -> tuple[list[float], float]:
        info, data = dataset(format, 60, max(negatives, 1))
        values = {"base_model": str(small_bert()), "batch_size": 8, "learning_rate": 1e-3, "epochs": 1, "max_train_rows": 24, "heldout_share": 0.2,
                  "warmup_ratio": 0, "engine": "stock", "precision": "fp32"}  # fmt: skip
        config = make_config({**values, **advisers(settings), **settings})
        if check:
            check_fit(info, config, data)
        rows = plan_rows(data, config)
        model = build_model(config, "cpu")
        choose_trainable(model, config)
        before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
        taught = looked_at = None
        if has_teacher(config):
            taught, looked_at = (ask(data.take(r), config, CPU, lambda: None) for r in (rows.train, rows.heldout))
        loss = build_loss(model, config, None if taught is None else taught.shape[-1], label_count(data))
        seen, epoch = Losses(), Epoch()
        trainer = SentenceTransformerTrainer(
            model=model,
            args=training_arguments(RunFolder(tmp_path), config, rows, "fp32", CPU, "stock"),
            train_dataset=feed(data, rows.train, config, taught, epoch),
            eval_dataset=loss_rows(data, rows.heldout, config, looked_at),
            loss=loss,
            callbacks=[seen, epoch],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        after = torch.cat([p.detach().flatten() for p in model.parameters()])
        assert trainer.state.global_step == rows.steps >= 2
        if trainer.eval_dataset is None:  # a text compared with itself says nothing, nor do too few of a class
            assert LOSS[config.loss].feeding == "twice" or format == "classed_text"
        else:
            assert math.isfinite(trainer.evaluate()["eval_loss"])
        return seen.values[: rows.steps], float((after - before).abs().max())

    return train


@pytest.mark.parametrize("case", ALLOWED, ids=names)
def test_every_allowed_combination_trains(case, train_few):
    format, negatives, loss, modifier = case
    values, moved = train_few(format, negatives, {"loss": loss.id, "modifier": modifier.id})
    assert all(map(math.isfinite, values))
    assert max(values) > 0
    assert moved > 1e-6


@pytest.mark.parametrize(("loss", "modifier"), FORBIDDEN, ids=lambda record: record.id)
def test_every_forbidden_combination_is_refused_and_fails_in_the_library(loss, modifier, train_few):
    with pytest.raises(ConfigError, match=modifier.label.partition(":")[0]):
        make_config({"loss": loss.id, "modifier": modifier.id})
    unguarded = {name: replace(LOSS[loss.id], cached=False, fixed_size="") for name in [loss.id]}
    negatives = 1 if loss.formats[0] == "triplet" else 0
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns before it fails
        patch.setitem(LOSS, loss.id, unguarded[loss.id])
        with pytest.raises((KeyError, RuntimeError)):
            train_few(loss.formats[0], negatives, {"loss": loss.id, "modifier": modifier.id})


LORA = [loss for loss in LOSSES if loss.feeding.startswith("teacher") or "ContrastiveTension" in loss.id]


@pytest.mark.parametrize("loss", LORA, ids=lambda record: record.id)
def test_added_matrices_train_with_losses_that_copy_the_model_or_have_a_teacher(loss, train_few):
    negatives = 1 if loss.formats[0] == "triplet" else 0
    values, moved = train_few(loss.formats[0], negatives, {"loss": loss.id, "lora_rank": 4})
    assert all(map(math.isfinite, values))
    assert moved > 1e-6


def test_a_decoder_that_shares_the_weights_is_refused_with_added_matrices_and_frozen_layers(train_few):
    loss = LOSS["DenoisingAutoEncoderLoss"]
    for part in ({"lora_rank": 4}, {"freeze_layers": 1}):
        with pytest.raises(ConfigError, match="its decoder shares the weights"):
            make_config({"loss": loss.id, **part})
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LOSS, loss.id, replace(loss, whole_model=""))
        with pytest.raises(KeyError):  # the library cannot tie what LoRA has wrapped
            train_few("texts", 0, {"loss": loss.id, "lora_rank": 4})


@pytest.mark.parametrize("negatives", [0, 1, 3])
@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.id)
def test_what_cannot_be_chosen_says_why(format, negatives):
    negatives = max(negatives, 1) if format.id == "triplet" else 0
    choices = losses_for(format.id, negatives)
    assert choices[0].loss.id == SUGGESTED_LOSS[format.id]
    assert choices[0].fits
    for choice in choices:
        assert choice.reason.endswith(".")
        assert choice.fits or choice.reason.startswith(choice.loss.label)


# The library as the judge of the catalogue

PHRASES = {
    # input -> format of the studio
    "single inputs": "single",
    "(anchor, positive) pairs": "pair",
    "(anchor, positive, negative) triplets": "triplet",
    "(anchor, positive, negative_1, ..., negative_n)": "tuple",
    "(anchor, positive/negative) pairs": "labelled",
    "(input_A, input_B) pairs": "two",
}


def published(cls: type) -> set[tuple[str, str]]:
    """(inputs, labels) of the table that the library prints in a loss's docstring."""
    text = inspect.getdoc(cls) or ""
    if "Inputs:" not in text:
        text = inspect.getdoc(cls.__init__) or ""
    table = text.partition("Inputs:")[2].partition("Re")[0]
    rows = re.findall(r"^\s*\|([^|]+)\|([^|]+)\|", table, re.MULTILINE)
    return {(left.strip(), right.strip()) for left, right in rows if left.strip() != "Inputs"}


@pytest.mark.parametrize(
    "loss", [loss for loss in LOSSES if loss.feeding in ("columns", "class", "once")], ids=lambda r: r.id
)
def test_the_formats_of_a_loss_are_those_that_the_library_publishes(loss):
    formats = {
        ("single", "class"): {"classed_text"},
        ("single", "none"): {"texts"},
        ("pair", "none"): {"pair"},
        ("triplet", "none"): {"triplet"},
        ("tuple", "none"): {"triplet"},
        ("labelled", "1 if positive, 0 if negative"): {"labelled_pair"},
        ("two", "float similarity score"): {"scored_pair"},
        ("two", "class"): {"labelled_pair", "classed_pair"},  # a label of a pair is a class of two
    }
    rows = published(getattr(library, loss.cls or loss.id))
    assert rows
    known = [formats.get((PHRASES.get(inputs, inputs), labels)) for inputs, labels in rows]
    expected = set().union(*(f for f in known if f))
    unknown = [row for row, f in zip(rows, known, strict=True) if f is None]
    assert all(labels == "class probabilities" for _, labels in unknown), unknown
    if "Symmetric" in loss.id:  # its own page says pairs alone; the class that took it over takes negatives too
        expected = {"pair"}
    assert set(loss.formats) == expected
    takes_many = any(PHRASES.get(inputs) == "tuple" for inputs, _ in rows)
    if "triplet" in loss.formats:
        assert (loss.max_negatives is None) == takes_many


LOSS_TABLE = {
    # docs/sentence_transformer/loss_overview.md of sentence-transformers: inputs and labels -> losses
    ("classed_text", 0): "BatchAllTriplet BatchHardSoftMarginTriplet BatchHardTriplet BatchSemiHardTriplet",
    ("texts", 0): "ContrastiveTension ContrastiveTensionLossInBatchNegatives DenoisingAutoEncoder MSE",
    ("pair", 0): "MultipleNegativesRanking CachedMultipleNegativesRanking MultipleNegativesSymmetricRanking "
    "CachedMultipleNegativesSymmetricRanking MegaBatchMargin GISTEmbed CachedGISTEmbed MSE",
    ("labelled_pair", 0): "Contrastive OnlineContrastive Softmax",
    ("classed_pair", 0): "Softmax",
    ("scored_pair", 0): "CoSENT AnglE CosineSimilarity",
    ("triplet", 1): "MultipleNegativesRanking CachedMultipleNegativesRanking Triplet CachedGISTEmbed GISTEmbed "
    "MarginMSE DistillKLDiv",
    ("triplet", 2): "MultipleNegativesRanking CachedMultipleNegativesRanking CachedGISTEmbed MarginMSE DistillKLDiv",
}
NEWER = {"AnglELoss": ("triplet",), "EmbedDistillLoss": ("texts", "pair", "triplet"), "SimCSE": ("texts",)}
"""Not in that table: new in 6.2, or (SimCSE) one of its losses fed in another way."""


@pytest.mark.parametrize(("format", "negatives"), LOSS_TABLE)
def test_every_loss_of_the_published_table_can_be_chosen_for_its_rows_and_no_other(format, negatives):
    named = LOSS_TABLE[format, negatives].split()
    expected = {name if "LossIn" in name else f"{name}Loss" for name in named}
    expected |= {loss for loss, formats in NEWER.items() if format in formats}
    assert {choice.loss.id for choice in losses_for(format, negatives) if choice.fits} == expected


def test_no_loss_of_the_library_is_forgotten():
    classes = {name for name in library.__all__ if isinstance(getattr(library, name), type)}
    modules = {name for name in classes if issubclass(getattr(library, name), nn.Module)}
    known = {loss.cls or loss.id for loss in LOSSES} | {loss.id for loss in LOSSES} - {"SimCSE"}
    known |= {f"{modifier.id}Loss" for modifier in MODIFIERS if modifier.id != "none"}
    assert modules - known == {"GlobalOrthogonalRegularizationLoss"}  # no loss by itself: it only spreads texts out
    assert known <= modules


def test_samplers_are_those_that_the_library_recommends():
    for loss in LOSSES:
        cls = getattr(library, loss.cls or loss.id)
        text = (inspect.getdoc(cls) or "") + (inspect.getdoc(cls.__init__) or "")
        if "BatchSamplers.NO_DUPLICATES" in text:
            assert loss.sampler == "no_duplicates", loss.id
        if "BatchSamplers.GROUP_BY_LABEL" in text:
            assert loss.sampler == "group_by_label", loss.id


def test_evaluators_exist_and_records_are_whole():
    for loss in LOSSES:
        assert hasattr(evaluation, loss.evaluator), loss.id
        assert loss.feeding in FEEDING
        assert loss.sampler in SAMPLER
        assert set(loss.needs) <= set(NEED)
        assert loss.source
        assert loss.why.endswith(".")


def test_parameters_are_arguments_of_the_class_with_the_fields_bounds():
    own = {"teacher", "noise_ratio", "contrast"}
    for record in (*LOSSES, *MODIFIERS[1:]):
        name = f"{record.id}Loss" if record.id in MODIFIER else record.cls or record.id
        arguments = inspect.signature(getattr(library, name).__init__).parameters
        for parameter in record.parameters:
            field = FIELD[parameter.id]
            assert parameter.argument in arguments or parameter.argument in own, (record.id, parameter.id)
            assert set(parameter.choices) <= set(field.choices)
            if isinstance(parameter.default, str) and field.choices:
                assert parameter.default in (parameter.choices or field.choices)
            for low in (parameter.minimum, field.minimum):
                assert low is None or isinstance(parameter.default, str) or parameter.default >= low
            for high in (parameter.maximum, field.maximum):
                assert high is None or isinstance(parameter.default, str) or parameter.default <= high


# What depends on the base model


def test_a_static_model_takes_no_loss_that_needs_layers_dropout_or_portions(static_model):
    base = resolve_base("wordllama-l2-supercat-256")
    unfit = {choice.loss.id for choice in losses_for("pair", 0, base) if not choice.fits}
    assert unfit >= {"CachedMultipleNegativesRankingLoss", "GISTEmbedLoss", "CachedGISTEmbedLoss"}
    assert "MegaBatchMarginLoss" not in unfit
    fit = [choice.loss.id for choice in losses_for("texts", 0, base) if choice.fits]
    assert fit == ["EmbedDistillLoss", "MSELoss"]
    layers = {c.modifier.id: c.fits for c in modifiers_for(LOSS["MultipleNegativesRankingLoss"], base)}
    assert layers == {"none": True, "Matryoshka": True, "AdaptiveLayer": False, "Matryoshka2d": False}
    build_loss(static_model, make_config({"loss": "MegaBatchMarginLoss", "batch_size": 8}))


def test_plain_texts_and_a_static_model_start_with_a_teacher(dataset):
    info, _ = dataset("texts", 60)
    config = suggest_config(info, "wordllama-l2-supercat-256")
    assert config.loss == "EmbedDistillLoss"
    check_fit(info, config)
    assert suggest_config(info).loss == "SimCSE"


def test_an_architecture_without_a_decoder_cannot_denoise(small_bert, tmp_path):
    folder = tmp_path / "mpnet"
    shutil.copytree(small_bert(), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mpnet", "hidden_dropout_prob": 0,
                                                    "attention_probs_dropout_prob": 0}))  # fmt: skip
    reasons = {c.loss.id: c.reason for c in losses_for("texts", 0, resolve_base(str(folder))) if not c.fits}
    assert "can also write texts" in reasons["DenoisingAutoEncoderLoss"]
    assert "dropout" in reasons["SimCSE"]
    assert not {"DenoisingAutoEncoderLoss", "SimCSE"} & {
        c.loss.id for c in losses_for("texts", 0, resolve_base(str(small_bert()))) if not c.fits
    }


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": "MarginMSELoss"}, "its own teacher"),
        ({"loss": "MarginMSELoss", "teacher_model": "no-such-model"}, "no model 'no-such-model'"),
        ({"loss": "GISTEmbedLoss", "guide_model": "wordllama-l2-supercat-256"}, "a guide needs a transformer"),
        ({"loss": "GISTEmbedLoss", "guide_model": "/no/such/folder"}, "no folder"),
        ({"modifier": "Matryoshka", "matryoshka_dims": "512, 64"}, "cannot be cut to 512"),
        ({"modifier": "Matryoshka", "matryoshka_dims": "64, 32"}, "must include the whole, 384"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_starts(dataset, settings, words):
    info, data = dataset("triplet", 60)
    with pytest.raises(Exception, match=words) as caught:
        check_fit(info, make_config({"batch_size": 8, **settings}), data)
    assert caught.value.hint


def test_a_teacher_of_another_length_is_for_losses_that_can_deal_with_it(dataset):
    info, _ = dataset("pair", 60)
    base = {"base_model": "wordllama-l2-supercat-256", "batch_size": 8}
    with pytest.raises(ConfigError, match=r"embeds 384 dimensions, WordLlama .* 256") as caught:
        check_fit(info, make_config({**base, "loss": "MSELoss"}))
    assert LOSS["EmbedDistillLoss"].label in caught.value.hint
    check_fit(info, make_config({**base, "loss": "EmbedDistillLoss"}))
    with pytest.raises(ConfigError, match="shorter embeddings cannot be compared"):
        check_fit(info, make_config({**base, "loss": "EmbedDistillLoss", "modifier": "Matryoshka"}))


def test_hard_negatives_can_be_weighed_only_where_there_are_some(dataset):
    config = make_config({"hardness_mode": "hard_negatives", "batch_size": 8})
    check_fit(dataset("triplet", 60)[0], config)
    with pytest.raises(ConfigError, match="no negatives of their own"):
        check_fit(dataset("pair", 60)[0], config)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"loss": "ContrastiveLoss", "loss_margin": 0.0}, "Margin .* at least 0.01"),
        ({"loss": "GISTEmbedLoss", "loss_margin": 2.0}, "Margin .* at most 1"),
        ({"loss": "BatchHardTripletLoss", "loss_distance": "manhattan"}, "one of: cosine, euclidean"),
        ({"loss": "BatchHardTripletLoss", "batch_size": 9}, "must be even"),
        ({"teacher_model": "all-MiniLM-L6-v2"}, "has no setting 'Teacher model'"),
        ({"matryoshka_dims": "64"}, "has no setting 'Lengths"),
        ({"modifier": "Matryoshka", "matryoshka_dims": "64, many"}, "takes whole numbers"),
        ({"modifier": "Matryoshka", "matryoshka_dims": "64, 64"}, "takes different whole numbers"),
        ({"modifier": "Matryoshka", "matryoshka_weights": "1"}, "need the lengths"),
        ({"modifier": "Matryoshka", "matryoshka_dims": "64, 32", "matryoshka_weights": "1"}, "2 lengths .* 1 weights"),
        ({"hardness_strength": 3.0}, "Choose which negatives to weigh"),
    ],
)
def test_settings_of_a_loss_have_bounds_of_its_own(settings, words):
    with pytest.raises(ConfigError, match=words):
        make_config(settings)


def test_lengths_of_embeddings_are_halves_down_to_about_a_twelfth():
    assert default_dims(384) == (384, 256, 128, 64, 32)
    assert default_dims(768) == (768, 512, 256, 128, 64)
    assert default_dims(32) == (32, 16, 8, 4)
