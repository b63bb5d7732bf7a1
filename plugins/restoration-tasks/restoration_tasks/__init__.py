"""Tasks for `restoration`, the ways that pictures are damaged: cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import CommandOption, Limits, TaskCard, hookimpl


@hookimpl
def register_tasks() -> Iterable[TaskCard]:
    """Bring the six tasks that the literature on diffusion has, and JPEG."""
    yield TaskCard(
        name="derain",
        factory="restoration_tasks.rain:Rain",
        summary="remove rain: streaks of several directions, lengths and widths, mist, drops on the glass",
        source="Yang et al. 2017, equation 3",
        symmetries="mirror",
        limits=Limits(darker=8, lighter=8, detail=5, structure=0.15),
        asks=(
            CommandOption(name="kind", help="kind of rain that is drawn", values=("streaks", "drops", "mixed")),
            CommandOption(name="strength", help="mean brightness of the streaks, drawn from 0.02 to 0.45 by default"),
        ),
    )
    yield TaskCard(
        name="deblur",
        factory="restoration_tasks.blur:Blur",
        summary="sharpen pictures blurred by a shaken camera or a lens out of focus",
        linear=True,
        symmetries="all",
        limits=Limits(darker=12, lighter=12, structure=0.2),
        asks=(
            CommandOption(
                name="kernel",
                help="file of the blur kernel: a picture, NAME.npy or NAME.npz:KEY",
                values="file",
                describes=True,
                tells="operator",
            ),
            CommandOption(
                name="kind", help="kind of blur that is drawn", values=("shake", "defocus", "motion", "mixed", "all")
            ),
            CommandOption(name="extent", help="diameter of the kernels that are drawn, in pixels"),
        ),
    )
    yield TaskCard(
        name="denoise",
        factory="restoration_tasks.noise:Noise",
        summary="remove noise: Gaussian, of a sensor, as cameras store it, or impulses",
        linear=True,
        symmetries="all",
        limits=Limits(darker=8, lighter=8, structure=0.5),
        asks=(
            CommandOption(
                name="sigma",
                help="standard deviation of the noise, in levels of 255; or a file of it for every pixel: a picture, "
                "NAME.npy or NAME.npz:KEY",
                values="map",
                describes=True,
                tells="sigma",
            ),
            CommandOption(
                name="kind",
                help="kind of noise that is drawn",
                values=("gaussian", "poisson-gaussian", "impulse", "camera", "mixed"),
            ),
        ),
    )
    yield TaskCard(
        name="sr",
        factory="restoration_tasks.resolution:LowResolution",
        summary="enlarge a small picture 2, 3 or 4 times",
        linear=True,
        symmetries="all",
        limits=Limits(darker=10, lighter=10, structure=0.25),
        asks=(
            CommandOption(
                name="scale", help="how many times larger the result is; 4 by default", values="whole", describes=True
            ),
        ),
    )
    yield TaskCard(
        name="inpaint",
        factory="restoration_tasks.holes:Holes",
        summary="fill in scratches, stains, text and lost pixels",
        linear=True,
        symmetries="all",
        asks=(
            CommandOption(
                name="mask",
                help="a picture, or a folder of pictures, that is black where pixels are missing, or NAME.npy",
                values="file",
                describes=True,
            ),
            CommandOption(
                name="kind",
                help="kind of holes that are drawn",
                values=("thin", "thick", "boxes", "text", "pixels", "mixed"),
            ),
            CommandOption(
                name="holes",
                help="colour of the holes in the mask; by default black, or white if it is certain",
                values=("black", "white"),
                describes=True,
            ),
        ),
    )
    yield TaskCard(
        name="dehaze",
        factory="restoration_tasks.haze:Haze",
        summary="remove haze and fog",
        source="Narasimhan and Nayar 2002",
        working_size=192,
        symmetries="mirror",
        limits=Limits(lighter=25, structure=0.05),
        asks=(CommandOption(name="thickness", help="optical depth of the haze, 0 to 10"),),
    )
    yield TaskCard(
        name="jpeg",
        factory="restoration_tasks.jpeg:JPEG",
        summary="remove the blocks and ringing of strong JPEG compression",
        lossy=True,
        symmetries="all",
        limits=Limits(darker=8, lighter=8, structure=0.25),
        asks=(CommandOption(name="quality", help="quality of the JPEG encoder, drawn from 5 to 60 by default"),),
    )
