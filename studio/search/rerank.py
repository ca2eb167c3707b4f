"""A cross-encoder reads query and text together and puts the first hits in order. It is used where one is at hand."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from studio.errors import SearchError

LONGEST = 4_000
"""Characters of a text that are given to it; it reads some hundred words anyway."""


def why_not(name: str) -> str:
    """Why ``name`` (a folder or a hub name) cannot put hits in order here; empty: it can, or can be fetched. No torch."""
    if not name:
        return "No cross-encoder is configured. Whoever hosts this studio can name one (STUDIO_RERANKER)."
    if Path(name).is_dir():
        here = (Path(name) / "config.json").is_file() and any(Path(name).glob("*.safetensors"))
        return "" if here else f"The folder of the cross-encoder {Path(name).name} holds no model."
    from huggingface_hub import try_to_load_from_cache

    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return ""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return f"The cross-encoder {name} is not on this machine, and the hub is switched off here."
    return ""


def load(name: str) -> Callable[[str, list[str]], np.ndarray]:
    """A function (query, texts) -> (texts,) scores. Fetched from the hub when it is not here.

    Raises:
        SearchError: it cannot be had.
    """
    reason = why_not(name)
    if reason:
        raise SearchError(reason, hint="Search without reranking.")
    from sentence_transformers import CrossEncoder

    try:
        model = CrossEncoder(name, trust_remote_code=False, model_kwargs={"use_safetensors": True})
    except Exception as error:  # whatever the network, the hub or its files come up with
        raise SearchError(
            f"The cross-encoder {Path(name).name} could not be fetched or loaded.", hint="Search without reranking."
        ) from error

    def score(query: str, texts: list[str]) -> np.ndarray:
        pairs = [(query, text[:LONGEST]) for text in texts]
        return np.asarray(model.predict(pairs, batch_size=16, show_progress_bar=False), np.float64)

    return score
