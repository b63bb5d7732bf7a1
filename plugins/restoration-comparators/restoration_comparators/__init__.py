"""Networks of the literature for `restoration`, as their authors published them: cards only, nothing heavy here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import LayoutCard, NetworkCard, hookimpl


@hookimpl
def register_layouts() -> Iterable[LayoutCard]:
    """Bring the recognition of their files."""
    yield LayoutCard(
        name="comparators",
        factory="restoration_comparators.layout:ComparatorsLayout",
        summary="files of PReNet, AOD-Net, DnCNN, FFDNet, EDSR, CARN, RFDN, SAFMN, DeblurGAN, DeepDeblur and DBGAN",
        parts={
            "method": ("regression", "denoising-ode"),
            "task": ("sr", "denoise", "derain", "dehaze", "deblur"),
            "network": ("dncnn",),
            "schedule": ("noise-level",),
            "objective": ("clean-matching",),
        },
    )


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the networks that our own are compared with.

    `bytes_per_pixel` was measured: the peak of one evaluation at 512x512 in float32, with the default options.
    """
    yield NetworkCard(
        name="prenet",
        factory="restoration_comparators.rain:PReNet",
        summary="PReNet: six passes of the same residual blocks behind a convolutional LSTM; 0.2 million parameters",
        source="Ren et al. 2019, arXiv:1901.09221",
        bytes_per_pixel=1500,
        reach=78,
    )
    yield NetworkCard(
        name="aod-net",
        factory="restoration_comparators.haze:AODNet",
        summary="AOD-Net: five convolutions that predict one map of transmission and air light; 1,761 parameters",
        source="Li et al. 2017, ICCV, doi:10.1109/ICCV.2017.511",
        bytes_per_pixel=150,
        reach=7,
    )
    yield NetworkCard(
        name="ffdnet",
        factory="restoration_comparators.noise:FFDNet",
        summary="FFDNet: convolutions at half the size, with a map of the noise; 0.9 million parameters",
        source="Zhang et al. 2018, arXiv:1710.04026",
        bytes_per_pixel=300,
        reach=26,
    )
    yield from _deblurring()
    yield from _enlarging()


def _deblurring() -> Iterable[NetworkCard]:
    yield NetworkCard(
        name="deblurgan",
        factory="restoration_comparators.deblurgan:DeblurGAN",
        summary="DeblurGAN's generator: nine residual blocks at a quarter of the size; 11 million parameters",
        source="Kupyn et al. 2018, arXiv:1711.07064",
        bytes_per_pixel=1500,
        tiles=False,
    )
    yield NetworkCard(
        name="deepdeblur",
        factory="restoration_comparators.deepdeblur:DeepDeblur",
        summary="DeepDeblur: chains of residual blocks for three sizes of the picture; 12 million parameters",
        source="Nah et al. 2017, arXiv:1612.02177",
        bytes_per_pixel=1500,
        reach=600,
    )
    yield NetworkCard(
        name="dbgan",
        factory="restoration_comparators.dbgan:DBGAN",
        summary="DBGAN's deblurring generator: sixteen blocks of dense blocks at full size; 12 million parameters",
        source="Zhang et al. 2020, arXiv:2004.01860",
        bytes_per_pixel=2500,
        reach=244,
    )


def _enlarging() -> Iterable[NetworkCard]:
    yield NetworkCard(
        name="edsr",
        factory="restoration_comparators.edsr:EDSR",
        summary="EDSR baseline: residual blocks without norms, then pixel-shuffle; 1.5 million parameters",
        source="Lim et al. 2017, arXiv:1707.02921",
        takes=("y",),
        bytes_per_pixel=300,
        enlarges=(2, 3, 4),
    )
    yield NetworkCard(
        name="carn",
        factory="restoration_comparators.carn:CARN",
        summary="CARN-M, or CARN: a cascade of cascades that enlarges 2, 3 and 4 times; 0.4 million parameters",
        source="Ahn et al. 2018, arXiv:1803.08664",
        takes=("y",),
        bytes_per_pixel=300,
        enlarges=(2, 3, 4),
    )
    yield NetworkCard(
        name="rfdn",
        factory="restoration_comparators.rfdn:RFDN",
        summary="RFDN of AIM 2020: four blocks that distil features, with spatial attention; 0.4 million parameters",
        source="Liu et al. 2020, arXiv:2009.11551",
        takes=("y",),
        bytes_per_pixel=150,
        enlarges=(2, 3, 4),
    )
    yield NetworkCard(
        name="safmn-ntire",
        factory="restoration_comparators.safmn:SAFMN",
        summary="SAFMN as entered in NTIRE 2023: features modulated at several sizes; 0.2 million parameters",
        source="Sun et al. 2023, arXiv:2302.13800",
        takes=("y",),
        bytes_per_pixel=100,
        tiles=False,
        enlarges=(2, 3, 4),
    )
