"""What a command will do, settled before it does anything: a result for each input, and what is refused and why."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import click

from restoration.cli.inputs import STREAM, Inputs, Source, counted, file_key, find
from restoration.cli.originals import Originals
from restoration.cli.places import Places, doubtful_name, result_of_sample
from restoration.cli.preview import PREVIEW, is_preview
from restoration.errors import nearest
from restoration.images import can_write, writable
from restoration.images.formats import HEAD, is_picture, recognise
from restoration.images.parts import clear_parts
from restoration.registry import registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One input and its result; None is stdin, or stdout. `place` is that of the input among all inputs, from 0.

    `others` are the files that are written with the result, before it. `there` is the first of all of these that is
    there already.
    """

    source: str | None
    target: str | None
    place: int = 0
    others: tuple[str, ...] = ()
    there: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """The result, if it is a file, and all that is written with it."""
        return self.others if self.target is None else (self.target, *self.others)

    @property
    def name(self) -> str:
        """What the input is called in messages."""
        return "stdin" if self.source is None else self.source


@dataclass(kw_only=True)
class Plan:
    """Jobs to do, inputs that are refused with a line for each that says why, jobs that are skipped, lines to say.

    `originals` are the files that are read and never written. `named_results` were named as inputs, but have the names
    of results; they are left alone altogether.
    """

    jobs: list[Job]
    originals: Originals
    named_results: set[str]
    refused: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def refuse(self, why: dict[int, str]) -> None:
        """Leave out jobs, by their places, each for a reason. Raises `click.UsageError` if that leaves nothing."""
        self.refused += [(job.name, why[job.place]) for job in self.jobs if job.place in why]
        self.jobs = [job for job in self.jobs if job.place not in why]
        if self.refused and not self.jobs and not self.skipped:
            more = f" (and {len(self.refused) - 1} more inputs cannot be used)" if len(self.refused) > 1 else ""
            raise click.UsageError(self.refused[0][1] + more)

    def settle(
        self, *, overwrite: bool, skip_existing: bool = False, hint: str = "use --overwrite or --skip-existing"
    ) -> None:
        """Leave out the jobs whose results are already there. Raises `click.UsageError` if nobody says what to do.

        A job of which only other files are there is not done: its result is written last.
        """
        there = [job for job in self.jobs if job.there]
        if there and not overwrite and not skip_existing:
            more = f" and {len(there) - 1} more are" if len(there) > 1 else " is"
            raise click.UsageError(f"{there[0].there}{more} already there; {hint}")
        if skip_existing:
            self.skipped = [job for job in there if job.there == job.target]
            self.jobs = [job for job in self.jobs if not job.there or job.there != job.target]
            return
        named = [job for job in there if file_key(job.there) in self.named_results]
        self.refuse({job.place: f"{job.name}: its result {job.there} is an input; leave it out" for job in named})

    def clear_leftovers(self) -> None:
        """Remove what killed processes have left where the results are: unfinished files, and previews."""
        targets = [job.target for job in (*self.jobs, *self.skipped) if job.target is not None]
        files = [file for job in (*self.jobs, *self.skipped) for file in job.files]
        for folder in {os.path.dirname(file) or os.curdir for file in files}:
            clear_parts(Path(folder))
        for target in targets:
            path = os.path.splitext(target)[0] + PREVIEW
            if is_preview(path):
                with suppress(OSError):
                    os.unlink(path)


def plan(
    arguments: Iterable[str],
    places: Places,
    *,
    files: Sequence[str] = (),
    folders: Sequence[str] = (),
    beside: Callable[[str], list[str]] = lambda target: [],
) -> Plan:
    """Pair every input with its result. Raises `click.UsageError` where there is nothing to do.

    `files` and `folders` are read too: they are never written, and what lies in the folders is no input. What a result
    of this very command would be called is none either, where the picture that it would be made of is an input.
    `beside` names the files that are written with a result.
    """
    inputs = find(arguments, without=folders, results=places.folder)
    targets = _targets(inputs.sources, places)
    own = _own_results(inputs.sources, targets, places)
    pairs = [(one, files) for one, files in zip(inputs.sources, targets, strict=True) if one.key not in own]
    _check_count(inputs, len(pairs), places)
    made = Plan(
        jobs=[
            Job(
                source=None if source.path == STREAM else source.path,
                target=files[0] if files else None,
                place=place,
                others=(*files[1:], *(beside(files[0]) if files else [])),
            )
            for place, (source, files) in enumerate(pairs)
        ],
        originals=Originals([*(source.path for source, _ in pairs), *files], folders),
        named_results={source.key for source in inputs.sources if source.named} & own,
        refused=inputs.unreadable,
        notes=inputs.notes(),
    )
    if own:
        made.notes.append(f"left alone: {counted(len(own), 'file')} with names that this command gives to results")
    why = _objections(made)
    fine = [job for job in made.jobs if job.place not in why]
    made.refuse({**why, **_shared(fine, [source for source, _ in pairs], places)})
    return made


def _check_count(inputs: Inputs, count: int, places: Places) -> None:
    if not count and not inputs.unreadable:
        raise click.UsageError("; ".join(["no pictures found; name files, folders, or - for stdin", *inputs.notes()]))
    if count > 1 and (places.is_stream or places.is_file):
        plain = places.output is not None and not os.path.splitext(places.output)[1] and not places.is_stream
        folder = places.output if plain else "DIR"
        raise click.UsageError(f"{count} pictures cannot all go to {places.output}; give a folder: -o {folder}/")


