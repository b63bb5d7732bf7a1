"""`restore score`: a method's numbers on pictures whose clean versions are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from restoration.cli.options import how_to_restore, method_and_task, passive_threads
from restoration.cli.output import as_json, debug, echo_json, progress_wanted, say, table, warnings_to_stderr


@click.command()
@method_and_task
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="Two sub-folders with pairs, one called clean; or clean pictures, which the task degrades.",
)
@click.option("--border", type=click.IntRange(0), default=0, show_default=True, help="Pixels left out at each edge.")
@click.option("--limit", type=click.IntRange(0), default=0, help="Only the first so many pictures.  [default: all]")
@how_to_restore
@as_json
@click.option("-q", "--quiet", is_flag=True, help="No progress, no remarks.")
@debug
def score(
    method: str,
    task: str,
    data: Path,
    border: int,
    limit: int,
    seed: int,
    sigma: float | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    **how: Any,
) -> int:
    """Score a method: PSNR and SSIM, for each picture and in all.

    \b
    Examples:
      restore score -m ir-sde -t derain --data Rain100H/
      restore score -m regression -t derain --data CBSD68/ --json
    """
    warnings_to_stderr(quiet)
    passive_threads()
    from restoration import scoring
    from restoration.runtime import Restoration, prepare

    prepare(threads)
    restoration = Restoration(method, task, **how)
    noise = None if sigma is None else sigma / 255
    scores = []
    for one in scoring.score(restoration, data, border=border, seed=seed, limit=limit, sigma=noise):
        scores.append(one)
        if progress_wanted(quiet):
            say(f"{one.name}: {one.after['psnr_y']:.2f} dB")
    before, after = scoring.mean(scores, "before"), scoring.mean(scores, "after")
    words = scoring.protocols(border)
    if as_json:
        rows = [one.row() for one in scores]
        echo_json(
            {"method": method, "task": task, "protocol": words, "input": before, "restored": after, "pictures": rows}
        )
        return 0
    shown = [(one.name, one.before, one.after, f"{one.seconds:.2f}") for one in scores]
    seconds = sum(one.seconds for one in scores) / len(scores)
    shown.append((f"mean of {len(scores)}", before, after, f"{seconds:.2f}"))
    table(
        ("picture", *(f"{name} input" for name in words), *words, "seconds"),
        [(n, *_numbers(b), *_numbers(a), s) for n, b, a, s in shown],
    )
    for name, text in words.items():
        say(f"{name}: {text}")
    return 0


def _numbers(values: dict[str, float]) -> list[str]:
    return [f"{value:.4f}" if name.startswith("ssim") else f"{value:.2f}" for name, value in values.items()]
