"""`restore train`: a folder of pictures in, a folder of weights out."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoration.cli.headings import HeadedCommand
from restoration.cli.options import names
from restoration.cli.pair_options import TOGETHER
from restoration.cli.training_options import PARTS, training_options
from restoration.console import answers_apart, debug_option, quiet_option, say, show_warnings
from restoration.documents import read_document
from restoration.errors import BadOption, BadWeights, UnknownName
from restoration.registry import registry
from restoration.registry.cards import RestorerCard

if TYPE_CHECKING:
    from restoration.recipe import Recipe
    from restoration.weights import Folder


@click.command(cls=HeadedCommand)
@click.argument("method", shell_complete=names(RestorerCard))
@training_options
@quiet_option
@debug_option
@click.pass_obj
def train(
    arguments: list[str],
    /,
    method: str,
    task: str | None,
    data: Path | None,
    clean: Path | None,
    degraded: Path | None,
    pairs: tuple[Path, Path] | None,
    noisy: Path | None,
    clean_name: str,
    degraded_name: str,
    validation: Path | None,
    out: Path,
    recipe: Path | None,
    start: str | None,
    license: str,
    options: dict[str, Any],
    working_size: int | None,
    realism: float | None,
    mean: str | None,
    from_mean: bool | None,
    device: str,
    threads: int | None,
    processes: int,
    watch: bool,
    offline: bool,
    quiet: bool,
    **chosen: Any,
) -> int:
    """Train METHOD for a task; `restore methods` lists the methods.

    \b
    Examples:
      restore train ir-sde --task derain --data photos/ --out weights/ --watch
      restore train regression --task denoise --data photos/ --out weights/ --set network.width=32
      restore train ir-sde --task derain --data photos/ --out again/ --recipe weights/config.json
      restore train ddpm --data thumbnails/ --out weights/

    The result is a folder for `restore run --weights`, which can be used from the first validation on: the averaged
    weights that did best in validation, or the last with --keep last. Beside them lie log.jsonl, curves.svg,
    preview.png and, where TensorBoard is installed, what it shows.

    The same command goes on where a training was stopped, to the same result. With more --steps it goes on from a
    finished one. --lr, --warmup, --weight-decay, --ema, --clip, --keep and --precision may be changed on the way.

    --processes N shares each batch between N processes on this machine, one a GPU where there are any. For several
    machines, start `torchrun ... -m restoration train ...` or `accelerate launch ... -m restoration train ...` on each.
    """
    from restoration.cli.processes import one_of_several
    from restoration.cli.progress import training_progress
    from restoration.engine.hardware import prepare
    from restoration.training import loop
    from restoration.training.parallel import local_world_size, rank_and_world_size
    from restoration.training.settings import Training
    from restoration.training.whole import fit_to_pictures

    rank, world_size = rank_and_world_size()
    launches = processes > 1 and world_size == 1
    quiet = quiet or rank > 0
    show_warnings(quiet or launches)
    with one_of_several(rank, world_size):
        parts = {name: chosen.pop(name) for name in PARTS}
        task = task or _only_task(method)
        made = _recipe(method, task, recipe, parts, options)
        fields = {"working_size": working_size, "realism": realism, "mean": mean, "from_mean": from_mean or None}
        made = _with_fields(made, fields)
        if recipe is None and not quiet:
            _remark(made)
        set_by_user = {name: value for name, value in chosen.items() if value is not None}
        settings = Training.recorded(made.training, set_by_user)
        pictures, degraded = _pictures(data, clean, degraded, pairs, noisy)
        made, settings = fit_to_pictures(made, settings, pictures, out, set_by_user)
        if (clean_name or degraded_name) and degraded is None:
            raise BadOption("templates of names are for --clean and --degraded; name these folders too")
        if validation is not None and chosen["held_out"]:
            raise BadOption("--validation takes the place of --held-out; leave out one of them")
        _compare_batches(made)
        initial = _begin(start, made if recipe is not None else None, method, task, offline)
        if launches:
            _launch(processes, threads, settings.batch, arguments)
            return 0
        prepare(threads and max(1, threads // local_world_size()))
        with training_progress(out, settings, quiet=quiet, watch=watch) as observe, answers_apart():
            folder = loop.train(
                made,
                pictures,
                out,
                settings,
                degraded=degraded,
                templates=(clean_name, degraded_name),
                noisy=bool(pairs or noisy),
                validation=validation,
                device=device,
                start=initial,
                license=license,
                asked={*options, *(name for name, value in chosen.items() if value)},
                observe=observe,
            )
    if rank == 0:
        click.echo(str(folder.path))
    return 0


def _launch(number: int, threads: int | None, batch: int, arguments: list[str]) -> None:
    """Run the same command in several processes of this machine."""
    import torch

    from restoration.cli.processes import launch

    if find_spec("accelerate") is None:
        raise BadOption("--processes needs accelerate: pip install 'restoration-toolbox[train]'")
    if number > batch:
        raise BadOption(f"a batch of {batch} is too small for {number} processes; use a larger --batch")
    each = max(1, (threads or torch.get_num_threads()) // number)
    launch(number, each, ["-P", "-m", "restoration", *arguments])


def _only_task(method: str) -> str:
    """The task of a method that is made for one alone. Raises `click.UsageError` for another."""
    tasks = registry().card(RestorerCard, method).tasks
    if len(tasks) != 1:
        made_for = f"one of {', '.join(tasks)}" if tasks else "`restore tasks` lists what there is"
        raise click.UsageError(f"Missing option '-t' / '--task': the damage to repair; {made_for}.")
    return tasks[0]


def _pictures(
    data: Path | None, clean: Path | None, degraded: Path | None, pairs: tuple[Path, Path] | None, noisy: Path | None
) -> tuple[Path, Path | None]:
    """The folder of the pictures, or the two folders of pairs."""
    if (clean is None) != (degraded is None):
        raise BadOption(TOGETHER)
    named = [one for one in ((data, None), (clean, degraded), pairs, (noisy, None)) if one and one[0] is not None]
    if len(named) != 1:
        raise BadOption(
            "name a folder of pictures with --data, or the two sides of pairs with --clean and --degraded; or, for "
            "objectives that need no clean pictures, noisy ones with --pairs or --noisy"
        )
    return named[0]  # type: ignore[return-value]  # the first is named, as was just made sure


def _compare_batches(recipe: Recipe) -> None:
    """Say so where a recipe that is followed was trained with batches that are drawn otherwise now."""
    from restoration.training.batches import DRAWN_SINCE

    drawn = recipe.training.get("batches", DRAWN_SINCE)
    if drawn != DRAWN_SINCE:
        words = (
            "the recipe was trained with batches of restoration %s; those of now are others, to much the same result"
        )
        logging.getLogger("restoration").info(words, drawn)


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
) -> Recipe:
    """The recipe of a file, or the method's own, with what was chosen put in."""
    from restoration.recipe import Recipe, default_recipe, with_options

    recipe = default_recipe(method, task)
    if file is not None:
        try:
            recipe = Recipe.from_json(read_document(file), file)
        except OSError as error:
            raise BadOption(f"{file}: {error.strerror}") from error
        if (recipe.method.name, recipe.task.name) != (method, task):
            raise BadOption(
                f"{file} is a recipe for {recipe.method.name} and {recipe.task.name}: train that method for that task, "
                "or name another recipe"
            )
    for key in (key for key in options if "." not in key):
        raise BadOption(
            f"--set {key}: say which part, as in network.{key}=...; parts are {', '.join(PARTS)}, task, method"
        )
    return with_options(recipe, options, parts=parts)


