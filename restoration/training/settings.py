"""The numbers of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from restoration.errors import BadOption

FREE = ("validate_every", "checkpoint_every", "log_every", "compile", "workers", "cache")
"""Settings that may differ where a training goes on, in silence: no step depends on them, but for rounding."""
CHANGEABLE = ("steps", "lr", "warmup", "weight_decay", "ema", "clip", "precision", "keep")
"""Settings that may differ where a training goes on, and are then recorded: they shape the steps to come."""
AUGMENTATION = ("shrink", "recolour", "curves", "flat", "skies", "grey", "undamaged")
"""Settings that say how clean patches are changed before they are degraded."""
KEEPS = ("best", "last")
"""Which of the averaged weights of a training can be kept."""
OPTIMIZERS = ("adamw", "sgd")
"""The optimisers that a training can have."""
MOMENTUM = 0.9
"""The momentum of SGD, where no other is asked for."""
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
"""The floating-point precisions that a training can have."""
TURNS = {"all": (True, True, True), "mirror": (True, False, False), "none": (False, False, False)}
"""Whether a patch may be mirrored left to right and top to bottom, and have its sides exchanged."""
ABSENT: dict[str, Any] = {
    "blend": 0.0,
    "turns": "all",
    "optimizer": "adamw",
    "momentum": MOMENTUM,
    "keep": "best",
    **dict.fromkeys(AUGMENTATION, 0.0),
}
"""What a setting is where a record was written before there was one."""


class Augmentation(msgspec.Struct, frozen=True, kw_only=True):
    """How often clean patches are changed, as shares of all; patches of pairs are never changed.

    * `shrink`: they show the picture at half its size: finer edges, and neither blocks of JPEG nor blurred colours.
      Of a picture that is not twice as large as a patch, as small as it can be.
    * `recolour`: red, green and blue change places, the hue is turned, and half of them get another saturation.
    * `curves`: each channel gets a tone curve of its own.
    * `flat`: they are one colour instead, or a slow gradient, some with a little grain: skies, walls.
    * `skies`: they get a sky over a horizon, grey or blue, with or without clouds.
    * `grey`: they lose their colours, and their damage is the same in all channels, as in photographs without colours.
    * `undamaged`: they are not degraded, so that what is not damaged is left as it is.
    """

    shrink: float = 0.0
    recolour: float = 0.0
    curves: float = 0.0
    flat: float = 0.0
    skies: float = 0.0
    grey: float = 0.0
    undamaged: float = 0.0

    def draws(self) -> bool:
        """Whether it draws random numbers at all."""
        return any(getattr(self, name) for name in AUGMENTATION)


def _check_kind(name: str, value: object, default: object) -> None:
    """Raise `ValueError` for a value of another kind than the default, None being a whole number that nobody chose."""
    kind = int if default is None else type(default)
    fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not (fits and isinstance(value, bool) == (kind is bool)) and (value, default) != (None, None):
        words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind]
        raise ValueError(f"{name} must be {words}, not {value!r}")


class Training(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How to train: the numbers that, with a recipe and the data, give the same weights again.

    * `steps`: updates of the weights.
    * `batch`: patches a step, those of all processes together.
    * `patch`: side of a patch, in pixels.
    * `optimizer`: "adamw", or "sgd" with `momentum`, for which `clip` should be large: it sets the length of a step.
    * `lr`: the highest learning rate; it is reached after the warm-up and then falls to 0 by a cosine.
    * `warmup`: steps in which the learning rate rises; None for 500, but at most a tenth of all steps.
    * `momentum`: that of SGD; AdamW has none to choose.
    * `weight_decay`: the weight decay, decoupled in AdamW.
    * `ema`: decay of the averaged weights, which are what is kept; the first steps have a smaller one.
    * `keep`: which of them: those with the "best" PSNR in validation, or the "last". Of weights that draw, the best
      PSNR is that of the least real.
    * `clip`: the largest norm of the gradient; longer ones are scaled down to it.
    * `blend`: share of the initial weights in what is kept, which makes a network that was trained further more robust
      (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022); no step depends on it.
    * `shrink`, `recolour`, `curves`, `flat`, `skies`, `grey`, `undamaged`: shares of clean patches, see `Augmentation`.
    * `turns`: whether patches are turned and mirrored ("all"), only mirrored left to right ("mirror"), or neither
      ("none").
    * `seed`: of the initial weights, the patches and the noise.
    * `precision`: "auto", "fp32", "bf16" or "fp16", which comes with loss scaling.
    * `compile`: whether the network is compiled by torch.compile.
    * `held_out`: pictures kept for validation, where there is no folder for it.
    * `validate_every`, `checkpoint_every`, `log_every`: steps between validations, checkpoints and lines of the log.
    * `workers`: processes that prepare batches beside each training process; None for as many as there are idle cores.
    * `cache`: bytes of memory for decoded pictures; None for a share of what is free.

    Raises `ValueError` for a number out of its range.
    """

    steps: int = 20000
    batch: int = 8
    patch: int = 96
    optimizer: str = "adamw"
    lr: float = 1e-3
    momentum: float = MOMENTUM
    warmup: int | None = None
    weight_decay: float = 0.0
    ema: float = 0.999
    keep: str = "best"
    clip: float = 1.0
    blend: float = 0.0
    shrink: float = 0.5
    recolour: float = 0.0
    curves: float = 0.0
    flat: float = 0.0
    skies: float = 0.0
    grey: float = 0.0
    undamaged: float = 0.0
    turns: str = "all"
    seed: int = 0
    precision: str = "auto"
    compile: bool = False
    held_out: int = 8
    validate_every: int = 2000
    checkpoint_every: int = 1000
    log_every: int = 100
    workers: int | None = None
    cache: int | None = None

    def __post_init__(self) -> None:
        for name, value in zip(self.__struct_fields__, msgspec.structs.astuple(self), strict=True):
            _check_kind(name, value, self.__struct_defaults__[self.__struct_fields__.index(name)])
        positive = ("steps", "batch", "patch", "validate_every", "checkpoint_every", "log_every")
        others = ("held_out", "warmup", "weight_decay", "workers", "cache")
        for name in (*positive, *others):
            if not (least := int(name in positive)) <= (getattr(self, name) or 0) < math.inf:
                raise ValueError(f"{name} must be at least {least}")
        for name in ("lr", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a number above 0")
        chosen = (("optimizer", OPTIMIZERS), ("turns", TURNS), ("keep", KEEPS), ("precision", PRECISIONS))
        for name, known in chosen:
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        if self.optimizer != "sgd" and self.momentum != MOMENTUM:
            raise ValueError("momentum is for optimizer sgd")
        for name in ("blend", "ema", "momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and less than 1")
        for name in AUGMENTATION:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1")

    @classmethod
    def recorded(cls, record: Mapping[str, Any], chosen: Mapping[str, Any] | None = None) -> Training:
        """Return the settings of a record, as a recipe has it, with what was chosen put in. Raises `BadOption`.

        A setting that is younger than the record is as it was then. The warm-up of a longer training is left out.
        """
        chosen = chosen or {}
        known = {name: value for name, value in record.items() if name in cls.__struct_fields__}
        known = {**ABSENT, **known} if "steps" in known else known
        if known.get("warmup", 0) > chosen.get("steps", math.inf) / 10:
            del known["warmup"]
        try:
            return msgspec.convert({**known, **chosen}, cls)
        except msgspec.ValidationError as error:
            raise BadOption(f"the settings of the training do not fit: {error}") from error

    @property
    def augmentation(self) -> Augmentation:
        """How often clean patches are changed before they are degraded."""
        return Augmentation(**{name: getattr(self, name) for name in AUGMENTATION})

    @property
    def warmup_steps(self) -> int:
        """The steps in which the learning rate rises."""
        return min(500, self.steps // 10) if self.warmup is None else self.warmup

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        warmup = self.warmup_steps
        if step < warmup:
            return self.lr * (step + 1) / warmup
        done = (step - warmup) / max(1, self.steps - warmup)
        return self.lr * (1 + math.cos(math.pi * min(1.0, done))) / 2

    def due(self, step: int) -> set[str]:
        """Return which of "log", "validate" and "checkpoint" are due after a step, from 1; all after the last."""
        every = {"log": self.log_every, "validate": self.validate_every, "checkpoint": self.checkpoint_every}
        return {name for name, steps in every.items() if step % steps == 0 or step == self.steps}

    def record(self) -> dict[str, Any]:
        """Return what belongs in a record of the training, as plain data: not how the machine was used for it."""
        record: dict[str, Any] = msgspec.to_builtins(self) | {"warmup": self.warmup_steps}
        left_out = {"workers", "cache", *(["momentum"] if self.optimizer == "adamw" else [])}
        return {name: value for name, value in record.items() if name not in left_out}

    def changes_from(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of a record that are others now, with their old values; none of `FREE` is among them.

        Raises `BadOption` for one that cannot change in the middle of a training.
        """
        changed = {}
        for name, value in self.record().items():
            old = record.get(name, ABSENT.get(name))
            if name in FREE or old == value:
                continue
            if name not in CHANGEABLE:
                raise BadOption(f"it was begun with --{name.replace('_', '-')} {old}, not {value}")
            changed[name] = old
        return changed
