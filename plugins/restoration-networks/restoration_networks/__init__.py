"""Networks for `restoration`: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import NetworkCard, hookimpl


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the network we train, the published ones of IR-SDE and Refusion, and plain ones for comparison.

    `bytes_per_pixel` was measured: the peak of one evaluation at 512x512 in float32, with the default options.
    """
    yield NetworkCard(
        name="nafnet-compact",
        factory="restoration_networks.compact:CompactNAFNet",
        summary="small conditional NAFNet without global pooling, exact in windows; our weights are of this network",
        source="after Chen et al. 2022, arXiv:2204.04676",
        takes=("y", "t"),
        bytes_per_pixel=800,
        reach=80,
    )
    yield NetworkCard(
        name="unet-dense",
        factory="restoration_networks.dense:DenseUNet",
        summary="U-Net of dense convolutions at all sizes, exact in windows, fast on a CPU; 1.5 million parameters",
        takes=("y", "t"),
        bytes_per_pixel=800,
    )
    yield NetworkCard(
        name="sr-dense",
        factory="restoration_networks.enlarging:DenseEnlarging",
        summary="dense convolutions on the small picture, enlarges it 2, 3 and 4 times; 0.8 million parameters",
        takes=("y",),
        bytes_per_pixel=300,
        enlarges=(2, 3, 4),
    )
    yield NetworkCard(
        name="unet-small",
        factory="restoration_networks.small_unet:SmallUNet",
        summary="U-Net of DDPM for small pictures, with group norms and attention; 0.9 million parameters",
        source="Ho et al. 2020, arXiv:2006.11239",
        takes=("t",),
        bytes_per_pixel=1600,
        tiles=False,
    )
    yield NetworkCard(
        name="conditional-unet",
        factory="restoration_networks.conditional_unet:ConditionalUNet",
        summary="U-Net of IR-SDE, loads the published weights; 137 million parameters",
        source="Luo et al. 2023, arXiv:2301.11699",
        takes=("y", "t"),
        bytes_per_pixel=6000,
        tiles=False,
    )
    yield NetworkCard(
        name="unconditional-unet",
        factory="restoration_networks.conditional_unet:UnconditionalUNet",
        summary="U-Net of Denoising-SDE, loads the published weights; 137 million parameters",
        source="Luo et al. 2023, arXiv:2301.11699",
        takes=("t",),
        bytes_per_pixel=8500,
        tiles=False,
    )
    yield NetworkCard(
        name="conditional-nafnet",
        factory="restoration_networks.conditional_nafnet:ConditionalNAFNet",
        summary="NAFNet of Refusion, loads the published weights; 77 million parameters",
        source="Luo et al. 2023, arXiv:2304.08291",
        takes=("y", "t"),
        bytes_per_pixel=3100,
        tiles=False,
    )
    yield NetworkCard(
        name="latent-pair",
        factory="restoration_networks.latent_pair:LatentPair",
        summary="U-Net of Latent Refusion and the NAFNet that denoises its latents; 79 million parameters",
        source="Luo et al. 2023, arXiv:2304.08291",
        takes=("y", "t"),
        bytes_per_pixel=1500,
        tiles=False,
    )
    yield NetworkCard(
        name="latent-unet",
        factory="restoration_networks.latent_unet:LatentUNet",
        summary="latent U-Net of Refusion alone, loads the published weights; 2 million parameters",
        source="Luo et al. 2023, arXiv:2304.08291",
        bytes_per_pixel=1300,
        tiles=False,
    )
    yield NetworkCard(
        name="nafnet",
        factory="restoration_networks.nafnet:NAFNet",
        summary="published NAFNet, from picture to picture, loads the published weights; 17 million parameters",
        source="Chen et al. 2022, arXiv:2204.04676",
        bytes_per_pixel=1800,
        tiles=False,
    )
    yield NetworkCard(
        name="unet",
        factory="restoration_networks.unet:UNet",
        summary="plain U-Net of Noise2Noise, from picture to picture; 1 million parameters",
        source="Lehtinen et al. 2018, arXiv:1803.04189",
        bytes_per_pixel=1700,
        reach=128,
    )
    yield NetworkCard(
        name="dncnn",
        factory="restoration_networks.dncnn:DnCNN",
        summary="DnCNN: 17 convolutions with batch norm that predict the noise; 0.6 million parameters",
        source="Zhang et al. 2017, arXiv:1608.03981",
        bytes_per_pixel=800,
        reach=17,
    )
