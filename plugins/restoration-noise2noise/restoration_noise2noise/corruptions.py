"""The damage of the experiments of Noise2Noise: Gaussian noise, few photons, impulses of any colour, and writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from restoration_noise2noise.writing import draw_writing

if TYPE_CHECKING:
    from torch import Generator, Tensor

Kind = Literal["gaussian", "poisson", "impulse", "text", "mixed"]
KINDS: tuple[Kind, ...] = ("gaussian", "poisson", "impulse", "text")
Range = float | tuple[float, float]


class Corruption:
    """Damages each picture with a strength of its own (Lehtinen et al., ICML 2018, arXiv:1803.04189, section 3).

    Nothing is clipped or rounded. A range is drawn from uniformly.

    * `kind`: "gaussian"; "poisson", the shot noise of few photons; "impulse", which gives a share of the pixels a
      colour that is drawn uniformly; "text", words in random colours over the picture; or "mixed", one of the four.
    * `sigma`: the standard deviation of Gaussian noise, in levels of 255.
    * `photons`: the photons that white stands for in each channel.
    * `impulse`, `text`: the share of the pixels that impulses replace, and that words cover at least.
    """

    def __init__(
        self,
        *,
        kind: Kind = "mixed",
        sigma: Range = (0.0, 50.0),
        photons: Range = (10.0, 100.0),
        impulse: Range = (0.0, 0.7),
        text: Range = (0.0, 0.3),
    ) -> None:
        self.kind = kind
        self.sigma, self.photons = _range("sigma", sigma, 0, 255), _range("photons", photons, 0.1, 1e6)
        self.impulse, self.text = _range("impulse", impulse, 0, 0.95), _range("text", text, 0, 0.7)

    def __call__(self, x: Tensor, rng: Generator) -> Tensor:
        """Return damaged pictures, `b c h w`, for clean ones."""
        return torch.cat([self._damaged(one[None], rng) for one in x])

    def _damaged(self, x: Tensor, rng: Generator) -> Tensor:
        """Damage one picture, `1 c h w`."""
        kind = self.kind
        if kind == "mixed":
            kind = KINDS[int(torch.randint(len(KINDS), (), generator=rng))]
        low, high = {"gaussian": self.sigma, "poisson": self.photons, "impulse": self.impulse, "text": self.text}[kind]
        strength = low + (high - low) * float(torch.rand((), generator=rng))
        if kind == "gaussian":
            return x + strength / 255 * torch.randn(x.shape, generator=rng)
        if kind == "poisson":
            return torch.poisson(x.clamp(min=0) * strength, generator=rng) / strength
        if kind == "text":
            return draw_writing(x, strength, rng)
        hit = torch.rand(1, 1, *x.shape[-2:], generator=rng) < strength
        return torch.where(hit, torch.rand(x.shape, generator=rng), x)


def _range(name: str, value: Range, least: float, most: float) -> tuple[float, float]:
    low, high = value if isinstance(value, tuple) else (value, value)
    if not least <= low <= high <= most:
        raise ValueError(f"{name} must be a number or two, {least:g} <= least <= most <= {most:g}, not {value}")
    return float(low), float(high)
