"""Settings as a file, and presets: no torch needed."""

import pytest

from studio.catalog.presets import PRESET, PRESETS
from studio.errors import ConfigError
from studio.training.config import FIELD, FIELDS, make_config
from studio.training.settings_file import read_settings, read_settings_file, to_yaml
from studio.training.suggest import apply_preset

CONFIGS = (
    {},
    {"batch_size": "auto", "learning_rate": 1e-5, "keep_best": True, "lora_rank": 8, "max_seq_length": 64},
    {"loss": "CachedMultipleNegativesRankingLoss", "mini_batch_size": 4, "modifier": "Matryoshka"},
    {"base_model": "a folder: with 'quotes' # and\tmore", "seed": 7, "epochs": 0.5},
)


@pytest.mark.parametrize("values", CONFIGS)
def test_what_is_written_as_yaml_is_read_back_the_same(values):
    config = make_config(values)
    text = to_yaml(config, "A run\nwith: a line break")
    assert make_config(read_settings(text, "run.yaml")) == config
    assert make_config(read_settings(config.model_dump_json(), "config.json")) == config
    for name in read_settings(text, "run.yaml"):
        assert FIELD[name].help in text


def test_numbers_that_people_type_are_read():
    assert make_config(read_settings("learning_rate: 2e-5\nbatch_size: 16", "f")).learning_rate == 2e-5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs: [1", "cannot be read in line"),
        ("just words", "holds no settings"),
        ("- 1\n- 2", "holds no settings"),
        ("1: 2", "holds no settings"),
        ("x" * 200_000, "too large"),
        ("a: !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_what_is_no_file_of_settings_is_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        read_settings(text, "run.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "# mine\nepochs: 2\nlearning_rat: 1",
            "run.yaml, line 3: there is no setting 'learning_rat'.*mean 'learning_rate'",
        ),
        ("epochs: 2\n\nzzzz: 1", "line 3: there is no setting 'zzzz'. Settings are: base_model"),
        ("epochs: 1\nseed: 1\nepochs: 2", "line 3: 'epochs' stands in line 1 already"),
        ("seed: 3\nepochs: 0", r"line 2: Epochs \(epochs\) cannot be 0"),
        ("seed: 3\nepochs: many", r"line 2: Epochs \(epochs\) cannot be 'many'"),
        ('{\n\t"seed": 3,\n\t"pooling": "best"\n}', r"line 3: Pooling \(pooling\) cannot be 'best'"),
        ("loss: [1, 2]", r"line 1: Loss \(loss\) cannot be \[1, 2\]"),
    ],
)
def test_a_setting_that_is_wrong_is_named_with_its_line(text, words):
    with pytest.raises(ConfigError, match=words):
        read_settings(text, "run.yaml")


def test_a_part_of_the_settings_is_enough_and_need_not_go_together_yet():
    # The loss that this is for may be one that is suggested.
    assert read_settings("noise_ratio: 0.5", "run.yaml") == {"noise_ratio": 0.5}


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read: it is no text"):
        read_settings_file(path)
    path.write_bytes(b"\xef\xbb\xbfepochs: 2")  # as Windows' Notepad saves it
    assert read_settings_file(path) == {"epochs": 2}


def test_presets_change_only_settings_that_there_are_and_never_go_out_of_bounds():
    names = {field.id for field in FIELDS}
    for preset in PRESETS:
        assert {*preset.times, *preset.at_most, *preset.sets} <= names
        for epochs in (0.5, 3.0, 90.0):
            apply_preset(make_config({"epochs": epochs}), preset, 5000)


def test_presets_take_less_or_more_than_the_suggestion():
    suggested = make_config({"epochs": 3.0})
    quick, balanced, thorough = (apply_preset(suggested, PRESET[p], 5000) for p in ("quick", "balanced", "thorough"))
    assert balanced == suggested
    assert (quick.epochs, quick.max_train_rows, quick.evaluations) == (1.0, 1000, 2)
    assert (thorough.epochs, thorough.early_stopping, thorough.keep_best) == (9.0, 4, True)
    assert apply_preset(suggested, PRESET["quick"], 800).max_train_rows is None
