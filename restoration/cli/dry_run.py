"""`--dry-run`: what would be done, with which weights, without doing it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from restoration.cli.batch import Batch
from restoration.cli.inputs import STREAM
from restoration.errors import BadPicture
from restoration.images.formats import HEAD, recognise
from restoration.images.unreadable import describe_unknown, describe_unreadable
from restoration.registry import registry

if TYPE_CHECKING:
    from restoration.cli.plan import Plan


def print_plan(made: Plan, method: str, task: str, how: dict[str, Any], *, as_json: bool, quiet: bool) -> int:
    """Print what would be read, fetched and written, and with which weights; return the exit code.

    * `made`: the plan.
    * `method`, `task`: their names.
    * `how`: the options of `Restoration`, of which `weights`, `realism` and `offline` decide which weights are used.
    * `as_json`: whether to print a line of JSON a picture.
    * `quiet`: whether to say nothing else.
    """
    known = {"method": method, "task": task, **_weights(method, task, how)}
    fetched = f", {known['to_fetch_mb']} MB to be fetched" if "to_fetch_mb" in known else ""
    with Batch(made, as_json=as_json, quiet=quiet, word="to do") as batch:
        for job in made.jobs:
            source, target = job.source or STREAM, job.target or STREAM
            with batch.trying(job):
                if job.source is not None:
                    _look(job.source)
                if as_json:
                    more = {"samples": job.others[:-1], "deviation": job.others[-1]} if job.others else {}
                    batch.answer({"input": source, "output": target, **more, **known})
                else:
                    files = ", ".join([*job.others, target])
                    batch.answer(f"{source} -> {files}  ({method}, {task}, weights {known['weights']}{fetched})")
    return batch.code


def _look(path: str) -> None:
    """Raise `BadPicture` for a file whose first bytes tell that it is no picture which can be read here."""
    if not os.path.isfile(path):
        return
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(HEAD)
    except OSError as error:
        raise BadPicture(f"{path}: {error.strerror}") from error
    form = recognise(head)
    if not head:
        raise BadPicture(f"{path} is empty")
    if (form is None or not form.readable) and not registry().hooks.hook.read_image.get_hookimpls():
        raise BadPicture(f"{path} {describe_unknown(head) if form is None else describe_unreadable(form)}")


def _weights(method: str, task: str, how: dict[str, Any]) -> dict[str, Any]:
    """Return what is known about the weights; those of the Hub that are not in the cache are not fetched."""
    from restoration.cli.commands.weights.found import is_on_hub
    from restoration.hub import current_terms, look
    from restoration.hub.header import license_of
    from restoration.realism import choose

    if how["weights"] and is_on_hub(how["weights"]):
        name = current_terms().pinned(how["weights"])
        found = look(name, offline=how["offline"])
        if not found.fetched:
            origin = f"{name.partition('@')[0]}@{found.commit}"
            current_terms().check_license(origin, license_of(found.card))
            return {"weights": origin, "to_fetch_mb": f"{(found.size or 0) / 1e6:.1f}"}
    chosen = choose(method, task, weights=how["weights"], realism=how["realism"], offline=how["offline"])
    known: dict[str, Any] = {"weights": chosen.folder.origin if chosen.folder else None}
    if chosen.folder:
        known["weights_mb"] = f"{chosen.folder.size() / 1e6:.1f}"
    if chosen.realism is not None:
        known |= {"realism": chosen.realism, "mean": chosen.mean and chosen.mean.origin}
    return known
