"""The generator of DeblurGAN: residual blocks at a quarter of the size, with norms over the whole picture."""

from __future__ import annotations

from torch import Tensor, nn

from restoration.framing import pad_to_multiple, part_to_mend, to_picture
from restoration_comparators.small import enlarge_to_least

LEAST = 8
"""The smallest side of a picture that can be mirrored at a quarter of its size."""


class Block(nn.Module):
    """Two convolutions, each with its norm, added to their input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers = [(nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)) for _ in range(2)]
        self.conv_block = nn.Sequential(*layers[0], nn.ReLU(inplace=True), *layers[1])

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to `b c h w`."""
        answer: Tensor = x + self.conv_block(x)
        return answer


class DeblurGAN(nn.Module):
    """Convolutions down to a quarter of the size, residual blocks there, and up again, each with an instance norm.

    Kupyn et al., "DeblurGAN: Blind Motion Deblurring Using Conditional Adversarial Networks", CVPR 2018,
    arXiv:1711.07064; parameters have the names of the authors' code. Its dropout, which their code leaves on when it
    tests, is not done: pictures do not depend on chance.

    * `in_channels`, `channels`: the channels of the input and of the picture.
    * `width`: the channels of the features at full size.
    * `blocks`: the number of residual blocks.
    * `residual`: whether what is predicted is added to the picture, as by the published weights.
    """

    def __init__(
        self, *, in_channels: int = 3, channels: int = 3, width: int = 64, blocks: int = 9, residual: bool = True
    ) -> None:
        super().__init__()
        if min(width, blocks) < 1:
            raise ValueError("width and blocks must be at least 1")
        self.mended = part_to_mend(in_channels, channels) if residual else None

        def shrink(inner: int) -> list[nn.Module]:
            return [nn.Conv2d(inner, 2 * inner, 3, 2, 1), nn.InstanceNorm2d(2 * inner), nn.ReLU(inplace=True)]

        def enlarge(inner: int) -> list[nn.Module]:
            conv = nn.ConvTranspose2d(inner, inner // 2, 3, 2, 1, output_padding=1)
            return [conv, nn.InstanceNorm2d(inner // 2), nn.ReLU(inplace=True)]

        first = [nn.ReflectionPad2d(3), nn.Conv2d(in_channels, width, 7), nn.InstanceNorm2d(width), nn.ReLU(True)]
        middle = [Block(4 * width) for _ in range(blocks)]
        last = [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7)]
        ends = [*enlarge(4 * width), *enlarge(2 * width), *last]
        self.model = nn.Sequential(*first, *shrink(width), *shrink(2 * width), *middle, *ends)

    def forward(self, x: Tensor) -> Tensor:
        """Map a picture, and further channels of the input, `b in_channels h w`, to a picture `b channels h w`."""
        signed = 2 * x - 1
        features = self.model[:-1](pad_to_multiple(enlarge_to_least(signed, LEAST), 4))
        answer = to_picture(self.model[-1], features, x).tanh()
        if self.mended is not None:
            answer = signed[:, self.mended] + answer
        return (answer + 1) / 2
