"""`restore tune`: many trainings, the next chosen by what the ones before came to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from restoration.console import common_options, echo_json, keywords, print_table, say, threads_option
from restoration.errors import BadOption
from restoration.machine import device_option

if TYPE_CHECKING:
    from restoration_tune.trials import Row

FOLDER = click.Path(path_type=Path, file_okay=False)
ENGINES = click.Choice(["optuna", "ray"])


@click.command()
@click.argument("recipe", metavar="RECIPE")
@click.option(
    "--space", required=True, type=click.Path(path_type=Path, dir_okay=False), help="What is searched, a TOML file."
)
@click.option(
    "--data", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Pictures or pairs to train with."
)
@click.option(
    "--out", required=True, metavar="DIR", type=FOLDER, help="Folder for the search; one that was begun there goes on."
)
@click.option("--trials", type=click.IntRange(1), default=20, metavar="N", show_default=True, help="Number of trials.")
@click.option(
    "--validation",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Pictures for validation.  [default: some held out]",
)
@click.option(
    "--set",
    "fixed",
    multiple=True,
    callback=keywords,
    metavar="PART.KEY=VALUE",
    help="Set an option or a setting of all trials, as in network.width=16 or training.steps=500. May be repeated.",
)
@click.option("--prune/--no-prune", default=True, show_default=True, help="Stop trials that do worse than most.")
@click.option(
    "--engine", type=ENGINES, default="optuna", show_default=True, help="What proposes the trials and runs them."
)
@click.option("--address", metavar="ADDRESS", help="For ray: address of a cluster, or auto.  [default: this machine]")
@click.option(
    "--jobs", type=click.IntRange(1), default=1, metavar="N", help="For ray: trials at the same time.  [default: 1]"
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, metavar="N", show_default=True, help="Random seed of the search."
)
@device_option()
@threads_option
@common_options
def tune(
    recipe: str,
    space: Path,
    data: Path,
    out: Path,
    trials: int,
    validation: Path | None,
    fixed: dict[str, Any],
    prune: bool,
    engine: str,
    address: str | None,
    jobs: int,
    seed: int,
    device: str,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Search for the options of a training of RECIPE that do best: a config.json, a folder or a name of weights.

    Every trial is a training of the same length; what counts is its best PSNR in validation. The file of --space names
    what is searched, by lists and by ranges:

    \b
      "training.lr" = { low = 1e-4, high = 1e-1, log = true }
      "network.width" = [8, 16, 24]
      objective = ["regression", "clean-matching"]

    Into --out go best.json, the best recipe for `restore train --recipe`, search.html, a page that compares all trials,
    and the folder of each. The same command goes on where a search was stopped, and with more --trials.

    \b
    Examples:
      restore tune regression/denoise --space space.toml --data photos/ --out search/ --set training.steps=500
      restore tune recipe.json --space space.toml --data photos/ --out search/ --engine ray --jobs 4
    """
    from restoration_tune import by_optuna, by_ray
    from restoration_tune.beginning import open_search
    from restoration_tune.display import Display
    from restoration_tune.page import cells, page, ranked
    from restoration_tune.space import label, short_names

    if engine != "ray" and (address or jobs > 1):
        raise BadOption("--address and --jobs are for --engine ray")
    how = {"engine": engine, "seed": seed, "prune": prune}
    with open_search(recipe, space, data, out, validation, fixed, how, device=device, threads=threads) as of:
        with Display(of.space, trials, quiet=quiet) as display:

            def observe(rows: list[Row]) -> None:
                display.show(rows)
                of.keep(rows)

            if engine == "ray":
                rows = by_ray.search(of, trials, seed=seed, prune=prune, address=address, jobs=jobs, observe=observe)
            else:
                rows = by_optuna.search(of, trials, seed=seed, prune=prune, observe=observe)
        of.keep(rows)
        title = f"{of.recipe.method.name}/{of.recipe.task.name}: {len(rows)} trials"
        of.write("search.html", page(title, of.space, rows))
    best = ranked(rows)[0]
    if as_json:
        echo_json([row.plain() for row in ranked(rows)])
    else:
        print_table(
            ("trial", *short_names([*of.space]), "PSNR", "loss", "s", ""),
            [cells(of.space, row) for row in ranked(rows)],
        )
    if best.psnr is None:
        say(f"no trial was finished; the last one failed by: {rows[-1].error}")
        return 1
    if not quiet:
        say(f"best: {best.psnr:.2f} dB with {label(best.chosen)}; {out / 'best.json'}")
    return 0
