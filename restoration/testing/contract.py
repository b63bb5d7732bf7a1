"""What all contracts share: a card and what is made of it, pictures to try it on, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from restoration.registry import C, cards, registry

SIZES = ((1, 1), (7, 5), (18, 13))  # heights and widths that no network likes


def generator(seed: int = 0) -> Generator:
    """Return a generator on the CPU."""
    return torch.Generator().manual_seed(seed)


def picture(*shape: int, seed: int = 0) -> Tensor:
    """Return random pixels in [0, 1], the same for the same shape and seed."""
    return torch.rand(shape, generator=generator(seed))


def scene(height: int, width: int, seed: int = 0) -> Tensor:
    """Return a picture `1 3 h w` in [0, 1] of soft shades and hard edges, on which restoration can be measured."""
    soft = torch.nn.functional.interpolate(picture(1, 3, 4, 6, seed=seed), (height, width), mode="bilinear")
    hard = torch.nn.functional.interpolate(picture(1, 3, 5, 7, seed=seed), (height, width))
    return (soft + hard) / 2


@contextmanager
def no_side_effects(*tensors: Tensor) -> Iterator[None]:
    """Check that what runs inside writes into none of the tensors and draws from no shared random numbers."""
    before, drawn = [tensor.clone() for tensor in tensors], torch.random.get_rng_state()
    yield
    assert all(map(torch.equal, tensors, before)), "it wrote into a tensor that it was given; make a new one"
    assert torch.equal(torch.random.get_rng_state(), drawn), "it drew from the global generator of torch; use rng"


class Contract:
    """What all contracts share: a card of the `name` in the registry, and what is made of it with these `options`."""

    name: ClassVar[str] = ""
    options: ClassVar[Mapping[str, Any]] = {}

    def card(self, kind: type[C]) -> C:
        assert self.name, f"{type(self).__name__} must say `name = ...`, the name on the card"
        return registry().card(kind, self.name)

    def made(self, kind: type[cards.Card]) -> Any:
        return self.card(kind).build(self.options)