def _remark(recipe: Recipe) -> None:
    """Say how weights that draw are trained, where a method's own objective would not lead to any."""
    card = registry().card(RestorerCard, recipe.method.name)
    own = card.defaults.get("objective")
    if recipe.realism is None or recipe.objective is None or own is None or "objective." not in card.draws_with:
        return
    if (recipe.objective.name, recipe.objective.options) == (own["name"], own.get("options", {})):
        say(
            f"note: this is the objective of weights of {card.name} that do not draw; those that do are trained with "
            f"{card.draws_with} --keep last"
        )


def _with_fields(recipe: Recipe, chosen: dict[str, Any]) -> Recipe:
    """Return a recipe with the fields that were chosen; those that are None stay. Raises `BadOption`."""
    import msgspec

    card = registry().card(RestorerCard, recipe.method.name)
    for name, value in ((name, value) for name, value in chosen.items() if value is not None):
        flag = f"--{name.replace('_', '-')}"
        if name != "working_size" and not card.mean:
            raise BadOption(f"{flag} is for methods that draw; {card.name} does not")
        try:
            recipe = msgspec.structs.replace(recipe, **{name: value})
        except ValueError as error:
            raise BadOption(f"{flag} {value}: {error}") from error
    for name in ("mean", "from_mean"):
        if getattr(recipe, name) and recipe.realism is None:
            raise BadOption(f"--{name.replace('_', '-')} is of weights that draw; say their --realism too")
    return recipe
