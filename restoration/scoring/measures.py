"""The metrics by name: how each is called, shown and taken, and what it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from restoration.errors import BadOption, UnknownName
from restoration.metrics import SMALLEST_MS_SSIM, WINDOW, ms_ssim, protocol, psnr, ssim
from restoration.perceptual import ALEXNET, INCEPTION, Gmsd, HaarPsi, Inception, Lpips, frechet

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT = ("psnr_y", "psnr", "ssim_y", "ssim")
"""Quick, and without a package that does not come along."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A metric, ready: `of` two pictures, or the `distance` of two sets of `features` of pictures.

    `how` is its protocol but for the border; pictures with a shorter side than `smallest` pixels are left out.
    """

    name: str
    title: str
    how: str
    of: Callable[[Tensor, Tensor], float] | None = None
    features: Callable[[Tensor], Tensor] | None = None
    distance: Callable[[Tensor, Tensor], float] | None = None
    unit: str = ""
    digits: int = 4
    less_is_better: bool = False
    smallest: int = 1

    def number(self, value: float, *, sign: bool = False) -> str:
        """Return a value as it is printed: with its digits, "-" where there is none."""
        return "-" if math.isnan(value) else f"{value:{'+' if sign else ''}.{self.digits}f}"

    def protocol(self, border: int) -> str:
        """Return the words that belong beside its numbers: what is taken of what, and which way is better."""
        better = "less is better" if self.less_is_better else "more is better"
        return f"{self.how}, border {border}, results clipped and rounded to 8 bits, {better}"


def choose(names: Sequence[str]) -> list[Measure]:
    """Return metrics by name, ready; "ms-ssim" is "ms_ssim". Raises `UnknownName`, or `BadOption` if one needs more."""
    wanted = list(dict.fromkeys(name.strip().lower().replace("-", "_") for name in names if name.strip()))
    for name in wanted:
        if name not in MEASURES:
            raise UnknownName("metric", name, MEASURES)
    if not wanted:
        raise BadOption(f"no metric was named; there are {', '.join(MEASURES)}")
    return [MEASURES[name]() for name in wanted]


def _psnr(space: str) -> Measure:
    return _pixels("PSNR", space, psnr, unit="dB", digits=2)


def _ssim(space: str) -> Measure:
    return _pixels("SSIM", space, ssim, smallest=WINDOW)


def _ms_ssim(space: str) -> Measure:
    return _pixels("MS-SSIM", space, ms_ssim, smallest=SMALLEST_MS_SSIM)


def _pixels(
    title: str, space: str, metric: Callable[..., float], unit: str = "", digits: int = 4, smallest: int = 1
) -> Measure:
    """Return a metric of ours, on RGB or on Y."""
    luma = space == "y"
    return Measure(
        name=title.lower().replace("-", "_") + luma * "_y",
        title=title + luma * "-Y",
        how=protocol(title, "y" if luma else "rgb", 0).removesuffix(", border 0"),
        of=partial(metric, space=space),
        unit=unit,
        digits=digits,
        smallest=smallest,
    )


def _gmsd() -> Measure:
    gmsd = Gmsd()
    how = f"GMSD by piq {gmsd.piq.__version__}, Y of YIQ, halved by 2x2 means"
    return Measure(name="gmsd", title="GMSD", how=how, of=gmsd, less_is_better=True, smallest=4)


def _haarpsi() -> Measure:
    haarpsi = HaarPsi()
    how = f"HaarPSI by piq {haarpsi.piq.__version__}, YIQ, halved by 2x2 means, 3 scales"
    return Measure(name="haarpsi", title="HaarPSI", how=how, of=haarpsi, smallest=16)


def _lpips() -> Measure:
    how = f"LPIPS 0.1 ({Path(ALEXNET.file).stem}), RGB"
    return Measure(name="lpips", title="LPIPS", how=how, of=Lpips(), less_is_better=True, smallest=31)


def _fid() -> Measure:
    how = (
        f"FID against the clean pictures ({Path(INCEPTION.file).stem}, 2048 features), RGB, resized to 299x299 "
        "bilinearly, of the set and so without an interval, biased for few pictures: compare equal numbers only"
    )
    return Measure(
        name="fid",
        title="FID",
        how=how,
        features=Inception(),
        distance=frechet,
        digits=2,
        less_is_better=True,
    )


MEASURES: dict[str, Callable[[], Measure]] = {
    "psnr_y": partial(_psnr, "y"),
    "psnr": partial(_psnr, "rgb"),
    "ssim_y": partial(_ssim, "y"),
    "ssim": partial(_ssim, "rgb"),
    "ms_ssim_y": partial(_ms_ssim, "y"),
    "ms_ssim": partial(_ms_ssim, "rgb"),
    "gmsd": _gmsd,
    "haarpsi": _haarpsi,
    "lpips": _lpips,
    "fid": _fid,
}
"""Every metric, made when it is chosen: some import a package or read weights."""
