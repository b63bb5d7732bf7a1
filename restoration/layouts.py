"""Files of tensors that others have written, and what plugins say about them: which network, and how it is used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from restoration.interfaces import Network
from restoration.recipe import Part

if TYPE_CHECKING:
    from torch import Tensor


REGRESSION = Part("regression")
"""One evaluation of a network: what nearly all published networks are for."""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What a file of tensors is: a network that is known here, and its tensors.

    * `title`: what it is in a few words, for example "DnCNN of 17 layers, grey".
    * `network`: the network, by the name on its card, with the options that build it without the file.
    * `tensors`: those of the file, by the names that the network has for them.
    * `tasks`: what it may restore, the likeliest first. One is clear; none means that nothing is known.
    * `task_options`: what the file says about its task, such as the scale.
    * `method`, `schedule`, `objective`, `sampler`: the other parts of its recipe; None is that of the method's card.
    * `for_tasks`: of these, by task, those that are others for it.
    * `channels`: "rgb", or one letter for grey.
    * `size`: the side of pictures that it draws, for a network of pictures alone; 0 where that means nothing.
    * `assumed`: what the file does not say, in a few words each: then its recipe may be changed, see `convert`.
    * `license`: of the weights, where it is known; `source` the paper.
    """

    title: str
    network: Part
    tensors: Mapping[str, Tensor]
    tasks: tuple[str, ...] = ()
    task_options: Mapping[str, Any] = field(default_factory=dict)
    method: Part = REGRESSION
    schedule: Part | None = None
    objective: Part | None = None
    sampler: Part | None = None
    for_tasks: Mapping[str, Mapping[str, Part]] = field(default_factory=dict)
    channels: str = "rgb"
    size: int = 0
    assumed: tuple[str, ...] = ()
    license: str = ""
    source: str = ""


@runtime_checkable
class MeasuredNetwork(Network, Protocol):
    """A network that knows what its card cannot say for many; windows begin at multiples of `multiple` input pixels."""

    bytes_per_pixel: int
    tiles: bool
    multiple: int


@runtime_checkable
class Layout(Protocol):
    """Knows the names and shapes of the tensors that some code, or some authors, have in their files."""

    def convert(self, tensors: Mapping[str, Tensor]) -> Converted | None:
        """Return what a file is, from its tensors by name; None if it is of nothing that this layout knows."""
        ...

    def names(self) -> Mapping[str, Collection[str]]:
        """Return names that a file of each network has, by what the network is called, for errors about near misses."""
        ...


def without_prefix(tensors: Mapping[str, Tensor], *prefixes: str) -> dict[str, Tensor]:
    """Return tensors without prefixes that all of their names have, such as "module." of DataParallel."""
    found = dict(tensors)
    for prefix in prefixes:
        if found and all(name.startswith(prefix) for name in found):
            found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found
