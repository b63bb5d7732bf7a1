"""The entry point of `restore`: imports only the command that is called, and turns errors into one line."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from restoration.cli.defaults import PREFIX, settings
from restoration.cli.lazy import Lazy
from restoration.console import Ended, debug_option, open_streams, say
from restoration.errors import RestorationError, one_line, plain
from restoration.registry import builtin
from restoration.registry.cards import CommandCard
from restoration.version import __version__

if TYPE_CHECKING:
    from restoration.registry import Registry

WORDS = {
    r"is not a valid integer( range)?$": "is not a whole number",
    r"is not a valid float( range)?$": "is not a number",
    r"is not in the range x>=(\S+)$": r"is below \1",
    r"is not in the range x>(\S+)$": r"is not above \1",
    r"is not in the range (\S+?)<=x<=(\S+)$": r"is not from \1 to \2",
}
"""What click says of numbers, and how people say it."""
COMMANDS = {card.name: card for card in builtin.register_commands()}
"""The commands that are there without any plugin."""


class Commands(click.Group):
    """The commands of the toolbox and those of plugins, known by their cards; the first do not wait for the second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands; without plugins, and a line about it, if these cannot be asked."""
        try:
            return [card.name for card in _registry().cards(CommandCard)]
        except RestorationError as error:
            say(f"error: {error}")
            return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name; plugins are asked for one that the toolbox does not have."""
        command = super().get_command(ctx, cmd_name)
        if command is None and not cmd_name.startswith("-"):
            return Lazy(_registry().card(CommandCard, cmd_name))
        return command


def _registry() -> Registry:
    from restoration.registry import registry

    return registry()


def load_plugin_files(ctx: click.Context, parameter: click.Parameter, files: tuple[str, ...]) -> None:
    """Load one-file plugins for this run."""
    for file in files:
        _registry().add_file(file)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="restore")
@click.option(
    "--plugin",
    multiple=True,
    metavar="FILE.py",
    expose_value=False,
    is_eager=True,
    callback=load_plugin_files,
    help="Load a plugin that is a single file, for this run only. May be repeated.",
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


for _card in COMMANDS.values():
    cli.add_command(Lazy(_card))


def at_home(arguments: Sequence[str]) -> list[str]:
    """Return arguments whose ~/ is the home folder, where quotes or a = before it have kept it from the shell."""
    words = []
    for word in arguments:
        option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        wanted = value.startswith("~/") and not os.path.lexists("~")
        words.append(option + equals + os.path.expanduser(value) if wanted else word)
    return words


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 some inputs failed, 2 wrong usage, 130 interrupted."""
    open_streams()
    arguments = at_home(sys.argv[1:] if arguments is None else arguments)
    leave(_call(arguments))


def _call(arguments: list[str]) -> int:
    debug = "--debug" in arguments or os.environ.get("RESTORE_DEBUG", "") not in ("", "0")
    if not debug:
        threading.excepthook = _thread_failed
    try:
        code = cli.main(
            arguments,
            prog_name="restore",
            standalone_mode=False,
            obj=arguments,  # for a command that starts itself again
            auto_envvar_prefix=PREFIX,
            default_map=settings(COMMANDS),
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
    except BaseException as error:
        if debug:
            raise
        return _failed(error)


def _failed(error: BaseException) -> int:
    """Tell in one line what went wrong; return the exit code."""
    from restoration.cli.faults import explained

    if isinstance(error, SystemExit):  # a command's own way to end
        if isinstance(error.code, str):
            say(plain(error.code))
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    say(f"error: {explained(error)}")
    return 2 if isinstance(error, RestorationError) else 1


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    """Tell in one line what a thread has raised that nobody waits for."""
    if failure.exc_value is not None:
        say(f"error: {one_line(failure.exc_value)} (in a thread; --debug shows where)")


def _one_line(error: click.ClickException) -> str:
    """Return the text of an error of click, with numbers and ranges in words."""
    text = plain(error.format_message()).rstrip(".")
    for wording, words in WORDS.items():
        text = re.sub(wording, words, text)
    context = getattr(error, "ctx", None)
    typed = context.find_root().obj if isinstance(error, click.NoSuchOption) and context else None
    dashed = [word for word in typed or [] if word.startswith("-") and word != "-" and os.path.lexists(word)]
    return f"{text}; if {dashed[0]} is a file, write ./{dashed[0]}" if dashed else text


def leave(code: int) -> NoReturn:
    """Exit at once after flushing: taking torch apart costs a third of a second, and threads may never end."""
    sharing = sys.modules.get("multiprocessing.util")
    if sharing is not None:
        sharing._run_finalizers(0)  # as Python does when it exits: what workers shared is given back, not reported
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except (OSError, ValueError):
            code = code or int(stream is sys.stdout)  # what stderr cannot take is no failure
    os._exit(code)


if __name__ == "__main__":
    main()
