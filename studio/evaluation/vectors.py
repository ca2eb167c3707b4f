"""Embeddings that are there already, as a model for :func:`studio.evaluation.measure.measure`: of a file that was exported,
or cut and rounded."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch

from studio.evaluation.measure import prompts_of
from studio.evaluation.task import Task


class Compares(Protocol):
    """What of a model its vectors are compared by."""

    similarity_fn_name: str
    prompts: dict[str, str]
    default_prompt_name: str | None


def asked_texts(model: Compares, task: Task) -> tuple[list[str], list[str]]:
    """What a model reads for a task, its prompts in front: (texts that are asked with, texts that are found).

    The first are those of ``task.anchors`` and then the queries, the second all others; each once.
    """
    query, document = prompts_of(model)
    anchors = task.anchors if task.retrieval is None else (*task.anchors, *task.retrieval.queries)
    if query == document:
        return list(dict.fromkeys(query + text for text in anchors)), list(
            dict.fromkeys(document + text for text in task.texts)
        )
    found = {*task.positives, *(text for row in task.negatives for text in row)}
    found.update(task.retrieval.corpus if task.retrieval is not None else ())
    return (
        list(dict.fromkeys(query + text for text in anchors)),
        [document + text for text in task.texts if text in found],
    )


class Vectors:
    """A model whose embeddings are known. ``texts``: with prompts in front; ``vectors``: (len(texts), dimension)."""

    training = False

    def __init__(self, model: Compares, texts: Sequence[str], vectors: np.ndarray):
        self.similarity_fn_name = model.similarity_fn_name
        self.prompts, self.default_prompt_name = model.prompts, model.default_prompt_name
        self._position = {text: place for place, text in enumerate(texts)}
        self._vectors = torch.from_numpy(np.ascontiguousarray(vectors, dtype=np.float32))

    def train(self, mode: bool = True) -> "Vectors":
        return self

    def encode(self, texts: Sequence[str], prompt: str | None = None, **_: Any) -> torch.Tensor:
        return self._vectors[torch.tensor([self._position[(prompt or "") + text] for text in texts])]
