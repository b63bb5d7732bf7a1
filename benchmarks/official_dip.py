"""Deep Image Prior as its published code does it, to measure ours against: nothing here is meant to be fast.

Ulyanov et al., CVPR 2018, arXiv:1711.10925: the network and the loop of the notebook on denoising. float32, layers
as separate modules, three PSNRs and a snapshot of the weights at each step, and the allocator as the system has it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn


class Beside(nn.Module):
    """Two ways side by side, joined by their channels, both cut to the smaller in their middle."""

    def __init__(self, one: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.one, self.other = one, other

    def forward(self, x: Tensor) -> Tensor:
        """Map `b c h w` to what both make of it."""
        answers = [self.one(x), self.other(x)]
        height, width = (min(answer.shape[side] for answer in answers) for side in (2, 3))
        cut = []
        for answer in answers:
            top, left = (answer.shape[2] - height) // 2, (answer.shape[3] - width) // 2
            cut.append(answer[:, :, top : top + height, left : left + width])
        return torch.cat(cut, dim=1)


def conv(inner: int, outer: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution with its border reflected, its norm and its activation."""
    return [
        nn.ReflectionPad2d(kernel // 2),
        nn.Conv2d(inner, outer, kernel, stride),
        nn.BatchNorm2d(outer),
        nn.LeakyReLU(0.2, inplace=True),
    ]


def skip(
    inner: int = 32, outer: int = 3, down: tuple[int, ...] = (128,) * 5, skips: tuple[int, ...] = (4,) * 5
) -> nn.Sequential:
    """Return the network of the notebooks; as many channels up as down."""

    def level(i: int, inner: int) -> list[nn.Module]:
        below = level(i + 1, down[i]) if i + 1 < len(down) else []
        deeper = nn.Sequential(
            *conv(inner, down[i], 3, 2),
            *conv(down[i], down[i], 3),
            *below,
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )
        way = Beside(nn.Sequential(*conv(inner, skips[i], 1)), deeper) if skips[i] else deeper
        wide = skips[i] + (down[i + 1] if i + 1 < len(down) else down[i])
        return [way, nn.BatchNorm2d(wide), *conv(wide, down[i], 3), *conv(down[i], down[i], 1)]

    return nn.Sequential(*level(0, inner), nn.ReflectionPad2d(0), nn.Conv2d(down[0], outer, 1), nn.Sigmoid())


def denoise(x: Tensor, y: Tensor, steps: int, seed: int = 0) -> Iterator[tuple[int, float, float, float, Tensor]]:
    """Yield step, seconds, the PSNR of the answer and of its running average, and the answer: the notebook's loop.

    What the caller does between two steps is not counted.
    """
    torch.manual_seed(seed)
    network = skip()
    z = torch.empty(1, 32, *y.shape[-2:]).uniform_() * 0.1
    saved, noise = z.detach().clone(), z.detach().clone()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    average, begin, last = None, time.perf_counter(), 0.0
    kept: list[Tensor] = []
    for step in range(1, steps + 1):
        optimiser.zero_grad()
        answer = network(saved + noise.normal_() / 30)
        average = answer.detach() if average is None else average * 0.99 + answer.detach() * 0.01
        loss = nn.functional.mse_loss(answer, y)
        loss.backward()
        noisy, clean, smooth = (_psnr(a.detach(), b) for a, b in ((answer, y), (answer, x), (average, x)))
        if noisy - last < -5 and kept:
            for parameter, value in zip(network.parameters(), kept, strict=True):
                parameter.data.copy_(value)
        else:
            kept = [deepcopy(parameter.detach()) for parameter in network.parameters()]
            last = noisy
        optimiser.step()
        pause = time.perf_counter()
        yield step, pause - begin, clean, smooth, answer.detach()
        begin += time.perf_counter() - pause


def _psnr(one: Tensor, other: Tensor) -> float:
    return float(-10 * (one - other).square().mean().log10())
