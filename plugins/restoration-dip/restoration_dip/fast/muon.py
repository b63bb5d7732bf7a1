"""Muon: steps along all directions of a layer alike, with which a fit needs a fraction of the steps of Adam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange
from restoration_dip.fast.adam import Adam

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

MOMENTUM = 0.95
RATIO = 2.0
"""Of its steps to those of Adam."""
FEWEST = 5
"""Rows and columns from which a matrix is one: below, Adam takes its steps."""
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the polynomial that brings singular values near 1."""


class Muon:
    """Changes kernels of convolutions along their orthogonalised momentum; the other parameters by Adam.

    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with Nesterov's momentum. A kernel
    `o i h w` is a matrix of `o` rows here, and steps of tall matrices are longer, by the root of rows over columns.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        every = [*parameters]
        self.kernels = [one for one in every if one.ndim == 4 and min(len(one), one[0].numel()) >= FEWEST]
        chosen = {id(one) for one in self.kernels}
        self.others = Adam((one for one in every if id(one) not in chosen), lr)
        self.means = [torch.zeros_like(one) for one in self.kernels]
        self.lr = lr

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters that have a gradient."""
        self.others.lr = self.lr
        self.others.step()
        for kernel, mean in zip(self.kernels, self.means, strict=True):
            if kernel.grad is None:
                continue
            mean.mul_(MOMENTUM).add_(kernel.grad)
            way = orthogonal(rearrange(kernel.grad + MOMENTUM * mean, "o i h w -> o (i h w)"))
            longer = max(1.0, way.shape[0] / way.shape[1]) ** 0.5
            kernel.sub_(way.reshape(kernel.shape), alpha=RATIO * self.lr * longer)

    def halt(self) -> None:
        """Forget where the parameters were going; how far one step of Adam goes is remembered."""
        self.others.halt()
        for mean in self.means:
            mean.zero_()

    def forget(self) -> None:
        """Forget the gradients."""
        self.others.forget()
        for kernel in self.kernels:
            kernel.grad = None


def orthogonal(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Return about the nearest matrix of orthogonal rows or columns, by iterations of Newton and Schulz.

    Singular values come to between 0.7 and 1.2, which is near enough for a step.
    """
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    x = x.T if len(matrix) > matrix.shape[1] else x
    one, three, five = QUINTIC
    for _ in range(iterations):
        square = x @ x.T
        x = one * x + (three * square + five * square @ square) @ x
    return x.T if len(matrix) > matrix.shape[1] else x
