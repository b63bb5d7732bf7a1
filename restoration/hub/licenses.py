"""Which licences are taken: those that a user names, or all that let anybody do nearly anything."""

from __future__ import annotations

import re
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
OTHERS = """
openrail openrail++ bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
c-uda cc cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 epl-1.0 epl-2.0 eupl-1.1 eupl-1.2
agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 lgpl-lr h-research intel-research lppl-1.3c apple-ascl
apple-amlr mpl-2.0 odbl osl-3.0 ofl-1.1 deepfloyd-if-license fair-noncommercial-research-license gemma llama2 llama3
llama3.1 llama3.2 llama3.3 llama4 unknown other
"""
"""Further licences, as the Hub spells them, whose terms ask for more."""
KNOWN = (PERMISSIVE - {"mit-0", "0bsd", "blueoak-1.0.0"}) | frozenset(OTHERS.split())
"""Licences that the Hub takes for `license` in the header of a card; all others have a `license_name` there."""
WORD = "permissive"
"""Stands for all of them."""


def stated(license: str) -> dict[str, str]:
    """Return how the header of a card states a licence, so that the Hub takes it; {} for none."""
    name = re.sub(r"[^a-z0-9.+-]+", "-", license.lower()).strip("-")
    if not name:
        return {}
    return {"license": name} if name in KNOWN else {"license": "other", "license_name": name}


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
