"""A loss that embeds a batch in portions: the same batch, loss and gradient with a portion's memory (GradCache).

sentence-transformers has this for its Cached losses; here it is for every loss that is computed from embeddings.
Source: Gao et al. 2021, arXiv:2101.06983.
"""

from collections.abc import Iterable

import torch
from sentence_transformers.base.losses.gradcache import CachedLossMixin, has_static_embedding_input
from sentence_transformers.sentence_transformer import losses
from torch import Tensor, nn

ARRANGES = (losses.MSELoss, losses.EmbedDistillLoss)
"""Losses that arrange a teacher's vectors themselves before they compare."""


class InPortions(CachedLossMixin, nn.Module):
    """``loss`` (one with ``compute_loss_from_embeddings``), ``portion`` rows of a column embedded at a time."""

    def __init__(self, loss: nn.Module, portion: int):
        super().__init__()
        self.loss = loss
        self.model = model_of(loss)
        self.mini_batch_size = portion

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        return self.forward_cached(sentence_features, labels)

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """``reps``: of each column, of each portion: (rows, dimension)."""
        value = self.loss.compute_loss_from_embeddings([torch.cat(column) for column in reps], labels)
        if with_backward:
            value.backward()
            value = value.detach()
        return value


def can_divide(loss: nn.Module) -> bool:
    """Whether :func:`in_portions` takes the loss."""
    if hasattr(innermost(loss), "mini_batch_size"):
        return True
    model = model_of(loss)
    if (
        isinstance(loss, ARRANGES)
        or model is None
        or has_static_embedding_input(model)
        or not hasattr(loss, "compute_loss_from_embeddings")
    ):
        return False
    # A loss that is put on top of another calls it several times; one with a guide reads the texts itself.
    known = {id(parameter) for parameter in model.parameters()}
    return innermost(loss) is loss and all(id(parameter) in known for parameter in loss.parameters())


def portion_of(loss: nn.Module, batch_size: int) -> int:
    """Rows that the loss embeds at a time."""
    return min(getattr(innermost(loss), "mini_batch_size", batch_size), batch_size)


def in_portions(loss: nn.Module, portion: int) -> nn.Module:
    """``loss`` (one that can be divided), embedding ``portion`` rows at a time."""
    if hasattr(innermost(loss), "mini_batch_size"):
        innermost(loss).mini_batch_size = portion
        return loss
    return InPortions(loss, portion)


def innermost(loss: nn.Module) -> nn.Module:
    """The loss itself, without what is put on top of it; a loss in portions counts as one."""
    while not hasattr(loss, "mini_batch_size") and isinstance(inner := getattr(loss, "loss", None), nn.Module):
        loss = inner
    return loss


def model_of(loss: nn.Module) -> nn.Module | None:
    """Losses of classes call it otherwise."""
    return getattr(loss, "model", None) or getattr(loss, "sentence_embedder", None)
