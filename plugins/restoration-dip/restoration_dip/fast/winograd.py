"""A 3x3 convolution with a quarter of the multiplications: two cores spend most of a fit in such convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from restoration.processor import is_intel

if TYPE_CHECKING:
    from collections.abc import Iterator

TILES = 256
"""Tiles that are worked on at once: what is made of them stays in the cache of a core."""
CHANNELS, PIXELS = 64, 32 * 32
"""With fewer of either, the transforms cost more than they save."""


class Conv(nn.Conv2d):
    """`torch.nn.Conv2d`; many channels, by 3x3 and in float32, go through `winograd` on a CPU where that pays."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `b c h w`."""
        return winograd(x, self.weight, self.bias) if self._is_worth_it(x) else super().forward(x)

    def _is_worth_it(self, x: Tensor) -> bool:
        plain = (self.kernel_size, self.stride, self.padding, self.groups) == ((3, 3), (1, 1), (0, 0), 1)
        large = min(self.weight.shape[:2]) >= CHANNELS and x.shape[2] * x.shape[3] >= PIXELS
        single = x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        ours = plain and large and single and x.device.type == "cpu" and not torch.compiler.is_compiling()
        return ours and pays(torch.backends.cpu.get_cpu_capability(), intel=is_intel())


def pays(vectors: str, *, intel: bool) -> bool:
    """Say whether `winograd` is faster than the direct sum on a processor, by its widest `vectors` and its maker.

    Its products are those of MKL, which takes vectors of 512 bits on an Intel alone, where it needs half the time; the
    direct sum is that of oneDNN, which takes them wherever they are. So an AMD that has them gains nothing: with two
    threads at 256x256, Zen 5 needs 240 ms instead of 200. What the processor is decides, and no clock: two runs would
    differ in their bytes if another program were in the way of one of them.
    """
    return intel or vectors != "AVX512"


def winograd(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Correlate `b c h w` with kernels `d c 3 3`, add a `bias` of `d`, and return `b d h-2 w-2`, channels last.

    F(4x4, 3x3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, arXiv:1509.09308:
    tiles of 6x6 values and the kernels are evaluated at 36 points, multiplied there as matrices of channels, and give
    4x4 values each (equation 12, the matrices of section 4.3). Both gradients go the same way back. Rounding is four
    times that of the direct sum, a millionth of the answer.
    """
    answer: Tensor = _Winograd.apply(x, weight, bias)
    return answer


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        whole = _whole(x, over=2)
        answer = whole.new_empty(len(x), whole.shape[1] - 2, whole.shape[2] - 2, len(weight))
        kernels = _evaluated(weight)  # after what is large, or it would take the place in memory that this fits in
        for tiles, out in zip(_tiles(whole), _blocks(answer), strict=True):
            products = torch.bmm(_points(IN, tiles), kernels)
            if bias is not None:
                products[ONE] += bias
            out.copy_(_values(OUT.T, products, out))
        return _cut(answer, x.shape[2] - 2, x.shape[3] - 2)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        x, weight = ctx.saved_tensors
        whole, grads = _whole(x, over=2), _whole(grad, over=0)
        of_x = torch.empty_like(whole)
        kernels = _evaluated(weight)
        of_kernels, of_bias = torch.zeros_like(kernels), grad.new_zeros(len(weight))
        of_x[:, -2:], of_x[:, :, -2:] = 0, 0
        parts = list(zip(_tiles(whole), _blocks(grads), _tiles(of_x), strict=True))
        for tiles, out, into in reversed(parts):  # for each adds to the tiles after it
            products = _points(OUT, out)
            of_bias += products[ONE].sum(dim=0)
            of_kernels.baddbmm_(_points(IN, tiles).mT, products)
            found = _values(IN.T, torch.bmm(products, kernels.mT), into)
            into[:4, :4] = found[:4, :4]
            into[4:, :4] += found[4:, :4]
            into[:4, 4:] += found[:4, 4:]
            into[4:, 4:] += found[4:, 4:]
        of_weight = rearrange(KERNEL.T.to(grad) @ of_kernels.flatten(1), "(i j) (c d) -> d c i j", i=3, d=len(weight))
        return _cut(of_x, *x.shape[-2:]), of_weight, of_bias if ctx.needs_input_grad[2] else None


def _whole(x: Tensor, over: int) -> Tensor:
    """Return `b c h w` as `b h w c`, with zeros below and to the right, so that tiles cover all but `over` rows."""
    bottom, right = (-(side - over) % 4 for side in x.shape[-2:])
    last = rearrange(x, "b c h w -> b h w c")
    return functional.pad(last, (0, 0, 0, right, 0, bottom)) if bottom or right else last.contiguous()


def _cut(x: Tensor, height: int, width: int) -> Tensor:
    """Return the first rows and columns of `b h w c` as `b c h w`, channels last in memory."""
    return rearrange(x[:, :height, :width].contiguous(), "b h w c -> b c h w")


def _tiles(x: Tensor) -> Iterator[Tensor]:
    """View the overlapping tiles of `b h w c`, some rows of them at once, each `6 6 rows columns c`."""
    yield from _some(rearrange(x.unfold(1, 6, 4).unfold(2, 6, 4), "b h w c i j -> b i j h w c"))


def _blocks(x: Tensor) -> Iterator[Tensor]:
    """View the blocks of `b h w c` that such tiles give, each `4 4 rows columns c`."""
    yield from _some(rearrange(x, "b (h i) (w j) c -> b i j h w c", i=4, j=4))


def _some(x: Tensor) -> Iterator[Tensor]:
    rows = max(1, TILES // x.shape[4])
    for one in x:
        yield from one.split(rows, dim=2)


def _points(matrix: Tensor, values: Tensor) -> Tensor:
    """Evaluate `i j rows columns c` at all points: `36 n c`."""
    flat = rearrange(values, "i j h w c -> (i j) (h w c)")
    return rearrange(matrix.to(flat) @ flat, "p (n c) -> p n c", c=values.shape[-1])


def _values(matrix: Tensor, points: Tensor, like: Tensor) -> Tensor:
    """Turn `36 n c` into values as `like`, `i j rows columns c`."""
    i, j, h, w, _ = like.shape
    flat = rearrange(points, "p n c -> p (n c)")
    return rearrange(matrix.to(flat) @ flat, "(i j) (h w c) -> i j h w c", i=i, j=j, h=h, w=w)


def _evaluated(weight: Tensor) -> Tensor:
    """Evaluate kernels `d c 3 3` at all points: `36 c d`."""
    flat = rearrange(weight, "d c i j -> (i j) (c d)")
    return rearrange(KERNEL.to(flat) @ flat, "p (c d) -> p c d", d=len(weight))


def _square(rows: list[list[float]]) -> Tensor:
    """Return the matrix that does to rows and columns what is given for one of them."""
    one = torch.tensor(rows, dtype=torch.float64)
    return torch.kron(one, one)


IN = _square(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
"""Values of a tile at the points 0, 1, -1, 2, -2 and infinity."""
KERNEL = _square(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)
"""Kernels at the same points, divided by what each point is multiplied by on the way."""
OUT = _square([[1, 0, 0, 0], [1, 1, 1, 1], [1, -1, 1, -1], [1, 2, 4, 8], [1, -2, 4, -8], [0, 0, 0, 1]])
"""Powers of the points; its transpose makes values of what stands at them."""
ONE = 7
"""The point 1 of rows and of columns: what is added there is added to all values."""
