"""Down-sampling by Lanczos filters against the published code, closed forms and its own transpose."""

from __future__ import annotations

import math
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from restoration_dip.downsampler import Downsampler
from safetensors.torch import load_file
from torch import Generator, Tensor

from restoration import Operator, read

RECORDED = load_file(Path(__file__).parent / "data" / "downsampler.safetensors")
ZEBRA = Path(__file__).parents[4] / "shared" / "data" / "eval" / "dip" / "sr" / "zebra_GT.png"
OPTIONS: dict[str, tuple[int, dict[str, Any]]] = {
    "lanczos2_x2_p05": (2, {}),
    "lanczos2_x4_p0": (4, {"phase": 0.0}),
    "lanczos2_x4_p05": (4, {}),
    "lanczos2_x8_p05": (8, {}),
    "lanczos3_x4_p05": (4, {"kernel": "lanczos3"}),
}
KINDS: list[tuple[int, dict[str, Any]]] = [
    (factor, {"kernel": kernel, "phase": phase})
    for factor, kernel, phase in product((1, 2, 3, 4), ("lanczos2", "lanczos3"), (0.0, 0.5))
]
every_kind = pytest.mark.parametrize(("factor", "options"), KINDS)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", OPTIONS)
def test_kernels_and_small_pictures_are_those_of_the_published_code(name: str) -> None:
    factor, options = OPTIONS[name]
    down = Downsampler(factor, **options)
    kernel = down.weights[:, None] * down.weights
    torch.testing.assert_close(kernel, RECORDED[f"{name}.kernel"], atol=1e-15, rtol=0)
    torch.manual_seed(4)
    torch.testing.assert_close(down(torch.rand(1, 3, 32, 48)), RECORDED[f"{name}.y"], atol=2e-5, rtol=0)


@pytest.mark.skipif(not ZEBRA.is_file(), reason=f"the zebra of the published notebook is not in {ZEBRA.parent}")
def test_a_photograph_is_made_smaller_as_by_the_published_code() -> None:
    x = read(ZEBRA).pixels[..., 2:-2, 4:-4]
    assert x.shape == (1, 3, 384, 576)
    torch.testing.assert_close(Downsampler(4)(x)[0, :, 40:56, 60:76], RECORDED["zebra.down"], atol=2e-5, rtol=0)


@every_kind
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (7, 5)])
def test_the_adjoint_is_the_transpose(factor: int, options: dict[str, Any], size: tuple[int, int]) -> None:
    down: Operator = Downsampler(factor, **options)
    x, y = noise(2, 3, factor * size[0], factor * size[1]), noise(2, 3, *size, seed=1)
    there, back = float((down(x) * y).sum()), float((x * down.adjoint(y)).sum())
    assert down(x).shape == y.shape
    assert there == pytest.approx(back, abs=1e-9)


@every_kind
def test_the_gradient_is_the_adjoint(factor: int, options: dict[str, Any]) -> None:
    down, x, v = Downsampler(factor, **options), noise(1, 2, 4 * factor, 5 * factor), noise(1, 2, 4, 5, seed=1)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad((down(x) * v).sum(), x)
    torch.testing.assert_close(gradient, down.adjoint(v), atol=1e-12, rtol=0)


def test_gradients_go_through_a_downsampler_that_was_made_where_there_are_none() -> None:
    with torch.inference_mode():
        down = Downsampler(2)
    x = noise(1, 1, 8, 8).requires_grad_()
    (gradient,) = torch.autograd.grad(down(x).sum(), x)
    assert float(gradient.sum()) == pytest.approx(16)


@every_kind
def test_a_flat_picture_stays_flat(factor: int, options: dict[str, Any]) -> None:
    flat = torch.full((1, 3, 2 * factor, 3 * factor), 0.3, dtype=torch.float64)
    expected = torch.full((1, 3, 2, 3), 0.3, dtype=torch.float64)
    torch.testing.assert_close(Downsampler(factor, **options)(flat), expected, atol=1e-12, rtol=0)


@every_kind
def test_pixels_lie_where_the_phase_says(factor: int, options: dict[str, Any]) -> None:
    ramp = torch.arange(24.0 * factor, dtype=torch.float64).expand(1, 1, factor, -1)
    middle = factor * torch.arange(24, dtype=torch.float64) + options["phase"] * (factor - 1)
    inner = slice(4, -4)  # what is read beyond the edge bends a ramp
    small = Downsampler(factor, **options)(ramp)[0, 0, 0]
    torch.testing.assert_close(small[inner], middle[inner], atol=1e-9, rtol=0)


def test_a_factor_of_one_changes_nothing() -> None:
    x = noise(1, 3, 5, 7)
    torch.testing.assert_close(Downsampler(1)(x), x, atol=1e-12, rtol=0)


def test_weights_of_two_lobes_at_factor_two_are_those_reckoned_by_hand() -> None:
    away = [0.25, 0.75, 1.25, 1.75]
    half = [math.sin(math.pi * d) * math.sin(math.pi * d / 2) * 2 / (math.pi * d) ** 2 for d in away]
    expected = torch.tensor([*reversed(half), *half], dtype=torch.float64)
    torch.testing.assert_close(Downsampler(2).weights, expected / expected.sum(), atol=1e-15, rtol=0)


def test_channels_do_not_mix_and_layout_and_type_stay() -> None:
    down, x = Downsampler(2), noise(2, 3, 8, 6).float().contiguous(memory_format=torch.channels_last)
    y = down(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert y.dtype == down.adjoint(y).dtype == torch.float32
    for one, channel in product(range(2), range(3)):
        alone = down(x[one : one + 1, channel : channel + 1])
        torch.testing.assert_close(y[one : one + 1, channel : channel + 1], alone, atol=1e-6, rtol=0)


def test_a_size_that_the_factor_does_not_divide_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(
        ValueError, match="10x9 cannot be made 4 times smaller: cut or pad both sides to multiples of 4"
    ):
        Downsampler(4)(torch.zeros(1, 1, 10, 9))


@pytest.mark.parametrize(
    ("factor", "options", "words"),
    [
        (0, {}, "factor must be at least 1"),
        (2, {"kernel": "box"}, "lanczos2 or lanczos3"),
        (2, {"phase": 0.3}, "phase"),
    ],
)
def test_what_makes_no_downsampler_is_named(factor: int, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Downsampler(factor, **options)
