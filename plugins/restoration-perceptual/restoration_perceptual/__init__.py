"""How alike pictures look, for `restoration`: metrics. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import MetricCard, hookimpl


@hookimpl
def register_metrics() -> Iterable[MetricCard]:
    """Bring GMSD, HaarPSI, LPIPS and FID; what is imported, and read, only when one is asked for."""
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
