"""Published networks that enlarge a picture four times, for `benchmarks/published.py`: CARN-M, RFDN and SAFMN."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def _conv(inputs: int, outputs: int, side: int = 3, **how: int | bool) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, side, padding=side // 2, **how)  # type: ignore[arg-type]


class Body(nn.Module):
    """Layers that a file keeps under the name `body`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers to `b c h w`."""
        answer: Tensor = self.body(x)
        return answer


class Grouped(Body):
    """The residual block of CARN-M: two grouped 3x3 convolutions and one of 1x1."""

    def __init__(self, width: int) -> None:
        grouped = [_conv(width, width, groups=4), nn.ReLU(), _conv(width, width, groups=4), nn.ReLU()]
        super().__init__(*grouped, _conv(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        return (super().forward(x) + x).relu()


class Cascade(nn.Module):
    """Three blocks; after each, a 1x1 convolution sees the input and the answers of all blocks so far."""

    def __init__(self, width: int, blocks: list[nn.Module]) -> None:
        super().__init__()
        for place, block in enumerate(blocks, 1):
            setattr(self, f"b{place}", block)
        for place in (1, 2, 3):
            setattr(self, f"c{place}", Body(_conv((place + 1) * width, width, 1), nn.ReLU()))
        self.shared = len(blocks) == 1

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        known, last = x, x
        for place in (1, 2, 3):
            block = self.b1 if self.shared else getattr(self, f"b{place}")
            known = torch.cat([known, block(last)], 1)
            last = getattr(self, f"c{place}")(known)
        return last


class CARN(Cascade):
    """CARN-M: a cascade of cascades, whose three blocks share their weights; its file enlarges 2, 3 and 4 times."""

    def __init__(self, width: int = 64) -> None:
        super().__init__(width, [Cascade(width, [Grouped(width)]) for _ in range(3)])
        for name in ("sub_mean", "add_mean"):
            shift = nn.Module()
            shift.shifter = nn.Conv2d(3, 3, 1)
            setattr(self, name, shift)
        self.entry, self.exit = _conv(3, width), _conv(width, 3)

        def steps(*factors: int) -> Body:
            layers = [(_conv(width, f * f * width, groups=4), nn.ReLU(), nn.PixelShuffle(f)) for f in factors]
            return Body(*(layer for step in layers for layer in step))

        self.upsample = nn.ModuleDict({"up2": steps(2), "up3": steps(3), "up4": steps(2, 2)})

    def forward(self, x: Tensor) -> Tensor:
        """Map `b 3 h w` to `b 3 4h 4w`."""
        features = super().forward(self.entry(self.sub_mean.shifter(x)))
        answer: Tensor = self.add_mean.shifter(self.exit(self.upsample["up4"](features)))
        return answer


class Attention(nn.Module):
    """The enhanced spatial attention of RFDN: a mask from a few channels, pooled far and enlarged again."""

    def __init__(self, width: int, few: int) -> None:
        super().__init__()
        self.conv1, self.conv_f, self.conv4 = _conv(width, few, 1), _conv(few, few, 1), _conv(few, width, 1)
        self.conv2 = nn.Conv2d(few, few, 3, stride=2)
        self.conv_max, self.conv3, self.conv3_ = (_conv(few, few) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        few = self.conv1(x)
        far = functional.max_pool2d(self.conv2(few), 7, stride=3)
        far = self.conv3_(self.conv3(self.conv_max(far).relu()).relu())
        far = functional.interpolate(far, x.shape[-2:], mode="bilinear", align_corners=False)
        return x * self.conv4(far + self.conv_f(few)).sigmoid()


class Distilling(nn.Module):
    """A block of RFDN: after each of three residual convolutions half of the channels are kept for the end."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        for place in (1, 2, 3):
            setattr(self, f"c{place}_d", _conv(width, half, 1))
            setattr(self, f"c{place}_r", _conv(width, width))
        self.c4, self.c5, self.esa = _conv(width, half), _conv(4 * half, width, 1), Attention(width, width // 4)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        kept = []
        for place in (1, 2, 3):
            kept.append(_leaky(getattr(self, f"c{place}_d")(x)))
            x = _leaky(getattr(self, f"c{place}_r")(x) + x)
        answer: Tensor = self.esa(self.c5(torch.cat([*kept, _leaky(self.c4(x))], 1)))
        return answer


class RFDN(nn.Module):
    """RFDN as of AIM 2020: four distilling blocks of 50 channels, for levels of 255."""

    def __init__(self, width: int = 50, scale: int = 4) -> None:
        super().__init__()
        self.fea_conv, self.LR_conv = _conv(3, width), _conv(width, width)
        self.B1, self.B2, self.B3, self.B4 = (Distilling(width) for _ in range(4))
        self.c = nn.Sequential(_conv(4 * width, width, 1), nn.LeakyReLU(0.05))
        self.upsampler = nn.Sequential(_conv(width, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b 3 h w` to `b 3 4h 4w`."""
        first = features = self.fea_conv(255 * x)
        found = []
        for block in (self.B1, self.B2, self.B3, self.B4):
            features = block(features)
            found.append(features)
        answer: Tensor = self.upsampler(self.LR_conv(self.c(torch.cat(found, 1))) + first) / 255
        return answer


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.05)


class Modulation(nn.Module):
    """The modulation of SAFMN: quarters of the channels, pooled to ever smaller sizes, weigh the features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        part = width // 4
        self.mfr = nn.ModuleList(_conv(part, part, groups=part, bias=False) for _ in range(4))
        self.aggr = _conv(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        size, parts = x.shape[-2:], list(x.chunk(4, dim=1))
        for level in (1, 2, 3):
            pooled = functional.adaptive_max_pool2d(parts[level], [side >> (level + 1) for side in size])
            parts[level] = functional.interpolate(self.mfr[level](pooled), size, mode="nearest")
        parts[0] = self.mfr[0](parts[0])
        return functional.gelu(self.aggr(torch.cat(parts, 1))) * x


class Modulated(nn.Module):
    """A block of SAFMN: the modulation, and a mixer of channels, each added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.safm, self.ccm = Modulation(width), nn.Module()
        self.ccm.ccm = nn.Sequential(
            _conv(width, 2 * width, bias=False), nn.GELU(), _conv(2 * width, width, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        x = x + self.safm(x)
        answer: Tensor = x + self.ccm.ccm(x)
        return answer


class SAFMN(nn.Module):
    """SAFMN as of NTIRE 2023: eight blocks of 36 channels, whose input is normalised by the norms of its channels."""

    def __init__(self, width: int = 36, blocks: int = 8, scale: int = 4) -> None:
        super().__init__()
        self.norm = nn.Module()
        self.norm.gamma, self.norm.beta = (nn.Parameter(torch.zeros(1, width, 1, 1)) for _ in range(2))
        self.to_feat, self.scale = _conv(3, width), scale
        self.feats = nn.Sequential(*(Modulated(width) for _ in range(blocks)))
        self.to_img = nn.Sequential(_conv(width, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        """Map `b 3 h w` to `b 3 4h 4w`."""
        features = self.to_feat(x)
        norms = features.norm(dim=(2, 3), keepdim=True)
        share = norms / (norms.mean(dim=1, keepdim=True) + 1e-6)
        features = features * (1 + self.norm.gamma * share) + self.norm.beta
        large = functional.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        answer: Tensor = self.to_img(self.feats(features)) + large
        return answer
