"""Files of the architectures that spandrel knows: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import LayoutCard, NetworkCard, hookimpl

SOURCE = "spandrel, github.com/chaiNNer-org/spandrel"


@hookimpl
def register_layouts() -> Iterable[LayoutCard]:
    """Bring the recognition of files."""
    yield LayoutCard(
        name="spandrel",
        factory="restoration_spandrel.layout:SpandrelLayout",
        summary="files of 42 architectures: ESRGAN, SwinIR, DAT, HAT, NAFNet, SCUNet, FBCNN and others",
        source=SOURCE,
        turn=1,
        parts={
            "method": ("regression", "denoising-ode"),
            "task": ("sr", "denoise", "deblur", "derain", "dehaze", "jpeg"),
            "schedule": ("noise-level",),
            "objective": ("clean-matching",),
        },
    )


@hookimpl
def register_networks() -> Iterable[NetworkCard]:
    """Bring the networks that are built from the shapes of their tensors.

    `bytes_per_pixel` and `tiles` are attributes of each network; what stands here is replaced by them.
    """
    yield NetworkCard(
        name="spandrel",
        factory="restoration_spandrel.network:Restoring",
        summary="any architecture of spandrel that keeps the size of a picture, by the shapes of its tensors",
        reach=64,
        source=SOURCE,
        bytes_per_pixel=3000,
        tiles=False,
    )
    yield NetworkCard(
        name="spandrel-sr",
        factory="restoration_spandrel.network:Enlarging",
        summary="any architecture of spandrel that enlarges, by the shapes of its tensors",
        takes=("y",),
        enlarges=(2, 3, 4, 5, 6, 8, 16),
        source=SOURCE,
        bytes_per_pixel=3000,
        tiles=False,
    )
    yield NetworkCard(
        name="spandrel-denoising",
        factory="restoration_spandrel.network:Denoising",
        summary="an architecture of spandrel that takes a map of the noise level: DRUNet, FDnCNN",
        takes=("t",),
        reach=64,
        source=SOURCE,
        bytes_per_pixel=3000,
        tiles=False,
    )
