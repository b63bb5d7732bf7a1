"""Every command line that a page shows has a command of that name, with options of those names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from test_pages import PAGES, name_of, text_of

from restoration.cli.lazy import command_of
from restoration.registry import registry
from restoration.registry.cards import CommandCard

BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMANDS = {card.name: card for card in registry().cards(CommandCard)}


def lines_of(text: str) -> Iterator[str]:
    """Yield what follows `restore` in command lines of a page, in blocks and in the text."""
    for block in BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r" \| | && ", line):
                yield from re.findall(r"^(?:[^#\s]*/)?restore ((?:--plugin \S+ )?(?:[a-z]+) .*)$", part.strip())
    for span in re.findall(r"`([^`\n]+)`", BLOCK.sub("", text)):
        yield from re.findall(r"^restore ((?:--plugin \S+ )?(?:[a-z]+)\b.*)$", span)


def problem(line: str) -> str | None:
    """Say what is wrong with the names in a command line, None if nothing is; values and files are not looked at."""
    words = shlex.split(re.split(r" [#>;]|;", line)[0])
    words = words[2:] if words[0] == "--plugin" else words
    command: click.Command = command_of(COMMANDS[words[0]]) if words[0] in COMMANDS else click.Command("nothing")
    if command.name == "nothing":
        return f"no command {words[0]}"
    words = [word for word in words[1:] if word not in ("...", "[...]")]
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.commands.get(words[0])
        if found is None:
            return f"no command {words[0]} of {command.name}"
        command, words = found, words[1:]
    words = [re.sub(r"=$", "=x", word) for word in words]
    last = (
        [] if not words or not words[-1].startswith("-") else ["x"]
    )  # `train --out` tells of an option, without a value
    for given in (words, words + last):
        try:
            command.make_parser(click.Context(command)).parse_args(list(given))
        except click.BadOptionUsage:
            continue
        except click.UsageError as error:
            return error.format_message()
        return None
    return "an option lacks its value"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_the_commands_of_a_page_have_the_options_that_they_show(path: Path) -> None:
    found = {line: problem(line) for line in lines_of(text_of(path)) if line.split()[0] not in ("median", "sizes")}
    assert {line: what for line, what in found.items() if what} == {}


def test_there_are_many_and_a_wrong_one_is_seen() -> None:
    assert sum(len(list(lines_of(path.read_text(encoding="utf-8")))) for path in PAGES) > 200
    assert problem("run -m ir-sde -t derain rainy.png -o - > clean.png") is None
    assert problem("weights lock owner/name") is None and problem("train --out") is None
    assert "No such option '--metod'" in str(problem("run --metod ir-sde"))
    assert problem("weights lok x") == "no command lok of weights"
    assert problem("rum -m x") == "no command rum"
    assert list(lines_of(f"```\n{'.venv/bin/'}restore run a.png # restore it\n```\n`restore score --data`")) == [
        "run a.png # restore it",
        "score --data",
    ]
