"""Networks of spandrel, built from the name of an architecture and the shapes of a file's tensors, without the file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from einops import rearrange
from spandrel import ImageModelDescriptor, ModelTiling
from torch import Tensor, nn
from torch.nn import functional

from restoration import BadOption
from restoration.framing import crop_to
from restoration_spandrel.architectures import architectures

if TYPE_CHECKING:
    from spandrel import Architecture, SizeRequirements

Shapes = dict[str, tuple[int, ...]]
"""The shapes of the tensors of a file, by name, in its order."""
Values = dict[str, tuple[int | float, ...]]
"""The last numbers of the few tensors that an architecture reads its options from."""
USUAL = 3000
"""The bytes that a pixel of the answer needs, where they were not measured."""
PICTURES, LAYERS = 100, 3
"""The bytes a pixel that pictures need, and how many times what the largest layer reads and writes is in memory."""


class ExactConv2d(nn.Conv2d):
    """A convolution to a picture: mixed precision ends here, since bfloat16 has 8 bits of mantissa."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `b c h w` in the precision of the weights."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


def describe(architecture: str, shapes: Shapes, values: Values | None = None) -> ImageModelDescriptor[nn.Module]:
    """Build a network of spandrel with tensors of zeros. Raises `BadOption`."""
    state: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        state[name] = torch.zeros(()).expand(shape)
        if known := (values or {}).get(name):
            last = torch.tensor(known)  # of whole numbers, if all are
            state[name] = torch.zeros(shape, dtype=last.dtype)
            state[name].view(-1)[-len(known) :] = last
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how architectures are made: that is theirs
        found = find(architecture).load(state)
    if not isinstance(found, ImageModelDescriptor):
        raise BadOption(f"a {architecture} needs a mask beside the picture, which no method gives it")
    return found


def find(architecture: str) -> Architecture[nn.Module]:
    """Return an architecture by its name in spandrel. Raises `BadOption`."""
    support = architectures().get(architecture)
    if support is None:
        raise BadOption(f"spandrel, as it is installed here, has no architecture {architecture!r}")
    return support.architecture


class SpandrelNetwork(nn.Module):
    """What the networks of all architectures have in common. Raises `BadOption` for one that maps no picture to one.

    `described` is the model as spandrel has it; `extra` is how many further channels, such as a map of the noise, it is
    given beside the picture. `bytes_per_pixel` is the memory that an evaluation needs for each pixel of the answer.

    * `scale`: how many times larger its answers are.
    * `multiple`: its input is padded to multiples of so many pixels.
    * `tiles`: whether windows give what the whole picture gives, but for details.
    """

    def __init__(
        self, described: ImageModelDescriptor[nn.Module], *, bytes_per_pixel: int = USUAL, extra: int = 0
    ) -> None:
        super().__init__()
        inner, outer = described.input_channels, described.output_channels
        if inner != outer or inner not in (1, 3):
            raise BadOption(f"a {described.architecture.name} maps {inner} channels to {outer}, and no picture to one")
        self.model, self.scale, self.channels, self.extra = described.model, described.scale, inner, extra
        self.sizes: SizeRequirements = described.size_requirements
        self.multiple = self.sizes.multiple_of
        self.tiles = described.tiling is ModelTiling.SUPPORTED
        self.precise = {torch.float16: described.supports_half, torch.bfloat16: described.supports_bfloat16}
        self.call: Any = described._call_fn
        self.reach = 64 if self.scale == 1 else 32 * self.scale
        self.bytes_per_pixel = bytes_per_pixel
        for module in self.model.modules():
            if type(module) is nn.Conv2d and module.out_channels in (outer, outer * self.scale**2):
                module.__class__ = ExactConv2d

    def apply_to(self, x: Tensor, *more: Tensor) -> Tensor:
        """Map pictures `b c h w`, and further channels of the input, to pictures `b c sh sw`.

        A network for grey pictures is given each channel by itself, and one only if all of them are equal.
        """
        if self.channels == 1 and x.shape[1] > 1:
            if bool((x == x[:, :1]).all()):
                return self.apply_to(x[:, :1], *more).expand(-1, x.shape[1], -1, -1)
            many = [one.repeat_interleave(x.shape[1], 0) for one in more]
            answer = self.apply_to(rearrange(x, "b c h w -> (b c) 1 h w"), *many)
            return rearrange(answer, "(b c) 1 h w -> b c h w", c=x.shape[1])
        height, width = x.shape[-2:]
        padded = pad(torch.cat([x, *more], dim=1) if more else x.clone(), self.sizes)  # some write into their input
        kind = x.device.type
        mixed = torch.is_autocast_enabled(kind) and self.precise.get(torch.get_autocast_dtype(kind), True)
        with torch.autocast(kind, enabled=mixed):
            answer = self.model(padded) if self.extra else self.call(self.model, padded)
        return cast("Tensor", answer[..., : self.scale * height, : self.scale * width].to(x.dtype))


