"""The method and the task of a command: those that were named, or else those that its weights are made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from restoration.recipe import Recipe


def complete_names(method: str | None, task: str | None, weights: str | None, *, offline: bool) -> tuple[str, str]:
    """Return the names of the method and the task; what is not named is that of the weights.

    Raises `click.UsageError` where neither says it, `BadWeights` for weights that cannot be used.
    """
    if method is not None and task is not None:
        return method, task
    if weights is None:
        missing = "'-m' / '--method'" if method is None else "'-t' / '--task'"
        raise click.UsageError(f"Missing option {missing}; or name weights of your own with --weights, which say it.")
    from restoration.weights import method_of, resolve

    folder = resolve(weights, method or "", task or "", offline=offline)
    assert folder is not None
    recipe = folder.recipe()
    if task is None:
        check_task_is_clear(weights, recipe)
    return method or method_of(folder), task or recipe.task.name


def check_task_is_clear(name: str, recipe: Recipe) -> None:
    """Raise `click.UsageError` for weights of a published network that may be for several tasks, with their names."""
    from restoration.foreign.conversion import unclear

    if possible := unclear(recipe):
        raise click.UsageError(f"{name} does not say what it restores: add --task, one of {', '.join(possible)}, say")
