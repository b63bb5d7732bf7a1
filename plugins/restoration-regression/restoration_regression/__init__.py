"""The CNN baseline for `restoration`: a network straight from the degraded picture to the clean one."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import ObjectiveCard, RestorerCard, WeightsCard, hookimpl

COMPACT, NETWORKS = "compact NAFNet of width 16", {"jpeg": "dense U-Net"}
"""What the weights are of: the first, but for some tasks."""
TRAINED_ON = {
    "derain": "synthetic rain",
    "denoise": "Gaussian noise of sigma 0 to 75, the noise of cameras and impulses",
    "deblur": "camera shake and defocus",
    "sr": "MATLAB's bicubic at 2, 3 and 4",
    "inpaint": "strokes, boxes, writing and lost pixels",
    "dehaze": "the scattering model over random depths",
    "jpeg": "JPEG of quality 5 to 95",
}


@hookimpl
def register_objectives() -> Iterable[ObjectiveCard]:
    """Bring the objective of regression."""
    yield ObjectiveCard(
        name="regression",
        factory="restoration_regression.regression:DirectMatching",
        summary="the network predicts the clean picture from the degraded one in one evaluation",
        path=False,
    )


@hookimpl
def register_restorers() -> Iterable[RestorerCard]:
    """Bring the method."""
    yield RestorerCard(
        name="regression",
        factory="restoration_regression.regression:Regression",
        summary="one evaluation of a network: the CNN baseline, with the highest PSNR for its time",
        uses=(),
        draws=False,
        defaults={
            "network": {
                "name": "nafnet-compact",
                "options": {"width": 16, "encoder": [1, 1, 2, 2], "middle": 1, "decoder": [2, 2, 1, 1]},
            },
            "objective": {"name": "regression", "options": {"norm": "l1"}},
        },
    )


@hookimpl
def register_weights() -> Iterable[WeightsCard]:
    """Bring the weights that we trained."""
    for task, data in TRAINED_ON.items():
        yield WeightsCard(
            name=f"regression/{task}",
            factory=f"restoration_regression:weights/{task}",
            summary=f"{NETWORKS.get(task, COMPACT)}, trained on {data}; one evaluation",
            method="regression",
            task=task,
            license="MIT",
        )
