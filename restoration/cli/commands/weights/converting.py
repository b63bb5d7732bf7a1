"""`restore weights convert` and `layouts`: files of published networks as folders of weights, and which are known."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from restoration.cli.asked import check_task_is_clear
from restoration.cli.commands.lists import nothing
from restoration.cli.options import names
from restoration.console import debug_option, echo_json, json_option, print_table, say, show_warnings
from restoration.registry import registry
from restoration.registry.cards import LayoutCard, TaskCard


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "-t",
    "--task",
    metavar="NAME",
    shell_complete=names(TaskCard),
    help="Damage that the network repairs, where its file does not say so.",
)
@click.option("--overwrite", is_flag=True, help="Overwrite the files of a folder that has some.")
@json_option
@debug_option
def convert(file: Path, out: Path, task: str | None, overwrite: bool, as_json: bool) -> None:
    """Make a folder of weights of the file of a published network: config.json, model.safetensors and README.md.

    FILE is of PyTorch (.pth, .pt, .ckpt, .bin, .h5) or .safetensors; `restore weights layouts` lists what is known.
    No code of it runs. `restore run --weights FILE` does the same in passing, and keeps the folder in the cache.
    """
    show_warnings(False)
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise click.UsageError(f"{out} is there and not empty; use --overwrite, or another folder")
    if task is not None:
        registry().card(TaskCard, task)
    from restoration.foreign.conversion import convert as converted
    from restoration.images import make_folder

    files = converted(file, task or "")
    if task is None:
        check_task_is_clear(str(file), files.recipe)
    elif files.recipe.task.name != task:
        raise click.UsageError(f"{file} is for --task {files.recipe.task.name}, not for {task}; leave --task out")
    make_folder(out)
    files.write(out)
    recipe = files.recipe
    if as_json:
        facts = {
            "method": recipe.method.name,
            "task": recipe.task.name,
            "network": recipe.network and recipe.network.name,
        }
        echo_json({"path": str(out), **facts, **recipe.training})
        return
    title = next(line.removeprefix("# ") for line in files.card.splitlines() if line.startswith("# "))
    say(f"{title}: --method {recipe.method.name} --task {recipe.task.name}")
    click.echo(str(out))


@click.command()
@json_option
@debug_option
def layouts(as_json: bool) -> None:
    """List the layouts: which files of published networks are recognised."""
    cards = registry().cards(LayoutCard)
    if as_json:
        echo_json([asdict(card) for card in cards])
    else:
        print_table(("layout", "summary", "source"), [(card.label, card.summary, card.source) for card in cards])
    if not cards:
        say(nothing(LayoutCard.kind))
