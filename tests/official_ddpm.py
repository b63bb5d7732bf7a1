"""Tensors for networks of published code, and what that code answered with them; see README.md beside its vectors."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from restoration import Converted
from restoration.foreign.recognition import build

DATA = Path(__file__).parent.parent / "plugins" / "restoration-ddpm" / "tests" / "data"
ORDERED: dict[str, dict[str, Any]] = {
    "adm.updown": {"heads": 4},
    "adm.new-order": {"heads": 4, "order": "new"},
    "adm.convolutions": {"heads": 4},
    "adm.classes": {"heads": 4, "label": 3},
}
"""Options that no shape tells, as the networks of the vectors had them."""


def recorded(name: str, entry: str = "shapes") -> tuple[dict[str, Tensor], Any]:
    """Return the vectors of a file, and an entry beside them."""
    with safe_open(DATA / f"{name}.safetensors", "pt") as file:
        beside = json.loads(file.metadata()[entry])
    return load_file(DATA / f"{name}.safetensors"), beside


def filled(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Return tensors of these shapes, of numbers that look random and follow from the place of each name."""
    tensors = {}
    for place, (name, shape) in enumerate(sorted(shapes.items())):
        k = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64)
        u = ((12.9898 * k + 78.233 * (place + 1)).sin() * 43758.5453) % 1 - 0.5
        gain = name.endswith(".g") or (len(shape) == 1 and name.endswith("weight"))
        value = 1 + u / 2 if gain else u / 2 if len(shape) == 1 else 3 * u / math.prod(shape[1:]) ** 0.5
        tensors[name] = value.float().reshape(shape)
    return tensors


CASES = {
    f"{name}.{case}": shapes for name in ("lucidrains", "adm", "ddim") for case, shapes in recorded(name)[1].items()
}
"""The shapes of the tensors of each network, by the file of vectors and the case in it."""


def diffusion(kind: str, predicts: str, snr: int = 0, case: str = "lucidrains.v2") -> dict[str, Tensor]:
    """Return the tensors of a network inside its diffusion, with the tables that say what its path is."""
    tables, names = recorded("lucidrains_paths", "names")
    state = {f"model.{name}": value for name, value in filled(CASES[case]).items()}
    state |= {name: torch.zeros(shape) for name, shape in names["buffers"].items()}
    betas = tables[f"betas.{kind}"]
    weight = tables.get(f"weight.{predicts}.{snr}")
    if kind != "sigmoid":  # of which the weights were recorded
        ratio = (1 - betas.double()).cumprod(0)
        ratio = ratio / (1 - ratio)
        weight = {"pred_noise": torch.ones(1000), "pred_x0": ratio, "pred_v": ratio / (ratio + 1)}[predicts].float()
    assert weight is not None
    return state | {"betas": betas, "loss_weight": weight}


def loaded(found: Converted, case: str = "") -> nn.Module:
    """Return the network of a file, with options that no shape tells."""
    found.network.options.update(ORDERED.get(case, {}))
    network = build(found).eval()
    network.load_state_dict(dict(found.tensors))
    return network
