"""Defaults of a user's own: the configuration file, and variables of the environment, both named as options are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click

from restoration.documents import read_document
from restoration.errors import RestorationError, nearest

PREFIX = "RESTORE"
"""How the variables begin: RESTORE_RUN_THREADS is `--threads` of `restore run`."""
VARIABLE = f"{PREFIX}_CONFIG"
"""The variable that names another configuration file."""
OTHERS = {f"{PREFIX}_{name}" for name in ("CONFIG", "DEBUG", "CACHE", "MAX_PIXELS", "LAUNCHED", "PLUGIN", "COMPLETE")}
"""Variables that are no options of a command."""


def settings(commands: Iterable[str]) -> dict[str, Any]:
    """Return what the configuration says, by command, of which `commands` are there without plugins.

    Raises `RestorationError` for a file that cannot be read, and for anything in it that stands under no command.
    """
    named = os.environ.get(VARIABLE)
    path = named or _usual()
    try:
        document = read_document(path)
        import tomllib

        found = tomllib.loads(document.decode())
    except FileNotFoundError as error:
        if not named:
            return {}
        raise RestorationError(f"{VARIABLE} names {path}, which is not there") from error
    except (PermissionError, NotADirectoryError) as error:
        if not named and not os.path.lexists(path):  # the home of another user, or none, as services have it
            return {}
        raise RestorationError(f"the configuration {path} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise RestorationError(f"the configuration {path} cannot be read: it is nested too deeply") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise RestorationError(f"the configuration {path} cannot be read: {why}") from error
    known = set(commands)
    for name, value in found.items():
        if not isinstance(value, dict):
            raise RestorationError(f"the configuration {path} has {name} = {value!r}; put it under a [command]")
        if name not in known:
            known |= _commands_of_plugins()
        if name not in known:
            raise RestorationError(f"the configuration {path} has [{name}], which is no command{_near(name, known)}")
    return found


def defaults_of(context: click.Context, configured: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults of the command of a context, by its parameters: variables count more than the configuration.

    Raises `RestorationError` for a setting that is no option of the command.
    """
    name = str(context.info_name)
    return dict(_renamed(context, name, configured)) | _from_environment(context, f"{PREFIX}_{name}")


def strange_variables(context: click.Context, commands: Iterable[str]) -> Iterator[str]:
    """Give a line for each variable that looks like an option of the command of a context, or of none, and is not one.

    Those of other commands, of which `commands` are there without plugins, are left to these.
    """
    command, name = context.command, str(context.info_name)
    own = f"{PREFIX}_{_upper(name)}_"
    known = {own + _upper(one) for option in _options(context) for one in _names(option)}
    if isinstance(command, click.Group):
        known |= {one for one in os.environ if any(one.startswith(own + _upper(sub)) for sub in command.commands)}
    others = tuple(f"{PREFIX}_{_upper(one)}_" for one in {*commands, *_commands_of_plugins()} if one != name)
    for variable in sorted(os.environ):
        if not variable.startswith(f"{PREFIX}_") or variable in known | OTHERS or variable.startswith(others):
            continue
        yield f"the variable {variable} is set, but is no setting of `restore {name}`{_near(variable, known | OTHERS)}"


def _usual() -> str:
    return os.path.join(click.get_app_dir("restoration"), "config.toml")


def _renamed(context: click.Context, name: str, configured: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give settings by the names that click has for parameters; of a group those of its commands too."""
    below = context.command.commands if isinstance(context.command, click.Group) else {}
    options = {_plain(one): option for option in _options(context) for one in _names(option)}
    for key, value in configured.items():
        if key in below and isinstance(value, dict):
            inner = click.Context(below[key], info_name=key, parent=context)
            yield key, dict(_renamed(inner, f"{name}.{key}", value))
        elif _plain(key) in options:
            yield str(options[_plain(key)].name), _at_home(value)
        else:
            known = [*below, *(long.removeprefix("--") for option in options.values() for long in option.opts[-1:])]
            path = os.environ.get(VARIABLE) or _usual()
            near = _near(key, known)
            raise RestorationError(f"the configuration {path} has {key} under [{name}], which is no option of it{near}")


def _from_environment(context: click.Context, prefix: str) -> dict[str, Any]:
    """Return values of variables that are called as the option is; click knows only those called as the parameter."""
    found: dict[str, Any] = {}
    for option in _options(context):
        for name in _names(option):
            value = os.environ.get(f"{_upper(prefix)}_{_upper(name)}")
            if value and option.name is not None and _plain(name) != option.name:
                found[option.name] = value.split() if option.multiple else value
    return found


def _options(context: click.Context) -> list[click.Option]:
    parameters = context.command.get_params(context)
    return [one for one in parameters if isinstance(one, click.Option) and "--help" not in one.opts]


def _names(option: click.Option) -> list[str]:
    """Return the names of an option: those that are typed, without dashes, and that of its parameter."""
    typed = [name.lstrip("-") for name in (*option.opts, *option.secondary_opts) if name.startswith("--")]
    return [*typed, *([option.name] if option.name else [])]


def _commands_of_plugins() -> set[str]:
    from restoration.registry import registry
    from restoration.registry.cards import CommandCard

    return {card.name for card in registry().cards(CommandCard)}


def _near(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def _plain(name: str) -> str:
    return name.replace("-", "_").lower()


def _upper(name: str) -> str:
    return name.replace("-", "_").upper()


def _at_home(value: Any) -> Any:
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value