def _targets(sources: list[Source], places: Places) -> list[list[str]]:
    """Name the results. Those of inputs that differ in the case of their suffixes alone differ in it too."""
    targets = [places.files(source) for source in sources]
    for alike in _groups(targets):
        for number in alike:
            targets[number] = places.files(sources[number], keep_case=True)
    return targets


def _own_results(sources: list[Source], targets: list[list[str]], places: Places) -> set[str]:
    """Return the inputs, by their keys, that are called what the result of another input is called, or a sample of it.

    An input that would be its own result is not among them.
    """
    pairs = zip(sources, targets, strict=True)
    goals = {source.key: [file_key(file) for file in files] for source, files in pairs}
    results = {goal for key, files in goals.items() for goal in files if goal != key}
    for others in places.variants:
        results |= {file_key(file) for files in map(others.files, sources) for file in files}
    results |= {doubtful_name(result) for result in results}
    results |= {one for key, files in goals.items() for one in map(result_of_sample, files) if one not in (None, key)}
    own = {
        key for key, files in goals.items() if key not in files and not results.isdisjoint({key, result_of_sample(key)})
    }
    for source in sources:
        if source.path.endswith(PREVIEW):
            result = source.key.removesuffix(PREVIEW)
            if any(result + suffix in results for suffix in writable()) and is_preview(source.path):
                own.add(source.key)
    return own


def _objections(made: Plan) -> dict[int, str]:
    """Return what is against single jobs, by their places, and note in the others what is there already."""
    why: dict[int, str] = {}
    for number, job in enumerate(made.jobs):
        if job.target is None:
            continue
        suffix = os.path.splitext(job.target)[1].lower()
        if not can_write(suffix):
            why[job.place] = f"{job.name}: {_unwritable(job.target, suffix)}"
            continue
        for path in job.files:
            found = made.originals.check(path)
            if found.there:
                made.jobs[number] = replace(made.jobs[number], there=made.jobs[number].there or path)
            if found.read and found.read == job.source:
                why[job.place] = f"{job.name} would be written over itself; choose another -o"
            elif found.objection:
                why[job.place] = f"{job.name}: its result {path} {found.objection}; choose another -o"
    return why


def _unwritable(target: str, suffix: str) -> str:
    """Say why a result cannot be called so, and what the user may have meant."""
    names = writable()
    if not suffix or suffix == ".":
        return f"cannot write {target}: it has no suffix; {target}{names[0]} is a file, {target}/ a folder for results"
    near = nearest(suffix, names)
    return f"cannot write {target}: use {f'{near}, or another of ' if near else 'one of '}{', '.join(names)}"


def _shared(jobs: list[Job], sources: list[Source], places: Places) -> dict[int, str]:
    """Return the jobs, by their places, that would write the same file, and what to do about it."""
    groups = _groups([[*job.files] for job in jobs])
    if not groups:
        return {}
    alike = {number for group in groups for number in group}
    others = [file_key(str(job.target)) for number, job in enumerate(jobs) if number not in alike]
    hint = _hint(sources, places, set(others))
    why: dict[int, str] = {}
    for group in groups:
        strange = {number for number in group if _is_no_picture(jobs[number].source)}
        why |= {jobs[number].place: f"{jobs[number].name} is not a picture that can be read" for number in strange}
        pictures = [number for number in group if number not in strange]
        for number in pictures if len(pictures) > 1 else []:
            other = next(jobs[one].name for one in pictures if one != number)
            why[jobs[number].place] = f"{jobs[number].name} and {other} would both become {jobs[number].target}; {hint}"
    return why


def _is_no_picture(path: str | None) -> bool:
    """Say whether a file is certainly no picture: neither its name nor its first bytes are those of one."""
    if path is None or is_picture(os.path.basename(path)) or not os.path.isfile(path):
        return False
    if registry().hooks.hook.read_image.get_hookimpls():
        return False
    try:
        with open(path, "rb") as file:
            return recognise(file.read(HEAD)) is None
    except OSError:
        return False


def _groups(files: list[list[str]]) -> list[list[int]]:
    """Return the numbers of those that share a file, also where the file system takes two names for one."""
    by_name: dict[str, list[tuple[str, int]]] = {}
    for number, paths in enumerate(files):
        for path in paths:
            key = file_key(path)
            plain = key if key.isascii() else unicodedata.normalize("NFC", key)
            by_name.setdefault(plain.casefold(), []).append((key, number))
    groups = []
    for alike in by_name.values():
        if len(alike) > 1:
            one = _ignores_case(os.path.dirname(alike[0][0]))
            keys = dict.fromkeys("" if one else key for key, _ in alike)
            groups += [[number for other, number in alike if one or other == key] for key in keys]
    return [group for group in groups if len(group) > 1]


def _ignores_case(folder: str) -> bool:
    """Say whether a folder, or the one that it will be made in, takes names that differ in case for the same."""
    while not os.path.isdir(folder) or os.path.basename(folder).swapcase() == os.path.basename(folder):
        if folder == os.path.dirname(folder):
            return False
        folder = os.path.dirname(folder)
    twin = os.path.join(os.path.dirname(folder), os.path.basename(folder).swapcase())
    return os.path.exists(twin) and os.path.samefile(folder, twin)


def _hint(sources: list[Source], places: Places, taken: set[str]) -> str:
    """Say which template tells the inputs apart. What is done now need not be done again."""
    for template in places.hints():
        named = Places(template, places.method, places.task, samples=places.samples)
        paths = [str(named.of(source)) for source in sources]
        keys = {file_key(path) for path in paths}
        if len(keys) == len(sources) and not any(os.path.lexists(path) for path in paths):
            return f'use -o "{template}"' + (" --skip-existing" if keys & taken else "")
    return "give them folders of their own, one by one"
