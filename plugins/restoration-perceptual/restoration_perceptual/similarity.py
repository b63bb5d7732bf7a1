"""Similarities by formula, from the package piq: GMSD and HaarPSI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import piq

if TYPE_CHECKING:
    from torch import Tensor


class Gmsd:
    """Gradient magnitude similarity deviation (Xue et al., 2014); 0 for equal pictures, less is better."""

    protocol = f"GMSD by piq {piq.__version__}, Y of YIQ, halved by 2x2 means"

    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the deviation for `1 c h w`, at least 4 pixels a side."""
        return float(piq.gmsd(image, clean, data_range=1.0))


class HaarPsi:
    """Haar wavelet-based perceptual similarity (Reisenhofer et al., 2018); 1 for equal pictures."""

    protocol = f"HaarPSI by piq {piq.__version__}, YIQ, halved by 2x2 means, 3 scales"

    def __call__(self, image: Tensor, clean: Tensor) -> float:
        """Return the similarity for `1 c h w`, at least 16 pixels a side."""
        return float(piq.haarpsi(image, clean, data_range=1.0))
