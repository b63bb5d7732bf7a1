"""Encoders of timm for `restoration`: one card for all of them, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import NetworkCard, hookimpl


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring `timm:NAME`, for every NAME that timm has.

    The card is the same for all of them: `bytes_per_pixel` was measured as for the other networks, with resnet18; many
    encoders pool over the whole picture; with this `reach`, windows begin at multiples of 32 pixels, which most
    encoders reduce to one.
    """
    yield NetworkCard(
        name="timm",
        variants="encoder",
        factory="restoration_timm.unet:TimmUNet",
        summary="U-Net around any encoder of timm: timm:resnet18, timm:mobilenetv3_small_050, timm:convnext_atto...",
        source="Wightman 2019, doi:10.5281/zenodo.4414861; after Ronneberger et al. 2015, arXiv:1505.04597",
        bytes_per_pixel=900,
        reach=112,
        tiles=False,
    )
