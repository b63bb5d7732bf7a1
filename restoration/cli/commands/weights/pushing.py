"""`restore weights push`: a folder of weights to the Hugging Face Hub, or all sets that came with plugins."""

from __future__ import annotations

from pathlib import Path

import click

from restoration.cli.commands.weights.found import folder_of, is_on_hub
from restoration.cli.options import names as names_of
from restoration.console import debug_option, echo_json, json_option, progress_wanted, quiet_option, say, show_warnings
from restoration.errors import BadWeights, RestorationError
from restoration.hub.header import completed, header_of
from restoration.hub.publishing import Pushed
from restoration.hub.repository import REPOSITORY
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.weights import CARD, CONFIG, Folder, bundled


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="DIR OWNER/NAME", shell_complete=names_of(WeightsCard))
@click.option("--all", "every", is_flag=True, help="Push all sets that came with plugins, to OWNER/restoration-NAME.")
@click.option("--plugin", metavar="NAME", help="With --all: only those of this plugin, such as restoration-ir-sde.")
@click.option("--revision", metavar="BRANCH", default="main", show_default=True, help="Branch to push to.")
@click.option("--private", is_flag=True, help="Make a new repository one for its owner alone.")
@click.option("--license", metavar="NAME", default="", help="Licence of the weights, where README.md states none.")
@click.option("--keep-card", is_flag=True, help="Keep the README.md of the repository, but for what its header lacks.")
@click.option("--message", metavar="TEXT", default="", help="Message of the commit.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent without sending it.")
@json_option
@quiet_option
@debug_option
def push(
    words: tuple[str, ...],
    every: bool,
    plugin: str | None,
    revision: str,
    private: bool,
    license: str,
    keep_card: bool,
    message: str,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Publish weights on the Hugging Face Hub: README.md, config.json and model.safetensors, and nothing else.

    \b
    Examples:
      restore weights push weights/ owner/name
      restore weights push --all owner

    The repository is made if it is not there; what is equal is not sent again. README.md stays as it is, but for what
    the header lacks that the Hub reads. OWNER/NAME@COMMIT is printed, which --weights takes. Tokens are those of `hf
    auth login` or HF_TOKEN.
    """
    show_warnings(quiet)
    if len(words) != (1 if every else 2):
        raise click.UsageError("name a folder and owner/name; or --all and an owner")
    *folders, where = words
    if plugin is not None and not every:
        raise click.UsageError("--plugin is for --all")
    if "@" in where or not REPOSITORY.fullmatch(f"{where}/x" if every else where):
        raise click.UsageError(f"{where} is no owner/name of a repository; a branch is named with --revision")
    sets = _all(where, plugin) if every else [(_folder(folders[0]), where)]
    code = 0
    for folder, name in sets:
        try:
            done = _pushed(
                folder,
                name,
                revision=revision,
                private=private,
                license=license,
                keep_card=keep_card,
                message=message,
                dry_run=dry_run,
                progress=progress_wanted(quiet),
            )
        except RestorationError as error:
            if not every:
                raise
            say(f"error: {error}")
            code = 1
            continue
        _tell(done, as_json=as_json, quiet=quiet)
    return code


def _tell(done: Pushed, *, as_json: bool, quiet: bool) -> None:
    facts = {"repository": done.repository, "revision": done.commit, "status": done.status, "files": list(done.files)}
    if as_json:
        echo_json({**facts, "bytes": done.size})
        return
    click.echo(f"{done.repository}@{done.commit}" if done.commit else done.repository)
    if not quiet:
        what = f": {', '.join(done.files)}, {done.size / 1e6:.1f} MB" if done.files else ""
        say(f"{done.repository}: {done.status}{what}")


def _folder(which: str) -> Folder:
    """Return a folder on this machine. Raises `RestorationError`."""
    if is_on_hub(which):
        raise BadWeights(f"{which} is no folder of weights here; what is on the Hub already need not be pushed")
    return folder_of(which)


def _all(owner: str, plugin: str | None) -> list[tuple[Folder, str]]:
    """Return the folders of all cards, or those of a plugin, and their names on the Hub."""
    plugins = [one for one in registry().plugins if plugin is None or plugin in (one.name, one.distribution)]
    cards = [card for card in registry().cards(WeightsCard) if any(card in one.cards for one in plugins)]
    if not cards:
        raise BadWeights(f"no weights came with {plugin or 'the plugins'}; `restore weights list` shows what there is")
    folders = [bundled(card) for card in cards]
    once = {folder.path: folder for folder in reversed(folders)}  # one set may serve several methods
    return [(folder, f"{owner}/restoration-{folder.origin.replace('/', '-')}") for folder in reversed(once.values())]


def _pushed(
    folder: Folder,
    name: str,
    *,
    revision: str,
    private: bool,
    license: str,
    keep_card: bool,
    message: str,
    dry_run: bool,
    progress: bool,
) -> Pushed:
    """Check a folder, complete its card, and push it. Raises `RestorationError`; nothing is sent then."""
    from restoration.cli.commands.weights.verifying import check_network
    from restoration.hub.publishing import push
    from restoration.training.modelcard import about, model_card

    check_network(folder)
    text, recipe = folder.card(), folder.recipe()
    if recipe.mean.startswith("."):
        raise BadWeights(
            f"{folder.origin}: the weights of its mean, {recipe.mean}, would not be pushed with it; push them first, "
            f'and name them in {CONFIG} by their repository: "mean": "owner/name"'
        )
    header_of(text)  # raises for what cannot be read, in which nobody could look for a licence
    stated = license or folder.stated_license()
    if not stated:
        say(f"warning: {name} states no licence, so nobody may use it; name one with --license")
    title = folder.origin if not Path(folder.origin).exists() else ""
    told = about(recipe, stated, title)

    def kept(there: str) -> bytes:
        return completed(there, told).encode()

    files: dict[str, bytes | Path] = {**folder.files(), CARD: completed(text or model_card(recipe), told).encode()}
    return push(
        name,
        files,
        revision=revision,
        private=private,
        message=message,
        dry_run=dry_run,
        card=kept if keep_card else None,
        progress=progress,
    )
