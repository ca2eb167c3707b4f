"""The fast engine: a context in which a model trains faster. The Trainer and the losses are the stock ones."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from sentence_transformers import SentenceTransformer
from torch import nn

from studio.training.engine.allocator import keep_memory
from studio.training.engine.dropout import ByteDropout
from studio.training.engine.packing import can_pack, packed

PROBE = ("a", "two words", "a text of some more words, so that the lengths differ")
TOLERANCE = 1e-3
"""Largest difference of an embedding's value, packed and padded, that is arithmetic and not a mistake."""

logger = logging.getLogger(__name__)


def has_fast_bf16() -> bool:
    """Whether this processor multiplies bf16 matrices in hardware."""
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def fits(model: SentenceTransformer) -> bool:
    """Whether the engine can serve the model: its embeddings, packed, are those it makes of padded texts."""
    if not can_pack(model):
        return False
    training = model.training
    model.eval()
    try:
        expected = _embed(model)
        with packed(model):
            found = _embed(model)
    except Exception:
        # Whatever an architecture does not take to: the stock engine trains it.
        logger.info("the fast engine does not take this model", exc_info=True)
        return False
    finally:
        model.train(training)
    return bool(torch.allclose(expected, found, atol=TOLERANCE))


@contextmanager
def fast(model: SentenceTransformer, bf16: bool, others: Sequence[SentenceTransformer] = ()) -> Iterator[None]:
    """Within, ``model`` (for which :func:`fits` holds) trains without padding, with cheaper dropout and, with
    ``bf16``, the transformer in bf16: weights, pooling and loss stay in fp32, and so does everything in eval mode.

    ``others``: models that the loss gives the same batches to; they take them packed too.
    """
    keep_memory()
    with ExitStack() as stack:
        for other in (model, *others):
            stack.enter_context(packed(other))
        stack.enter_context(_byte_dropout(model[0]))
        if not bf16:
            yield
            return
        first = model[0]
        stock = first.forward

        def forward(features, **kwargs):
            if not first.training:
                return stock(features, **kwargs)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                features = stock(features, **kwargs)
            return {**features, "token_embeddings": features["token_embeddings"].float()}

        first.forward = forward
        try:
            yield
        finally:
            del first.forward


@contextmanager
def _byte_dropout(module: nn.Module) -> Iterator[None]:
    replaced = [
        (parent, name, child)
        for parent in list(module.modules())
        for name, child in parent.named_children()
        if type(child) is nn.Dropout
    ]
    for parent, name, child in replaced:
        setattr(parent, name, ByteDropout(child.p).train(child.training))
    try:
        yield
    finally:
        for parent, name, child in replaced:
            setattr(parent, name, child.train(parent.training))


def _embed(model: SentenceTransformer) -> torch.Tensor:
    with torch.no_grad():
        return model(model.preprocess(list(PROBE)))["sentence_embedding"].clone()
