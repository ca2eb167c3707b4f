"""No padding is computed: the texts of a batch are laid end to end, and attention runs over groups of equal length.

sentence-transformers packs texts itself where flash attention is there (``Transformer.can_flatten_inputs``); pooling
and GradCache understand packed batches. What a CPU lacks is an attention for them: that is registered here, through
transformers' AttentionInterface. With texts of mixed length, padding is 60 % and more of a stock batch's tokens.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Transformer
from torch import Tensor, nn
from transformers import AttentionInterface, DataCollatorWithFlattening
from transformers.masking_utils import AttentionMaskInterface

from studio.training.engine.dropout import byte_dropout

ATTENTION = "studio_packed"
PACKED_KEYS = frozenset(("cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k", "seq_idx"))


def can_pack(model: SentenceTransformer) -> bool:
    """Whether the model's attention goes through transformers' interface, so that it can be replaced, on a CPU."""
    first = model[0]
    return (
        isinstance(first, Transformer)
        and first.backend == "torch"
        and model.device.type == "cpu"
        and first.transformer_task == "feature-extraction"
        and set(first.modality_config) == {"text"}
        and getattr(first.model, "is_backend_compatible", lambda: False)()
    )


@contextmanager
def packed(model: SentenceTransformer) -> Iterator[None]:
    """Within, ``model`` takes its texts packed; afterwards it is as it was."""
    first: Transformer = model[0]
    before = (first.config._attn_implementation, first.model_forward_params, first.can_flatten_inputs)
    first.model.set_attn_implementation(ATTENTION)
    first.can_flatten_inputs = True
    first.data_collator = DataCollatorWithFlattening(
        return_seq_idx=True, return_flash_attn_kwargs=True, return_position_ids=True
    )
    first._flatten_position_offset = first._infer_flatten_position_offset()
    if first.model_forward_params is not None:
        first.model_forward_params = first.model_forward_params | PACKED_KEYS
    try:
        yield
    finally:
        attention, first.model_forward_params, first.can_flatten_inputs = before
        first.model.set_attn_implementation(attention)


@dataclass(frozen=True)
class Layout:
    """How the tokens of a packed batch are regrouped by the length of their text."""

    order: Tensor
    """(tokens,) positions of the tokens, shortest texts first."""
    back: Tensor
    """(tokens,) the inverse of ``order``."""
    groups: tuple[tuple[int, int], ...]
    """(length, texts) of each group, in that order."""


def lay_out(boundaries: Tensor) -> Layout:
    """``boundaries``: (texts + 1,) where each text begins, and the end."""
    starts, lengths = boundaries[:-1].long(), boundaries.diff().long()
    by_length = torch.argsort(lengths, stable=True)
    sorted_lengths = lengths[by_length]
    tokens = int(boundaries[-1])
    shift = starts[by_length] - (sorted_lengths.cumsum(0) - sorted_lengths)
    order = torch.arange(tokens) + torch.repeat_interleave(shift, sorted_lengths)
    back = torch.empty_like(order)
    back[order] = torch.arange(tokens)
    groups = torch.unique_consecutive(sorted_lengths, return_counts=True)
    return Layout(order, back, tuple(zip(*(part.tolist() for part in groups), strict=True)))


_last: tuple[weakref.ref[Tensor] | None, Layout | None] = (None, None)


def _layout_of(boundaries: Tensor) -> Layout:
    # All layers of a forward pass get the same tensor: the layout is made once.
    global _last
    known, layout = _last
    if known is None or known() is not boundaries:
        layout = lay_out(boundaries)
        _last = (weakref.ref(boundaries), layout)
    return layout


class _Regroup(torch.autograd.Function):
    """Rows in another order. Indexing's own backward adds up, which a permutation does not need."""

    @staticmethod
    def forward(ctx, x: Tensor, order: Tensor, back: Tensor) -> Tensor:
        ctx.back = back
        return x.index_select(0, order)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return gradient.index_select(0, ctx.back), None, None


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    cu_seq_lens_q: Tensor | None = None,
    sliding_window: int | None = None,
    position_bias: Tensor | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """Attention within each text of a packed batch, every token to every other.

    query, key, value: (1, heads, tokens, head dimension); returns (1, tokens, heads, head dimension).

    Raises:
        ValueError: the model wants another kind of attention.
    """
    if sliding_window is not None or position_bias is not None or cu_seq_lens_q is None:
        raise ValueError("this attention takes packed texts only, without windows and position biases")
    layout = _layout_of(cu_seq_lens_q)
    heads, dimension = query.shape[1], query.shape[3]
    sizes = [length * texts for length, texts in layout.groups]
    grouped = [
        _Regroup.apply(x[0].transpose(0, 1).reshape(-1, heads * dimension), layout.order, layout.back).split(sizes)
        for x in (query, key, value)
    ]
    outputs = []
    for (length, texts), *parts in zip(layout.groups, *grouped, strict=True):
        q, k, v = (part.view(texts, length, heads, dimension).transpose(1, 2) for part in parts)
        if dropout > 0:
            # torch's own attention with dropout takes its slow path on a CPU; the same in three operations.
            weights = torch.softmax(torch.matmul(q * scaling, k.transpose(-1, -2)), dim=-1)
            output = torch.matmul(byte_dropout(weights.to(v.dtype), dropout), v)
        else:
            output = nn.functional.scaled_dot_product_attention(q, k, v, scale=scaling)
        outputs.append(output.transpose(1, 2).reshape(texts * length, heads * dimension))
    output = _Regroup.apply(torch.cat(outputs), layout.back, layout.order)
    return output.view(1, -1, heads, dimension), None


def _no_mask(*_: object, **__: object) -> None:
    """Groups hold no padding: there is nothing to mask."""


AttentionInterface.register(ATTENTION, packed_attention)
AttentionMaskInterface.register(ATTENTION, _no_mask)
