"""Options under headings, for commands whose help is long: what belongs together stands together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

KNOWN, RESULTS = "What is known about the pictures", "Results"
"""Headings of options that are made in several places."""
OTHERS = "Other options"
"""The heading of options that have none."""
LAST = {"Machine": 1, OTHERS: 2}
"""The headings that come after all others, in their order."""


class Headed(click.Option):
    """An option that stands under a heading in the help."""

    def __init__(self, *arguments: Any, heading: str, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.heading = heading

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what stands in brackets after the help, without the range, which an error names."""
        return {name: value for name, value in super().get_help_extra(ctx).items() if name != "range"}


class HeadedCommand(click.Command):
    """A command whose help has headings, in the order in which options first name them.

    What has to do with the machine comes after all that has to do with pictures; options without a heading are last.
    """

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options into the help, heading by heading."""
        sections: dict[str, list[tuple[str, str]]] = {}
        options = [parameter for parameter in self.get_params(ctx) if isinstance(parameter, click.Option)]
        for option in sorted(options, key=lambda option: not isinstance(option, Headed)):
            record = option.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(option, "heading", OTHERS), []).append(record)
        for heading, records in sorted(sections.items(), key=lambda section: LAST.get(section[0], 0)):
            with formatter.section(heading):
                formatter.write_dl(records)


def under(heading: str) -> Callable[..., Callable[[Any], Any]]:
    """Return what `click.option` is, for options under a heading."""

    def option(*names: str, **attributes: Any) -> Callable[[Any], Any]:
        return click.option(*names, cls=Headed, heading=heading, **attributes)

    return option
