"""The options of `restore train`, under headings; those that are settings have the defaults of `Training`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from restoration.cli.headings import under
from restoration.cli.options import SEED, combine, names
from restoration.cli.pair_options import PLACE, sides, templates
from restoration.console import COUNT_OF_THREADS, keywords
from restoration.machine import device_option, offline_option
from restoration.permissions import license_option, locked_option
from restoration.registry.cards import NetworkCard, ObjectiveCard, SamplerCard, ScheduleCard, TaskCard
from restoration.training.settings import KEEPS, OPTIMIZERS, PRECISIONS, TURNS, Training

PARTS = {"network": NetworkCard, "schedule": ScheduleCard, "objective": ObjectiveCard, "sampler": SamplerCard}
SHARE = click.FloatRange(0, 1)
LONGEST_LICENSE = 100
"""Characters that the name of a licence has at most."""


class Size(click.ParamType):  # type: ignore[type-arg]  # it is generic in new releases of click
    """An amount of memory in bytes, or with a unit: 500M, 4G, 4GB."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return bytes."""
        if not isinstance(value, str):
            return value
        number, unit = value.upper().removesuffix("B"), 1
        for letter, bytes_ in (("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)):
            if number.endswith(letter):
                number, unit = number[:-1], bytes_
        try:
            size = int(float(number) * unit)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a size such as 500M or 4G", param, ctx)
        if size < 0:
            self.fail(f"{value!r} is not a size of 0 or more", param, ctx)
        return size


class License(click.ParamType):  # type: ignore[type-arg]  # as above
    """The name of a licence: one line of a few words."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it as it is."""
        if not str(value).isprintable() or len(value) > LONGEST_LICENSE or "`" in value:
            self.fail(f"{value!r} is not the name of a licence, such as mit or cc-by-nc-4.0", param, ctx)
        return value.strip()


def setting(heading: str, name: str, kind: Any, help: str, default: str | None = None) -> Callable[[Any], Any]:
    """Return an option for a setting of `Training`; its help shows the default there, or the words given for it."""
    field = name.lstrip("-").partition("/")[0].replace("-", "_")
    values = dict(zip(Training.__struct_fields__, Training.__struct_defaults__, strict=True))
    words = f"{help}  [default: {default or values[field]}]"
    metavar = "N" if isinstance(kind, click.IntRange) else "X" if isinstance(kind, click.FloatRange) else None
    return under(heading)(name, type=kind, default=None, metavar=metavar, help=words)


def _part(name: str, help: str) -> Callable[[Any], Any]:
    return under("What is trained")(f"--{name}", metavar="NAME", shell_complete=names(PARTS[name]), help=help)


what = under("What is trained")
pictures = under("Pictures")
result = under("Result")
machine = under("Machine")
THE_STEPS, KEEPING = "Optimisation", "Result"

training_options = combine(
    [
        what(
            "-t",
            "--task",
            metavar="NAME",
            shell_complete=names(TaskCard),
            help="Damage to repair; `restore tasks` lists what there is.  [default: that of the method, if it is made "
            "for one alone]",
        ),
        what(
            "--recipe",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Recipe with the parts and settings to train with: a config.json, as it lies beside weights.",
        ),
        what(
            "--start",
            metavar="WHICH",
            help="Initial weights: a folder, a name from `restore weights list`, owner/name[@revision] on the Hugging "
            "Face Hub, or none.  [default: those of --recipe, else none]",
        ),
        license_option(what, "--start-license"),
        locked_option(what),
        _part("network", "Network to train; `restore networks` lists them.  [default: that of the method]"),
        _part("schedule", "Noise schedule; `restore schedules` lists them.  [default: that of the method]"),
        _part("objective", "Training objective; `restore objectives` lists them.  [default: that of the method]"),
        _part(
            "sampler", "Sampler for validation and use; `restore samplers` lists them.  [default: that of the method]"
        ),
        what(
            "--set",
            "options",
            multiple=True,
            callback=keywords,
            metavar="PART.KEY=VALUE",
            help="Set an option of a part, as in network.width=32 or schedule.max_sigma=50. May be repeated.",
        ),
        what(
            "--working-size",
            type=int,
            metavar="PIXELS",
            help="Shrink pictures to about PIXELS x PIXELS; 0 leaves them as they are.  [default: that of the task]",
        ),
        what(
            "--realism",
            type=click.FloatRange(0, 1),
            metavar="X",
            help="Realism that the weights have by default: they draw likely pictures, for `restore run --realism`.  "
            "[default: that of --recipe, else none]",
        ),
        what(
            "--mean",
            metavar="WHICH",
            help="Weights of the mean of what these draw: a name from `restore weights list`, owner/name on the Hub, "
            "or a path as seen from --out that begins with a dot.  [default: those that came with the method]",
        ),
        what(
            "--from-mean",
            is_flag=True,
            default=None,
            help="Let the path lead to what the weights of the mean answer, not to the degraded picture, which the "
            "network is shown beside; for weights that draw.",
        ),
        pictures(
            "--data",
            metavar="DIR",
            type=click.Path(path_type=Path),
            help="Clean pictures, which the task degrades anew for each step; or pairs, in two sub-folders. "
            "A folder, shards of webdataset, 'shards/{000..099}.tar', or IDX files as those of MNIST.",
        ),
        *sides(pictures),
        pictures(
            "--pairs",
            type=PLACE,
            nargs=2,
            metavar="DIR DIR",
            help="Two noisy pictures of each scene, in two folders; for objectives that need no clean pictures.",
        ),
        pictures(
            "--noisy",
            metavar="DIR",
            type=PLACE,
            help="Noisy pictures alone: a folder for each scene with all pictures of it, for noise2noise; or any, for "
            "neighbor2neighbor.",
        ),
        *templates(pictures),
        pictures(
            "--validation",
            metavar="DIR",
            type=click.Path(path_type=Path),
            help="Pictures or pairs for validation.  [default: some held out of the others]",
        ),
        setting(
            "Pictures",
            "--held-out",
            click.IntRange(0),
            "Number of pictures held out for validation, at most half of all.",
        ),
        setting("Pictures", "--patch", click.IntRange(8), "Side of a patch, in pixels."),
        setting("Pictures", "--shrink", SHARE, "Share of patches shown at half size: finer edges, no traces of JPEG."),
        setting("Pictures", "--recolour", SHARE, "Share of patches with channels permuted, other hue and saturation."),
        setting("Pictures", "--curves", SHARE, "Share of patches with a tone curve of its own for each channel."),
        setting("Pictures", "--flat", SHARE, "Share of patches that are one colour, or a gradient: skies, walls."),
        setting("Pictures", "--skies", SHARE, "Share of patches with a sky drawn over a horizon, grey or blue."),
        setting("Pictures", "--grey", SHARE, "Share of patches without colours, with the same damage in all channels."),
        setting(
            "Pictures", "--undamaged", SHARE, "Share of patches left undamaged, so that clean pictures stay clean."
        ),
        setting(
            "Pictures",
            "--turns",
            click.Choice(TURNS),
            "Turn and mirror patches (all), mirror them left to right only (mirror), or neither (none).",
        ),
        setting(THE_STEPS, "--steps", click.IntRange(1), "Number of updates of the weights."),
        setting(THE_STEPS, "--batch", click.IntRange(1), "Patches in a step, of all processes together."),
        setting(THE_STEPS, "--optimizer", click.Choice(OPTIMIZERS), "Optimiser: AdamW, or SGD with --momentum."),
        setting(THE_STEPS, "--lr", click.FloatRange(0, min_open=True), "Highest learning rate."),
        setting(THE_STEPS, "--momentum", click.FloatRange(0, 1, max_open=True), "Momentum of SGD."),
        setting(
            THE_STEPS,
            "--warmup",
            click.IntRange(0),
            "Steps in which the learning rate rises, before it falls to 0 by a cosine.",
            "500, at most a tenth of --steps",
        ),
        setting(THE_STEPS, "--weight-decay", click.FloatRange(0), "Weight decay, decoupled in AdamW."),
        setting(THE_STEPS, "--ema", click.FloatRange(0, 1, max_open=True), "Decay of the averaged weights."),
        setting(THE_STEPS, "--clip", click.FloatRange(0, min_open=True), "Largest norm of the gradient."),
        setting(
            THE_STEPS, "--blend", click.FloatRange(0, 1, max_open=True), "Share of the initial weights in what is kept."
        ),
        setting(THE_STEPS, "--seed", SEED, "Random seed of initial weights, patches and noise."),
        setting(
            THE_STEPS,
            "--precision",
            click.Choice(PRECISIONS),
            "Floating-point precision; fp16 comes with loss scaling.",
        ),
        result(
            "--out",
            metavar="DIR",
            required=True,
            type=click.Path(path_type=Path),
            help="Folder for the weights; a training that was begun there goes on.",
        ),
        result(
            "--license",
            metavar="NAME",
            type=License(),
            default="",
            help="Licence of the weights, such as mit or cc-by-nc-4.0, for their model card.  [default: not stated]",
        ),
        setting(KEEPING, "--validate-every", click.IntRange(1), "Steps between validations, which write the weights."),
        setting(KEEPING, "--checkpoint-every", click.IntRange(1), "Steps between checkpoints, to go on from."),
        setting(KEEPING, "--log-every", click.IntRange(1), "Steps between lines of the log."),
        setting(
            KEEPING,
            "--keep",
            click.Choice(KEEPS),
            "Averaged weights to keep: those with the best PSNR in validation, or the last. Of weights that draw, the "
            "best PSNR is that of the least real.",
        ),
        result("--watch", is_flag=True, help="Draw loss and PSNR on the terminal while it runs."),
        device_option(machine),
        machine("--threads", type=COUNT_OF_THREADS, metavar="N", help="Number of CPU threads.  [default: all]"),
        machine(
            "--processes",
            type=click.IntRange(1),
            metavar="N",
            default=1,
            show_default=True,
            help="Number of training processes on this machine, which share each batch.",
        ),
        setting("Machine", "--workers", click.IntRange(0), "Worker processes that prepare batches.", "auto"),
        setting(
            "Machine", "--cache", Size(), "Disk space, best in memory, for decoded pictures, as 500M or 4G.", "auto"
        ),
        setting("Machine", "--compile/--no-compile", None, "Compile the network with torch.compile.", "no"),
        offline_option(machine),
    ]
)
