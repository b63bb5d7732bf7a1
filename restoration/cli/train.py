"""`restore train`: a folder of pictures in, a folder of weights out."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoration.cards import NetworkCard, ObjectiveCard, RestorerCard, SamplerCard, ScheduleCard, TaskCard
from restoration.cli.options import keywords, names, passive_threads
from restoration.cli.output import debug, progress_wanted, say, warnings_to_stderr
from restoration.errors import BadOption

if TYPE_CHECKING:
    from restoration.recipe import Recipe

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
@click.option("--start", metavar="WHICH", help="Weights to begin with: a folder, a name, or owner/name on the Hub.")
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
@click.option("--steps", type=click.IntRange(1), help="Steps of the optimiser.  [default: 20000]")
@click.option("--batch", type=click.IntRange(1), help="Patches a step.  [default: 8]")
@click.option("--patch", type=click.IntRange(8), help="The side of a patch, in pixels.  [default: 96]")
@click.option("--lr", type=click.FloatRange(0, min_open=True), help="The highest learning rate.  [default: 0.001]")
@click.option("--seed", type=int, help="Of the weights, the data and the noise.  [default: 0]")
@click.option("--validate-every", type=click.IntRange(1), help="Steps between validations.  [default: 2000]")
@click.option("--checkpoint-every", type=click.IntRange(1), help="Steps between checkpoints.  [default: 1000]")
@click.option("--precision", help="auto, fp32, bf16, fp16.  [default: auto]")
@click.option("--compile/--no-compile", default=None, help="Compile the network with torch.compile.  [default: no]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--threads", type=click.IntRange(1), help="Of the processor.  [default: all]")
@click.option("--offline", is_flag=True, help="Never ask the network for --start.")
@click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")
@debug
def train(
    method: str,
    task: str,
    data: Path,
    out: Path,
    recipe: Path | None,
    start: str | None,
    options: dict[str, Any],
    device: str,
    threads: int | None,
    offline: bool,
    quiet: bool,
    **chosen: Any,
) -> int:
    """Train METHOD for a task.

    \b
    Examples:
      restore train ir-sde --task derain --data photos/ --out weights/
      restore train regression --task denoise --data photos/ --out weights/ --set network.width=32
      restore train ir-sde --task derain --data photos/ --out again/ --recipe weights/config.json

    A training that was stopped goes on from its last checkpoint when the same command is given again. The result is a
    folder for `restore run --weights`.
    """
    warnings_to_stderr(quiet)
    passive_threads()
    from restoration import training
    from restoration.runtime import find_device, prepare
    from restoration.weights import resolve

    prepare(threads)
    parts = {name: chosen.pop(name) for name in PARTS}
    made = _recipe(method, task, recipe, parts, options)
    settings = _settings(made, {name: value for name, value in chosen.items() if value is not None})
    begin = resolve(start, method, task, offline=offline) if start else None
    shown = progress_wanted(quiet)
    with _bar(settings.steps, shown) as step:

        def observe(progress: training.Progress) -> None:
            psnr = "" if progress.psnr is None else f", PSNR {progress.psnr:.2f} dB"
            remark = f"loss {progress.loss:.4f}{psnr}"
            step(progress.step, remark)
            if not shown and not quiet and progress.step % settings.validate_every == 0:
                say(f"step {progress.step} of {settings.steps}: {remark}, {progress.seconds:.0f} s")

        folder = training.train(
            made, data, out, settings, device=str(find_device(device)), start=begin, observe=observe
        )
    click.echo(str(folder.path))
    return 0


def _recipe(method: str, task: str, file: Path | None, parts: dict[str, str | None], options: dict[str, Any]) -> Recipe:
    """The recipe of a file, or the method's own, with what was chosen put in."""
    import msgspec

    from restoration.recipe import Part, Recipe, default_recipe

    recipe = default_recipe(method, task)
    if file is not None:
        try:
            recipe = Recipe.from_json(file.read_bytes(), file)
        except OSError as error:
            raise BadOption(f"{file}: {error.strerror}") from error
        if (recipe.method.name, recipe.task.name) != (method, task):
            raise BadOption(f"{file} is a recipe for {recipe.method.name} and {recipe.task.name}")
    fields: dict[str, Any] = {name: Part(part) for name, part in parts.items() if part is not None}
    for key, value in options.items():
        part, dot, option = key.partition(".")
        if not dot or part not in (*PARTS, "task", "method"):
            raise BadOption(
                f"--set {key}: say which part, as in network.width=32; parts are {', '.join(PARTS)}, task, method"
            )
        old = fields.get(part) or getattr(recipe, part)
        if old is None:
            raise BadOption(f"--set {key}: method {method!r} has no {part}")
        fields[part] = Part(old.name, {**old.options, option: value})
    return msgspec.structs.replace(recipe, **fields)


def _settings(recipe: Recipe, chosen: dict[str, Any]) -> Any:
    """The settings that the recipe was trained with, if it was, and then what was chosen."""
    import msgspec

    from restoration.training import Training

    known = {name: value for name, value in recipe.training.items() if name in Training.__struct_fields__}
    try:
        return msgspec.convert({**known, **chosen}, Training)
    except msgspec.ValidationError as error:
        raise BadOption(f"the settings of the training do not fit: {error}") from error


def _bar(steps: int, shown: bool) -> Any:
    if not shown:
        return nullcontext(lambda done, remark: None)
    from restoration.cli.progress import step_bar

    return step_bar(steps)
