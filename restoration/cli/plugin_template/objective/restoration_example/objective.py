"""What was added to the clean picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from restoration import Network, NoiseSchedule, RowGenerators
    from torch import Tensor


class ResidualMatching:
    """The network predicts the degraded picture minus the clean one, wherever it is on the path."""

    def loss(self, network: Network, schedule: NoiseSchedule, x: Tensor, y: Tensor, rng: RowGenerators) -> Tensor:
        """Return one loss an image, `b`, at random places of the path."""
        t = 1 - rng.uniform()  # above 0: there is nothing to learn where it is clean
        n = rng.normal(*x.shape[1:], device=x.device).to(x)
        a, b, c = (curve.to(x)[:, None, None, None] for curve in schedule.at(t))
        predicted = network(a * x + b * y + c * n, y, t.to(x))
        return (predicted - (y - x)).square().mean(dim=(1, 2, 3))

    def clean(self, network: Network, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the clean image as the network sees it at times `t`, `b` or `1`: `b c h w`."""
        return y - network(x_t, y, t)
