"""Options that say which weights a command may use: `--license` and `--locked`. They hold for all that it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from restoration.hub.lock import LOCK
from restoration.hub.terms import under_terms

T = TypeVar("T", bound=Callable[..., Any])


def _license(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Take weights of some licences alone until the command has ended."""
    if value is not None and not ctx.resilient_parsing:
        ctx.with_resource(under_terms(license=value))


def _locked(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Take weights of the lock alone until the command has ended."""
    if value and not ctx.resilient_parsing:
        ctx.with_resource(under_terms(locked=Path(LOCK)))


def license_option(
    option: Callable[..., Callable[[Any], Any]] = click.option, name: str = "--license"
) -> Callable[[T], T]:
    """Return the option for the licences that weights may have; `option` is `click.option` or one like it."""
    return option(
        name,
        metavar="TERMS",
        expose_value=False,
        callback=_license,
        help="Take weights of these licences only: names such as mit,apache-2.0, or permissive for all that let "
        "anybody do nearly anything.  [default: any]",
    )


def locked_option(option: Callable[..., Callable[[Any], Any]] = click.option) -> Callable[[T], T]:
    """Return the option for weights that must be in the lock."""
    return option(
        "--locked",
        is_flag=True,
        expose_value=False,
        callback=_locked,
        help=f"Take weights only that are in {LOCK} of this folder, to the byte; `restore weights lock` writes it.",
    )
