"""A loss that computes a batch in portions: the same batch, loss and gradient with a portion's memory.

Three ways, for three kinds of losses:

- sentence-transformers' Cached losses do it themselves (GradCache); guided ranking has such a form, and gets it.
- What is computed from embeddings is computed from cached ones here (:class:`InPortions`).
- What is a mean or a sum over rows is added up from slices of the batch (:class:`studio.training.slices.InSlices`).

Earlier layers of a loss that compares the rows of a batch with each other are the one thing that cannot be divided.
Source: Gao et al. 2021, arXiv:2101.06983.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from sentence_transformers.base.losses.gradcache import CachedLossMixin, RandContext, uses_gradient_cache
from sentence_transformers.sentence_transformer import losses
from torch import Tensor, nn

from studio.training.slices import BY_ROWS, InSlices, as_rows, part_of

MODEL = "studio_model"
"""Key of a column's features: which of the loss's models embeds it."""
TEXTS_THEMSELVES = (
    losses.SoftmaxLoss,
    losses.MSELoss,
    losses.EmbedDistillLoss,
    losses.ContrastiveTensionLoss,
    losses.DenoisingAutoEncoderLoss,
)
"""Losses over rows that read the texts, or arrange their labels, themselves."""
LAYERS = (losses.AdaptiveLayerLoss,)
"""What asks the model for earlier layers while the loss is computed."""


class InPortions(CachedLossMixin, nn.Module):
    """``loss``, ``portion`` rows of a column embedded at a time."""

    def __init__(self, loss: nn.Module, portion: int):
        super().__init__()
        self.loss = loss
        self.model = model_of(loss)
        self.mini_batch_size = portion

    def forward(self, sentence_features: Iterable[dict[str, Tensor]], labels: Tensor | None = None) -> Tensor:
        columns = [as_rows(column) for column in sentence_features]
        own = self._own() if torch.is_grad_enabled() else []
        before = [p.grad for p in own]
        for parameter in own:
            parameter.grad = None
        value = self.forward_cached(self._embedded(columns), labels)
        found = [p.grad for p in own]
        for parameter, gradient in zip(own, before, strict=True):
            parameter.grad = gradient
        if own:
            # They got theirs with the embeddings' gradients; what the value is multiplied with later comes to it here.
            value.register_hook(partial(_add, own, found))
        return value

    def calculate_loss(
        self, reps: list[list[Tensor]], labels: Tensor | None = None, *, with_backward: bool = False
    ) -> Tensor:
        """``reps``: of each column, of each portion: (rows, dimension)."""
        if hasattr(self.loss, "calculate_loss"):
            return self.loss.calculate_loss(reps, labels, with_backward=with_backward)
        columns = [torch.cat(column) for column in reps]
        if isinstance(self.loss, losses.ContrastiveTensionLossInBatchNegatives):
            value = _tension(self.loss, *columns)
        else:
            value = self.loss.compute_loss_from_embeddings(columns, labels)
        if with_backward:
            value.backward()
            value = value.detach()
        return value

    def embed_minibatch(
        self,
        sentence_feature: dict[str, Any],
        begin: int,
        end: int,
        with_grad: bool,
        copy_random_state: bool,
        random_state: RandContext | None = None,
    ) -> tuple[Tensor, RandContext | None]:
        """The library's, for features that it cannot take apart, and for several models."""
        features = part_of(sentence_feature, begin, end)
        model = getattr(self.loss, features.pop(MODEL)) if MODEL in features else self.model
        if random_state is not None:
            with random_state:
                return self.embed_minibatch(sentence_feature, begin, end, with_grad, copy_random_state)
        with torch.set_grad_enabled(with_grad):
            state = RandContext(*features.values()) if copy_random_state else None
            return model(features)["sentence_embedding"], state

    def _embedded(self, columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The columns as they are embedded: by two models, where the loss compares two."""
        if isinstance(self.loss, losses.ContrastiveTensionLossInBatchNegatives):
            return [{**columns[0], MODEL: name} for name in ("model1", "model2")]
        return columns

    def _own(self) -> list[nn.Parameter]:
        """Parameters of the loss that are used behind the embeddings."""
        return [p for p in self.loss.parameters(recurse=False) if p.requires_grad]


def can_divide(loss: nn.Module) -> bool:
    """Whether :func:`in_portions` takes the loss."""
    inner = innermost(loss)
    if _is_cached(inner) or isinstance(inner, TEXTS_THEMSELVES):
        return True
    if isinstance(loss, LAYERS):
        return isinstance(inner, BY_ROWS)
    return _from_embeddings(inner) or isinstance(inner, losses.GISTEmbedLoss)


def portion_of(loss: nn.Module, batch_size: int) -> int:
    """Rows that the loss embeds at a time."""
    inner = innermost(loss)
    return min(inner.mini_batch_size if _is_cached(inner) else batch_size, batch_size)


def in_portions(loss: nn.Module, portion: int) -> nn.Module:
    """``loss`` (one that can be divided), embedding ``portion`` rows at a time."""
    inner = innermost(loss)
    if _is_cached(inner):
        inner.mini_batch_size = portion
        return loss
    if isinstance(inner, TEXTS_THEMSELVES) or isinstance(loss, LAYERS):
        return InSlices(loss, portion)
    divided = _cached_guided(inner, portion) if isinstance(inner, losses.GISTEmbedLoss) else InPortions(inner, portion)
    if inner is loss:
        return divided
    # Only Matryoshka is left. It looks at the loss when it is made.
    return losses.MatryoshkaLoss(
        loss.model, divided, loss.matryoshka_dims, loss.matryoshka_weights, loss.n_dims_per_step
    )


def innermost(loss: nn.Module) -> nn.Module:
    """The loss itself, without what is put on top of it; a loss in portions counts as one."""
    while not _is_cached(loss) and isinstance(inner := getattr(loss, "loss", None), nn.Module):
        loss = inner
    return loss


def _is_cached(loss: nn.Module) -> bool:
    return hasattr(loss, "mini_batch_size") and uses_gradient_cache(loss)


def _from_embeddings(loss: nn.Module) -> bool:
    """Whether the loss can be computed from embeddings alone."""
    kinds = (losses.ContrastiveTensionLossInBatchNegatives, losses.MegaBatchMarginLoss)
    if isinstance(loss, kinds):
        return True
    if not hasattr(loss, "compute_loss_from_embeddings") or (model := model_of(loss)) is None:
        return False
    known = {id(parameter) for parameter in model.parameters()}
    return all(id(parameter) in known for parameter in loss.parameters())


def _cached_guided(loss: losses.GISTEmbedLoss, portion: int) -> losses.CachedGISTEmbedLoss:
    return losses.CachedGISTEmbedLoss(loss.model, **loss.get_config_dict(), mini_batch_size=portion)


def _tension(loss: losses.ContrastiveTensionLossInBatchNegatives, one: Tensor, other: Tensor) -> Tensor:
    """What the loss does with the embeddings of its two models, (rows, dimension) each."""
    scores = loss.similarity_fct(one, other) * loss.logit_scale.exp()
    right = torch.arange(len(scores), device=scores.device)
    return (loss.cross_entropy_loss(scores, right) + loss.cross_entropy_loss(scores.t(), right)) / 2


def _add(parameters: list[nn.Parameter], gradients: list[Tensor | None], factor: Tensor) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            gradient = gradient * factor
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient


def model_of(loss: nn.Module) -> nn.Module | None:
    """Losses of classes call it otherwise."""
    return next((getattr(loss, n) for n in ("model", "sentence_embedder", "model2") if hasattr(loss, n)), None)
