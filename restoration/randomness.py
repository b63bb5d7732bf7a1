"""Random numbers that depend on a key alone, and a generator of its own for every row of a batch.

With these a batch is the same whoever draws it, and however many share the work: processes, workers or machines.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from torch import Generator, Tensor

DRAWING = {
    *("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"),
    *("bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_", "uniform_"),
    *("kaiming_normal_", "kaiming_uniform_"),
}
"""The functions of torch that draw, by name: methods of tensors too, and what draws initial weights."""


def keyed_generator(*key: int | str) -> Generator:
    """Return a generator on the CPU for a key of numbers and words, such as `(seed, "patch", step, row)`.

    Keys that lie near each other have numbers that have nothing in common: the key is hashed (BLAKE2b). torch takes 32
    bits of it, so that among a million keys about a hundred share their numbers with another one.
    """
    return torch.Generator().manual_seed(_hashed(key))


class DrawingFrom(TorchFunctionMode):
    """A context in which what draws on the CPU, such as initial weights, draws from `rng`, not from the global one.

    It holds for the thread that enters it alone, and gives the numbers that the global generator would have given with
    the same seed.
    """

    def __init__(self, rng: Generator) -> None:
        super().__init__()
        self.rng = rng

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, with the generator if it takes one and was given none."""
        given = dict(kwargs or {})
        if getattr(func, "__name__", "") in DRAWING and given.get("generator") is None and self._fits(args, given):
            given["generator"] = self.rng
        return func(*args, **given)

    def _fits(self, args: tuple[Any, ...], given: Mapping[str, Any]) -> bool:
        """Return whether a call draws on the kind of device that the generator is for."""
        tensors = [one for one in (*args, *given.values()) if isinstance(one, torch.Tensor)]
        devices = [one.device for one in tensors] or [torch.device(given.get("device") or torch.get_default_device())]
        return devices[0].type == self.rng.device.type


class RowGenerators:
    """A generator for each row of a batch: what a row is given does not depend on the rows beside it.

    An objective draws its noise from one. Every method returns one draw a row, `b *shape`, on the CPU:
    `rng.uniform()` is `b`, and `rng.normal(*x.shape[1:])` has the shape of `x`.
    """

    def __init__(self, seeds: Iterable[int]) -> None:
        self.seeds = tuple(seeds)
        self._generators: dict[torch.device, tuple[Generator, ...]] = {}

    @classmethod
    def keyed(cls, *key: int | str, rows: Iterable[int]) -> RowGenerators:
        """Return the generators of some rows, each by the key and the number of the row."""
        return cls(_hashed((*key, row)) for row in rows)

    def __len__(self) -> int:
        return len(self.seeds)

    def uniform(self, *shape: int) -> Tensor:
        """Draw numbers in [0, 1), `b *shape`."""
        return self._drawn(shape, lambda row, rng: row.uniform_(generator=rng))

    def normal(self, *shape: int, device: torch.device | str = "cpu") -> Tensor:
        """Draw standard normal numbers, `b *shape`, on a device: a GPU draws a picture of noise in no time.

        Its numbers are others than those of a CPU, and the same for the same kind of GPU.
        """
        return self._drawn(shape, lambda row, rng: row.normal_(generator=rng), device=torch.device(device))

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Draw whole numbers in [low, high), `b *shape`, int64."""
        return self._drawn(shape, lambda row, rng: row.random_(low, high, generator=rng), torch.int64)

    def _drawn(
        self,
        shape: tuple[int, ...],
        draw: Callable[[Tensor, Generator], Tensor],
        dtype: torch.dtype = torch.float32,
        device: torch.device = torch.device("cpu"),  # noqa: B008
    ) -> Tensor:
        """Fill `b *shape` row by row, each by its own generator on the device."""
        if device not in self._generators:
            self._generators[device] = tuple(torch.Generator(device).manual_seed(seed) for seed in self.seeds)
        drawn = torch.empty(len(self), *shape, dtype=dtype, device=device)
        for row, rng in zip(drawn, self._generators[device], strict=True):
            draw(row, rng)
        return drawn


def _hashed(key: tuple[int | str, ...]) -> int:
    """Return 32 bits of the hash of a key."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=4).digest(), "little")
