"""The attention of denoising-diffusion-pytorch, linear and full, with keys and values that are learned."""

from __future__ import annotations

from typing import Literal

import torch
from einops import einsum, rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration_ddpm.networks.parts import attend

Norm = Literal["rms", "layer"]


class GainNorm(nn.Module):
    """A norm of every pixel over its channels, with a gain: of the root mean square, or of mean and variance too.

    Statistics are in float32 in every precision.
    """

    def __init__(self, channels: int, kind: Norm = "rms") -> None:
        super().__init__()
        self.kind = kind
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        pixels = rearrange(x.float(), "b c h w -> b h w c")
        if self.kind == "layer":
            normed = functional.layer_norm(pixels, pixels.shape[-1:], eps=1e-5)
        else:
            normed = functional.normalize(pixels, dim=-1) * pixels.shape[-1] ** 0.5
        answer: Tensor = rearrange(normed, "b h w c -> b c h w") * self.g
        return answer.to(x.dtype)


class Attention(nn.Module):
    """What linear and full attention have in common: a norm, heads, and `memory` keys and values of no pixel.

    With the norm `layer`, as in versions before 1.7, linear attention divides its values by the number of pixels.
    """

    def __init__(self, channels: int, *, heads: int, head_channels: int, memory: int, norm: Norm) -> None:
        super().__init__()
        self.heads, self.head_channels, self.kind = heads, head_channels, norm
        self.norm = GainNorm(channels, norm)
        self.to_qkv = nn.Conv2d(channels, 3 * heads * head_channels, 1, bias=False)
        self.mem_kv = nn.Parameter(torch.randn(2, *self.shape_of_memory(memory))) if memory else None

    def shape_of_memory(self, memory: int) -> tuple[int, int, int]:
        """Return the shape of the learned keys, and of the learned values."""
        return self.heads, memory, self.head_channels

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values of `b c h w`, each `b heads pixels channels`."""
        pattern = "b (qkv heads c) h w -> qkv b heads (h w) c"
        queries, keys, values = rearrange(self.to_qkv(self.norm(x)), pattern, qkv=3, heads=self.heads)
        return queries, keys, values

    def remember(self, learned: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, `b heads pixels channels`, after those that are `learned`, `2 heads n channels`."""
        more = learned.to(keys).unsqueeze(1).expand(-1, len(keys), -1, -1, -1)
        return torch.cat([more[0], keys], dim=2), torch.cat([more[1], values], dim=2)

    def join(self, values: Tensor, like: Tensor) -> Tensor:
        """Return `b heads pixels channels` as `b c h w`, of the height and width of another."""
        return rearrange(values, "b heads (h w) c -> b (heads c) h w", h=like.shape[2])


class LinearAttention(Attention):
    """Attention through a small matrix for each head, in time linear in the number of pixels (Shen et al., WACV 2021).

    Queries are normalised over channels and keys over pixels, so that every pixel is given a share of the whole
    picture.
    """

    def __init__(self, channels: int, *, heads: int, head_channels: int, memory: int, norm: Norm) -> None:
        super().__init__(channels, heads=heads, head_channels=head_channels, memory=memory, norm=norm)
        self.to_out = nn.Sequential(nn.Conv2d(heads * head_channels, channels, 1), GainNorm(channels, norm))

    def shape_of_memory(self, memory: int) -> tuple[int, int, int]:
        """Return the shape of the learned keys, and of the learned values."""
        return self.heads, self.head_channels, memory

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        queries, keys, values = self.split(x)
        scale = self.head_channels**-0.5
        if self.kind == "layer":
            scale /= values.shape[2]
        if self.mem_kv is not None:
            keys, values = self.remember(self.mem_kv.mT, keys, values)
        context = einsum(keys.softmax(dim=2), values, "b heads n d, b heads n e -> b heads d e") * scale
        answer: Tensor = self.to_out(self.join(queries.softmax(dim=3) @ context, x))
        return answer


class FullAttention(Attention):
    """Softmax attention of every pixel to every other: quadratic in the number of pixels."""

    def __init__(self, channels: int, *, heads: int, head_channels: int, memory: int, norm: Norm) -> None:
        super().__init__(channels, heads=heads, head_channels=head_channels, memory=memory, norm=norm)
        self.to_out = nn.Conv2d(heads * head_channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        queries, keys, values = self.split(x)
        if self.mem_kv is not None:
            keys, values = self.remember(self.mem_kv, keys, values)
        answer: Tensor = self.to_out(self.join(attend(queries, keys, values), x))
        return answer
