"""What all contracts share: a card and what is made of it, pictures to try it on, and that nothing else changes."""

from __future__ import annotations

import dis
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor

from restoration.errors import RestorationError
from restoration.registry import C, cards, options, registry

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


class BuiltContract(Contract):
    """What all have in common that are built from a card with options: a `kind` of card, and a factory."""

    kind: ClassVar[type[cards.Card]]

    def test_every_option_is_a_keyword_has_a_type_that_its_default_fits_and_is_used(self) -> None:
        card = self.card(self.kind)
        factory, known = card.load(), card.options()
        for name, parameter in inspect.signature(factory).parameters.items():
            told = f"{card.factory}: its parameter {name!r}"
            if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is not parameter.empty:
                raise AssertionError(f"{told} is no option, since it is not keyword-only; put `*,` before it")
            if name not in known:
                continue
            assert parameter.annotation is not parameter.empty, f"{told} has no type, so nobody checks its values"
            assert _reads(factory, name), f"{told} is never read, so the option changes nothing; use it, or take it out"
            if parameter.default is not parameter.empty:
                try:
                    options.converted(factory, {name: parameter.default}, told)
                except RestorationError as error:
                    raise AssertionError(f"its default is not of its type: {error}") from error


def _reads(factory: Any, name: str) -> bool:
    """Return whether the code of a factory reads one of its parameters; of what has no code in Python, it is taken."""
    function = inspect.unwrap(factory.__init__ if inspect.isclass(factory) else factory)
    code = getattr(function, "__code__", None)
    if code is None or name not in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        return True
    read = (one for one in dis.get_instructions(code) if one.opname.startswith(("LOAD_FAST", "LOAD_CLOSURE")))
    named = {part for one in read for part in (one.argval if isinstance(one.argval, tuple) else (one.argval,))}
    return name in named or name in code.co_cellvars or "locals" in code.co_names
