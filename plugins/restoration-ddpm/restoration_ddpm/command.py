"""`restore sample`: pictures drawn by trained weights."""

from __future__ import annotations

import re
import time
from typing import Any

import click

from restoration.console import answers_apart, common_options, echo_json, keywords, prepare, progress, threads_option
from restoration.machine import device_option, offline_option, precision_option
from restoration.permissions import license_option, locked_option


class Size(click.ParamType):  # type: ignore[type-arg]  # it is generic in new releases of click
    """A width and a height, as 28x28."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return the height and the width."""
        found = re.fullmatch(r"(\d+)x(\d+)", str(value))
        if not found or not int(found[1]) * int(found[2]):
            self.fail(f"{value!r} is not a size such as 28x28", param, ctx)
        return int(found[2]), int(found[1])


@click.command()
@click.option(
    "--weights",
    metavar="WHICH",
    default="ddpm/fashion-mnist",
    show_default=True,
    help="Weights of ddpm: a folder, a name from `restore weights list`, or owner/name[@revision] on the Hugging Face "
    "Hub.",
)
@license_option()
@locked_option()
@click.option(
    "-n", "--number", type=click.IntRange(1), metavar="N", default=64, show_default=True, help="Number of pictures."
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="PATH",
    help="File for a sheet of all pictures, such as sheet.png, or a folder for single ones, such as samples/.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option(
    "--steps",
    type=click.IntRange(1),
    metavar="N",
    help="Number of evaluations of the network.  [default: that of the weights, 50 for most]",
)
@click.option(
    "--sampler", metavar="NAME", help="Sampler; `restore samplers` lists them.  [default: that of the weights]"
)
@click.option(
    "--set",
    "options",
    multiple=True,
    callback=keywords,
    metavar="KEY=VALUE",
    help="Set another option of the method, or of its sampler, as in sampler.eta=0.5. May be repeated.",
)
@click.option("--seed", type=click.IntRange(0, 2**62), metavar="N", default=0, show_default=True, help="Random seed.")
@click.option("--size", type=Size(), help="Width and height, such as 32x32.  [default: those of the training]")
@click.option("--columns", type=click.IntRange(1), metavar="N", help="Pictures in a row of the sheet.  [default: auto]")
@click.option(
    "--zoom", type=click.IntRange(1, 64), metavar="N", default=1, show_default=True, help="Enlarge every pixel."
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    metavar="N",
    default=64,
    show_default=True,
    help="Pictures that are drawn at once; the pictures are the same, but for rounding.",
)
@device_option()
@precision_option()
@threads_option
@offline_option()
@common_options
def sample(
    weights: str,
    number: int,
    output: str,
    overwrite: bool,
    steps: int | None,
    sampler: str | None,
    options: dict[str, Any],
    seed: int,
    size: tuple[int, int] | None,
    columns: int | None,
    zoom: int,
    batch: int,
    device: str,
    precision: str,
    threads: int | None,
    offline: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw new pictures with weights of ddpm: one sheet of them, or a folder.

    The same seed draws the same pictures, whatever their number: the first ten of a hundred are those of ten.

    \b
    Examples:
      restore sample --weights weights/ -n 64 -o sheet.png
      restore sample --weights weights/ -n 1000 --steps 20 --sampler dpmpp-2m -o samples/
      restore sample --weights weights/ -n 16 --steps 1000 --sampler posterior --seed 7 --zoom 4 -o sheet.png
    """
    from restoration_ddpm.generation import Generation
    from restoration_ddpm.output import Folder, Sheet

    target = Folder(output, zoom) if Folder.fits(output) else Sheet(output, columns, zoom)
    target.check(number, overwrite)
    prepare(threads)
    generation = Generation(
        weights,
        size=size,
        steps=steps,
        sampler=sampler,
        options=options,
        device=device,
        precision=precision,
        offline=offline,
    )
    begin = time.perf_counter()
    with progress("drawing", quiet=quiet) as observe, answers_apart():
        for pictures in generation.batches(number, seed=seed, batch=batch, observe=observe):
            target.add(pictures)
    paths = target.finish()
    if not as_json:
        for path in paths:
            click.echo(str(path))
        return
    facts = {
        "paths": [str(path) for path in paths],
        "pictures": number,
        "size": [generation.width, generation.height],
        "weights": weights,
        "steps": generation.method.steps,
        "sampler": generation.restoration.recipe.sampler and generation.restoration.recipe.sampler.name,
        "seed": seed,
        "device": str(generation.restoration.device),
        "precision": generation.restoration.precision,
        "seconds": round(time.perf_counter() - begin, 3),
    }
    echo_json(facts)
