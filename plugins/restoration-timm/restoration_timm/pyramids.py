"""Feature pyramids: maps of an encoder at five sizes, to each of which the next coarser one is added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import timm
from timm.layers.norm_act import BatchNormAct2d
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

MOBILE = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 2, 2))
"""The stages of MobileNetV2 that a pyramid uses: expansion, channels, blocks, stride of the first block."""
LEVELS = (2, 4, 7, 11, 16)
"""The blocks of MobileNetV2 after which a level of the pyramid is taken."""


class Smooth(nn.Sequential):
    """A convolution, an instance norm, and a ReLU."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__(nn.Conv2d(inner, outer, 3, padding=1), nn.InstanceNorm2d(outer), nn.ReLU(inplace=True))


class Pyramid(nn.Module):
    """Maps of equal width from levels of different ones: the coarser is enlarged and added to the finer.

    Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, arXiv:1612.03144.
    """

    least = 64
    """The smallest side in pixels of its input."""

    def __init__(self, levels: tuple[int, ...], width: int) -> None:
        super().__init__()
        for place, channels in enumerate(levels):
            outer = width if place else width // 2
            self.add_module(f"lateral{place}", nn.Conv2d(channels, outer, 1, bias=False))
        self.td1, self.td2, self.td3 = (Smooth(width, width) for _ in range(3))

    def maps(self, levels: list[Tensor]) -> list[Tensor]:
        """Map levels, of a half to a 32nd of the size, to maps of the same sizes, the finest first."""
        first, fine, middle, coarse, coarsest = (
            self.framed(self.get_submodule(f"lateral{place}")(level), place) for place, level in enumerate(levels)
        )
        coarse = self.td1(coarse + enlarged(coarsest, 2))
        middle = self.td2(middle + enlarged(coarse, 2))
        return [first, self.td3(fine + enlarged(middle, 2)), middle, coarse, coarsest]

    def framed(self, x: Tensor, place: int) -> Tensor:
        """Extend a level to the size that it has in the pyramid."""
        return x


class Inverted(nn.Module):
    """An inverted residual of MobileNetV2: expanded by 1x1, a depthwise convolution, projected by 1x1; with norms."""

    def __init__(self, inner: int, outer: int, stride: int, wider: int) -> None:
        super().__init__()
        wide = inner * wider
        first = [nn.Conv2d(inner, wide, 1, bias=False), norm(wide), nn.ReLU6(inplace=True)] if wider > 1 else []
        each = nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False)
        last = [nn.Conv2d(wide, outer, 1, bias=False), norm(outer)]
        self.conv = nn.Sequential(*first, each, norm(wide), nn.ReLU6(inplace=True), *last)
        self.residual = stride == 1 and inner == outer

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b d h/stride w/stride`."""
        answer: Tensor = self.conv(x)
        return x + answer if self.residual else answer


class MobilePyramid(Pyramid):
    """A pyramid over MobileNetV2 (Sandler et al., CVPR 2018, arXiv:1801.04381)."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__((16, 24, 32, 64, 160), width)
        first = nn.Sequential(nn.Conv2d(in_channels, 32, 3, 2, 1, bias=False), norm(32), nn.ReLU6(inplace=True))
        layers, inner = [first], 32
        for wider, outer, blocks, stride in MOBILE:
            for block in range(blocks):
                layers.append(Inverted(inner, outer, 1 if block else stride, wider))  # type: ignore[arg-type]
                inner = outer
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map `b c h w`, of sides that are multiples of 32, to its maps, the finest first."""
        levels, begin = [], 0
        for end in LEVELS:
            x = self.features[begin:end](x)
            levels.append(x)
            begin = end
        return self.maps(levels)


class InceptionPyramid(Pyramid):
    """A pyramid over Inception-ResNet-v2 (Szegedy et al., AAAI 2017, arXiv:1602.07261), which is timm's.

    Its convolutions have no padding, so that each level lacks some pixels, which are mirrored.
    """

    least = 128

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__((32, 64, 192, 1088, 2080), width)
        self.inception: Any = timm.create_model("inception_resnet_v2", in_chans=in_channels, num_classes=0)
        for name in ("repeat_2", "block8", "conv2d_7b"):
            delattr(self.inception, name)
        use_statistics_of_the_picture(self.inception)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Map `b c h w`, of sides that are multiples of 32, to its maps, the finest first."""
        net = self.inception
        levels = [net.conv2d_1a(x)]
        levels.append(net.maxpool_3a(net.conv2d_2b(net.conv2d_2a(levels[-1]))))
        levels.append(net.maxpool_5a(net.conv2d_4a(net.conv2d_3b(levels[-1]))))
        levels.append(net.mixed_6a(net.repeat(net.mixed_5b(levels[-1]))))
        levels.append(net.mixed_7a(net.repeat_1(levels[-1])))
        return self.maps(levels)

    def framed(self, x: Tensor, place: int) -> Tensor:
        """Mirror what a level lacks at its border."""
        before, after = {0: (0, 1), 2: (1, 2)}.get(place, (1, 1))
        return functional.pad(x, (before, after, before, after), mode="reflect")


class ActivatedNorm(nn.InstanceNorm2d):
    """An instance norm with a scale and a shift for each channel, and a ReLU."""

    def forward(self, input: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        return super().forward(input).relu()


def norm(channels: int) -> nn.InstanceNorm2d:
    """Return an instance norm with a scale and a shift for each channel."""
    return nn.InstanceNorm2d(channels, affine=True)


def enlarged(x: Tensor, factor: int) -> Tensor:
    """Repeat each pixel of `b c h w` so many times in both directions."""
    return functional.interpolate(x, scale_factor=factor, mode="nearest") if factor > 1 else x


def use_statistics_of_the_picture(module: nn.Module) -> None:
    """Replace the batch norms of timm in a network, each with its ReLU, by instance norms of the same names."""
    for name, child in module.named_children():
        if isinstance(child, BatchNormAct2d):
            setattr(module, name, ActivatedNorm(child.num_features, eps=child.eps, affine=True))
        else:
            use_statistics_of_the_picture(child)
