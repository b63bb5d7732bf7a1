"""The U-Net of guided-diffusion (OpenAI, MIT), known as ADM, and of improved-diffusion; their modules have its names.

After Dhariwal and Nichol, "Diffusion Models Beat GANs on Image Synthesis", NeurIPS 2021, arXiv:2105.05233.
"""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from restoration.framing import pad_to_multiple, to_picture
from restoration_ddpm.networks.parts import UNet, attend, check_widths, embed

Order = Literal["legacy", "new"]
Resampling = Literal["blocks", "convolutions", "plain"]

GROUPS = 32
"""The groups of all norms: widths are multiples of it."""
BYTES = 55
"""The bytes that an evaluation needs for each pixel and each channel of its width, in float32; measured."""


class ResidualBlock(nn.Module):
    """Two convolutions, each after a norm and SiLU, a shortcut, and the time between them.

    * `inner`, `outer`: the channels before and after it.
    * `time`: the channels of the embedding.
    * `scaled`: whether the time scales and shifts the second norm; else it is added before it.
    * `resampling`: 2 makes pictures twice as large, 0.5 half as large, after the first norm and in the shortcut.
    """

    def __init__(self, inner: int, outer: int, time: int, *, scaled: bool, resampling: float = 1) -> None:
        super().__init__()
        self.scaled, self.resampling = scaled, resampling
        self.in_layers = nn.Sequential(nn.GroupNorm(GROUPS, inner), nn.SiLU(), nn.Conv2d(inner, outer, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, 2 * outer if scaled else outer))
        last = nn.Conv2d(outer, outer, 3, padding=1)
        self.out_layers = nn.Sequential(nn.GroupNorm(GROUPS, outer), nn.SiLU(), nn.Identity(), last)
        self.skip_connection = nn.Identity() if inner == outer else nn.Conv2d(inner, outer, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Map `b c h w` to `b d h w`, or twice or half that size; `time` is the embedding, `b t`, or `1 t` for all."""
        norm, act, conv = self.in_layers
        features, x = act(norm(x)), resample(x, self.resampling)
        features = conv(resample(features, self.resampling))
        embedding = rearrange(self.emb_layers(time), "b c -> b c 1 1")
        norm, *rest = self.out_layers
        if self.scaled:
            scale, shift = embedding.chunk(2, dim=1)
            features = norm(features) * (1 + scale) + shift
        else:
            features = norm(features + embedding)
        for layer in rest:
            features = layer(features)
        answer: Tensor = self.skip_connection(x) + features
        return answer


class Attention(nn.Module):
    """Softmax attention of every pixel to every other, after a norm, and a shortcut.

    Queries, keys and values lie one after the other for each head in the `order` "legacy", else for all heads at once.
    """

    def __init__(self, channels: int, *, heads: int, order: Order) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{heads} heads cannot share {channels} channels")
        first, second = ("heads", "qkv") if order == "legacy" else ("qkv", "heads")
        self.heads, self.pattern = heads, f"b ({first} {second} c) n -> qkv b heads n c"
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.qkv, self.proj_out = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        qkv = self.qkv(rearrange(self.norm(x), "b c h w -> b c (h w)"))
        queries, keys, values = rearrange(qkv, self.pattern, qkv=3, heads=self.heads)
        mixed = rearrange(attend(queries, keys, values), "b heads n c -> b (heads c) n")
        answer: Tensor = x + rearrange(self.proj_out(mixed), "b c (h w) -> b c h w", h=x.shape[2])
        return answer


class Downsample(nn.Module):
    """Makes pictures half as large, by a convolution or by means."""

    def __init__(self, channels: int, *, convolves: bool) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1) if convolves else nn.AvgPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to half its size."""
        answer: Tensor = self.op(x)
        return answer


class Upsample(nn.Module):
    """Makes pictures twice as large, each pixel a square, and may apply a convolution to that."""

    def __init__(self, channels: int, *, convolves: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1) if convolves else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to twice its size."""
        answer: Tensor = self.conv(resample(x, 2))
        return answer


class Stage(nn.Sequential):
    """Layers one after the other, of which the residual blocks are given the embedding of the time."""

    def forward(self, x: Tensor, time: Tensor) -> Tensor:  # type: ignore[override]  # it is given the time, too
        """Map `b c h w` to `b d h w`; `time` is the embedding, `b t`, or `1 t` for all."""
        for layer in self:
            x = layer(x, time) if isinstance(layer, ResidualBlock) else layer(x)
        return x


class ADMUNet(UNet):
    """The U-Net of guided-diffusion; the defaults are those of its 256x256 network without classes.

    * `in_channels`, `channels`: the channels of the input and of pictures.
    * `width`: the channels that those of all levels are multiples of.
    * `multipliers`: these multiples.
    * `blocks`: the residual blocks of each level on the way down; there is one more on the way up.
    * `attended`: the levels with attention, counted from 0.
    * `heads`, `head_channels`: the heads of all attention; if that is 0, as many as have so many channels each.
    * `order`: how queries, keys and values lie, see `Attention`.
    * `scaled`: whether the time scales and shifts, see `ResidualBlock`.
    * `resampling`: what changes the size: residual "blocks", "convolutions", or nothing that is learned, "plain".
    * `classes`, `label`: how many classes it knows, 0 for none, and of which one pictures are, counted from 0.
    * `steps`: the steps of its training.
    * `rescaled`: whether it is given steps as if there were 1000 of them, however many there are.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        channels: int = 3,
        width: int = 256,
        multipliers: tuple[float, ...] = (1, 1, 2, 2, 4, 4),
        blocks: int = 2,
        attended: tuple[int, ...] = (3, 4, 5),
        heads: int = 0,
        head_channels: int = 64,
        order: Order = "legacy",
        scaled: bool = True,
        resampling: Resampling = "blocks",
        classes: int = 0,
        label: int = 0,
        steps: int = 1000,
        rescaled: bool = False,
    ) -> None:
        check_widths(width, multipliers, blocks)
        if classes and not 0 <= label < classes:
            raise ValueError(f"label must be from 0 to {classes - 1}, not {label}")
        super().__init__(levels=len(multipliers), steps=steps, bytes_per_pixel=BYTES * width)
        self.width, self.label, self.rescaled = width, label, rescaled
        time = 4 * width

        def block(inner: int, outer: int, resampling: float = 1) -> nn.Module:
            return ResidualBlock(inner, outer, time, scaled=scaled, resampling=resampling)

        def attention(channels: int) -> nn.Module:
            return Attention(channels, heads=heads or max(channels // head_channels, 1), order=order)

        def resize(channels: int, size: float) -> nn.Module:
            if resampling == "blocks":
                return block(channels, channels, size)
            kind = Downsample if size < 1 else Upsample
            return kind(channels, convolves=resampling == "convolutions")

        self.time_embed = nn.Sequential(nn.Linear(width, time), nn.SiLU(), nn.Linear(time, time))
        self.label_emb = nn.Embedding(classes, time) if classes else None
        widths = [int(width * multiplier) for multiplier in multipliers]
        here = widths[0]
        stages, skips = [Stage(nn.Conv2d(in_channels, here, 3, padding=1))], [here]
        for level, outer in enumerate(widths):
            for _ in range(blocks):
                stages.append(Stage(block(here, outer), *[attention(outer)] * (level in attended)))
                here = outer
                skips.append(here)
            if level < len(widths) - 1:
                stages.append(Stage(resize(here, 0.5)))
                skips.append(here)
        self.input_blocks = nn.ModuleList(stages)
        self.middle_block = Stage(block(here, here), attention(here), block(here, here))
        stages = []
        for level, outer in reversed(list(enumerate(widths))):
            for place in range(blocks + 1):
                layers = [block(here + skips.pop(), outer), *[attention(outer)] * (level in attended)]
                stages.append(Stage(*layers, *[resize(outer, 2)] * (level > 0 and place == blocks)))
                here = outer
        self.output_blocks = nn.ModuleList(stages)
        self.out = nn.Sequential(nn.GroupNorm(GROUPS, here), nn.SiLU(), nn.Conv2d(here, channels, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Predict from the state `x`, `b c h w`, at times `t` in [0, 1], `b` or `1`: `b c h w`."""
        step = self.step(t) * (1000 / self.steps if self.rescaled else 1)
        time = self.time_embed(embed(step, self.width, first="cosines"))
        if self.label_emb is not None:
            time = time + self.label_emb.weight[self.label]
        features, skips = pad_to_multiple(x, self.multiple).contiguous(memory_format=torch.channels_last), []
        for stage in self.input_blocks:
            features = stage(features, time)
            skips.append(features)
        features = self.middle_block(features, time)
        for stage in self.output_blocks:
            features = stage(torch.cat([features, skips.pop()], dim=1), time)
        norm, act, conv = self.out
        return to_picture(conv, act(norm(features)), x)


def resample(x: Tensor, size: float) -> Tensor:
    """Return `b c h w` twice as large, half as large, or as it is."""
    if size == 1:
        return x
    return functional.interpolate(x, scale_factor=2.0) if size > 1 else functional.avg_pool2d(x, 2)
