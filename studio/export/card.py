"""The model card: sentence-transformers' own, with what the studio knows put before it, and without people's texts."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml
from sentence_transformers import SentenceTransformer

from studio import __version__
from studio.catalog.formats import FORMAT
from studio.catalog.losses import LOSS, MODIFIER
from studio.catalog.metrics import METRIC
from studio.data.dataset import DatasetInfo
from studio.data.language import SAMPLE, language_name, shares, text_languages
from studio.data.rows import text_columns
from studio.evaluation.result import Verdict
from studio.export.sections import with_section
from studio.training.bases import Base, resolve_base
from studio.training.config import FIELDS, MODEL_FIELDS, TrainConfig
from studio.training.fit import trained_lengths

HEARD = 0.05
"""A language is named when this share of the texts is in it."""
NOT_STATED = "not stated; look at its own page before you pass this model on"
OUTCOMES = {
    "better": "better than its base model",
    "worse": "worse than its base model",
    "no_difference": "no clear difference",
}


def prepare_card(model: SentenceTransformer, config: TrainConfig, languages: dict[str, float]) -> None:
    """What the library's own card is made of: no hub is asked, and no text of the training rows is shown.

    The library would show rows as samples, in its snippet and as a widget: they are people's texts.
    """
    card = model.model_card_data
    card.local_files_only = True
    base = resolve_base(config.base_model)
    card.base_model = base.hub_name or (base.record.id if base.record and "/" in base.record.id else None)
    card.base_model_revision = None if card.base_model is None else card.base_model_revision
    licence = licence_of(base)
    if licence and " " not in licence:
        card.set_license(licence.lower())
    if languages:
        card.language = list(languages)
    card.widget, card.usage_examples = [], None
    for known in (*(card.train_datasets or ()), *(card.eval_datasets or ())):
        if isinstance(known, dict):
            for part in ("examples_table", "examples", "_example_columns"):
                known.pop(part, None)


def licence_of(base: Base) -> str:
    """Of the catalogue, or of the model's own card where its folder has one; empty: it is not stated."""
    if base.record is not None:
        return base.record.licence
    if base.source is not None:
        return licence_of(base.source)
    card = base.path / "README.md" if base.path is not None and base.path.is_dir() else None
    if card is None or not card.is_file():
        return ""
    front = re.match(r"---\n(.*?)\n---\n", card.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    try:
        value = yaml.safe_load(front[1]) if front else {}
    except yaml.YAMLError:
        return ""
    licence = value.get("license") if isinstance(value, dict) else None
    return licence if isinstance(licence, str) else ""


def languages_of(data: pa.Table) -> dict[str, float]:
    """Languages of a sample of the rows, with their shares: those that are no slips of the detector."""
    rows = data.take(np.linspace(0, len(data) - 1, min(len(data), SAMPLE)).astype(np.int64))
    columns = [text_languages(rows[name]) for name in text_columns(data)]
    return {code: share for code, share in shares(np.concatenate(columns)).items() if share >= HEARD}


def shown_base(config: TrainConfig) -> str:
    """The base model by a name that tells nothing of this machine."""
    base = resolve_base(config.base_model)
    plain = base.hub_name or base.record or base.design
    return config.base_model if plain and not (base.source and base.source.path) else base.label


def extend_card(
    path: Path,
    config: TrainConfig,
    verdict: Verdict,
    info: DatasetInfo,
    model: SentenceTransformer,
    languages: dict[str, float],
) -> None:
    """Put the verdict, how it was judged, the data, the settings and the limits before the library's own details."""
    lines = [
        *_verdict(verdict),
        *_data(info, verdict, languages),
        *_settings(config),
        *_how_to_cut(config, model, verdict),
        *_limits(info, verdict, languages, model),
        "",
        f"Made with Sentence Studio {__version__}.",
    ]
    path.write_text(with_section(path.read_text(encoding="utf-8"), lines), encoding="utf-8")


def _verdict(verdict: Verdict) -> list[str]:
    lines = ["## Base against tuned", "", verdict.sentence, ""]
    if verdict.metrics:
        lines += ["| metric | base | tuned | 95 % interval of the change |", "|---|---|---|---|"]
        lines += [
            f"| {METRIC[m.id].label} | {m.base:.4f} | {m.tuned:.4f} | {m.low:+.4f} to {m.high:+.4f} |"
            for m in verdict.metrics
        ]
        lines.append("")
    searched = f", each searched in {verdict.corpus_size:,} texts" if verdict.corpus_size else ""
    rows = f"rows of '{verdict.judged_on}'" if verdict.judged_on else "held-out rows"
    lines.append(
        f"Judged on {verdict.heldout_rows:,} {rows} that no training saw{searched}. {verdict.split_note} {verdict.note}".rstrip()
    )
    if verdict.metrics:
        lines.append(
            f"The first row of the table decides: {OUTCOMES[verdict.outcome]}. The interval is a paired bootstrap over the held-out "
            "rows (1,000 resamples); where it includes zero, chance alone could have made the difference."
        )
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
    return lines


def _data(info: DatasetInfo, verdict: Verdict, languages: dict[str, float]) -> list[str]:
    lines = [
        "",
        "## Data",
        "",
        f"- **Dataset:** {info.name}, {info.rows:,} rows",
        f"- **Format:** {FORMAT[info.format].label}",
    ]
    if languages:
        named = ", ".join(f"{language_name(code)} ({share:.0%})" for code, share in languages.items())
        lines.append(f"- **Language:** {named}, of a sample of the texts")
    else:
        lines.append("- **Language:** the texts are too short to tell")
    judged = (
        f"{verdict.heldout_rows:,} rows of '{verdict.judged_on}'"
        if verdict.judged_on
        else f"{verdict.heldout_rows:,} rows"
    )
    lines.append(f"- **Held out:** {judged}")
    if info.corpus_rows:
        lines.append(f"- **Documents searched:** {info.corpus_rows:,}")
    lines += [f"- **Negatives chosen by:** {info.mined_with}"] if info.mined_with else []
    lines += [f"- **Prepared:** {step}" for step in info.history]
    return lines


def _settings(config: TrainConfig) -> list[str]:
    base = resolve_base(config.base_model)
    lines = ["", "## Settings", "", f"- **Base model:** {base.label}"]
    lines.append(f"- **Licence of the base model:** {licence_of(base) or NOT_STATED}")
    lines.append(f"- **Loss:** {LOSS[config.loss].label} ({config.loss})")
    for field in FIELDS:
        value = getattr(config, field.id)
        if field.id in ("base_model", "loss") or value is None:
            continue
        if field.id in MODEL_FIELDS:
            value = resolve_base(value).label
        lines.append(f"- **{field.label}** (`{field.id}`): {value}")
    return lines


def _how_to_cut(config: TrainConfig, model: SentenceTransformer, verdict: Verdict) -> list[str]:
    """What a model that was trained to be cut can be cut to; empty for others."""
    modifier = MODIFIER[config.modifier]
    lines = []
    if modifier.cuts_dimensions:
        dims = trained_lengths(modifier, config.dims, model.get_embedding_dimension())
        lines += [
            "", "## Shorter embeddings", "",
            f"Trained so that the first numbers of an embedding are useful alone, with {', '.join(map(str, dims))} of them: "
            f"`SentenceTransformer(folder, truncate_dim={dims[-1]})` embeds with {dims[-1]}. Compare shorter embeddings by "
            "cosine, which measures their direction alone.",
        ]  # fmt: skip
        if verdict.lengths:
            lines += ["", f"| numbers | {METRIC[verdict.primary].label} |", "|---|---|"]
            lines += [f"| {one.dimension} | {one.value:.4f} |" for one in verdict.lengths]
    if modifier.cuts_layers:
        lines += [
            "", "## Fewer layers", "",
            "Trained so that the embeddings of earlier layers are useful too: the last layers of the transformer "
            "(`model[0].auto_model.encoder.layer` of a BERT) can be removed to make it faster.",
        ]  # fmt: skip
    return lines


def _limits(info: DatasetInfo, verdict: Verdict, languages: dict[str, float], model: SentenceTransformer) -> list[str]:
    lines = [
        "",
        "## Limits",
        "",
        "- The figures are about texts like the held-out ones; on other texts it may be worse than its base model.",
    ]
    longest = model.max_seq_length
    if longest and np.isfinite(longest):
        lines.append(f"- What a text says after {int(longest):,} tokens is not read.")
    if languages:
        lines.append(
            f"- It was trained on {' and '.join(language_name(code) for code in languages)}; other languages were not judged."
        )
    if verdict.outcome != "better":
        lines.append("- No gain over the base model was shown.")
    return lines
