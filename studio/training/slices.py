"""A loss over rows, computed for some rows of the batch at a time and added up: the same loss and gradient, exactly.

Right for a loss that is a mean or a sum over rows (or over the words of all rows), whatever models it reads the texts
with and whatever weights it has of its own, and for earlier layers of such a loss. A mean over a batch is the mean of
its slices' means, each weighted by its share of the rows.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from sentence_transformers.base.losses.gradcache import RandContext, _create_minibatch, _get_batch_size
from sentence_transformers.sentence_transformer import losses
from torch import Tensor, nn

BY_ROWS = (
    losses.SoftmaxLoss,
    losses.MSELoss,
    losses.EmbedDistillLoss,
    losses.ContrastiveTensionLoss,
    losses.DenoisingAutoEncoderLoss,
    losses.TripletLoss,
    losses.CosineSimilarityLoss,
    losses.ContrastiveLoss,
    losses.MarginMSELoss,
    losses.DistillKLDivLoss,
)
"""Losses that are a mean or a sum over rows: no row's part depends on another row."""

TOKENS = "studio_tokens"
"""Key under which a static model's tokens stand while rows are counted."""

Features = dict[str, Any]


class InSlices(nn.Module):
    """``loss`` (one of BY_ROWS, or what is put on top of one), ``portion`` rows at a time.

    A slice is computed twice: without a gradient for the value, and with one in the backward pass, when it is known
    what the value is multiplied with. Both draw the same random numbers.
    """

    uses_gradient_cache = True

    def __init__(self, loss: nn.Module, portion: int):
        super().__init__()
        self.loss = loss
        self.mini_batch_size = portion
        above: nn.Module = self
        while isinstance(getattr(above.loss, "loss", None), nn.Module):
            above = above.loss
        self._topped = above is not self
        above.loss = _Weighed(above.loss)
        self._weighed = (above.loss,)  # in a tuple: it is a part of the loss already

    def forward(self, sentence_features: Iterable[Features], labels: Tensor | None = None) -> Tensor:
        columns = [as_rows(column) for column in sentence_features]
        slices = self._slices(columns, labels)
        drawn, states, value = random.getstate(), [], 0.0
        with torch.no_grad():
            for one in slices:
                random.setstate(drawn)  # the same layers and lengths for all rows of a batch
                states.append(RandContext(*(v for column in one.columns for v in column.values())))
                value = value + self._value(one)
        if not torch.is_grad_enabled():
            return value
        value = value.detach().requires_grad_()
        value.register_hook(partial(self._backward, slices=slices, states=states, drawn=drawn))
        return value

    def _backward(self, factor: Tensor, slices: list["_Slice"], states: list[RandContext], drawn: Any) -> None:
        now = random.getstate()
        with torch.enable_grad():
            for one, state in zip(slices, states, strict=True):
                random.setstate(drawn)
                with state:
                    (self._value(one) * factor).backward()
        random.setstate(now)

    def _value(self, one: "_Slice") -> Tensor:
        """The slice's part of the batch's value."""
        weighed = self._weighed[0]
        # What is put on top adds means over rows of its own to the loss, which may be a sum.
        share = one.share if self._topped else 1.0
        weighed.factor = one.weight / share
        return self.loss([dict(column) for column in one.columns], one.labels) * share

    def _slices(self, columns: list[Features], labels: Tensor | None) -> list["_Slice"]:
        inner, rows = self._weighed[0].loss, _get_batch_size(columns[0])
        words = sum(_words(inner, columns)) if isinstance(inner, losses.DenoisingAutoEncoderLoss) else None
        slices = []
        for begin in range(0, rows, self.mini_batch_size):
            end = min(begin + self.mini_batch_size, rows)
            part = [part_of(column, begin, end) for column in columns]
            share = (end - begin) / rows
            weight = 1.0 if _sums(inner) else share
            if words is not None:
                weight = sum(_words(inner, part)) / words
            slices.append(_Slice(part, None if labels is None else labels[begin:end], share, weight))
        return slices


@dataclass(frozen=True)
class _Slice:
    columns: list[Features]
    labels: Tensor | None
    share: float
    """Of the batch's rows."""
    weight: float
    """Of the slice's loss in the batch's."""


class _Weighed(nn.Module):
    """``loss`` times a factor."""

    def __init__(self, loss: nn.Module):
        super().__init__()
        self.loss = loss
        self.factor = 1.0

    def forward(self, sentence_features: Iterable[Features], labels: Tensor | None = None) -> Tensor:
        return self.loss(sentence_features, labels) * self.factor


def as_rows(column: Features) -> Features:
    """A column's features with rows first: those of a static model are one row of tokens for all texts."""
    if "offsets" not in column:
        return column
    rest = {name: value for name, value in column.items() if name not in ("offsets", "input_ids")}
    return {"offsets": column["offsets"], TOKENS: column["input_ids"], **rest}


def part_of(column: Features, begin: int, end: int) -> Features:
    """Rows ``begin`` to ``end`` of what :func:`as_rows` gave, as the model takes them."""
    if TOKENS not in column:
        return _create_minibatch(column, begin, end)
    offsets, tokens = column["offsets"], column[TOKENS]
    first, last = int(offsets[begin]), int(offsets[end]) if end < len(offsets) else len(tokens)
    rest = {name: value for name, value in column.items() if name not in ("offsets", TOKENS)}
    return {"offsets": offsets[begin:end] - first, "input_ids": tokens[first:last], **rest}


def _sums(loss: nn.Module) -> bool:
    """Whether the loss adds rows up instead of averaging them."""
    return isinstance(loss, losses.ContrastiveTensionLoss) or getattr(loss, "size_average", True) is False


def _words(loss: losses.DenoisingAutoEncoderLoss, columns: list[Features]) -> list[int]:
    """Tokens that the decoder has to write, of each row: the loss is their mean."""
    target = loss.retokenize(columns[1]) if loss.need_retokenization else columns[1]
    return (target["input_ids"][:, 1:] != loss.tokenizer_decoder.pad_token_id).sum(1).tolist()
