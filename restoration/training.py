"""The loop that any objective trains with: from a recipe and pictures to a folder of weights."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from restoration import weights
from restoration.data import Pair, Patches, pairs_in
from restoration.errors import BadOption, RestorationError
from restoration.images import read, write_bytes
from restoration.interfaces import Observation
from restoration.metrics import psnr
from restoration.modelcard import model_card
from restoration.recipe import Parts, Recipe, build_parts, build_restorer, build_task, required
from restoration.runtime import colours, precision

if TYPE_CHECKING:
    from torch import Tensor

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"


class Training(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How to train: the numbers that, with a recipe and the data, give the same weights again.

    `patch` is a side in pixels; `lr` the highest learning rate, reached after `warmup` steps, then a cosine to 0;
    `ema` the
    decay of the averaged weights, which are what is kept; `clip` the largest norm of a gradient; `held_out` pictures
    serve validation.
    """

    steps: int = 20000
    batch: int = 8
    patch: int = 96
    lr: float = 1e-3
    warmup: int = 500
    weight_decay: float = 0.0
    ema: float = 0.999
    clip: float = 1.0
    seed: int = 0
    precision: str = "auto"
    compile: bool = False
    held_out: int = 8
    validate_every: int = 2000
    checkpoint_every: int = 1000

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.patch, self.validate_every, self.checkpoint_every) < 1:
            raise ValueError("steps, batch, patch, validate_every and checkpoint_every must be at least 1")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.lr * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training is: the loss is an average over the last steps, `psnr` that of the last validation, in dB."""

    step: int
    loss: float
    psnr: float | None
    seconds: float


class Trainer:
    """A training that can stop after any step and go on as if it had not."""

    def __init__(self, recipe: Recipe, data: Path, settings: Training, device: str = "cpu") -> None:
        self.recipe, self.settings, self.device = recipe, settings, torch.device(device)
        torch.manual_seed(settings.seed)
        parts = build_parts(recipe)
        if parts.network is None or parts.objective is None:
            raise BadOption(
                f"method {recipe.method.name!r} has nothing to train: its recipe names no network or objective"
            )
        self.parts = parts
        self.network = parts.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = deepcopy(self.network).eval().requires_grad_(False)
        self.called = torch.compile(self.network) if settings.compile else self.network
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True
        )
        task = build_task(recipe)
        self.rng = torch.Generator().manual_seed(settings.seed)
        training, self.validation = split(pairs_in(data), settings.held_out, settings.seed)
        self.patches = Patches(training, task, size=settings.patch, channels=len(recipe.channels))
        self.held_out = [self._held_out(pair, task, index) for index, pair in enumerate(self.validation)]
        self.start: str | None = None
        self.step, self.loss, self.seconds = 0, 0.0, 0.0
        self.psnr: float | None = None

    def advance(self) -> None:
        """Make one step: a batch, a gradient, an update of the weights and of their average."""
        settings, objective = self.settings, self.parts.objective
        assert objective is not None
        begin = time.perf_counter()
        x, y = (side.to(self.device) for side in self.patches.batch(settings.batch, self.rng))
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate(self.step)
        with precision(settings.precision, self.device):
            loss = objective.loss(self.called, self.parts.schedule, x, y, self.rng).mean()  # type: ignore[arg-type]
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self.optimiser.step()
        decay = min(settings.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)
        for mine, theirs in zip(self.average.buffers(), self.network.buffers(), strict=True):
            mine.copy_(theirs)
        self.step += 1
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RestorationError(f"the loss of step {self.step} is {value}; lower --lr, or use --precision fp32")
        self.loss += (value - self.loss) * max(0.01, 1 / self.step)
        self.seconds += time.perf_counter() - begin

    @torch.inference_mode()
    def validate(self) -> float:
        """Return the mean PSNR (RGB, border 0) of the averaged weights on the pictures held out."""
        restorer = build_restorer(self.recipe, Parts(**{**vars(self.parts), "network": self.average}))
        scores = []
        for x, y in self.held_out:
            with precision(self.settings.precision, self.device):
                *_, guess = restorer(Observation(y=y.to(self.device)), torch.Generator().manual_seed(0))
            scores.append(psnr(guess.float().cpu().clamp(0, 1), x))
        mean = sum(scores) / len(scores)
        self.psnr = mean
        return mean

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on."""
        return {
            "identity": self.identity(),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.get_state(),
            "start": self.start,
            "progress": [self.step, self.loss, self.psnr, self.seconds],
        }

    def restore(self, state: dict[str, Any], where: Path) -> None:
        """Go on from a state. Raises `BadOption` if it belongs to another recipe or other settings."""
        if state["identity"] != self.identity():
            raise BadOption(f"{where} is of another training (other recipe or settings); choose another --out")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.set_state(state["rng"])
        self.start = state["start"]
        self.step, self.loss, self.psnr, self.seconds = state["progress"]

    def identity(self) -> str:
        """Return what must be equal for a checkpoint to fit: the recipe and the settings that shape the numbers."""
        free = ("validate_every", "checkpoint_every", "compile")
        numbers = {k: v for k, v in msgspec.to_builtins(self.settings).items() if k not in free}
        recipe = msgspec.to_builtins(self.recipe)
        return json.dumps(
            [{k: recipe.get(k) for k in ("method", "task", *self.recipe.trained())}, numbers], sort_keys=True
        )

    def _held_out(self, pair: Pair, task: Any, index: int) -> tuple[Tensor, Tensor]:
        """A clean picture, at most 256 a side from its middle, and its degraded twin."""
        x = colours(read(pair.clean).pixels, len(self.recipe.channels))
        if pair.degraded:
            y = colours(read(pair.degraded).pixels, len(self.recipe.channels))
        else:
            y = task(x, torch.Generator().manual_seed(index))
        top, left = (max(0, (side - 256) // 2) for side in x.shape[-2:])
        window = (..., slice(top, top + 256), slice(left, left + 256))
        return x[window].contiguous(), y[window].contiguous()


def split(pairs: list[Pair], held_out: int, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Keep some pairs, drawn by the seed, for validation: at most half of them."""
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed)).tolist()
    count = min(held_out, len(pairs) // 2)
    kept = set(order[:count])
    return [p for i, p in enumerate(pairs) if i not in kept], [p for i, p in enumerate(pairs) if i in kept]


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    settings: Training,
    *,
    device: str = "cpu",
    start: weights.Folder | None = None,
    observe: Callable[[Progress], None] = lambda progress: None,
) -> weights.Folder:
    """Train a recipe on the pictures in `data`; go on where `out` holds a checkpoint of the same training.

    `start` gives the weights to begin with. Leaves a folder of weights in `out`, with a log of every validation. Raises
    `RestorationError`.
    """
    trainer = Trainer(recipe, data, settings, device)
    checkpoint = out / CHECKPOINT
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RestorationError(f"cannot make {out}: {error.strerror}") from error
    if checkpoint.exists():
        trainer.restore(torch.load(checkpoint, weights_only=True), checkpoint)
    elif start is not None:
        _begin(trainer, start)
    while trainer.step < settings.steps:
        trainer.advance()
        last = trainer.step == settings.steps
        if trainer.held_out and (last or trainer.step % settings.validate_every == 0):
            trainer.validate()
            _log(trainer, out)
        if last or trainer.step % settings.checkpoint_every == 0:
            _checkpoint(trainer, checkpoint)
        observe(Progress(step=trainer.step, loss=trainer.loss, psnr=trainer.psnr, seconds=trainer.seconds))
    finished = finished_recipe(trainer, data)
    return weights.save(out, finished, trainer.average.network, model_card(finished))


def finished_recipe(trainer: Trainer, data: Path) -> Recipe:
    """Return the recipe with a record of the training in it."""
    settings = msgspec.to_builtins(trainer.settings)
    record = {
        **settings,
        "data": data.name,
        "pictures": len(trainer.patches.pictures),
        "seconds": round(trainer.seconds),
    }
    if trainer.psnr is not None:
        record["validation"] = {"psnr_rgb": round(trainer.psnr, 2), "pictures": len(trainer.held_out), "border": 0}
    if trainer.start is not None:
        record["start"] = trainer.start
    return msgspec.structs.replace(trainer.recipe, training=record, requires=required(trainer.recipe))


def _begin(trainer: Trainer, start: weights.Folder) -> None:
    """Take the weights of a folder as a start; its network must be the same, all else may differ."""
    origin = start.recipe()
    if origin.network != trainer.recipe.network:
        raise BadOption(f"{start.origin} has another network than this training; start from weights of the same one")
    weights.load(start, trainer.network.network, origin)
    trainer.average.load_state_dict(trainer.network.state_dict())
    trainer.start = Path(start.origin).name if start.path == Path(start.origin) else start.origin


def _checkpoint(trainer: Trainer, path: Path) -> None:
    import io

    buffer = io.BytesIO()
    torch.save(trainer.state(), buffer)
    write_bytes(buffer.getvalue(), path)


def _log(trainer: Trainer, out: Path) -> None:
    line = {"step": trainer.step, "loss": trainer.loss, "psnr_rgb": trainer.psnr, "seconds": round(trainer.seconds, 1)}
    with open(out / LOG, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
