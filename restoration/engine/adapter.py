"""Makes every network fit every method: what it does not take is given as further channels, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from einops import repeat
from torch import Tensor, nn

from restoration.engine.size import check_size
from restoration.errors import BadOption, one_line
from restoration.framing import enlargement
from restoration.interfaces import EnlargingNetwork, EnlargingTask
from restoration.memory import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from restoration.interfaces import Task
    from restoration.registry.cards import NetworkCard


class Adapted(nn.Module):
    """A network that is called as `network(x, y, t)`, whatever it takes itself.

    `path` is True if the input is a state of a noise path, False if it is just a degraded picture; `uses_y` is True if
    the path depends on the degraded picture.
    """

    def __init__(
        self,
        network: nn.Module,
        takes: tuple[str, ...],
        *,
        path: bool = True,
        uses_y: bool = True,
        enlarges: tuple[int, ...] = (),
    ) -> None:
        super().__init__()
        self.network = network
        self.takes, self.path, self.uses_y, self.enlarges = takes, path, uses_y, enlarges

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Map a state and a degraded picture, `b c h w`, at times `t`, `b` or `1`, to `b c h w`.

        The degraded picture of a network that `enlarges` is the small one. Raises `ValueError` for another scale.
        """
        if self.enlarges and enlargement(x, y) not in self.enlarges:
            known = ", ".join(map(str, self.enlarges))
            raise ValueError(f"the network enlarges pictures {known} times, not {enlargement(x, y)}")
        if not self.uses_y:
            y = x
        inputs = [x]
        if self.path and self.uses_y and "y" not in self.takes:
            inputs.append(y)
        if self.path and "t" not in self.takes:
            inputs.append(repeat(t.to(x.dtype).expand(x.shape[0]), "b -> b 1 h w", h=x.shape[2], w=x.shape[3]))
        arguments = [torch.cat(inputs, dim=1) if len(inputs) > 1 else x]
        arguments += [y] * ("y" in self.takes) + [t] * ("t" in self.takes)
        answer: Tensor = self.network(*arguments)
        return answer


class NetworkMaker:
    """Makes networks of one kind, by `name` and `options`, for methods that fit a new one to each picture.

    `free` is True if its networks can have inputs with other numbers of channels than a picture.
    """

    def __init__(self, card: NetworkCard, options: Mapping[str, Any], channels: int = 3) -> None:
        if card.enlarges:
            raise BadOption(f"network {card.name!r} enlarges small pictures, and cannot be fitted to one")
        self.card, self.options, self.channels = card, options, channels
        self.name, self.free = card.name, "in_channels" in card.options()

    def __call__(self, in_channels: int | None = None, defaults: Mapping[str, Any] | None = None) -> Adapted:
        """Make a network that maps `b in_channels h w` to pictures; `defaults` are options that were not chosen.

        Raises `BadOption`.
        """
        options = {**(defaults or {}), **self.options}
        return build_network(self.card, options, channels=self.channels, in_channels=in_channels, path=False)


def build_network(
    card: NetworkCard,
    options: Mapping[str, Any],
    *,
    channels: int = 3,
    in_channels: int | None = None,
    path: bool = True,
    uses_y: bool = True,
) -> Adapted:
    """Build a network from its card, and adapt it. Raises `BadOption`.

    * `card`: its card.
    * `options`: options of its factory.
    * `channels`: the channels of pictures.
    * `in_channels`: the channels of its input, None for those of a picture.
    * `path`: whether it is used on a noise path; a factory with the option `timed` is given this.
    * `uses_y`: whether the path depends on the degraded picture; a factory with the option `conditional` is given
      whether the degraded picture comes beside the state.
    """
    if path and card.enlarges:
        raise BadOption(f"network {card.name!r} enlarges small pictures: it cannot serve on a path, only regression")
    offered = {"channels": channels, "in_channels": channels if in_channels is None else in_channels}
    offered |= {"timed": path, "conditional": path and uses_y}
    if path and uses_y and "y" not in card.takes:
        offered["in_channels"] += channels
    if path and "t" not in card.takes:
        offered["in_channels"] += 1
    known = card.options()
    if in_channels not in (None, channels) and "in_channels" not in known:
        raise BadOption(f"network {card.name!r} is shown pictures of {channels} channels only, not {in_channels}")
    if offered["in_channels"] != channels and "in_channels" not in known:
        lacks = " and ".join(name for name in ("y", "t") if name not in card.takes)
        raise BadOption(f"network {card.name!r} takes no {lacks} and has no in_channels: it cannot serve on a path")
    given = {name: value for name, value in offered.items() if name in known}
    check_size(card, options, given)
    try:
        network = card.build(options, given)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise BadOption(f"network {card.name!r} cannot be made with these options: {one_line(error)}") from error
    own = network.enlarges if isinstance(network, EnlargingNetwork) else card.enlarges
    return Adapted(network, card.takes, path=path, uses_y=uses_y, enlarges=own)


def check_scales(card: NetworkCard, task: Task, enlarges: tuple[int, ...] | None = None) -> None:
    """Raise `BadOption` for a task that does not make pictures smaller, or not by scales that a network enlarges.

    `enlarges` are the scales of the network itself, if it is built: those of its card may be more.
    """
    own = card.enlarges if enlarges is None else enlarges
    known = ", ".join(map(str, own))
    if not isinstance(task, EnlargingTask):
        raise BadOption(f"network {card.name!r} enlarges pictures {known} times: it is for a task such as sr")
    if not set(task.scales) <= set(own):
        asked = ", ".join(map(str, sorted(set(task.scales))))
        raise BadOption(f"network {card.name!r} enlarges pictures {known} times, not {asked}")
