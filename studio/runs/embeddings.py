"""Embeddings for programs: texts to vectors by models that their owners let answer."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.errors import NotFound, SearchError
from studio.runs.rates import Rate
from studio.runs.records import RunRecord
from studio.runs.searches import Searches
from studio.runs.sharing import Sharing

MAX_TEXTS = 2048
MAX_CHARACTERS = 400_000
"""Of all texts of one request together."""


class Embeddings:
    def __init__(self, sharing: Sharing, searches: Searches, *, per_minute: int):
        self._sharing = sharing
        self._searches = searches
        self._rate = Rate(per_minute)

    def models(self, owner: str) -> list[RunRecord]:
        """Runs whose models answer to this account."""
        return self._sharing.served(owner)

    def model(self, owner: str, run_id: str) -> RunRecord:
        """Raises NotFound: there is no such run, or it does not answer to this account."""
        for run in self.models(owner):
            if run.id == run_id:
                return run
        raise NotFound(f"The model '{run_id[:100]}' does not exist or you do not have access to it.")

    def count(self, owner: str) -> None:
        """Count one request of this account. Raises TooOften."""
        self._rate.take(owner)

    def embed(
        self, owner: str, run_id: str, texts: Sequence[str], *, query: bool = False, dimensions: int | None = None
    ) -> tuple[np.ndarray, int]:
        """Vectors of some texts, and how many tokens the model read.

        Args:
            query: Encode as queries; only models with prompts tell them apart from documents.
            dimensions: Keep only so many of the first numbers of each vector, scaled to length 1 again.

        Returns:
            (len(texts), dimension) float32.

        Raises:
            NotFound: as :meth:`model`.
            SearchError: more dimensions than the model has.
        """
        from studio.search.encode import dimension, encode

        model = self._searches.encoder(owner, self.model(owner, run_id).id)
        if dimensions is not None and dimensions > dimension(model):
            raise SearchError(f"This model's vectors have {dimension(model)} dimensions, not {dimensions}.")
        vectors = encode(model, texts, query=query)
        if dimensions is not None and dimensions < vectors.shape[1]:
            vectors = vectors[:, :dimensions]
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = vectors / np.where(lengths > 0, lengths, 1)
        return vectors, _tokens(model, texts)


def _tokens(model: Any, texts: Sequence[str]) -> int:
    """Tokens that the model reads of these texts: what is beyond its limit is cut off and not counted."""
    tokenizer = model.tokenizer
    if hasattr(tokenizer, "encode_batch"):  # a static model's
        lengths = [len(found.ids) for found in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    else:
        lengths = [len(ids) for ids in tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]]
    limit = model.max_seq_length
    return sum(lengths if not limit else (min(length, limit) for length in lengths))
