"""Dropout whose mask costs a byte of randomness, not a float.

On a CPU the stock mask draws one random number an element in a single thread. Here one 64-bit number makes the masks of
eight elements. The probability is rounded to 1/256 (0.1 becomes 0.1016) and the rest is scaled by what was really kept,
so that the expectation is exact. Random bytes come from torch's own generator: seeds, checkpoints and GradCache's
replay hold.
"""

import torch
from torch import Tensor, nn


class ByteDropout(nn.Module):
    """Like ``nn.Dropout(p)``, p rounded to 1/256."""

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        return byte_dropout(x, self.p) if self.training else x


def byte_dropout(x: Tensor, p: float) -> Tensor:
    """``x`` with about p of its elements zeroed and the others scaled up; same shape and type."""
    dropped = round(p * 256)
    return _ByteDropout.apply(x.contiguous(), dropped) if dropped else x


class _ByteDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, dropped: int) -> Tensor:
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), 2**63 - 1)
        keep = (words.view(torch.uint8)[: x.numel()] >= dropped).view(x.shape)
        ctx.save_for_backward(keep)
        ctx.scale = 256 / (256 - dropped)
        return (x * keep).mul_(ctx.scale)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        (keep,) = ctx.saved_tensors
        return (gradient * keep).mul_(ctx.scale), None
