"""Vectors of a making's texts, kept in its folder so that one that was killed goes on where it was."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studio.making.maker import Stopped
from studio.search import encode
from studio.search.index import build_index, open_index

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def embed(
    folder: Path,
    texts: Sequence[str],
    name: str,
    model: "SentenceTransformer",
    *,
    query: bool,
    stopped: Callable[[], bool],
    progress: Callable[[int, int], None],
) -> np.ndarray:
    """Unit vectors of distinct texts, none empty: (texts, dimension) float32, memory-mapped.

    Args:
        folder: Where they are kept.
        name: The model's, as build_index takes it.
        query: As queries, or as documents.

    Raises:
        Stopped: ``stopped`` said so; what is done by then is kept.
        SearchError, ModelError: as build_index.
    """
    try:
        build_index(folder, texts, name, model=model, query=query, stop=stopped, progress=progress)
    except encode.Stopped:
        raise Stopped from None
    return open_index(folder).vectors
