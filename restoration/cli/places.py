"""Where the result of each picture goes: a file, a folder, or what a template makes of the picture's name."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

import click

from restoration.cli.inputs import STREAM
from restoration.images.formats import DEEP, by_suffix, writable
from restoration.images.remarks import once

if TYPE_CHECKING:
    from restoration.cli.inputs import Source

FIELDS = ("folder", "name", "ext", "method", "task", "sample")
BESIDE = "{folder}/{name}.restored{ext}"
"""Where results go if nobody says anything else."""

DOUBTFUL = ".doubtful"
"""What stands before the suffix in the name of a result that is not plausible."""
MEAN, DEVIATION = "mean", "deviation"
"""What samples have for their number in the names of their mean, and of the map of their deviation."""


class Places:
    """Names the result of every picture, as `-o` says: a file, a folder (`DIR/` or one that exists), "-", a template.

    Templates know {folder}, {name}, {ext}, {method} and {task}. Where a template has no {folder}, what lies in
    sub-folders stays in sub-folders, as in a folder. Raises `click.UsageError` for a template with anything else.

    * `output`: what was given with `-o`.
    * `method`, `task`: their names.
    * `lossless`: whether formats that lose something become PNG.
    * `suffix`: that of all results whose name does not say another.
    * `samples`: how many results each picture has, if more than one. Their number is {sample}, which stands before the
      suffix where a template does not say.
    """

    def __init__(
        self,
        output: str | None,
        method: str,
        task: str,
        *,
        lossless: bool = False,
        suffix: str | None = None,
        samples: int = 0,
    ) -> None:
        if output is not None and not output.strip():
            raise click.UsageError("-o is empty, as by a variable that is not set; name a file or a folder")
        self.output, self.method, self.task, self.lossless, self.suffix = output, method, task, lossless, suffix
        self.samples = samples
        self.is_stream = output == STREAM
        self.folder = output if output is not None and not self.is_stream and _is_folder(output) else None
        """The folder that all results go to, None if there is no such folder."""
        template = _template(output, self.folder)
        self._pieces = _pieces(_numbered(template) if samples else template)
        fields = {field for _, field in self._pieces}
        if "sample" in fields and not samples:
            raise click.UsageError(f"the template {output!r} has {{sample}}, which is for --samples")
        self.is_file = not self.is_stream and fields <= {"", "sample"}

    @property
    def variants(self) -> list[Places]:
        """The same for all other methods and tasks, where the names of results tell them."""
        from restoration.registry import registry
        from restoration.registry.cards import RestorerCard, TaskCard

        used = {field for _, field in self._pieces}
        methods = [card.name for card in registry().cards(RestorerCard)] if "method" in used else [self.method]
        tasks = [card.name for card in registry().cards(TaskCard)] if "task" in used else [self.task]
        pairs = [(method, task) for method in methods for task in tasks if (method, task) != (self.method, self.task)]
        return [Places(self.output, method, task, suffix=self.suffix, samples=self.samples) for method, task in pairs]

    def files(self, source: Source, *, keep_case: bool = False) -> list[str]:
        """Return the paths of the result and of all that is written with it; [] for stdout.

        Of samples the mean is the first, which is written last; then come the samples, and their deviation.
        """
        names = [MEAN, *(str(number + 1) for number in range(self.samples)), DEVIATION] if self.samples else [""]
        paths = [self.of(source, keep_case=keep_case, sample=name) for name in names]
        return [path for path in paths if path is not None]

    def of(self, source: Source, *, keep_case: bool = False, sample: str = MEAN) -> str | None:
        """Return the path of the result, None for stdout. Its suffix is in lower case, if not told to keep it.

        Of several samples it is that of the one with a number, or of their mean.
        """
        if self.is_stream or (source.path == STREAM and self.output is None):
            return None
        stem, suffix = os.path.splitext(os.path.basename(source.path))
        written = self.suffix or self._written(suffix.lower())
        values = {
            "name": "stdin" if source.path == STREAM else stem,
            "ext": suffix if keep_case and suffix.lower() == written else written,
            "beside": source.folder,
            "folder": _harmless(source.folder),
            "inside": source.inside and source.inside + "/",
            "method": self.method,
            "task": self.task,
            "sample": sample,
            "": "",
        }
        return os.fspath(Path("".join([literal + values[field] for literal, field in self._pieces])))

    def _written(self, suffix: str) -> str:
        """The suffix of the result of a picture: its own, or ".png" where that cannot be written, which is said."""
        if suffix in (DEEP if self.lossless else writable()):
            return suffix
        form = by_suffix(suffix)
        if form is not None and form.readable and not self.lossless:
            once(f"{form.name} cannot be written here: such pictures become PNG")
        return ".png"

    def hints(self) -> list[str]:
        """Return templates that tell pictures apart which this one does not, the plainest first."""
        if self.lossless:
            return []
        folder = self.folder or _fixed(self.output or "") or "out"
        folder = folder.rstrip("/").replace("{", "{{").replace("}", "}}")
        return [f"{folder}/{{name}}{{ext}}", f"{folder}/{{folder}}/{{name}}{{ext}}"]


def doubtful_name(target: str) -> str:
    """Return the path that a result has if it is not plausible."""
    stem, suffix = os.path.splitext(target)
    return stem + DOUBTFUL + suffix


def result_of_sample(path: str) -> str | None:
    """Return what a result would be called without samples whose sample, mean or deviation is called `path`."""
    stem, suffix = os.path.splitext(path)
    stem, dot, sample = stem.rpartition(".")
    return stem + suffix if dot and (sample in (MEAN, DEVIATION) or sample.isdecimal()) else None


def _numbered(template: str) -> str:
    """Return a template that tells samples apart: their number before the suffix, where it does not say itself."""
    if any(field == "sample" for _, field, _, _ in Formatter().parse(template)):
        return template
    stem, suffix = (template[:-5], "{ext}") if template.endswith("{ext}") else os.path.splitext(template)
    return f"{stem}.{{sample}}{suffix}"


def _is_folder(output: str) -> bool:
    return os.path.isdir(output) or (output.endswith(("/", os.sep)) and not {"{", "}"} & set(output))


def _template(output: str | None, folder: str | None) -> str:
    """Bring all forms of `-o` into one: a template with {folder}, or with {inside} for the sub-folder, if at all."""
    if output is None:
        return BESIDE
    if folder is not None:
        return folder.rstrip("/").replace("{", "{{").replace("}", "}}") + "/{inside}{name}{ext}"
    if output.endswith("/"):
        output += "{name}{ext}"
    fields = _fields(output)
    if not fields or "folder" in fields:
        return output
    steps = output.split("/")
    varying = [place for place, step in enumerate(steps) if _fields(step) & {"name", "ext"}]
    place = varying[0] if varying else len(steps) - 1
    return "/".join([*steps[:place], "{inside}" + steps[place], *steps[place + 1 :]])


def _fields(template: str) -> set[str]:
    """Return the fields of a template. Raises `click.UsageError` for those that there are not."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise _unknown(template) from error
    for _, field, form, conversion in parts:
        if field is not None and (field not in FIELDS or form or conversion):
            raise _unknown(template)
    return {field for _, field, _, _ in parts if field is not None}


def _pieces(template: str) -> list[tuple[str, str]]:
    """Take a template apart: fixed text, and the field that follows it."""
    pieces = [(literal, field or "") for literal, field, _, _ in Formatter().parse(template)]
    if pieces and pieces[0] == ("", "folder"):  # results lie beside their pictures, wherever that is
        pieces[0] = ("", "beside")
    return pieces


def _fixed(template: str) -> str:
    """Return the folder that a template begins with, as far as it has no fields."""
    steps = template.split("/")
    return "/".join(steps[: next((place for place, step in enumerate(steps) if "{" in step), -1)])


def _unknown(template: str) -> click.UsageError:
    names = [f"{{{name}}}" for name in FIELDS if name != "sample"]
    known = f"{', '.join(names[:-1])} and {names[-1]}"
    return click.UsageError(f"the template {template!r} knows {known}, {{sample}} for --samples, and {{{{ for a brace")


@cache
def _harmless(folder: str) -> str:
    """Return a folder as a path that stays below the one it is put into."""
    steps = os.path.normpath(os.path.splitdrive(folder)[1]).split(os.sep)
    return "/".join(step for step in steps if step not in ("", os.pardir)) or os.curdir
