"""Weights of the original Deep Image Prior under our names.

Its modules are numbered as they were added, one level of the hourglass inside the other, and a convolution comes after
its padding: `1.1.7.1.0.1.1.weight` is the skip of the second level, our `skip.1.conv.weight`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from restoration import BadWeights

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from torch import Tensor


def rename_weights(official: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict of an original `skip` or `UNet` under the names of our `SkipNet` or `UNet`.

    The filters of its Lanczos downsamplers are left out, since ours are not trained. Raises `BadWeights` for a name
    that neither of them has.
    """
    names = dict(_unet(official) if any(key.startswith("start.") for key in official) else _skip(official))
    state = {}
    for key, value in official.items():
        module, _, parameter = key.rpartition(".")
        ours = names.get(module) or names.get(module.rpartition(".")[0])  # a convolution, or one beside its padding
        if ours:
            state[f"{ours}.{parameter}"] = value
        elif not module.endswith("downsampler_"):
            raise BadWeights(f"{key!r} is not in the networks of Deep Image Prior: give weights of its skip or UNet")
    return state


def _skip(keys: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of the original's modules with ours, level by level."""
    level, prefix = 0, ""
    while f"{prefix}2.weight" in keys:
        skips = any(key.startswith(f"{prefix}1.0.") for key in keys)
        inner = f"{prefix}1.1." if skips else f"{prefix}1."
        if skips:
            yield from _layer(f"{prefix}1.0.", 1, f"skip.{level}")
        yield from _layer(inner, 1, f"down.{level}.first")
        yield from _layer(inner, 4, f"down.{level}.second")
        yield f"{prefix}2", f"up.{level}.norm"
        yield from _layer(prefix, 3, f"up.{level}.spread")
        if f"{prefix}7.weight" in keys:
            yield from _layer(prefix, 6, f"up.{level}.mix")
        level, prefix = level + 1, f"{inner}7."
    yield "9" if "7.weight" in keys else "6", "ending"


def _layer(prefix: str, number: int, ours: str) -> Iterator[tuple[str, str]]:
    yield f"{prefix}{number}", f"{ours}.conv"
    yield f"{prefix}{number + 1}", f"{ours}.norm"


def _unet(keys: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of the original's modules with ours, on the way down and up again."""
    more = range(len({key.split(".")[1] for key in keys if key.startswith("more_ups.")}))
    downs = ["start", *(f"down{i}.conv" for i in range(1, 5)), *(f"more_downs.{i}.conv" for i in more)]
    ups = [*(f"more_ups.{i}" for i in reversed(more)), *(f"up{i}" for i in range(4, 0, -1))]
    for level, name in enumerate(downs):
        yield from _pair(name, f"encoders.{level}")
    for level, name in enumerate(ups):
        yield f"{name}.up", f"decoders.{level}.enlarge"
        yield f"{name}.up.1", f"decoders.{level}.enlarge.conv"
        yield from _pair(f"{name}.conv", f"decoders.{level}.pair")
    yield "final", "ending"
    yield "final.0", "ending"


def _pair(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    for number, name in ((1, "first"), (2, "second")):
        yield f"{theirs}.conv{number}.0", f"{ours}.{name}.conv"
        yield f"{theirs}.conv{number}.1", f"{ours}.{name}.norm"
