"""`restore weights search`: sets on the Hub, by their tags."""

from __future__ import annotations

from dataclasses import asdict

import click

from restoration.cli.options import names
from restoration.console import debug_option, echo_json, json_option, print_table, say
from restoration.registry.cards import NetworkCard, RestorerCard, TaskCard


@click.command()
@click.argument("words", nargs=-1)
@click.option("-t", "--task", metavar="NAME", shell_complete=names(TaskCard), help="Damage that they repair.")
@click.option("-m", "--method", metavar="NAME", shell_complete=names(RestorerCard), help="Method that they are for.")
@click.option("--network", metavar="NAME", shell_complete=names(NetworkCard), help="Network that they are of.")
@click.option("--license", metavar="NAME", help="Licence that they have, such as mit.")
@click.option("--owner", metavar="NAME", help="User or organisation that they belong to.")
@click.option("--limit", type=click.IntRange(1), metavar="N", default=20, show_default=True, help="How many at most.")
@json_option
@debug_option
def search(
    words: tuple[str, ...],
    task: str | None,
    method: str | None,
    network: str | None,
    license: str | None,
    owner: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Search the Hugging Face Hub for weights; each of the WORDS is in a name or a tag.

    \b
    Examples:
      restore weights search --task derain --method ir-sde
      restore weights search rain100h --license mit
    """
    from restoration.hub.searching import search as found

    tags = [*filter(None, (task, method, network)), *([f"license:{license.lower()}"] if license else [])]
    sets = found(words, tags=tags, owner=owner, limit=limit)
    if as_json:
        echo_json([asdict(one) for one in sets])
        return
    shown = ("name", "license", "downloads", "changed", "tags")
    hidden = ("restoration", "image-restoration", "license:", "region:", "model-index", "safetensors")
    rows = []
    for one in sets:
        tags = [tag for tag in one.tags if not tag.startswith(hidden)]
        rows.append([one.name, one.license or "not stated", str(one.downloads), one.changed, " ".join(tags)])
    print_table(shown, rows)
    if not sets:
        say("no weights on the Hub fit; search by less, or look at https://hf.co/models?library=restoration")
