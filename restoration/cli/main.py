"""The entry point of `restore`: imports only the command that is called, and turns errors into one line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from restoration.cli.faults import explained
from restoration.console import Ended, debug_option, open_streams, say
from restoration.errors import RestorationError
from restoration.version import __version__

COMMANDS = {
    "run": ("restoration.cli.commands.run:run", "Restore pictures."),
    "degrade": ("restoration.cli.commands.degrade:degrade", "Damage clean pictures as a task does."),
    "score": ("restoration.cli.commands.score:score", "Score methods on pictures with known clean versions."),
    "audit": ("restoration.cli.commands.audit:audit", "Look for test pictures inside a training set."),
    "train": ("restoration.cli.commands.train:train", "Train a method on a folder of pictures."),
    "methods": ("restoration.cli.commands.lists:methods", "List the methods."),
    "tasks": ("restoration.cli.commands.lists:tasks", "List the tasks: what can be repaired."),
    "networks": ("restoration.cli.commands.lists:networks", "List the networks."),
    "schedules": ("restoration.cli.commands.lists:schedules", "List the noise schedules."),
    "objectives": ("restoration.cli.commands.lists:objectives", "List the training objectives."),
    "samplers": ("restoration.cli.commands.lists:samplers", "List the samplers."),
    "weights": ("restoration.cli.commands.weights:weights", "List weights, or show a set of them."),
    "plugins": ("restoration.cli.commands.plugins:plugins", "List plugins, check them, or begin a new one."),
}


class Lazy(click.Command):
    """A command known by name and help, imported when it is called."""

    def __init__(self, name: str, where: str, help: str) -> None:
        super().__init__(name, short_help=help)
        self.where = where

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Import the real command and let it take over."""
        module, _, attribute = self.where.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command.make_context(info_name, args, parent, **extra)


class Commands(click.Group):
    """The commands of the toolbox; plugins are asked only for a command that is not one of them."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, if need be one that a plugin adds."""
        command = super().get_command(ctx, cmd_name)
        if command is None and not ctx.resilient_parsing:
            from restoration.registry import hook

            hook("register_commands", cli=self)
            command = super().get_command(ctx, cmd_name)
        return command


def load_plugin_files(ctx: click.Context, parameter: click.Parameter, files: tuple[str, ...]) -> None:
    """Load one-file plugins for this run."""
    if files:
        from restoration.registry import registry

        for file in files:
            registry().add_file(file)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="restore")
@click.option(
    "--plugin",
    multiple=True,
    metavar="FILE.py",
    expose_value=False,
    is_eager=True,
    callback=load_plugin_files,
    help="Load a one-file plugin for this run; may be repeated.",
)
@debug_option
def cli() -> None:
    """Restore damaged pictures, on any machine, offline.

    \b
    Examples:
      restore run --method ir-sde --task derain rainy.png
      restore run --method regression --task derain photos/ -o restored/
      restore methods
    """


for _name, (_where, _help) in COMMANDS.items():
    cli.add_command(Lazy(_name, _where, _help))


def settings() -> dict[str, Any]:
    """Return the defaults of the user's configuration file, `config.toml`, by command."""
    import tomllib

    path = Path(os.environ.get("RESTORE_CONFIG", Path(click.get_app_dir("restoration")) / "config.toml"))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise RestorationError(f"the configuration {path} cannot be read: {error}") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 some inputs failed, 2 wrong usage, 130 interrupted."""
    open_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    leave(_call(arguments))


def _call(arguments: list[str]) -> int:
    debug = "--debug" in arguments or os.environ.get("RESTORE_DEBUG", "") not in ("", "0")
    try:
        code = cli.main(
            arguments,
            prog_name="restore",
            standalone_mode=False,
            auto_envvar_prefix="RESTORE",
            default_map=settings(),
        )
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        say(f"error: {_one_line(error)} (see `{context.command_path if context else 'restore'} --help`)")
        return 2
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        return 130
    except Ended as error:
        say(str(error))
        signal.signal(error.number, signal.SIG_DFL)
        os.kill(os.getpid(), error.number)  # who waits for this process is to see what ended it
        return 128 + error.number
    except BrokenPipeError:
        return 1
    except Exception as error:
        if debug:
            raise
        say(f"error: {explained(error)}")
        return 2 if isinstance(error, RestorationError) else 1


def _one_line(error: click.ClickException) -> str:
    return " ".join(error.format_message().split()).rstrip(".")


def leave(code: int) -> None:
    """Exit at once after flushing: taking torch apart costs a third of a second."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        os._exit(code or 1)  # Python itself would try again, and complain
    if "torch" in sys.modules:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
