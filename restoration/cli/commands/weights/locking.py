"""`restore weights lock`: which weights a project uses, written down to the byte."""

from __future__ import annotations

from pathlib import Path

import click

from restoration.cli.commands.weights.found import folder_of, is_on_hub, named_mean
from restoration.cli.options import names as names_of
from restoration.console import debug_option, echo_json, json_option, quiet_option
from restoration.hub.lock import LOCK, Lock, Locked, hashes
from restoration.machine import offline_option
from restoration.permissions import license_option
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.weights import Folder

lock_file_option = click.option(
    "--lock-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    default=LOCK,
    show_default=True,
    help="File of the lock.",
)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=names_of(WeightsCard))
@lock_file_option
@license_option()
@offline_option()
@json_option
@quiet_option
@debug_option
def lock(names: tuple[str, ...], lock_file: Path, offline: bool, as_json: bool, quiet: bool) -> None:
    """Write down the commit and the SHA-256 of weights in restoration.lock, for --locked.

    NAME is what --weights takes: owner/name[@revision], a name from `restore weights list`, or a folder. The mean that
    weights that draw go with is written down too. Weights that are in the lock stay; those of the same name are
    replaced.

    \b
    Examples:
      restore weights lock owner/name ir-sde/derain
      restore run -m ir-sde -t derain --weights owner/name --locked rainy.png
    """
    from restoration.images import write_bytes

    before = Lock.read(lock_file) if lock_file.exists() else Lock(path=lock_file)
    folders = {name: folder_of(name, offline=offline) for name in names}
    means = {name: mean for folder in folders.values() for name, mean in named_mean(folder, offline=offline)}
    sets = [_locked(name, folder) for name, folder in (folders | means).items()]
    write_bytes(before.with_sets(*sets).text().encode(), lock_file)
    for one in sets:
        facts = {"name": one.name, "revision": one.revision, "sha256": dict(one.sha256)}
        echo_json(facts) if as_json else click.echo(f"{one.name}\t{one.revision or '-'}")


def _locked(name: str, folder: Folder) -> Locked:
    """Return what stands in the lock for a set of weights."""
    revision = ""
    if is_on_hub(name):
        revision = folder.path.name
    elif not Path(name).expanduser().exists():
        plugins = [one for one in registry().plugins if registry().card(WeightsCard, name) in one.cards]
        revision = plugins[0].version if plugins else ""
    return Locked(name=name, revision=revision, sha256=hashes(folder.files()))
