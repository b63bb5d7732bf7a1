"""The README of a folder of weights, its model card: what they are for, how good they are, how they were trained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from restoration.hub import header

if TYPE_CHECKING:
    from restoration.recipe import Part, Recipe

PRIVATE = ("license", "validation", "validation_data", "data", "pictures", "start", "changes", "unfinished")
"""Entries of the record that stand in sentences, not in the table of settings."""


def model_card(recipe: Recipe) -> str:
    """Return the README of a folder of weights, with the header that the Hugging Face Hub reads."""
    from restoration.version import __version__

    method, task = recipe.method.name, recipe.task.name
    rows = "\n".join(f"| `{name}` | {value} |" for name, value in recipe.training.items() if name not in PRIVATE)
    sections = [
        f"# {method}/{task}\n\nImage restoration with the method `{method}` for the task `{task}`. The weights were "
        f"trained with `restoration` {__version__}.",
        _unfinished(recipe.training),
        f"## Usage\n\n```\npip install {' '.join(_names(recipe.requires))}\n"
        f"restore run --method {method} --task {task} --weights DIR picture.png\n```\n\n"
        "`DIR` is this folder, or `owner/name` on the Hugging Face Hub.",
        _realism(recipe),
        f"## Model\n\n{_parts(recipe)}\n\n`config.json` has the whole recipe, which the weights need.",
        f"## Results\n\n{_results(recipe.training)}",
        f"## Training\n\n{_training(recipe.training)}\n\n| setting | value |\n|---|---|\n{rows}",
        f"## License\n\n{_license(recipe.training)}",
    ]
    return f"---\n{_header(recipe)}---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def _header(recipe: Recipe) -> str:
    """Return the metadata in YAML, as the Hub's own library writes it."""
    return header.written(about(recipe).fields(""))


def about(recipe: Recipe, license: str = "", name: str = "") -> header.About:
    """Return what the header of weights with a recipe tells; licence and name are those given, or of the recipe."""
    method, task, record = recipe.method.name, recipe.task.name, recipe.training
    results = []
    if validation := record.get("validation"):
        pictures = _judges(record)
        how = f"PSNR, RGB, border {validation.get('border', 0)}; {validation['pictures']} pictures, validation"
        results = [header.result(pictures, ("imagefolder", ""), how, validation["psnr_rgb"])]
    return header.About(
        name=name or f"{method}/{task}",
        method=method,
        task=task,
        network=recipe.network.name if recipe.network else "",
        license=license or record.get("license", ""),
        results=results,
    )


def _license(record: dict[str, Any]) -> str:
    if "license" in record:
        return f"`{record['license']}`"
    return (
        "Not stated yet: train with `--license`, or add `license:` to the header of this file. The pictures of the "
        "training may restrict the choice."
    )


def _unfinished(record: dict[str, Any]) -> str:
    if "unfinished" not in record:
        return ""
    return f"> **Unfinished:** after {record['unfinished']} of {record['steps']} steps. Better weights may follow."


def _realism(recipe: Recipe) -> str:
    """Return the section about weights that draw, "" for all others."""
    if recipe.realism is None:
        return ""
    mean = f"the weights `{recipe.mean}`" if recipe.mean else "the weights that came with the method of the mean"
    return (
        "## Realism\n\nThese weights draw one of the pictures that the damaged one may come from: another with each "
        f"`--seed`. `--realism 1` is such a picture, 0 the mean of all of them, which {mean} predict; numbers between "
        f"mix the two, and {recipe.realism:g} is the default. Detail that is drawn is invented: do not read writing, "
        "faces or measurements in it. `--samples 8` shows where it differs."
        + (
            " Samples begin at that mean, and the network is shown the damaged picture beside."
            if recipe.from_mean
            else ""
        )
    )


def _parts(recipe: Recipe) -> str:
    parts = {"Network": recipe.network, "Noise schedule": recipe.schedule, "Objective": recipe.objective}
    return "\n".join(f"* {kind}: {_part(part)}" for kind, part in parts.items() if part is not None)


def _part(part: Part) -> str:
    options = ", ".join(f"`{name}` = {json.dumps(value)}" for name, value in part.options.items())
    return f"`{part.name}`" + (f" with {options}" if options else "")


def _results(record: dict[str, Any]) -> str:
    """Return what the weights reached in validation, and which of all they are."""
    validation = record.get("validation")
    if validation is None:
        return "The weights were not validated."
    kept = f"the best weights of all validations, those after step {validation['step']}."
    if record.get("keep") == "last":
        kept = (
            f"the last weights, those after step {validation['step']}; samples that look less real have a better PSNR."
        )
    return (
        f"PSNR {validation['psnr_rgb']} dB (RGB, border 0): mean of {validation['pictures']} pictures "
        f"({_judges(record)}). These are {kept}"
    )


def _judges(record: dict[str, Any]) -> str:
    """Return what the pictures for validation are called."""
    return str(record.get("validation_data") or f"held out of {record.get('data', 'the training data')}")


def _training(record: dict[str, Any]) -> str:
    sentences = []
    if "pictures" in record:
        sentences.append(f"Trained on {record['pictures']} pictures ({record['data']}).")
    sentences.append(f"Initial weights: {record['start']}." if "start" in record else "Initial weights: random.")
    for change in record.get("changes", ()):
        before = ", ".join(f"`{name}` {value}" for name, value in change.items() if name != "step")
        sentences.append(f"Until step {change['step']} some settings were others: {before}.")
    return " ".join(sentences)


def _names(requires: list[str]) -> list[str]:
    """Return distributions without versions; the toolbox itself comes with them."""
    return [requirement.partition(">=")[0] for requirement in requires] or ["restoration-toolbox"]
