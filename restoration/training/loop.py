"""The loop that any objective trains with: from a recipe and pictures to a folder of weights."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import torch

from restoration import weights
from restoration.engine.hardware import precision
from restoration.errors import BadOption, RestorationError
from restoration.images.folders import pairs_in
from restoration.interfaces import Observation
from restoration.recipe import Parts, Recipe, build_parts, build_restorer, build_task, required
from restoration.training import checkpoint
from restoration.training.batches import Batches
from restoration.training.modelcard import model_card
from restoration.training.parallel import Processes, join
from restoration.training.patches import Patches, split
from restoration.training.records import CHECKPOINT, Records
from restoration.training.settings import FREE, Training
from restoration.training.validation import Validation

if TYPE_CHECKING:
    from torch import Tensor, nn

    from restoration.engine.adapter import Adapted
    from restoration.training.batches import Batch


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a training is: the loss is an average over the last steps, `psnr` that of the last validation, in dB."""

    step: int
    loss: float
    psnr: float | None
    seconds: float


class Trainer:
    """A training that can stop after any step and go on as if it had not; `processes` take each step together."""

    def __init__(
        self,
        recipe: Recipe,
        data: Path,
        settings: Training,
        device: str = "cpu",
        processes: Processes = Processes(),  # noqa: B008
        workers: int = 0,
    ) -> None:
        self.recipe, self.settings, self.device = recipe, settings, torch.device(device)
        self.processes, self.workers = processes, workers
        torch.manual_seed(settings.seed)
        parts = build_parts(recipe)
        if parts.network is None or parts.objective is None:
            raise BadOption(
                f"method {recipe.method.name!r} has nothing to train: its recipe names no network or objective"
            )
        self.parts = parts
        self.network = parts.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average: Adapted = deepcopy(self.network).eval().requires_grad_(False)
        called: nn.Module = torch.compile(self.network) if settings.compile else self.network  # type: ignore[assignment]
        self.called = processes.share(called)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True
        )
        task = build_task(recipe)
        self.batches: Iterator[Batch] | None = None
        training, held_out = split(pairs_in(data), settings.held_out, settings.seed)
        seen = {"channels": len(recipe.channels), "working_size": recipe.working_size}
        self.patches = Patches(training, task, size=settings.patch, **seen)
        self.validation = Validation(held_out, task, **seen)
        self.start: str | None = None
        self.begun: dict[str, Tensor] | None = None
        self.step, self.loss, self.seconds = 0, 0.0, 0.0
        if not processes.first:
            torch.manual_seed(settings.seed + processes.rank)  # each has its own rows to drop out from

    def advance(self) -> None:
        """Make one step: a batch, a gradient, an update of the weights and of their average."""
        settings, objective = self.settings, self.parts.objective
        assert objective is not None
        begin = time.perf_counter()
        self.batches = self.batches or self.batches_from(self.step)
        x, y, rng = next(self.batches)
        x, y = (side.to(self.device, non_blocking=True) for side in (x, y))
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate(self.step)
        try:
            with precision(settings.precision, self.device):
                loss = objective.loss(self.called, self.parts.schedule, x, y, rng).mean()  # type: ignore[arg-type]
        except ValueError as error:  # as of parts that do not fit each other
            raise BadOption(f"the parts of this training do not fit: {error}") from error
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.processes.average(self.network.parameters())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self.optimiser.step()
        decay = min(settings.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():  # or the average would remember every step
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)
            for mine, theirs in zip(self.average.buffers(), self.network.buffers(), strict=True):
                mine.copy_(theirs)
        self.step += 1
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RestorationError(f"the loss of step {self.step} is {value}; lower --lr, or use --precision fp32")
        self.loss += (value - self.loss) * max(0.01, 1 / self.step)
        self.seconds += time.perf_counter() - begin

    def batches_from(self, step: int) -> Iterator[Batch]:
        """Return the batches from a step on: they depend on the seed and the step, not on what was drawn before."""
        settings = self.settings
        pin = self.device.type == "cuda"
        drawn = {"batch": settings.batch, "seed": settings.seed, "steps": settings.steps}
        return iter(Batches(self.patches, **drawn, start_step=step, workers=self.workers, pin=pin))

    @torch.inference_mode()
    def validate(self) -> float:
        """Return the mean PSNR (RGB, border 0) of what would be kept on the pictures held out; keep the best."""
        network = self.blended()
        restorer = build_restorer(self.recipe, Parts(**{**vars(self.parts), "network": network}))

        def restored(y: Tensor) -> Tensor:
            with precision(self.settings.precision, self.device):
                *_, guess = restorer(Observation(y=y.to(self.device)), torch.Generator().manual_seed(0))
            return guess

        return self.validation(restored, network, self.step)

    def blended(self) -> Adapted:
        """Return the averaged weights with their share of those of the start."""
        if self.begun is None:
            return self.average
        network: Adapted = deepcopy(self.average)
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.lerp_(self.begun[name], self.settings.blend)
        return network

    def kept(self) -> Adapted:
        """Return the weights that did best on the pictures held out, or the last ones if there are none."""
        network = self.blended()
        if self.validation.best is not None:
            network.load_state_dict(self.validation.best.weights)
        return network

    def progress(self) -> Progress:
        """Return where the training is."""
        return Progress(step=self.step, loss=self.loss, psnr=self.validation.psnr, seconds=self.seconds)

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on, in all processes, which must all call this."""
        return {
            "identity": self.identity(),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generators": self.processes.gather(checkpoint.generators(self.device)),
            "start": self.start,
            "begun": self.begun,
            "best": self.validation.state(),
            "progress": [self.step, self.loss, self.validation.psnr, self.seconds],
        }

    def restore(self, state: dict[str, Any], where: Path) -> None:
        """Go on from a state. Raises `BadOption` if it belongs to another recipe or other settings."""
        if state["identity"] != self.identity():
            raise BadOption(f"{where} is of another training (other recipe or settings); choose another --out")
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.batches = None
        generators = state.get("generators", [])
        if len(generators) == self.processes.number:
            checkpoint.set_generators(generators[self.processes.rank], self.device)
        self.start, self.begun = state["start"], state.get("begun")
        self.step, self.loss, self.validation.psnr, self.seconds = state["progress"]
        self.validation.restore(state.get("best"))

    def identity(self) -> str:
        """Return what must be equal for a checkpoint to fit: the recipe and the settings that shape the numbers."""
        settings = msgspec.to_builtins(self.settings)
        numbers = {k: v for k, v in settings.items() if k not in FREE and (k, v) != ("blend", 0.0)}
        recipe = msgspec.to_builtins(self.recipe)
        return json.dumps(
            [{k: recipe.get(k) for k in ("method", "task", *self.recipe.trained())}, numbers], sort_keys=True
        )


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    settings: Training,
    *,
    device: str = "cpu",
    workers: int = 0,
    start: weights.Folder | None = None,
    observe: Callable[[Progress], None] = lambda progress: None,
) -> weights.Folder:
    """Train a recipe on the pictures in `data`; go on where `out` holds a checkpoint of the same training.

    `start` gives the weights to begin with. Leaves a folder of weights in `out`, and the records of `Records`. Where
    several processes were launched, each calls this; the first alone writes and observes. Raises `RestorationError`.
    """
    processes = join(torch.device(device))
    trainer = Trainer(recipe, data, settings, device, processes, workers)
    path = out / CHECKPOINT
    saved = processes.from_first(checkpoint.read(path) if processes.first else None)
    if saved is not None:
        trainer.restore(checkpoint.load(saved, path), path)
    elif start is not None:
        _begin(trainer, start)
    elif settings.blend:
        raise BadOption(
            "there is nothing to blend with: give the weights to begin with by --start, or leave out --blend"
        )
    if processes.number > 1:
        processes.agree({"recipe or setting": trainer.identity(), "set of pictures": trainer.patches.fingerprint()})
    records = Records(out, trainer.step, trainer.seconds) if processes.first else None
    while trainer.step < settings.steps:
        trainer.advance()
        if records:
            _record(trainer, records)
        if trainer.step == settings.steps or trainer.step % settings.checkpoint_every == 0:
            state = trainer.state()
            if records:
                checkpoint.write(state, path)
        if processes.first:
            observe(trainer.progress())
    if records:
        records.close()
        finished = finished_recipe(trainer, data)
        weights.save(out, finished, trainer.kept().network, model_card(finished))
    processes.gather(None)  # none goes on before the folder is whole
    return weights.Folder(path=out, origin=str(out))


def finished_recipe(trainer: Trainer, data: Path) -> Recipe:
    """Return the recipe with a record of the training in it."""
    pictures, seconds = len(trainer.patches.pictures), round(trainer.seconds)
    record = {**msgspec.to_builtins(trainer.settings), "data": data.name, "pictures": pictures, "seconds": seconds}
    told = {"validation": trainer.validation.record(), "start": trainer.start}
    record |= {name: value for name, value in told.items() if value is not None}
    if trainer.processes.number > 1:
        record["processes"] = trainer.processes.number
    return msgspec.structs.replace(trainer.recipe, training=record, requires=required(trainer.recipe))


def _begin(trainer: Trainer, start: weights.Folder) -> None:
    """Take the weights of a folder as a start; its network must be the same, but for blocks that it may lack."""
    origin, network = start.recipe(), trainer.recipe.network
    if origin.network is None or network is None or origin.network.name != network.name:
        raise BadOption(f"{start.origin} has another network than this training; start from weights of the same one")
    weights.load(start, trainer.network.network, origin, whole=origin.network == network)
    trainer.average.load_state_dict(trainer.network.state_dict())
    if trainer.settings.blend:
        trainer.begun = {name: value.detach().clone() for name, value in trainer.network.state_dict().items()}
    trainer.start = Path(start.origin).name if start.path == Path(start.origin) else start.origin


def _record(trainer: Trainer, records: Records) -> None:
    """Validate, log and draw, where it is time for it."""
    step, settings = trainer.step, trainer.settings
    last = step == settings.steps
    validated = bool(trainer.validation.pictures) and (last or step % settings.validate_every == 0)
    if validated:
        trainer.validate()
    if validated or last or step % settings.log_every == 0:
        quality = trainer.validation.psnr if validated else None
        rate = settings.rate(step - 1)
        records.add(step=step, loss=trainer.loss, lr=rate, seconds=trainer.seconds, psnr=quality)
    if validated or last:
        records.draw(step, trainer.validation.preview)
