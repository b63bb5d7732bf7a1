"""Encoders of timm for `restoration`, and DeblurGAN-v2 over two of them: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import LayoutCard, NetworkCard, hookimpl


@hookimpl
def register_layouts() -> Iterable[LayoutCard]:
    """Bring the recognition of the files of DeblurGAN-v2."""
    yield LayoutCard(
        name="deblurgan-v2",
        factory="restoration_timm.published:DeblurGANv2Layout",
        summary="files of DeblurGAN-v2 over MobileNetV2 or Inception-ResNet-v2, by their authors",
        parts={"method": ("regression",), "task": ("deblur",)},
    )


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring `timm:NAME`, for every NAME that timm has, and DeblurGAN-v2.

    The card of the encoders is the same for all of them: `bytes_per_pixel` was measured as for the other networks, with
    resnet18; many encoders pool over the whole picture; with this `reach`, windows begin at multiples of 32 pixels,
    which most encoders reduce to one.
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
    yield NetworkCard(
        name="deblurgan-v2",
        factory="restoration_timm.deblurgan:DeblurGANv2",
        summary="DeblurGAN-v2: a pyramid over MobileNetV2, 2 million parameters, or Inception-ResNet-v2, 36 million",
        source="Kupyn et al. 2019, arXiv:1908.03826",
        bytes_per_pixel=1400,
        tiles=False,
    )
