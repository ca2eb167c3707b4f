"""The tuned model as a folder that ``SentenceTransformer(folder)`` loads, in this version and in older ones."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from studio import __version__
from studio.data.dataset import DatasetInfo
from studio.errors import ModelError
from studio.evaluation.result import Verdict
from studio.export.card import extend_card, prepare_card, shown_base
from studio.files import read_json, write_json
from studio.training.bases import KNOWN_MODULES
from studio.training.config import TrainConfig

POOLING_KEYS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
OLD_KEYS = {
    "CNN": ("cnn_config.json", "in_embedding_dimension", "in_word_embedding_dimension"),
    "WeightedLayerPooling": ("config.json", "embedding_dimension", "word_embedding_dimension"),
    "LSTM": ("lstm_config.json", "embedding_dimension", "word_embedding_dimension"),
}
"""Module -> its file of settings, and what a setting is called in it now and before."""
DENSE_KEYS = ("in_features", "out_features", "bias", "activation_function")


def save_model(
    model: SentenceTransformer,
    folder: Path,
    config: TrainConfig,
    verdict: Verdict,
    info: DatasetInfo,
    languages: dict[str, float] | None = None,
) -> None:
    """Write ``folder`` whole or not at all: weights (safetensors), tokenizer, model card and ``studio.json``.

    ``languages``: of the rows, with their shares; for the card.
    """
    aside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    prepare_card(model, config, languages or {})
    model.save_pretrained(str(aside), safe_serialization=True)
    for_older_versions(aside, model)
    extend_card(aside / "README.md", config, verdict, info, model, languages or {})
    # Where the base model lies on this machine is nobody's business.
    made_of = {**config.model_dump(), "base_model": shown_base(config)}
    write_json(
        aside / "studio.json", {"studio": __version__, "config": made_of, "dataset": info.name, "rows": info.rows}
    )
    for path in aside.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def for_older_versions(folder: Path, model: SentenceTransformer) -> None:
    """Mend what version 6 saves so that version 5 and other programs read it too; version 6 reads both.

    The module classes and the settings of pooling and of the transformer have moved between the two.

    Raises:
        ModelError: a module that needs code of its own, which nobody could load without trusting it.
    """
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    for module in modules:
        package, _, name = module["type"].rpartition(".")
        if not package.startswith("sentence_transformers.") or name not in KNOWN_MODULES:
            raise ModelError(f"The module {module['type']} cannot be saved for others to load.")
        module["type"] = f"sentence_transformers.models.{name}"
        path = folder / module["path"]
        if name == "Pooling":
            write_json(path / "config.json", _pooling(model[module["idx"]]))
        elif name == "Transformer":
            write_json(
                path / "sentence_bert_config.json", {"max_seq_length": model.max_seq_length, "do_lower_case": False}
            )
        elif name in OLD_KEYS:
            file, new, old = OLD_KEYS[name]
            known = read_json(path / file)
            write_json(path / file, {old if key == new else key: value for key, value in known.items()})
        elif name == "Dense":
            known = read_json(path / "config.json")
            write_json(path / "config.json", {key: known[key] for key in DENSE_KEYS if key in known})
    write_json(folder / "modules.json", modules)


def _pooling(module: Pooling) -> dict[str, Any]:
    modes = (module.pooling_mode,) if isinstance(module.pooling_mode, str) else module.pooling_mode
    return {
        "word_embedding_dimension": module.embedding_dimension,
        **{key: mode in modes for mode, key in POOLING_KEYS.items()},
        "include_prompt": module.include_prompt,
    }
