"""The numbers of a training."""

from __future__ import annotations

import math

import msgspec

FREE = ("validate_every", "checkpoint_every", "log_every", "compile")
"""Settings that may differ where a training goes on: no step depends on them, but for rounding."""


class Training(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How to train: the numbers that, with a recipe and the data, give the same weights again.

    `batch` is that of all processes together; `patch` a side in pixels; `lr` the highest learning rate, reached after
    `warmup` steps, then a cosine to 0; `ema` the decay of the averaged weights; `clip` the largest norm of a gradient.
    `held_out` pictures serve validation: what is kept in the end are the averaged weights that did best on them. A
    share `blend` of what is kept are the weights of the start, which makes a network that was trained further more
    robust (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022); no step depends on it.
    """

    steps: int = 20000
    batch: int = 8
    patch: int = 96
    lr: float = 1e-3
    warmup: int = 500
    weight_decay: float = 0.0
    ema: float = 0.999
    clip: float = 1.0
    blend: float = 0.0
    seed: int = 0
    precision: str = "auto"
    compile: bool = False
    held_out: int = 8
    validate_every: int = 2000
    checkpoint_every: int = 1000
    log_every: int = 100

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "patch", "validate_every", "checkpoint_every", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1")
        if self.held_out < 0:
            raise ValueError("held_out must be at least 0")
        if not 0 <= self.blend < 1:
            raise ValueError("blend must be at least 0 and less than 1")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * (1 + math.cos(math.pi * done)) / 2
