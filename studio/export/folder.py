"""The tuned model as a folder that ``SentenceTransformer(folder)`` loads, in this version and in older ones."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling

from studio import __version__
from studio.catalog.losses import LOSS, MODIFIER
from studio.catalog.metrics import METRIC
from studio.data.dataset import DatasetInfo
from studio.errors import ModelError
from studio.evaluation.result import Verdict
from studio.files import read_json, write_json
from studio.training.bases import KNOWN_MODULES, resolve_base
from studio.training.config import FIELDS, TrainConfig
from studio.training.fit import default_dims

POOLING_KEYS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
DENSE_KEYS = ("in_features", "out_features", "bias", "activation_function")


def save_model(
    model: SentenceTransformer, folder: Path, config: TrainConfig, verdict: Verdict, info: DatasetInfo
) -> None:
    """Write ``folder`` whole or not at all: weights (safetensors), tokenizer, model card and ``studio.json``."""
    aside = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(aside, ignore_errors=True)
    _fill_card(model, config, info)
    model.save_pretrained(str(aside), safe_serialization=True)
    for_older_versions(aside, model)
    _extend_card(aside / "README.md", config, verdict, info, model)
    write_json(
        aside / "studio.json",
        {"studio": __version__, "config": config.model_dump(), "dataset": info.name, "rows": info.rows},
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


def _fill_card(model: SentenceTransformer, config: TrainConfig, info: DatasetInfo) -> None:
    card = model.model_card_data
    card.local_files_only = True
    base = resolve_base(config.base_model)
    if base.hub_name:
        card.base_model = base.hub_name
    if base.record and " " not in base.record.licence:
        card.set_license(base.record.licence.lower())


def _how_to_cut(config: TrainConfig, model: SentenceTransformer) -> list[str]:
    """What a model that was trained to be cut can be cut to; empty for others."""
    modifier = MODIFIER[config.modifier]
    lines = []
    if modifier.cuts_dimensions:
        dims = sorted(config.dims or default_dims(model.get_embedding_dimension()), reverse=True)
        lines += [
            "", "## Shorter embeddings", "",
            f"Trained so that the first numbers of an embedding are useful alone, with {', '.join(map(str, dims))} of them: "
            f"`SentenceTransformer(folder, truncate_dim={dims[-1]})` embeds with {dims[-1]}. Compare shorter embeddings by "
            "cosine, which measures their direction alone.",
        ]  # fmt: skip
    if modifier.cuts_layers:
        lines += [
            "", "## Fewer layers", "",
            "Trained so that the embeddings of earlier layers are useful too: the last layers of the transformer "
            "(`model[0].auto_model.encoder.layer` of a BERT) can be removed to make it faster.",
        ]  # fmt: skip
    return lines


def _extend_card(
    path: Path, config: TrainConfig, verdict: Verdict, info: DatasetInfo, model: SentenceTransformer
) -> None:
    """Put the verdict, the data and the settings before the library's own details."""
    base = resolve_base(config.base_model)
    lines = ["## Base against tuned", "", verdict.sentence, ""]
    if verdict.metrics:
        lines += ["| metric | base | tuned | 95 % interval of the change |", "|---|---|---|---|"]
        lines += [
            f"| {METRIC[m.id].label} | {m.base:.4f} | {m.tuned:.4f} | {m.low:+.4f} to {m.high:+.4f} |"
            for m in verdict.metrics
        ]
        lines.append("")
    searched = f", each searched in {verdict.corpus_size:,} texts" if verdict.corpus_size else ""
    lines += [
        f"Judged on {verdict.heldout_rows:,} held-out rows that no training saw{searched}. {verdict.split_note} {verdict.note}".rstrip()
    ]
    if verdict.keyword is not None:
        lines += ["", verdict.keyword.sentence]
    for other in verdict.others:
        m = other.metric
        lines += [
            "",
            f"{other.name} trained along: {METRIC[m.id].label} {m.tuned:.4f}, was {m.base:.4f} ({m.low:+.4f} to {m.high:+.4f}, "
            f"{other.heldout_rows:,} held-out rows).",
        ]
    if verdict.general is not None:
        lines += ["", verdict.general.sentence]
    lines += ["", "## Data and settings", ""]
    lines += [f"- **Dataset:** {info.name}, {info.rows:,} rows", f"- **Base model:** {base.label}"]
    if base.record:
        lines.append(f"- **Licence of the base model:** {base.record.licence}")
    lines.append(f"- **Loss:** {LOSS[config.loss].label} ({config.loss})")
    changed = [f for f in FIELDS if f.id not in ("base_model", "loss") and getattr(config, f.id) is not None]
    lines += [f"- **{f.label}** (`{f.id}`): {getattr(config, f.id)}" for f in changed]
    lines += _how_to_cut(config, model)
    lines += ["", f"Made with Sentence Studio {__version__}.", "", ""]
    card = path.read_text(encoding="utf-8")
    head, mark, rest = card.partition("## Model Details\n")
    path.write_text(head.rstrip() + "\n\n" + "\n".join(lines) + mark + rest, encoding="utf-8")
