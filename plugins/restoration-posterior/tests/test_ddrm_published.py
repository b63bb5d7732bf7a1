"""DDRM against numbers of the authors' code: operators, their adjoints and pseudo-inverses, and whole walks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from einops import rearrange
from restoration_posterior.ddrm import Blend, sample
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close

from restoration.spectra import Diagonal, Separable, Spectrum, solve_in_spectrum

VECTORS = load_file(Path(__file__).parent / "data" / "ddrm.safetensors")
SIDE, PIXELS = 16, 256
SHAPE = (1, 3, SIDE, SIDE)
BLURS = ("deblur_uni", "deblur_gauss", "deblur_aniso")
OPERATORS = ("deno", "inp", "color", "sr4", "sr_bicubic4")


class Dense:
    """The spectrum of a matrix that is given as `U`, `s` and `V`; where `s` is longer than `U`, nothing is read."""

    def __init__(self, u: Tensor, s: Tensor, v: Tensor) -> None:
        self.u, self.v, self.measured = u, v, len(u)
        self.s = torch.cat([s, s.new_zeros(len(v) - len(s))])

    def analyse(self, x: Tensor) -> Tensor:
        return self.v.mT @ x.flatten()

    def synthesise(self, coefficients: Tensor) -> Tensor:
        return (self.v @ coefficients).reshape(SHAPE)

    def read(self, y: Tensor) -> Tensor:
        return torch.cat([self.u.mT @ y.flatten(), y.new_zeros(len(self.v) - self.measured)])


def published(name: str) -> Dense:
    """Return the decomposition of the authors' code, with its directions in the same order."""
    s = VECTORS[f"{name}.singulars"]
    u, eye = torch.eye(len(s)), torch.eye(3 * PIXELS)
    if name == "deno":
        return Dense(u, s, eye)
    if name == "inp":
        missing = VECTORS["missing"]
        kept = torch.tensor(sorted(set(range(3 * PIXELS)) - set(missing.tolist())))
        places = torch.cat([kept, missing])
        return Dense(u, s, eye[:, places % 3 * PIXELS + places // 3])
    if name == "color":
        small_u, _, small_v = torch.svd(torch.tensor([[0.3333, 0.3334, 0.3333]]), some=False)
        v = torch.einsum("cd,pq->cpdq", small_v, torch.eye(PIXELS)).reshape(3 * PIXELS, -1)
        return Dense(small_u * u, s, v)
    if name == "sr4":
        small_u, _, small_v = torch.svd(torch.full((1, 16), 1 / 16), some=False)
        small_v, blocks = small_v.reshape(4, 4, 16), torch.eye(48).reshape(3, 4, 4, 48)
        v = torch.einsum("cyxb,ijk->cyixjbk", blocks, small_v).reshape(3 * PIXELS, 48, 16)
        return Dense(small_u * u, s, torch.cat([v[..., 0], v[..., 1:].flatten(1)], dim=1))
    if name == "sr_bicubic4":
        small_u, _, small_v = torch.svd(bicubic(), some=False)
        seen = torch.arange(PIXELS).reshape(SIDE, SIDE)
        order = torch.cat([seen[:4, :4].flatten(), seen[:4, 4:].flatten(), seen[4:].flatten()])
        return Dense(crossed(small_u, small_u), s, crossed(small_v, small_v, order))
    (left_u, left_s, left_v), (right_u, right_s, right_v) = (torch.svd(one, some=False) for one in blurs(name))
    left_s, right_s = (torch.where(one < 3e-2, 0.0, one) for one in (left_s, right_s))
    order = (left_s[:, None] * right_s).flatten().sort(descending=True).indices
    return Dense(crossed(left_u, right_u, order), s, crossed(left_v, right_v, order))


def crossed(left: Tensor, right: Tensor, order: Tensor | None = None) -> Tensor:
    """Return the matrix of `X -> left X right'` on pictures, its columns by their places and then by their channel."""
    both = torch.einsum("ia,jb->ijab", left, right).flatten(0, 1).flatten(1)
    both = both if order is None else both[:, order]
    return torch.einsum("pq,cd->cpqd", both, torch.eye(3)).reshape(3 * len(both), -1)


def bicubic() -> Tensor:
    """Return the matrix, 4 of 16, that shrinks a row four times, with a bicubic kernel and mirrored at the ends."""
    place = ((torch.arange(16) - 8 + 0.5) / 4).abs()
    near, far = 1.5 * place**3 - 2.5 * place**2 + 1, -0.5 * place**3 + 2.5 * place**2 - 4 * place + 2
    kernel = torch.where(place <= 1, near, torch.where(place < 2, far, 0.0))
    matrix = torch.zeros(4, SIDE)
    for row in range(4):
        for tap, weight in enumerate(kernel / kernel.sum()):
            column = 4 * row + 2 - 8 + tap
            column = -column - 1 if column < 0 else 2 * SIDE - 1 - column if column >= SIDE else column
            matrix[row, column] += weight
    return matrix


def blurs(name: str) -> tuple[Tensor, Tensor]:
    """Return the matrices that blur columns and rows: without the last tap of the kernel, and black beyond the end."""

    def gauss(sigma: float, taps: int) -> Tensor:
        kernel = torch.exp(-0.5 * ((torch.arange(taps) - taps // 2) / sigma) ** 2)
        return kernel / kernel.sum()

    kernels = {
        "deblur_uni": (torch.full((9,), 1 / 9),) * 2,
        "deblur_gauss": (gauss(10, 5),) * 2,
        "deblur_aniso": (gauss(1, 9), gauss(20, 9)),
    }[name]
    made = []
    for kernel in kernels:
        half = len(kernel) // 2
        shifted = [torch.diag(torch.full((SIDE - abs(at),), float(kernel[at + half])), at) for at in range(-half, half)]
        made.append(torch.stack(shifted).sum(dim=0))
    return made[0], made[1]


def ours(name: str) -> Spectrum:
    """Return the operator as the toolbox has it."""
    if name == "deno":
        return Diagonal(torch.ones(1, 1, 1, 1))
    if name == "inp":
        mask = torch.ones(PIXELS * 3)
        mask[VECTORS["missing"]] = 0
        return Diagonal(rearrange(mask, "(h w c) -> 1 c h w", h=SIDE, c=3))
    if name == "sr4":
        means = torch.kron(torch.eye(4), torch.full((1, 4), 0.25))
        return Separable(means, means)
    return Separable(bicubic(), bicubic())


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_adjoints_and_pseudo_inverses_are_the_published_ones(name: str) -> None:
    x, one = VECTORS["x"], published(name)
    seen = (one.s * one.analyse(x))[: one.measured]
    y = one.u @ seen
    assert_close(y, VECTORS[f"{name}.H"][0], atol=1e-5, rtol=1e-5)
    back = one.synthesise(one.s * one.read(VECTORS[f"{name}.H"]))
    assert_close(back.flatten(), VECTORS[f"{name}.Ht"].flatten(), atol=1e-5, rtol=1e-5)
    inverse = one.synthesise(torch.where(one.s > 0, one.read(VECTORS[f"{name}.H"]) / one.s.clamp(min=1e-9), 0.0))
    assert_close(inverse.flatten(), VECTORS[f"{name}.Hpinv"][0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["deno", "inp", "sr4", "sr_bicubic4"])
def test_spectra_of_the_toolbox_solve_as_the_published_pseudo_inverses(name: str) -> None:
    x, spectrum, one = VECTORS["x"], ours(name), published(name)
    y = x * spectrum.s if isinstance(spectrum, Diagonal) else spectrum(x)  # type: ignore[operator]
    inverse = solve_in_spectrum(spectrum, y, torch.zeros_like(x), 1e-9)
    seen = torch.where(one.s > 0, one.analyse(x), 0.0)
    assert_close(inverse, one.synthesise(seen), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", BLURS)
def test_a_separable_blur_is_the_one_that_the_published_code_means(name: str) -> None:
    x, blur = VECTORS["x"], Separable(*blurs(name))
    assert_close(blur(x).flatten(), VECTORS[f"{name}.H_true"][0], atol=1e-5, rtol=1e-5)
    assert_close(blur.synthesise(blur.s * blur.read(blur(x))), blur.adjoint(blur(x)), atol=1e-5, rtol=1e-5)
    assert float((blur(x).flatten() - VECTORS[f"{name}.H"][0]).abs().max()) > 0.1  # which it is not


@pytest.mark.parametrize("sigma", [0.0, 0.1])
@pytest.mark.parametrize("name", [*OPERATORS, *BLURS])
def test_walks_end_where_the_published_ones_end(name: str, sigma: float) -> None:
    spectrum = published(name)
    measured = len(VECTORS[f"{name}.singulars"])
    if sigma:  # the published code counts measured directions without any signal as measured badly, not as missing
        spectrum.s[:measured] = spectrum.s[:measured].clamp(min=1e-12)
    abar = torch.cat([torch.ones(1), (1 - VECTORS["betas"]).cumprod(0)])[[*range(951, 0, -50), 0]]
    sigmas = ((1 - abar).sqrt() / abar.sqrt()).tolist()
    blend = Blend(spectrum=spectrum, sigma=sigma, eta=0.85, eta_a=0.85, eta_b=1.0)
    rng, levels = torch.Generator().manual_seed(22), iter(sigmas[1:])

    def clean(z: Tensor, step: int) -> Tensor:
        x_t = z * abar[step].sqrt()
        return (x_t - (1 - abar[step]).sqrt() * (0.7 * torch.tanh(2 * x_t) + 0.05)) / abar[step].sqrt()

    def noise() -> Tensor:
        """Draw in the order of the published code, and return the image that has these coefficients."""
        after = next(levels)
        worse, better = spectrum.s[:measured] * after < sigma, spectrum.s[:measured] * after > sigma
        drawn = torch.randn(3 * PIXELS, generator=rng)
        drawn[:measured][worse] = torch.randn(int(worse.sum()), generator=rng)
        drawn[:measured][better] = torch.randn(measured, generator=rng)[better]
        return spectrum.synthesise(drawn)

    read = spectrum.read(VECTORS[f"{name}.s{sigma}.y"])
    begin = spectrum.synthesise(torch.randn(SHAPE, generator=rng).flatten())
    z = blend.first(read, torch.zeros(SHAPE), begin, sigmas[0]) / (1 - abar[0]).sqrt()  # as if that were 1
    yielded = list(sample(clean, blend, lambda x: read, z, sigmas, noise))
    assert len(yielded) == 20
    assert_close(yielded[0][1], VECTORS[f"{name}.s{sigma}.x0_first"], atol=2e-3, rtol=1e-3)
    assert_close(yielded[-1][0], VECTORS[f"{name}.s{sigma}.out"], atol=3e-4, rtol=1e-3)
