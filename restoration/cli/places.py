"""Which files go in and where each result goes."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from restoration.images.formats import by_suffix, is_picture, writable
from restoration.images.remarks import once

STREAM = "-"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One input and its output; None is stdin, or stdout."""

    source: Path | None
    target: Path | None


def jobs(
    inputs: Iterable[str],
    output: str | None,
    method: str,
    task: str,
    without: Iterable[Path] = (),
    suffix: str | None = None,
) -> list[Job]:
    """Pair every input with an output. Raises `click.UsageError` where two results would go to one place.

    `output` is a file, a folder (`DIR/` or one that exists), "-", or a template with {name}, {ext}, {method}, {task};
    by default results lie beside their inputs as NAME.restored.EXT. Of folders what lies in those of `without` is not
    taken. `suffix` is that of all results whose name does not say another.
    """
    sources = list(dict.fromkeys(_sources(inputs, [folder.resolve() for folder in without])))
    if not sources:
        raise click.UsageError("no pictures to restore; name files, folders, or - for stdin")
    one_place = output is not None and output != STREAM and not _is_many(output)
    if len(sources) > 1 and (output == STREAM or one_place):
        raise click.UsageError(f"{len(sources)} pictures cannot all go to {output}; give a folder: -o {output}/")
    made = [Job(source=source, target=_target(source, base, output, method, task, suffix)) for source, base in sources]
    for job in made:
        if job.target is not None and job.source is not None and job.target.absolute() == job.source.absolute():
            raise click.UsageError(f"{job.source} would be written over itself; choose another -o")
    targets = [job.target for job in made]
    twice = next((target for target in targets if target is not None and targets.count(target) > 1), None)
    if twice is not None:
        raise click.UsageError(f'two results would both be {twice}; use a template: -o "out/{{name}}{{ext}}"')
    return made


def _is_many(output: str) -> bool:
    return output.endswith("/") or "{" in output or Path(output).is_dir()


def _sources(inputs: Iterable[str], without: list[Path]) -> Iterable[tuple[Path | None, Path]]:
    """Every input file with the folder its place is kept relative to."""
    for text in inputs:
        path = Path(text)
        if text == STREAM:
            yield None, Path()
        elif path.is_dir():
            for found in sorted(path.rglob("*")):
                if any(folder in found.resolve().parents for folder in without):
                    continue
                if is_picture(found) and found.is_file() and ".restored" not in found.suffixes:
                    yield found, path
        elif not path.exists() and any(sign in text for sign in "*?["):
            for name in sorted(glob.glob(text, recursive=True)):
                yield Path(name), Path(name).parent
        else:
            yield path, path.parent


def _target(
    source: Path | None, base: Path, output: str | None, method: str, task: str, chosen: str | None
) -> Path | None:
    if output == STREAM or (source is None and output is None):
        return None
    name = source.stem if source else "stdin"
    suffix = chosen or written_suffix(source)
    if output is None:
        assert source is not None
        return source.with_name(f"{name}.restored{suffix}")
    if "{" in output:
        try:
            return Path(output.format(name=name, ext=suffix, method=method, task=task))
        except (KeyError, IndexError, ValueError) as error:
            raise click.UsageError(
                f"the template {output!r} knows {{name}}, {{ext}}, {{method}} and {{task}}"
            ) from error
    if _is_many(output):
        inside = source.parent.relative_to(base) if source else Path()
        return Path(output) / inside / f"{name}{suffix}"
    return Path(output)


def written_suffix(source: Path | None) -> str:
    """Return the suffix of the result of a picture: its own, or ".png" where that cannot be written; said once."""
    suffix = source.suffix.lower() if source else ".png"
    if suffix in writable():
        return suffix
    form = by_suffix(suffix)
    if form is not None:
        once(f"{form.name} cannot be written here: such pictures become PNG")
    return ".png"
