import pytest

from studio.catalog.losses import LOSS, MODIFIER
from studio.errors import ConfigError
from studio.training.config import FIELD, FIELDS, TrainConfig
from studio.ui import form

BASES = {"layers": "new:bert", "width": "new:static", "vocabulary": "new:words", "tokenizer": "new:bert"}
"""Base models that have a setting which others have not."""
PROMPTS = {"query_prompt": "query: ", "document_prompt": "passage: "}
OTHER = {**PROMPTS, "layers": 3, "width": 64, "vocabulary": 500, "projection": 16, "base_model": "wordllama-l2-supercat-256", "max_seq_length": 77, "loss_scale": 11.5, "loss_margin": 0.4, "mini_batch_size": 6,
         "max_train_rows": 123, "matryoshka_dims": "16, 8", "matryoshka_weights": "1, 0.5", "hardness_strength": 2.5,
         "positive_margin": 0.7, "negative_margin": 0.2, "loss_temperature": 0.2, "noise_ratio": 0.4, "dims_per_step": 2,
         "layers_per_step": 3, "prior_layers_weight": 0.5, "kl_weight": 0.25, "guide_model": "wordllama-l2-supercat-256",
         "teacher_model": "wordllama-l2-supercat-256"}  # fmt: skip


def other_value(field):
    """A legal value that is not the default."""
    if field.id in OTHER:
        return OTHER[field.id]
    if field.choices:
        return next(choice for choice in field.choices if choice != field.default)
    if field.kind is bool:
        return not field.default
    if field.kind is int:
        return (field.default or 0) + 1
    return field.default / 2 or 0.01


def beside(field_id):
    """Other settings without which this one does nothing."""
    if field_id in BASES:
        return {"base_model": BASES[field_id]}
    return {"projection": 16} if field_id == "projection_activation" else {}


def settings_with(field_id, value):
    """Settings of a form in which this field can be set."""
    loss = next((loss.id for loss in LOSS.values() if field_id in {p.id for p in loss.parameters}), TrainConfig().loss)
    modifier = next((m.id for m in MODIFIER.values() if field_id in {p.id for p in m.parameters}), "none")
    needed = {
        "hardness_strength": {"hardness_mode": "all_negatives"},
        "matryoshka_weights": {"matryoshka_dims": "16, 8"},
    }
    return {"loss": loss, "modifier": modifier, **beside(field_id), **needed.get(field_id, {}), field_id: value}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.id)
def test_what_is_typed_into_a_field_reaches_the_config(field):
    value = other_value(field)
    typed = float(value) if field.kind is int else value  # a number field of a browser knows no integers
    values = {**TrainConfig().model_dump(), **settings_with(field.id, typed)}
    config = form.read(values)
    assert getattr(config, field.id) == value
    assert type(getattr(config, field.id)) is type(value)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.id)
def test_the_widget_of_a_field_shows_what_the_config_says(field):
    made = form.widget(field)
    assert made.value == field.default
    assert field.label in made.label
    assert made.info == field.help
    value = other_value(field)
    config = form.read(settings_with(field.id, value))
    assert form.show(config)[field.id]["value"] == value


def test_the_form_has_every_field_once():
    assert sorted(form.ALL) == sorted(FIELD)


def test_settings_of_other_losses_are_hidden_and_left_out():
    config = form.read({"loss": "CoSENTLoss", "loss_margin": 0.3, "mini_batch_size": 8, "loss_scale": 15})
    assert (config.loss_scale, config.loss_margin, config.mini_batch_size) == (15, None, None)
    shown = form.show(config)
    assert shown["loss_scale"]["visible"]
    assert not shown["loss_margin"]["visible"]
    assert not shown["mini_batch_size"]["visible"]


@pytest.mark.parametrize(
    ("name", "value"), [("batch_size", 0), ("batch_size", 2.5), ("epochs", None), ("learning_rate", 5), ("seed", "x")]
)
def test_a_wrong_value_is_named_by_its_label(name, value):
    with pytest.raises(ConfigError) as caught:
        form.read({**TrainConfig().model_dump(), name: value})
    assert FIELD[name].label in caught.value.message


def test_an_empty_optional_field_means_the_default():
    assert form.read({"max_seq_length": None, "max_train_rows": ""}).max_seq_length is None


def test_settings_of_other_base_models_are_hidden_and_left_out():
    given = {"base_model": "new:static", "layers": 3, "width": 64, "projection_activation": "tanh"}
    config = form.read(given)
    assert (config.layers, config.width, config.projection_activation) == (None, 64, "none")
    shown = form.show(config)
    assert [shown[name]["visible"] for name in ("layers", "width", "projection_activation")] == [False, True, False]
    assert form.read({**given, "projection": 32}).projection_activation == "tanh"


def test_a_prompt_keeps_the_space_at_its_end():
    assert form.read({"query_prompt": "query: "}).query_prompt == "query: "
    assert form.read({"query_prompt": ""}).query_prompt is None
