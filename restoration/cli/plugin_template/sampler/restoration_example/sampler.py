"""Steps along straight lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from restoration import NoiseSchedule
    from restoration.interfaces import Clean, Noise
    from torch import Tensor


class Straight:
    """Takes from every state the noise that follows from the clean estimate, and puts both together one step later."""

    def __call__(
        self, clean: Clean, schedule: NoiseSchedule, x_t: Tensor, y: Tensor, times: Tensor, noise: Noise
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Sample from the state `x_t`, `b c h w`, through `times`; yield state and clean estimate after each step."""
        a, b, c = (curve.tolist() for curve in schedule.at(times))
        for step in range(len(times) - 1):
            x = clean(x_t, times[step : step + 1].to(x_t))
            n = (x_t - a[step] * x - b[step] * y) / c[step]
            x_t = a[step + 1] * x + b[step + 1] * y + c[step + 1] * n
            yield x_t, x
