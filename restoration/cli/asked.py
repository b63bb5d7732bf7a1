"""What a command is asked for: a method and a task by name, or those that weights are made for."""

from __future__ import annotations

import click


def method_and_task(method: str | None, task: str | None, weights: str | None, *, offline: bool) -> tuple[str, str]:
    """Return the names of the method and the task; what is not named is that of the weights.

    Raises `click.UsageError` where neither says it, `BadWeights` for weights that cannot be used.
    """
    if method is not None and task is not None:
        return method, task
    if weights is None:
        missing = "'-m' / '--method'" if method is None else "'-t' / '--task'"
        raise click.UsageError(f"Missing option {missing}; or name weights of your own with --weights, which say it.")
    from restoration.foreign.conversion import unclear
    from restoration.weights import method_of, resolve

    folder = resolve(weights, method or "", task or "", offline=offline)
    assert folder is not None
    recipe = folder.recipe()
    if task is None and (possible := unclear(recipe)):
        names = ", ".join(possible)
        raise click.UsageError(f"{weights} does not say what it restores: add --task, one of {names}, say")
    return method or method_of(folder), task or recipe.task.name
