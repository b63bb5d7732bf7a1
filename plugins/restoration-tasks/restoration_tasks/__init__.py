"""Tasks for `restoration`: the ways pictures are damaged. Cards only, nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from restoration import CommandOption, TaskCard, hookimpl


@hookimpl
def register_tasks() -> Iterable[TaskCard]:
    """Bring the six tasks of the literature of diffusion, and that of JPEG."""
    yield TaskCard(
        name="derain",
        factory="restoration_tasks.rain:Rain",
        summary="take away rain: streaks of several directions, lengths and widths, mist, drops on glass",
        source="Yang et al. 2017, equation 3",
        asks=(
            CommandOption(name="kind", help="what falls", values=("streaks", "drops", "mixed")),
            CommandOption(name="strength", help="mean brightness of the streaks, 0.02 to 0.45"),
        ),
    )
    yield TaskCard(
        name="deblur",
        factory="restoration_tasks.blur:Blur",
        summary="sharpen pictures blurred by a shaken camera or a lens out of focus",
        linear=True,
        asks=(
            CommandOption(
                name="kernel", help="a picture, .npy or FILE.npz:KEY of the kernel", values="file", describes=True
            ),
            CommandOption(name="kind", help="what blurs", values=("shake", "defocus", "mixed")),
            CommandOption(name="extent", help="diameter of kernels that are drawn, in pixels"),
        ),
    )
    yield TaskCard(
        name="denoise",
        factory="restoration_tasks.noise:Noise",
        summary="take away noise: Gaussian, of a sensor, as cameras store it, or isolated wrong pixels",
        linear=True,
        asks=(
            CommandOption(name="sigma", help="standard deviation of the noise, in levels of 255", describes=True),
            CommandOption(
                name="kind", help="of noise", values=("gaussian", "poisson-gaussian", "impulse", "camera", "mixed")
            ),
        ),
    )
    yield TaskCard(
        name="sr",
        factory="restoration_tasks.resolution:LowResolution",
        summary="enlarge a small picture 2, 3 or 4 times",
        linear=True,
        asks=(CommandOption(name="scale", help="how much larger; 4 if not said", values="whole", describes=True),),
    )
    yield TaskCard(
        name="inpaint",
        factory="restoration_tasks.holes:Holes",
        summary="fill scratches, blots, writing and lost pixels",
        linear=True,
        asks=(
            CommandOption(
                name="mask",
                help="a picture or a folder of them, black where pixels are missing",
                values="file",
                describes=True,
            ),
            CommandOption(
                name="kind",
                help="of holes that are drawn",
                values=("thin", "thick", "boxes", "text", "pixels", "mixed"),
            ),
            CommandOption(name="holes", help="how the mask shows holes", values=("black", "white"), describes=True),
        ),
    )
    yield TaskCard(
        name="dehaze",
        factory="restoration_tasks.haze:Haze",
        summary="see through haze and fog",
        source="Narasimhan and Nayar 2002",
        working_size=192,
        asks=(CommandOption(name="thickness", help="optical depth of the haze, 0 to 10"),),
    )
    yield TaskCard(
        name="jpeg",
        factory="restoration_tasks.jpeg:JPEG",
        summary="mend the blocks and rings of strong JPEG compression",
        lossy=True,
        asks=(CommandOption(name="quality", help="of the encoder, 5 to 60"),),
    )
