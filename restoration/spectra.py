"""Singular value decompositions of linear degradations, `A = U s V'`, and least squares with and without them.

A spectrum need not have the directions that its operator does not see: an image is `V V' x` and a rest, which least
squares leave as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch

from restoration.operators import Convolution, Masking, Resampling, inner_product

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from restoration.interfaces import Operator

LEAST = 1e-6
"""Singular values of a matrix below this share of its largest count as zero."""
CLOSE = 1e-4
"""Conjugate gradients end when the residual has shrunk to this share."""


class Spectrum(Protocol):
    """The singular values of an operator, and the coefficients of an image in its directions.

    Coefficients may be complex; those of an image of unit noise have unit variance.
    """

    s: Tensor

    def analyse(self, x: Tensor) -> Tensor:
        """Return the coefficients `V' x` of an image `b c h w`."""
        ...

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Return the image `b c h w` that has these coefficients and nothing else."""
        ...

    def read(self, y: Tensor) -> Tensor:
        """Return `U' y` of a measurement: `s` times the coefficients of the image, and noise as strong as in `y`."""
        ...


class Diagonal:
    """The spectrum of a mask, or of the identity: its directions are the pixels, `s`, `b 1 h w`, is the mask."""

    def __init__(self, s: Tensor) -> None:
        self.s = s

    def analyse(self, x: Tensor) -> Tensor:
        """Return `b c h w` as it is; so do the two others."""
        return x

    synthesise = read = analyse


class Separable:
    """The operator `X -> rows X columns'` of two matrices, and its spectrum: block means, resampling, separable blur.

    Singular values below the share `least` of the largest of their matrix count as zero.
    """

    def __init__(self, rows: Tensor, columns: Tensor, *, least: float = LEAST) -> None:
        self.rows, self.columns = rows, columns
        (self._u, s, self._v), (self._u2, s2, self._v2) = (_decompose(one, least) for one in (rows, columns))
        self.s = s[:, None] * s2

    def __call__(self, x: Tensor) -> Tensor:
        """Degrade `b c h w`."""
        return self.rows.to(x) @ x @ self.columns.mT.to(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the transpose."""
        return self.rows.mT.to(y) @ y @ self.columns.to(y)

    def analyse(self, x: Tensor) -> Tensor:
        """Return the coefficients of `b c h w`: `b c k l`, as many as both matrices have singular values."""
        return self._v.mT.to(x) @ x @ self._v2.to(x)

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Return the image `b c h w` of coefficients `b c k l`."""
        return self._v.to(coefficients) @ coefficients @ self._v2.mT.to(coefficients)

    def read(self, y: Tensor) -> Tensor:
        """Return `U' y`, `b c k l`."""
        return self._u.mT.to(y) @ y @ self._u2.to(y)


class Circular:
    """A blur of pictures of a size `(h, w)` that go on at their opposite border, and its spectrum.

    Its directions are those of the Fourier transform; the phase of the kernel, `b 1 k l` with odd sides, is in `U`.
    """

    def __init__(self, kernel: Tensor, size: tuple[int, int]) -> None:
        self.size = size
        rows, columns = (
            (torch.arange(k, device=kernel.device) - k // 2) % side
            for k, side in zip(kernel.shape[-2:], size, strict=True)
        )
        tall = kernel.new_zeros(len(kernel), 1, size[0], kernel.shape[-1]).index_add_(-2, rows, kernel)
        whole = kernel.new_zeros(len(kernel), 1, *size).index_add_(-1, columns, tall)
        self._response = torch.fft.rfft2(whole)
        self.s = self._response.abs()

    def __call__(self, x: Tensor) -> Tensor:
        """Blur `b c h w`."""
        blurred: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * self._response, s=self.size)
        return blurred

    def adjoint(self, y: Tensor) -> Tensor:
        """Apply the transpose."""
        back: Tensor = torch.fft.irfft2(torch.fft.rfft2(y) * self._response.conj(), s=self.size)
        return back

    def analyse(self, x: Tensor) -> Tensor:
        """Return the Fourier coefficients of `b c h w`."""
        coefficients: Tensor = torch.fft.rfft2(x, norm="ortho")
        return coefficients

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """Return the image `b c h w` of Fourier coefficients."""
        image: Tensor = torch.fft.irfft2(coefficients, s=self.size, norm="ortho")
        return image

    def read(self, y: Tensor) -> Tensor:
        """Return the Fourier coefficients of `b c h w` without the phase of the kernel."""
        return self.analyse(y) * torch.exp(-1j * self._response.angle())


def spectrum_of(operator: Operator, like: Tensor) -> Spectrum | None:
    """Return the spectrum of an operator on pictures like `b c h w`, or None if it is not known.

    A `Convolution` has none, since it mirrors pictures at their borders; `Circular` is close to it elsewhere.
    """
    if isinstance(operator, Masking):
        return Diagonal(operator.mask.to(like))
    if isinstance(operator, Resampling):
        rows, columns = operator.matrices()
        return Separable(rows.to(like), columns.to(like))
    return operator if isinstance(operator, Diagonal | Separable | Circular) else None


def solve_in_spectrum(spectrum: Spectrum, y: Tensor, x: Tensor, weight: float) -> Tensor:
    """Return the image that minimises `|A z - y|^2 + weight |z - x|^2` over z, exactly: `b c h w`."""
    before = spectrum.analyse(x)
    after = (spectrum.s * spectrum.read(y) + weight * before) / (spectrum.s.square() + weight)
    return x + spectrum.synthesise(after - before)


def solve(operator: Operator, y: Tensor, x: Tensor, weight: float, *, steps: int = 30) -> Tensor:
    """Return the image that minimises `|A z - y|^2 + weight |z - x|^2` over z, `b c h w`, for any operator.

    By conjugate gradients from x on, at most `steps` of them. For a blur they are preconditioned with the circular
    one, so that a few are enough.
    """
    near = Circular(operator.kernel.to(x), (x.shape[-2], x.shape[-1])) if isinstance(operator, Convolution) else None
    inverse = None if near is None else 1 / (near.s.square() + weight)

    def precondition(r: Tensor) -> Tensor:
        return r if near is None or inverse is None else near.synthesise(inverse * near.analyse(r))

    return x + conjugate_gradients(
        lambda d: operator.adjoint(operator(d)) + weight * d,
        operator.adjoint(y - operator(x)),
        precondition=precondition,
        steps=steps,
    )


def conjugate_gradients(
    matrix: Callable[[Tensor], Tensor], b: Tensor, *, precondition: Callable[[Tensor], Tensor], steps: int
) -> Tensor:
    """Return x with `matrix(x) = b` for a symmetric positive matrix, `b c h w`; each image has its own step lengths."""
    x, r = torch.zeros_like(b), b
    z = precondition(r)
    p, rz, tiny = z, inner_product(r, z), torch.finfo(b.dtype).tiny
    end = CLOSE**2 * inner_product(b, b)
    for _ in range(steps):
        if bool((inner_product(r, r) <= end).all()):
            break
        q = matrix(p)
        step = rz / inner_product(p, q).clamp(min=tiny)
        x, r = x + step * p, r - step * q
        z = precondition(r)
        before, rz = rz, inner_product(r, z)
        p = z + rz / before.clamp(min=tiny) * p
    return x


def _decompose(matrix: Tensor, least: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return `U`, `s` and `V` of a matrix, without the directions whose singular values count as zero."""
    u, s, vt = torch.linalg.svd(matrix.double(), full_matrices=False)
    kept = s > least * s.max()
    return u[:, kept].to(matrix), s[kept].to(matrix), vt[kept].mT.to(matrix)
