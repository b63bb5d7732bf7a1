"""`restore weights pull`: sets of the Hub into its cache on this machine, or into a folder."""

from __future__ import annotations

from pathlib import Path

import click

from restoration.cli.commands.weights.found import folder_of, is_on_hub
from restoration.console import debug_option, echo_json, json_option, quiet_option, say
from restoration.errors import RestorationError
from restoration.hub import current_terms
from restoration.machine import offline_option
from restoration.permissions import license_option, locked_option
from restoration.weights import CARD, Folder


@click.command()
@click.argument("names", nargs=-1, metavar="OWNER/NAME[@REVISION]...")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also copy the set, its three files alone, into a folder of your own.",
)
@license_option()
@locked_option()
@offline_option()
@json_option
@quiet_option
@debug_option
def pull(
    names: tuple[str, ...],
    output: Path | None,
    offline: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Fetch weights from the Hugging Face Hub into its cache, and print where they are.

    \b
    Examples:
      restore weights pull owner/name
      restore weights pull owner/name@v1.0 -o weights/
      restore weights pull --locked

    What is in the cache is not fetched again; for a full commit nobody is asked. With --locked and no name, all
    repositories of restoration.lock are fetched.
    """
    lock = current_terms().lock
    if not names and lock is not None:
        names = tuple(one.name for one in lock.sets if is_on_hub(one.name))
    if not names and lock is None:
        raise click.UsageError("Missing argument 'OWNER/NAME[@REVISION]...'")
    if output is not None and len(names) != 1:
        raise click.UsageError("-o is for one set; name one")
    code = 0
    for name in names:
        try:
            folder = folder_of(name, offline=offline)
            path = folder.path if output is None else _copied(folder, output)
        except RestorationError as error:
            if len(names) == 1:
                raise
            say(f"error: {error}")
            code = 1
            continue
        if as_json:
            facts = {"name": name, "origin": folder.origin, "path": str(path), "license": folder.stated_license()}
            echo_json({**facts, "mb": round(folder.size() / 1e6, 2)})
        else:
            click.echo(str(path))
    return code


def _copied(folder: Folder, output: Path) -> Path:
    """Copy a set into a folder that has none. Raises `RestorationError`."""
    from restoration.images import make_folder
    from restoration.images.files import write_together

    make_folder(output)
    present = [name for name in (*folder.files(), CARD) if (output / name).exists()]
    if present:
        raise RestorationError(f"{output / present[0]} is already there; name another folder with -o")
    files = {output / name: path.read_bytes() for name, path in reversed(folder.files().items())}
    write_together({**files, output / CARD: folder.card().encode()} if folder.card() else files)
    return output
