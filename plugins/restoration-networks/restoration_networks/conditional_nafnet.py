"""The NAFNet of Refusion, conditioned on the degraded image and the time; its parameters have the published names.

After the code of Luo et al., "Refusion: Enabling Large-Size Realistic Image Restoration with Latent-Space Diffusion
Models", CVPR Workshops 2023, arXiv:2304.08291 (MIT). Its channel attention averages over the whole picture.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from restoration_networks.nafnet import Block, Levels, gate
from restoration_networks.norm import GainNorm
from restoration_networks.time import SinusoidalEmbedding, modulate


class Gate(nn.Module):
    """The product of the two halves of the channels, as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        """Map `b 2c ...` to `b c ...`."""
        return gate(x)


class TimedBlock(Block):
    """A NAFNet block whose norms are scaled and shifted by the time."""

    def __init__(self, channels: int, time_channels: int) -> None:
        super().__init__(channels, GainNorm)
        self.mlp = nn.Sequential(Gate(), nn.Linear(time_channels // 2, 4 * channels))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:  # type: ignore[override]
        """Map `b c h w` to `b c h w`; `time` is the embedding, `b t`, or `1 t` for all."""
        shift, scale, shift2, scale2 = self.mlp(time).chunk(4, dim=1)
        x = x + self.mix(modulate(self.conv1, self.norm1(x), scale, shift))
        return x + self.narrow(modulate(self.conv4, self.norm2(x), scale2, shift2))


class ConditionalNAFNet(Levels):
    """The NAFNet of Refusion.

    * `channels`: the channels of pictures, or of latents.
    * `width`: the channels at full size, doubled with each halving of the size.
    * `encoder`, `middle`, `decoder`: the number of blocks at each size on the way down, in the middle and up again.
    * `intro_skip`: whether the first features are added before the last convolution, as in the weights for latent
      dehazing.
    * `time_scale`: the number of steps T of the training, 100 for the published weights.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 64,
        encoder: tuple[int, ...] = (1, 1, 1, 28),
        middle: int = 1,
        decoder: tuple[int, ...] = (1, 1, 1, 1),
        intro_skip: bool = False,
        time_scale: float = 100.0,
    ) -> None:
        if width < 4 or width % 2:
            raise ValueError(f"width must be even and at least 4, not {width}")
        time = 4 * width
        block = partial(TimedBlock, time_channels=time)
        super().__init__(block, 2 * channels, channels, width=width, encoder=encoder, middle=middle, decoder=decoder)
        self.intro_skip = intro_skip
        self.time_mlp = nn.Sequential(
            SinusoidalEmbedding(width, time_scale), nn.Linear(width, 2 * time), Gate(), nn.Linear(time, time)
        )

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Predict from the state `x` and the degraded image `y`, both `b c h w`, at times `t` in [0, 1], `b` or `1`."""
        return self.map_levels(torch.cat([x - y, y], dim=1), self.time_mlp(t), intro_skip=self.intro_skip)
