"""Muon: steps of the same size in all directions of a layer, of which a fit needs a fraction of those of Adam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import rearrange

from restoration_dip.fast.adam import Adam

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor

MOMENTUM = 0.95
"""The average of the gradients keeps this share of itself at each step, as in the paper."""
STEP_RATIO = 2.0
"""The learning rate of Muon is this many times that of Adam, which changes the other parameters."""
SMALLEST_SIDE = 5
"""Kernels that have fewer rows or columns as a matrix are changed by Adam: there is little to make orthogonal."""
QUINTIC = (3.4445, -4.7750, 2.0315)
"""Coefficients of the polynomial, of degree 1, 3 and 5, that brings singular values near 1."""


class Muon:
    """Changes the kernels of convolutions along their orthogonalised momentum, and the other parameters by Adam.

    Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks", with Nesterov's momentum. A kernel
    `o i h w` is taken as a matrix of `o` rows; the step of a matrix with more rows than columns is longer by the square
    root of their ratio.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        parameters = [*parameters]
        self.kernels = [one for one in parameters if one.ndim == 4 and min(len(one), one[0].numel()) >= SMALLEST_SIDE]
        chosen = {id(one) for one in self.kernels}
        self.others = Adam((one for one in parameters if id(one) not in chosen), lr)
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
            direction = orthogonalise(rearrange(kernel.grad + MOMENTUM * mean, "o i h w -> o (i h w)"))
            scale = max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
            kernel.sub_(direction.reshape(kernel.shape), alpha=STEP_RATIO * self.lr * scale)

    def reset_momentum(self) -> None:
        """Set the averages of the gradients to zero; those of Adam's squares stay."""
        self.others.reset_momentum()
        for mean in self.means:
            mean.zero_()

    def zero_grad(self) -> None:
        """Delete the gradients."""
        self.others.zero_grad()
        for kernel in self.kernels:
            kernel.grad = None


def orthogonalise(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Return approximately the nearest matrix with orthogonal rows or columns, by Newton-Schulz iterations.

    Its singular values are between 0.7 and 1.2, which is near enough to 1 for a step.
    """
    x: Tensor = matrix / (matrix.norm() + 1e-7)
    x = x.T if len(matrix) > matrix.shape[1] else x
    one, three, five = QUINTIC
    for _ in range(iterations):
        square = x @ x.T
        x = one * x + (three * square + five * square @ square) @ x
    return x.T if len(matrix) > matrix.shape[1] else x
