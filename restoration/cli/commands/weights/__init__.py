"""`restore weights`: sets of weights on this machine and on the Hugging Face Hub, a file each sub-command."""

from __future__ import annotations

import click

from restoration.cli.commands.weights.converting import convert, layouts
from restoration.cli.commands.weights.listing import list_weights
from restoration.cli.commands.weights.locking import lock
from restoration.cli.commands.weights.pulling import pull
from restoration.cli.commands.weights.pushing import push
from restoration.cli.commands.weights.searching import search
from restoration.cli.commands.weights.showing import show
from restoration.cli.commands.weights.verifying import verify


@click.group()
def weights() -> None:
    """List, show, fetch, publish, verify and convert sets of weights.

    \b
    Examples:
      restore weights search --task derain
      restore weights show owner/name
      restore weights pull owner/name
      restore weights push weights/ owner/name
      restore weights convert published.pth weights/
    """


for _command in (list_weights, search, show, pull, push, verify, lock, convert, layouts):
    weights.add_command(_command)
