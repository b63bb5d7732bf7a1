"""The header of a model card, in YAML, as the Hub reads it: read without harm, and completed without changing a word.

Scores stand in a table of the card; the header repeats them for the Hub, as its `model-index`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from restoration.errors import BadWeights, one_line
from restoration.hub.licenses import stated

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

BLOCK = re.compile(r"\A(\s*---[ \t]*\r?\n)(.*?)(^---[ \t]*(?:\r?\n|\Z))", re.DOTALL | re.MULTILINE)
"""A header: what opens it, its lines, what closes it."""
LONGEST = 1 << 16
"""Characters that a header may have."""
MOST_BRACKETS = 500
"""Lists and mappings in brackets that it may have."""
LONGEST_NAME = 100
"""Characters that the name of a licence may have."""
MERGED = re.compile(r"<<\s*:")
"""What makes a few lines of YAML grow without end."""
COLUMNS = ("pictures", "evaluations", "input", "restored", "protocol")
"""The columns of a table of scores."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A row of a table of scores: of which pictures, with how many evaluations, before and after, how it was taken."""

    pictures: str
    evaluations: int
    input: float
    restored: float
    protocol: str

    @property
    def dataset(self) -> tuple[str, str]:
        """The name of the set of pictures, and what was done to them."""
        name, _, how = self.pictures.partition(", ")
        return name, how

    def result(self) -> EvalResult:
        """Return the score as the Hub's header has it, its protocol in words."""
        name, how = self.dataset
        times = "1 evaluation" if self.evaluations == 1 else f"{self.evaluations} evaluations"
        words = f"{self.protocol}; {times}; {self.input:.2f} dB before"
        return result(self.pictures, (slug(name), how), words, self.restored)


@dataclass(frozen=True, kw_only=True)
class About:
    """What the header of a set of weights must tell: its name, method, task, network, licence and results.

    `license` is "" if nobody has stated one, `network` if it has none.
    """

    name: str
    method: str
    task: str
    network: str = ""
    license: str = ""
    results: Sequence[EvalResult] = ()

    def fields(self, text: str) -> dict[str, Any]:
        """Return the header that a card with nothing in it would get; scores of its table come first."""
        from huggingface_hub import ModelCardData

        rows = scores(text)
        results = [row.result() for row in rows] or list(self.results)
        sets = dict.fromkeys(slug(row.dataset[0]) for row in rows)
        licence = stated(self.license)
        data = ModelCardData(
            license=licence.get("license"),
            license_name=licence.get("license_name"),
            library_name="restoration",
            pipeline_tag="image-to-image",
            tags=list(filter(None, ["restoration", "image-restoration", self.method, self.task, self.network, *sets])),
            metrics=["psnr"] if results else None,
            model_name=self.name if results else None,
            eval_results=results or None,
        )
        return dict(data.to_dict())  # type: ignore[no-untyped-call]


def result(pictures: str, dataset: tuple[str, str], how: str, value: float) -> EvalResult:
    """Return a PSNR as the Hub's header has it.

    * `pictures`: what people call the pictures.
    * `dataset`: their set as the Hub knows it, and what was done to them, "" for nothing.
    * `how`: the metric and its protocol.
    * `value`: dB.
    """
    from huggingface_hub import EvalResult

    return EvalResult(
        task_type="image-to-image",
        dataset_type=dataset[0],
        dataset_name=pictures,
        dataset_config=dataset[1] or None,
        metric_type="psnr",
        metric_name=how,
        metric_value=value,
    )


