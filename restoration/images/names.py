"""What the names of folders and files say: which pictures are clean, which degraded, and which belong together."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache

from restoration.errors import BadOption

CLEAN_WORDS = """
clean clear sharp gt groundtruth ground target targets hr hq high highres norain nohaze nonoise noblur nosnow rainfree
hazefree noisefree reference ref original originals label labels
"""
DEGRADED_WORDS = """
degraded damaged corrupted distorted rain rainy raindrop raindrops noise noisy blur blurred blurry haze hazy fog foggy
snow snowy lr lq low lowres lowlight input inputs bicubic compressed jpeg
"""
CLEAN, DEGRADED = frozenset(CLEAN_WORDS.split()), frozenset(DEGRADED_WORDS.split())
"""Words in the name of a folder, or of a file, that say that its pictures are clean, or degraded; in any case."""
IN_FILES = {"clean": CLEAN | {"mean"}, "degraded": DEGRADED | {"real"}}
"""In names of files the sets of camera noise say "mean", of many exposures, and "real", of one."""
APART = re.compile(r"[-_. ]+")
SCALE = re.compile(r"[-_]?x\d+$", re.IGNORECASE)
"""What the small pictures of super-resolution have at the end of their names: `0001x4`."""


@cache
def role_of_folder(name: str) -> str:
    """Return what the pictures of a folder are by its name: "clean", "degraded", or "" if it does not say."""
    whole = APART.sub("", name).lower()
    if whole in CLEAN or whole in DEGRADED:
        return "clean" if whole in CLEAN else "degraded"
    words = set(APART.split(name.lower()))
    return "degraded" if words & DEGRADED else "clean" if words & CLEAN else ""


def role_of_file(stem: str) -> str:
    """Return what a picture is by the words at the ends of its name, as `role_of_folder` does."""
    words = APART.split(stem.lower())
    ends = {words[0], words[-1]} if len(words) > 1 else set()
    return "degraded" if ends & IN_FILES["degraded"] else "clean" if ends & IN_FILES["clean"] else ""


def bare(stem: str) -> str:
    """Return the name of a picture without the words at its ends that say what it is, and without its scale."""
    words = re.split(f"({APART.pattern})", SCALE.sub("", stem))  # words at even places, what is between at odd ones
    roles = IN_FILES["clean"] | IN_FILES["degraded"]
    while len(words) > 1 and words[0].lower() in roles:
        words = words[2:]
    while len(words) > 1 and words[-1].lower() in roles:
        words = words[:-2]
    return "".join(words)


def match(clean: Sequence[str], degraded: Sequence[str]) -> dict[str, str]:
    """Return the clean picture of each degraded one, of paths without suffixes, as far as one rule finds them.

    The rules, of which that is taken that finds most: the same name; the same but for words such as "norain" and a
    scale; a clean name with more behind it (`1400` and `1400_2`); the same between what all names of a set begin and
    end with. Several degraded pictures may have one clean picture.
    """
    best: dict[str, str] = {}
    for rule in (_same, _same_bare, _begins, _same_middle):
        found = rule(clean, degraded)
        best = found if len(found) > len(best) else best
        if len(best) == len(degraded):
            break
    return best


def _same(clean: Sequence[str], degraded: Sequence[str]) -> dict[str, str]:
    known = set(clean)
    return {path: path for path in degraded if path in known}


def _same_bare(clean: Sequence[str], degraded: Sequence[str]) -> dict[str, str]:
    known = _unique([_renamed(path, bare) for path in clean], clean)
    names = {path: _renamed(path, bare) for path in degraded}
    return {path: known[name] for path, name in names.items() if name in known}


def _begins(clean: Sequence[str], degraded: Sequence[str]) -> dict[str, str]:
    known = _unique([_renamed(path, bare) for path in clean], clean)
    found = {}
    for path in degraded:
        folder, slash, name = _renamed(path, bare).rpartition("/")
        ends = [len(name), *(one.start() for one in reversed(list(APART.finditer(name))))]
        of = next((known[one] for one in (folder + slash + name[:end] for end in ends if end) if one in known), None)
        if of is not None:
            found[path] = of
    return found


def _same_middle(clean: Sequence[str], degraded: Sequence[str]) -> dict[str, str]:
    if len(clean) != len(degraded) or len(clean) < 2:
        return {}
    known = _unique(_middles(clean), clean)
    found = zip(degraded, _middles(degraded), strict=True)
    return {path: known[middle] for path, middle in found if middle in known}


def _middles(paths: Sequence[str]) -> list[str]:
    """Return paths whose names lack what all of them begin and end with."""
    names = [path.rpartition("/")[2] for path in paths]
    before = _common(names)
    after = _common([name[before:][::-1] for name in names])
    return [_renamed(path, lambda name: name[before : len(name) - after]) for path in paths]


def _common(names: Sequence[str]) -> int:
    """Return how many characters all names begin with."""
    first, last = min(names), max(names)
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


def _renamed(path: str, rename: Callable[[str], str]) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + rename(name)


def _unique(names: Sequence[str], paths: Sequence[str]) -> dict[str, str]:
    """Return paths by their names, without those whose name another one has too."""
    found = dict(zip(names, paths, strict=True))
    twice = {name for name, path in zip(names, paths, strict=True) if found[name] != path}
    return {name: path for name, path in found.items() if name not in twice}


class Template:
    """How files are named, as `rain-{name}`, `{name}x4` or `{name}_*`: `*` stands for anything.

    Raises `BadOption` for one without `{name}`.
    """

    def __init__(self, text: str = "") -> None:
        text = text or "{name}"
        if text.count("{name}") != 1 or "{" in text.replace("{name}", ""):
            raise BadOption(f"a template of names has {{name}} once, as in rain-{{name}}, and {text!r} has not")
        parts = re.split(r"(\{name\}|\*)", text)

        def pattern(name: str) -> re.Pattern[str]:
            return re.compile("".join({"{name}": f"({name})", "*": ".*"}.get(part, re.escape(part)) for part in parts))

        self.shortest, self.longest = pattern(".+?"), pattern(".+")

    def names(self, stem: str) -> list[str]:
        """Return what `{name}` may stand for in the name of a file without its suffix: nothing if it does not fit."""
        found = [pattern.fullmatch(stem) for pattern in (self.shortest, self.longest)]
        return [one[1] for one in found if one]


def match_templates(
    clean: Sequence[str], degraded: Sequence[str], templates: tuple[Template, Template]
) -> dict[str, str]:
    """Return the clean picture of each degraded one, as far as both fit their templates with the same `{name}`."""
    known, found = {}, {}
    for path in clean:
        folder, slash, stem = path.rpartition("/")
        known.update({folder + slash + name: path for name in templates[0].names(stem)})
    for path in degraded:
        folder, slash, stem = path.rpartition("/")
        for name in templates[1].names(stem):
            if folder + slash + name in known:
                found[path] = known[folder + slash + name]
    return found


def examples(names: Collection[object], most: int = 3) -> str:
    """Return a few names in words, and how many more there are."""
    shown = ", ".join(sorted(map(str, names))[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
