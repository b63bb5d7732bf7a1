"""CARN and CARN-M: cascades of residual blocks whose answers are all seen by the later ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from restoration.framing import enlargement, to_picture
from restoration_comparators.edsr import conv, mean_shift


class Body(nn.Module):
    """Layers that a file keeps under the name `body`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers to `b c h w`."""
        answer: Tensor = self.body(x)
        return answer


class Residual(Body):
    """A residual block: two 3x3 convolutions; in CARN-M they are grouped, and one of 1x1 follows."""

    def __init__(self, width: int, groups: int) -> None:
        layers = [conv(width, width, groups=groups), nn.ReLU(inplace=True), conv(width, width, groups=groups)]
        super().__init__(*layers, *([nn.ReLU(inplace=True), conv(width, width, 1)] if groups > 1 else []))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        return (super().forward(x) + x).relu()


class Cascade(nn.Module):
    """Three blocks, or one three times; after each, a 1x1 convolution sees the input and all answers so far."""

    def __init__(self, width: int, *blocks: nn.Module) -> None:
        super().__init__()
        for place, block in enumerate(blocks, 1):
            self.add_module(f"b{place}", block)
        for place in (1, 2, 3):
            self.add_module(f"c{place}", Body(conv((place + 1) * width, width, 1), nn.ReLU(inplace=True)))
        self.shared = len(blocks) == 1

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        known, last = x, x
        for place in (1, 2, 3):
            known = torch.cat([known, self.get_submodule(f"b{1 if self.shared else place}")(last)], 1)
            last = self.get_submodule(f"c{place}")(known)
        return last


class Shift(nn.Module):
    """A shift of the mean, under the name that a file has for it."""

    def __init__(self, channels: int, sign: int) -> None:
        super().__init__()
        self.shifter = mean_shift(channels, sign)


class CARN(Cascade):
    """A cascade of three cascades, and an end for each scale.

    Ahn et al., "Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network", ECCV 2018,
    arXiv:1803.08664; parameters have the names of the authors' code.

    * `channels`: the channels of pictures.
    * `width`: the channels of the features.
    * `groups`: of the convolutions: 4 for CARN-M, whose three blocks share their weights, 1 for CARN.
    * `scales`: the scales that there are ends for, of 2, 3 and 4.
    """

    def __init__(
        self, *, channels: int = 3, width: int = 64, groups: int = 4, scales: tuple[int, ...] = (2, 3, 4)
    ) -> None:
        if not scales or not set(scales) <= {2, 3, 4}:
            raise ValueError(f"scales are of 2, 3 and 4, not {list(scales)}")
        many = 1 if groups > 1 else 3
        super().__init__(width, *(Cascade(width, *(Residual(width, groups) for _ in range(many))) for _ in range(3)))
        self.enlarges = tuple(sorted(scales))
        self.reach = (2 * 9 + 4) * max(scales)
        self.sub_mean, self.add_mean = Shift(channels, -1), Shift(channels, 1)
        self.entry, self.exit = conv(channels, width), conv(width, channels)

        def steps(*factors: int) -> Body:
            layers = [(conv(width, f * f * width, groups=groups), nn.ReLU(), nn.PixelShuffle(f)) for f in factors]
            return Body(*(layer for step in layers for layer in step))

        ends = {2: (2,), 3: (3,), 4: (2, 2)}
        self.upsample = nn.ModuleDict({f"up{scale}": steps(*ends[scale]) for scale in self.enlarges})

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        """Map small pictures `y` to pictures of the size of `x`, both `b c h w`."""
        name = f"up{enlargement(x, y)}"
        features = super().forward(self.entry(self.sub_mean.shifter(y.contiguous(memory_format=torch.channels_last))))
        features = self.upsample[name](features)
        with torch.autocast(x.device.type, enabled=False):
            answer: Tensor = self.add_mean.shifter(to_picture(self.exit, features, x))
        if self.training:  # processes that train together expect a gradient of every parameter
            others = (one for end, layers in self.upsample.items() if end != name for one in layers.parameters())
            answer = answer + sum((0 * one.sum() for one in others), start=answer.new_zeros(()))
        return answer