class Restoring(SpandrelNetwork):
    """A network from a picture to one of its size.

    * `architecture`: its name in spandrel.
    * `shapes`: those of the tensors of a file, by name, from which spandrel infers all else.
    * `values`: the last numbers of the tensors that it reads more from.
    * `bytes_per_pixel`: the memory that an evaluation needs for each pixel of the answer.
    """

    def __init__(
        self, *, architecture: str, shapes: Shapes, values: Values | None = None, bytes_per_pixel: int = USUAL
    ) -> None:
        super().__init__(describe(architecture, shapes, values), bytes_per_pixel=bytes_per_pixel)
        if self.scale != 1:
            raise BadOption(f"this {architecture} enlarges {self.scale} times: it is a network spandrel-sr")

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures to pictures, `b c h w`."""
        return self.apply_to(x)


class Enlarging(SpandrelNetwork):
    """A network from a small picture to a large one; options as of `Restoring`."""

    def __init__(
        self, *, architecture: str, shapes: Shapes, values: Values | None = None, bytes_per_pixel: int = USUAL
    ) -> None:
        super().__init__(describe(architecture, shapes, values), bytes_per_pixel=bytes_per_pixel)
        if self.scale < 2:
            raise BadOption(f"this {architecture} does not enlarge: it is a network spandrel")
        self.enlarges = (self.scale,)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Map small pictures `y` to pictures of the size of `x`, both `b c h w`."""
        return crop_to(self.apply_to(y), x)


class Denoising(SpandrelNetwork):
    """A network that is given a map of the noise as a further channel; options as of `Restoring`.

    On the schedule `noise-level` the time is the standard deviation of the noise in units of [0, 1].
    """

    def __init__(
        self, *, architecture: str, shapes: Shapes, values: Values | None = None, bytes_per_pixel: int = USUAL
    ) -> None:
        super().__init__(describe(architecture, shapes, values), bytes_per_pixel=bytes_per_pixel, extra=1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Map states to pictures, `b c h w`, at times `t`, `b` or `1`."""
        level = t.to(x.dtype).reshape(-1, 1, 1, 1).expand(x.shape[0], 1, *x.shape[-2:])
        return self.apply_to(x, level)


def pad(x: Tensor, sizes: SizeRequirements) -> Tensor:
    """Pad `b c h w` on the right and at the bottom as an architecture needs it: reflected as far as that goes."""
    right, down = sizes.get_padding(x.shape[-1], x.shape[-2])
    if not (right or down):
        return x
    reflected = (0, min(right, x.shape[-1] - 1), 0, min(down, x.shape[-2] - 1))
    x = functional.pad(x, reflected, mode="reflect")
    return functional.pad(x, (0, right - reflected[1], 0, down - reflected[3]), mode="replicate")


@contextmanager
def measured(network: SpandrelNetwork) -> Iterator[Callable[[int], int]]:
    """Watch evaluations; the function that is given tells their bytes for each of so many pixels of the answer."""
    most = 0

    def look(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        nonlocal most
        most = max(most, sum(4 * one.numel() for one in (*inputs, output) if isinstance(one, Tensor)))

    leaves = [module for module in network.model.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(look) for module in leaves]
    try:
        yield lambda pixels: PICTURES + LAYERS * most // pixels
    finally:
        for hook in hooks:
            hook.remove()


def shapes_of(state: Mapping[str, Tensor]) -> dict[str, list[int]]:
    """Return the shapes of tensors, as a recipe holds them."""
    return {name: list(value.shape) for name, value in state.items()}
