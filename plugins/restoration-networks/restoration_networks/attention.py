"""Attention between the pixels of a picture: linear in their number, and in full."""

from __future__ import annotations

from einops import einsum, rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration_networks.norm import GainNorm

HEADS, HEAD_CHANNELS = 4, 32
"""The number of heads, and the channels of each, as in IR-SDE."""


class LinearAttention(nn.Module):
    """Attention through a small matrix for each head, in time and memory linear in the number of pixels.

    Queries are normalised over channels and keys over pixels (Shen et al., "Efficient Attention", WACV 2021), and the
    sum is divided by the number of pixels once more, as in IR-SDE. Every pixel attends to the whole picture.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qkv = nn.Conv2d(channels, 3 * HEADS * HEAD_CHANNELS, 1, bias=False)
        self.to_out = nn.Sequential(nn.Conv2d(HEADS * HEAD_CHANNELS, channels, 1), GainNorm(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        queries, keys, values = split_heads(self.to_qkv(x))
        context = einsum(keys.softmax(dim=2), values, "b heads n d, b heads n e -> b heads d e")
        context = context * (HEAD_CHANNELS**-0.5 / values.shape[2])
        answer: Tensor = self.to_out(join_heads(queries.softmax(dim=3) @ context, x.shape[2]))
        return answer


class FullAttention(nn.Module):
    """Softmax attention of every pixel to every other (Vaswani et al., 2017): quadratic in the number of pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_qkv = nn.Conv2d(channels, 3 * HEADS * HEAD_CHANNELS, 1, bias=False)
        self.to_out = nn.Conv2d(HEADS * HEAD_CHANNELS, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        queries, keys, values = split_heads(self.to_qkv(x))
        mixed = functional.scaled_dot_product_attention(queries, keys, values)
        answer: Tensor = self.to_out(join_heads(mixed, x.shape[2]))
        return answer


def split_heads(qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Split `b 3c h w` into queries, keys and values, each `b heads pixels channels`."""
    queries, keys, values = rearrange(qkv, "b (qkv heads c) h w -> qkv b heads (h w) c", qkv=3, heads=HEADS)
    return queries, keys, values


def join_heads(values: Tensor, height: int) -> Tensor:
    """Join `b heads pixels channels` to `b c h w`, channels-last in memory."""
    pixels = rearrange(values, "b heads (h w) c -> b h w (heads c)", h=height)
    return rearrange(pixels, "b h w c -> b c h w")
