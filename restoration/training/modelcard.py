"""The README of a folder of weights: what they are, how they were made, what they reach."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from restoration.recipe import Recipe


def model_card(recipe: Recipe) -> str:
    """Return the README of a folder of weights, with the header that the Hugging Face Hub reads."""
    from restoration.version import __version__

    record = dict(recipe.training)
    validation = record.pop("validation", None)
    rows = "\n".join(f"| {name} | {value} |" for name, value in sorted(record.items()))
    best = f", the best, after step {validation['step']}" if validation and "step" in validation else ""
    score = (
        f"PSNR {validation['psnr_rgb']} dB (RGB, border 0) on {validation['pictures']} pictures held out{best}.\n"
        if validation
        else "No pictures were held out.\n"
    )
    method, task = recipe.method.name, recipe.task.name
    network = f"{recipe.network.name} {json.dumps(recipe.network.options)}" if recipe.network else "none"
    return f"""---
library_name: restoration
pipeline_tag: image-to-image
license: mit
tags: [restoration, image-restoration, {method}, {task}]
metrics: [psnr]
---

# {method}/{task}

Weights for `restore run --method {method} --task {task}`, made by restoration {__version__}.
Network: {network}. What else they belong to stands in `config.json`.

{score}
| training | |
|---|---|
{rows}
"""
