"""Noise2Noise for `restoration`: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import NetworkCard, hookimpl

PAPER = "Lehtinen et al. 2018, arXiv:1803.04189"


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the published networks.

    `bytes_per_pixel` was measured: the peak of one evaluation at 512x512 in float32, with the default options.
    """
    yield NetworkCard(
        name="n2n-unet",
        factory="restoration_noise2noise.networks:StackUNet",
        summary="U-Net of Noise2Noise, loads the authors' weights; 1 million parameters",
        source=PAPER,
        bytes_per_pixel=1700,
        reach=158,
    )
    yield NetworkCard(
        name="n2n-unet-shared",
        factory="restoration_noise2noise.networks:SharedUNet",
        summary="U-Net of noise2noise-pytorch, loads its published weights; 0.7 million parameters",
        source=f"after {PAPER}",
        bytes_per_pixel=1700,
        reach=189,
    )
    yield NetworkCard(
        name="zs-n2n",
        factory="restoration_noise2noise.networks:TwoLayers",
        summary="two small layers that predict noise, of Zero-Shot Noise2Noise; 22 thousand parameters",
        source="Mansour and Heckel 2023, arXiv:2303.11253",
        bytes_per_pixel=800,
        reach=2,
    )