def slug(name: str) -> str:
    """Return a name as a tag: small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def header_of(text: str) -> dict[str, Any]:
    """Return the header of a card, {} if it has none. Raises `BadWeights` for one that cannot be read."""
    from huggingface_hub import ModelCard

    match = BLOCK.match(text)
    if match is None:
        return {}
    lines = match[2]
    if len(lines) > LONGEST or lines.count("[") + lines.count("{") > MOST_BRACKETS or MERGED.search(lines):
        raise BadWeights(
            "the header of README.md is too long, too nested, or merges mappings; no model card needs that"
        )
    try:
        return dict(ModelCard(f"---\n{lines}---\n").data.to_dict())  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever YAML and the Hub's library make of untrusted text
        raise BadWeights(f"the header of README.md cannot be read: {one_line(error)}") from error


def license_of(text: str) -> str:
    """Return the licence that a card states, in small letters; "" if it states none.

    Only the lines of its name are read, so that no untrusted YAML is parsed for it.
    """
    match = BLOCK.match(text)
    lines = match[2] if match else ""
    stated = _line(lines, "license")
    return _line(lines, "license_name") if stated == "other" else stated


def _line(lines: str, name: str) -> str:
    """Return the text that a line of a header gives a name, or the first of its list, in small letters."""
    found = re.search(
        rf"^{name}[ \t]*:[ \t]*(?:\n[ \t]*-[ \t]+|\[[ \t]*)?([^\s\[\]{{}},#][^\n,#\]]*)", lines, re.MULTILINE
    )
    words = found[1].strip() if found else ""
    return words.strip("'\"").strip().lower() if len(words) <= LONGEST_NAME else ""


def scores(text: str) -> list[Score]:
    """Return the rows of the table of scores of a card, [] if it has none."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if "|" in line]
    found = []
    begun = False
    for row in rows:
        if tuple(row) == COLUMNS:
            begun = True
        elif begun and len(row) == len(COLUMNS):
            with suppress(ValueError):  # the line under the names, or a row that tells something else
                found.append(_score(row))
        else:
            begun = False
    return found


def _score(row: list[str]) -> Score:
    pictures, evaluations, before, after, protocol = row
    return Score(
        pictures=pictures,
        evaluations=int(evaluations),
        input=float(before),
        restored=float(after),
        protocol=re.sub(r", `[^`]*`", "", protocol),
    )


def completed(text: str, about: About) -> str:
    """Return a card with all that its header lacks; what it has stays as it is, and so does the text.

    Raises `BadWeights` for a header that cannot be read, or that states another licence.
    """
    header, fields = header_of(text), about.fields(text)
    there = license_of(text)
    if about.license and there and stated(there) != stated(about.license):
        raise BadWeights(f"README.md states the licence {there}, not {about.license}; change one of them")
    missing = {name: value for name, value in fields.items() if name not in header}
    if "license" in header:
        missing.pop("license_name", None)
    present = header.get("tags") if isinstance(header.get("tags"), list) else None
    tags = [tag for tag in fields["tags"] if present is not None and tag not in present]
    match = BLOCK.match(text)
    opening, lines, closing, body = (
        ("---\n", "", "---\n", f"\n{text}") if match is None else (*match.groups(), text[match.end() :])
    )
    if tags:
        lines = _with_tags(lines, tags)
    if missing:
        lines += written(missing)
    made = f"{opening}{lines}{closing}{body}"
    wanted = {**header, **missing, **({"tags": [*(present or []), *tags]} if tags else {})}
    if header_of(made) != wanted:
        made = f"{opening}{written(wanted)}{closing}{body}"  # tags in a form of YAML that cannot be added to
    return made


def _with_tags(lines: str, tags: Iterable[str]) -> str:
    """Add tags to the list in a header, in either of its usual forms."""
    flow = re.compile(r"^(tags:[ \t]*\[[^\]\n]*?)([ \t]*\][ \t]*)$", re.MULTILINE)
    rows = re.compile(r"^(tags:[ \t]*\n(?:([ \t]*)- .*\n)+)", re.MULTILINE)
    if flow.search(lines):
        return flow.sub(lambda found: f"{found[1]}, {', '.join(tags)}{found[2]}", lines, count=1)
    return rows.sub(lambda found: found[1] + "".join(f"{found[2]}- {tag}\n" for tag in tags), lines, count=1)


def written(fields: Mapping[str, Any]) -> str:
    """Return a header as YAML, the way the Hub's own library writes it."""
    from huggingface_hub.utils import yaml_dump  # type: ignore[attr-defined]

    return str(yaml_dump(dict(fields), sort_keys=False))
