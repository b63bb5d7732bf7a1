"""Adam without the compiler that its class in torch imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.optim.adam import adam

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from torch import Tensor


class Adam:
    """Changes parameters by their gradients, as `torch.optim.Adam` does by default (Kingma and Ba, arXiv:1412.6980).

    The class in torch imports torch's compiler, which takes 150 MB and most of a second.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.parameters, self.lr = [*parameters], lr
        self.means = [torch.zeros_like(one) for one in self.parameters]
        self.squares = [torch.zeros_like(one) for one in self.parameters]
        self.steps = [torch.zeros((), device=one.device) for one in self.parameters]

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters that have a gradient."""
        states = zip(self.parameters, self.means, self.squares, self.steps, strict=True)
        learning = [(one, one.grad, *state) for one, *state in states if one.grad is not None]
        if not learning:
            return
        parameters, gradients, means, squares, steps = (list(every) for every in zip(*learning, strict=True))
        settings: dict[str, Any] = {"lr": self.lr, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
        adam(parameters, gradients, means, squares, [], steps, fused=True, amsgrad=False, maximize=False, **settings)

    def reset_momentum(self) -> None:
        """Set the averages of the gradients to zero; those of their squares stay."""
        for mean in self.means:
            mean.zero_()

    def zero_grad(self) -> None:
        """Delete the gradients."""
        for one in self.parameters:
            one.grad = None
