"""Which licences are taken: those that a user names, or all that let anybody do nearly anything."""

from __future__ import annotations

from dataclasses import dataclass

from restoration.errors import BadOption, BadWeights, plain

PERMISSIVE = frozenset(
    {
        "mit",
        "mit-0",
        "apache-2.0",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "bsd-3-clause-clear",
        "0bsd",
        "isc",
        "zlib",
        "unlicense",
        "cc0-1.0",
        "cc-by-2.0",
        "cc-by-2.5",
        "cc-by-3.0",
        "cc-by-4.0",
        "pddl",
        "odc-by",
        "cdla-permissive-1.0",
        "cdla-permissive-2.0",
        "ncsa",
        "postgresql",
        "bsl-1.0",
        "wtfpl",
        "afl-3.0",
        "artistic-2.0",
        "ecl-2.0",
        "ms-pl",
        "etalab-2.0",
        "blueoak-1.0.0",
    }
)
"""Licences, as the Hub spells them, that allow use, change and sale for no more than a notice."""
WORD = "permissive"
"""Stands for all of them."""


@dataclass(frozen=True, kw_only=True)
class Licenses:
    """The licences that are taken, in small letters; `words` is how they were asked for."""

    names: frozenset[str]
    words: str

    @classmethod
    def parsed(cls, text: str) -> Licenses:
        """Read names of licences, separated by commas, "permissive" among them perhaps. Raises `BadOption`."""
        names = {word.strip().lower() for word in text.split(",")} - {""}
        if not names:
            raise BadOption(f"{text!r} names no licence; say {WORD}, or names such as mit,apache-2.0")
        return cls(names=frozenset(names - {WORD} | (PERMISSIVE if WORD in names else set())), words=text)

    def check(self, what: str, license: str) -> None:
        """Raise `BadWeights` if the licence of something is none of these, or not stated."""
        if license.lower() not in self.names:
            stated = f"have the licence {plain(license)[:60]}" if license else "state no licence"
            raise BadWeights(f"weights {what} {stated}, and only {self.words} is taken; name others")
