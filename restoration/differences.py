"""How different pictures look, with gradients: metrics of plugins, as parts of what a method makes smaller."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from restoration.errors import BadOption
from restoration.registry import registry
from restoration.registry.cards import MetricCard

if TYPE_CHECKING:
    from torch import Tensor


@runtime_checkable
class DifferentiableMetric(Protocol):
    """A metric that a fit or a training can make smaller too. What is made so, it does not judge alone."""

    def distance_to(self, clean: Tensor) -> Callable[[Tensor], Tensor]:
        """Return a function from pictures `b c h w` in [0, 1] to one number with gradients, 0 for `clean`, `b c h w`.

        What it needs of `clean` is computed once, where that lies.
        """
        ...


def differentiable(metric: str) -> DifferentiableMetric:
    """Build the metric of a name, for its gradients.

    Raises `UnknownName`, with what to install, and `BadOption` for what it needs, or if it has no gradients.
    """
    made = registry().card(MetricCard, metric).build()
    if not isinstance(made, DifferentiableMetric):
        raise BadOption(f"metric {metric!r} has no gradients: it has no `distance_to`, see docs/plugins.md")
    return made
