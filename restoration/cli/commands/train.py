"""`restore train`: a folder of pictures in, a folder of weights out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoration.cli.options import SEED, keywords, names
from restoration.console import debug_option, quiet_option, show_warnings
from restoration.errors import BadOption, BadWeights, UnknownName
from restoration.registry.cards import NetworkCard, ObjectiveCard, RestorerCard, SamplerCard, ScheduleCard, TaskCard

if TYPE_CHECKING:
    from restoration.recipe import Recipe
    from restoration.training.loop import Progress
    from restoration.training.settings import Training
    from restoration.weights import Folder

PARTS = {"network": NetworkCard, "schedule": ScheduleCard, "objective": ObjectiveCard, "sampler": SamplerCard}


@click.command()
@click.argument("method", shell_complete=names(RestorerCard))
@click.option(
    "-t", "--task", required=True, shell_complete=names(TaskCard), help="What to repair, see `restore tasks`."
)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Clean pictures, degraded on the fly by the task; or two sub-folders with pairs, one called clean.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The folder of weights; continued if it is one."
)
@click.option(
    "--recipe", type=click.Path(dir_okay=False, path_type=Path), help="A config.json: the same parts and settings."
)
@click.option(
    "--start",
    metavar="WHICH",
    help="Weights to begin with: a folder, a name, owner/name on the Hub, or none.  [default: those of --recipe]",
)
@click.option("--network", shell_complete=names(NetworkCard), help="Another network.")
@click.option("--schedule", shell_complete=names(ScheduleCard), help="Another noise schedule.")
@click.option("--objective", shell_complete=names(ObjectiveCard), help="Another objective.")
@click.option("--sampler", shell_complete=names(SamplerCard), help="Another sampler.")
@click.option(
    "--set",
    "options",
    multiple=True,
    callback=keywords,
    metavar="PART.KEY=VALUE",
    help="An option of a part, such as network.width=32 or schedule.max_sigma=50; may be repeated.",
)
@click.option("--working-size", type=int, help="Judge pictures in copies of so many squared pixels; 0: as they are.")
@click.option("--steps", type=click.IntRange(1), help="Steps of the optimiser.  [default: 20000]")
@click.option("--batch", type=click.IntRange(1), help="Patches a step, of all processes together.  [default: 8]")
@click.option("--patch", type=click.IntRange(8), help="The side of a patch, in pixels.  [default: 96]")
@click.option("--lr", type=click.FloatRange(0, min_open=True), help="The highest learning rate.  [default: 0.001]")
@click.option("--seed", type=SEED, help="Of the weights, the data and the noise.  [default: 0]")
@click.option("--blend", type=click.FloatRange(0, 1, max_open=True), help="Of --start in what is kept.  [default: 0]")
@click.option("--held-out", type=click.IntRange(0), help="Pictures kept for validation.  [default: 8]")
@click.option("--validate-every", type=click.IntRange(1), help="Steps between validations.  [default: 2000]")
@click.option("--checkpoint-every", type=click.IntRange(1), help="Steps between checkpoints.  [default: 1000]")
@click.option("--log-every", type=click.IntRange(1), help="Steps between lines of the log.  [default: 100]")
@click.option("--precision", help="auto, fp32, bf16, fp16.  [default: auto]")
@click.option("--compile/--no-compile", default=None, help="Compile the network with torch.compile.  [default: no]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--threads", type=click.IntRange(1), help="Of the processor, for all processes.  [default: all]")
@click.option(
    "--processes", type=click.IntRange(1), default=1, show_default=True, help="On this machine; they share each batch."
)
@click.option("--watch", is_flag=True, help="Show the curves on the terminal while they grow.")
@click.option("--offline", is_flag=True, help="Never ask the network for --start.")
@quiet_option
@debug_option
def train(
    method: str,
    task: str,
    data: Path,
    out: Path,
    recipe: Path | None,
    start: str | None,
    options: dict[str, Any],
    working_size: int | None,
    device: str,
    threads: int | None,
    processes: int,
    watch: bool,
    offline: bool,
    quiet: bool,
    **chosen: Any,
) -> int:
    """Train METHOD for a task.

    \b
    Examples:
      restore train ir-sde --task derain --data photos/ --out weights/ --watch
      restore train regression --task denoise --data photos/ --out weights/ --set network.width=32
      restore train ir-sde --task derain --data photos/ --out again/ --recipe weights/config.json

    A training that was stopped goes on from its last checkpoint when the same command is given again. The result is a
    folder for `restore run --weights`: of the averaged weights, those that did best on the pictures held out. Beside
    them lie log.jsonl, curves.svg, preview.png and, where TensorBoard is installed, what it shows.

    --processes N trains in N processes on this machine, one a GPU where there are any; for several machines, start
    `accelerate launch -m restoration train ...` on each. The batch, and so what is learnt, stays the same.
    """
    from restoration.cli.progress import training_progress
    from restoration.engine.hardware import prepare
    from restoration.training.parallel import place

    rank, launched = place()
    quiet = quiet or rank > 0
    show_warnings(quiet)
    parts = {name: chosen.pop(name) for name in PARTS}
    made = _recipe(method, task, recipe, parts, options, working_size)
    settings = _settings(made, {name: value for name, value in chosen.items() if value is not None})
    begin = _begin(start, made if recipe is not None else None, method, task, offline)
    work = partial(_train, made, data, out, settings, device, begin)
    with training_progress(out, settings, quiet=quiet, watch=watch) as observe:
        if launched == 1 and processes > 1:
            folder = _in_processes(processes, threads, settings, quiet, work, observe)
        else:
            prepare(threads and _share(threads))
            folder = work(observe)
    if rank == 0:
        click.echo(str(folder.path))
    return 0


def _train(
    recipe: Recipe,
    data: Path,
    out: Path,
    settings: Training,
    device: str,
    begin: Folder | None,
    observe: Callable[[Progress], None],
) -> Folder:
    """Train in this process, with what it finds of others."""
    from restoration.engine.hardware import find_device
    from restoration.training.loop import train
    from restoration.training.parallel import own_device

    return train(recipe, data, out, settings, device=str(find_device(own_device(device))), start=begin, observe=observe)


def _in_processes(
    number: int, threads: int | None, settings: Training, quiet: bool, work: Any, observe: Callable[[Progress], None]
) -> Folder:
    """Train in processes of our own, which load the one-file plugins of this run too."""
    import torch

    from restoration.cli.processes import launch
    from restoration.registry import registry

    if find_spec("accelerate") is None:
        raise BadOption("--processes needs accelerate: pip install 'restoration-toolbox[train]'")
    if number > settings.batch:
        raise BadOption(f"a batch of {settings.batch} is too small for {number} processes; use a larger --batch")
    files = [plugin.module for plugin in registry().plugins if plugin.module.endswith(".py")]
    each = max(1, (threads or torch.get_num_threads()) // number)
    folder: Folder = launch(number, each, partial(_as_one, files, each, quiet, work), observe)
    return folder


def _as_one(files: list[str], threads: int, quiet: bool, work: Any, observe: Callable[[Progress], None]) -> Folder:
    """Be one of the processes."""
    import torch

    from restoration.engine.hardware import prepare
    from restoration.registry import registry
    from restoration.training.parallel import place

    show_warnings(quiet or place()[0] > 0)
    prepare(threads)
    for file in files:
        registry().add_file(file)
    folder: Folder = work(observe)
    torch.distributed.destroy_process_group()
    return folder


def _share(threads: int) -> int:
    """The threads of this process, of those of this machine."""
    import os

    return max(1, threads // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _begin(name: str | None, recipe: Recipe | None, method: str, task: str, offline: bool) -> Folder | None:
    """The weights to begin with: those named, or else those of a recipe that is followed; "none" for none."""
    from restoration.version import __version__
    from restoration.weights import resolve

    recorded = recipe.training.get("start") if recipe is not None else None
    if name == "none" or not (name or recorded):
        return None
    if not name and recipe is not None and recipe.restoration != __version__:
        others = f"{recorded} of restoration {recipe.restoration}"
        logging.getLogger("restoration").warning("it began with %s; those of %s may differ", others, __version__)
    try:
        return resolve(name or recorded, method, task, offline=offline)
    except (UnknownName, BadWeights) as error:
        if name:
            raise
        raise BadOption(f"the recipe begins with weights {recorded!r}: {error}; name them with --start") from error


def _recipe(
    method: str,
    task: str,
    file: Path | None,
    parts: dict[str, str | None],
    options: dict[str, Any],
    working_size: int | None,
) -> Recipe:
    """The recipe of a file, or the method's own, with what was chosen put in."""
    import msgspec

    from restoration.recipe import Recipe, default_recipe, with_options

    recipe = default_recipe(method, task)
    if file is not None:
        try:
            recipe = Recipe.from_json(file.read_bytes(), file)
        except OSError as error:
            raise BadOption(f"{file}: {error.strerror}") from error
        if (recipe.method.name, recipe.task.name) != (method, task):
            raise BadOption(f"{file} is a recipe for {recipe.method.name} and {recipe.task.name}")
    for key in (key for key in options if "." not in key):
        raise BadOption(
            f"--set {key}: say which part, as in network.{key}=...; parts are {', '.join(PARTS)}, task, method"
        )
    recipe = with_options(recipe, options, parts=parts)
    if working_size is None:
        return recipe
    try:
        return msgspec.structs.replace(recipe, working_size=working_size)
    except ValueError as error:
        raise BadOption(f"--working-size {working_size}: {error}") from error


def _settings(recipe: Recipe, chosen: dict[str, Any]) -> Any:
    """The settings that the recipe was trained with, if it was, and then what was chosen."""
    import msgspec

    from restoration.training.settings import Training

    known = {name: value for name, value in recipe.training.items() if name in Training.__struct_fields__}
    try:
        return msgspec.convert({**known, **chosen}, Training)
    except msgspec.ValidationError as error:
        raise BadOption(f"the settings of the training do not fit: {error}") from error
