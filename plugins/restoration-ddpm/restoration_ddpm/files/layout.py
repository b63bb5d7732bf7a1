"""Recognises the networks of published code of DDPM in files of tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from restoration_ddpm.files import adm, ddim, lucidrains
from restoration_ddpm.files.tensors import unwrapped

if TYPE_CHECKING:
    from torch import Tensor

    from restoration import Converted


class PublishedLayout:
    """Recognises the U-Nets of denoising-diffusion-pytorch, guided-diffusion and DDIM.

    They become priors of `ddpm`: they denoise, draw new pictures, and serve methods that know the damage of a picture.
    """

    def convert(self, tensors: Mapping[str, Tensor]) -> Converted | None:
        """Return the network of a file. Raises `BadWeights` for forms that are not served."""
        state, others = unwrapped(tensors)
        return lucidrains.convert(state, others) or adm.convert(state) or ddim.convert(state)

    def names(self) -> Mapping[str, Collection[str]]:
        """Return the names by which each network is recognised."""
        return {lucidrains.CODE: lucidrains.NAMES, "guided-diffusion": adm.NAMES, "DDIM": ddim.NAMES}
