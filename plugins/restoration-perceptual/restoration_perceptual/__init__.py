"""How alike pictures look, for `restoration`: metrics. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import MetricCard, hookimpl


@hookimpl
def register_metrics() -> Iterable[MetricCard]:
    """Bring measures of how alike pictures look; what they need is imported and read when one is asked for."""
    yield MetricCard(
        name="gmsd",
        factory="restoration_perceptual.similarity:Gmsd",
        title="GMSD",
        summary="gradient magnitude similarity deviation, by piq",
        source="Xue et al. 2014, arXiv:1308.3052",
        less_is_better=True,
        smallest=4,
    )
    yield MetricCard(
        name="haarpsi",
        factory="restoration_perceptual.similarity:HaarPsi",
        title="HaarPSI",
        summary="Haar wavelet-based perceptual similarity, by piq",
        source="Reisenhofer et al. 2018, arXiv:1607.06140",
        smallest=16,
    )
    yield MetricCard(
        name="lpips",
        factory="restoration_perceptual.learned:Lpips",
        title="LPIPS",
        summary="learned perceptual similarity, AlexNet, version 0.1; its weights are fetched by hand",
        source="Zhang et al. 2018, arXiv:1801.03924",
        less_is_better=True,
        smallest=31,
    )
    yield MetricCard(
        name="fid",
        factory="restoration_perceptual.frechet:FrechetInception",
        title="FID",
        summary="Fréchet distance of Inception features, of two sets; its weights are fetched by hand",
        source="Heusel et al. 2017, arXiv:1706.08500",
        less_is_better=True,
        digits=2,
    )
    for number, suffix in ((0, ""), (2, "2")):
        yield MetricCard(
            name=f"features{suffix}",
            factory="restoration_perceptual.features:Features",
            defaults={"network": number},
            title=f"features, Lite{number}",
            summary=f"distance of unit-normalised features, 5 stages of EfficientNet-Lite{number}",
            source="Tan and Le 2019, arXiv:1905.11946",
            less_is_better=True,
        )
        yield MetricCard(
            name=f"fd{suffix}",
            factory="restoration_perceptual.patches:FrechetPatches",
            defaults={"network": number},
            title=f"FD, Lite{number}",
            summary=f"Fréchet distance of features of patches, EfficientNet-Lite{number}, of two sets",
            source="Chong and Forsyth 2020, arXiv:1911.07023",
            less_is_better=True,
            digits=1,
            smallest=64,
        )
    yield MetricCard(
        name="spectrum",
        factory="restoration_perceptual.spectrum:Spectrum",
        title="spectrum",
        summary="error of the log power spectrum",
        unit="dB",
        digits=2,
        less_is_better=True,
        smallest=16,
    )
    yield MetricCard(
        name="detail",
        factory="restoration_perceptual.spectrum:Detail",
        title="detail",
        summary="how far the power of high frequencies is from the clean picture's, more or less",
        unit="dB",
        digits=2,
        less_is_better=True,
        smallest=16,
    )
    yield MetricCard(
        name="niqe",
        factory="restoration_perceptual.naturalness:Niqe",
        title="NIQE",
        summary="how natural a picture looks, without the clean one, fitted to free photographs",
        source="Mittal, Soundararajan, Bovik 2013, IEEE Signal Processing Letters 20(3)",
        digits=2,
        less_is_better=True,
        smallest=192,
    )
