"""A network in training: its weights, their average, the optimiser, and what one step does to them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from restoration import weights
from restoration.engine.hardware import precision, precision_name
from restoration.errors import BadOption, RestorationError
from restoration.interfaces import AnnealedObjective
from restoration.recipe import build_parts
from restoration.sampling import shown
from restoration.training import checkpoint
from restoration.training.means import Means

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from restoration.engine.adapter import Adapted
    from restoration.interfaces import DirectObjective, NoiseSchedule, Objective
    from restoration.randomness import RowGenerators
    from restoration.recipe import Recipe
    from restoration.training.parallel import Processes
    from restoration.training.settings import Training

SMALLEST_SCALE = 2.0**-10
"""Loss scaling below this means that gradients stay infinite whatever they are multiplied by."""


class BatchLoss(nn.Module):
    """The loss of a batch as one module: DistributedDataParallel sees all that an objective does with the network."""

    def __init__(self, network: nn.Module, objective: Objective, schedule: NoiseSchedule | None) -> None:
        super().__init__()
        self.network, self.schedule = network, schedule
        self.objective = cast("DirectObjective", objective)  # or there is a schedule: a training begins by making sure

    def forward(self, x: Tensor, y: Tensor, rng: RowGenerators, mean: Tensor | None = None) -> Tensor:
        """Return the mean loss of clean and degraded patches, `b c h w`, and of the `mean` if the path leads there."""
        network = self.network if mean is None else shown(self.network, y)
        return self.objective.loss(network, self.schedule, x, y if mean is None else mean, rng).mean()


class Trainer:
    """A training that can stop after any step and go on as if it had not.

    It is of a `recipe`, with the numbers of `settings`, in one of several `processes`; `out` is the folder of its
    weights, from which a path to the weights of the mean is seen.

    * `network`, `average`: the weights as the optimiser has them, and the average of those of all steps, which is used.
    * `step`: how many steps were made.
    * `loss`: the mean loss of the last steps, of the `rows` of this process; on its device.
    * `means`: predicts the mean of all likely clean pictures, if the path leads there.

    Raises `BadOption` where the recipe has nothing to train.
    """

    def __init__(self, recipe: Recipe, settings: Training, processes: Processes, out: Path) -> None:
        self.recipe, self.settings, self.processes, self.device = recipe, settings, processes, processes.device
        torch.manual_seed(settings.seed)
        self.parts = build_parts(recipe)
        if self.parts.network is None or self.parts.objective is None:
            raise BadOption(f"method {recipe.method.name!r} has no network to train, or no objective to train it by")
        network = self.parts.network.to(self.device).to(memory_format=torch.channels_last)
        self.average: Adapted = deepcopy(network).eval().requires_grad_(False)
        self.network = processes.synchronised(network)
        compiled: nn.Module = torch.compile(self.network) if settings.compile else self.network  # type: ignore[assignment]
        self.batch_loss = processes.distributed(BatchLoss(compiled, self.parts.objective, self.parts.schedule))
        self.optimiser = _optimiser(self.network, settings)
        self.means = Means(recipe, out, self.device, settings.precision)
        half = precision_name(settings.precision, self.device) == "fp16"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=half)
        self.initial: dict[str, Tensor] | None = None
        self.initial_name: str | None = None
        self.step, self.rows = 0, 0
        self.loss = torch.zeros((), device=self.device)
        self.failed = torch.zeros((), dtype=torch.int64, device=self.device)
        torch.manual_seed(settings.seed + processes.rank)  # dropout differs from row to row, so from rank to rank

    def advance(self, x: Tensor, y: Tensor, rng: RowGenerators) -> None:
        """Make one step from clean and degraded patches `b c h w`: a gradient, an update, the average of the weights.

        The objective draws from `rng`, which has a generator a row. Nothing here waits for a GPU. Raises `BadOption`
        where the parts of the recipe do not fit each other.
        """
        settings = self.settings
        x, y = (side.to(self.device, non_blocking=True) for side in (x, y))
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate(self.step)
        if isinstance(self.parts.objective, AnnealedObjective):
            self.parts.objective.progress = self.step / settings.steps
        try:
            with precision(settings.precision, self.device):
                loss = self.batch_loss(x, y, rng, self.means(y))
        except ValueError as error:
            raise BadOption(f"the parts of this training do not fit: {error}") from error
        self.rows = len(x)
        weight = self.rows * self.processes.world_size / settings.batch  # for the mean over rows, not over processes
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss * weight).backward()
        self.scaler.unscale_(self.optimiser)
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._average()
        self.step += 1
        self._observe(loss.detach(), norm)

    @torch.no_grad()
    def _average(self) -> None:
        """Move the average towards the weights: nine tenths of the way at first, `1 - ema` of it in the end."""
        decay = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)
        for mine, theirs in zip(self.average.buffers(), self.network.buffers(), strict=True):
            mine.copy_(theirs)

    def _observe(self, loss: Tensor, norm: Tensor) -> None:
        """Keep a mean of the loss, and the first step whose loss or gradient was not finite."""
        finite = torch.isfinite(loss)
        weight = max(0.01, 1 / self.step)  # of all steps at first, later mostly of the last hundred
        self.loss = torch.where(finite, self.loss + (loss - self.loss) * weight, self.loss)
        if not self.scaler.is_enabled():  # which leaves out steps whose gradient overflows
            broken = (self.failed == 0) & ~(finite & torch.isfinite(norm))
            self.failed = torch.where(broken, self.step, self.failed)

    def checked_loss(self) -> float:
        """Return the mean loss of the last steps over all processes, which must all call this.

        Raises `RestorationError` if since the last call a loss or a gradient was not finite.
        """
        known = self.processes.gather((self.rows, float(self.loss), int(self.failed)))
        failed = [step for _, _, step in known if step]
        if self.scaler.is_enabled() and self.scaler.get_scale() < SMALLEST_SCALE:
            failed = [self.step]
        if failed:
            exact = precision_name(self.settings.precision, self.device) == "fp32"
            raise RestorationError(
                f"the loss or its gradient is not finite at step {min(failed)}, of which nothing is saved; the same "
                "command goes on from the last checkpoint with a lower learning rate, say "
                f"--lr {self.settings.lr / 2:g}{'' if exact else ', or with --precision fp32'}"
            )
        mean: float = sum(rows * loss for rows, loss, _ in known) / self.settings.batch
        return mean

    def begin_with(self, start: weights.Folder) -> None:
        """Take initial weights from a folder. Its network must be the same, but for blocks that it may lack.

        Raises `BadOption` or `BadWeights`.
        """
        origin, network = start.recipe(), self.recipe.network
        if origin.network is None or network is None or origin.network.name != network.name:
            raise BadOption(
                f"{start.origin} has the network {origin.network and origin.network.name}, and this training "
                f"{network and network.name}; start from weights of the same one, or name it with --network"
            )
        weights.load(start, self.average.network, origin, whole=origin.network == network)
        self.network.load_state_dict(self.average.state_dict())
        if self.settings.blend:
            self.initial = {name: value.clone() for name, value in self.average.state_dict().items()}
        self.initial_name = start.path.name if str(start.path) == start.origin else start.origin

    def blended(self) -> Adapted:
        """Return the averaged weights, mixed with a share of the initial ones if the settings say so."""
        if self.initial is None:
            return self.average
        network: Adapted = deepcopy(self.average)
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.lerp_(self.initial[name], self.settings.blend)
        return network

    def state(self) -> dict[str, Any]:
        """Return all that the next step depends on, in all processes, which must all call this."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ranks": self.processes.gather({"rng": checkpoint.rng_state(self.device), "loss": float(self.loss)}),
            "initial": self.initial,
            "initial_name": self.initial_name,
            "step": self.step,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        rates = [group["weight_decay"] for group in self.optimiser.param_groups]
        self.optimiser.load_state_dict(state["optimiser"])
        for group, decay in zip(self.optimiser.param_groups, rates, strict=True):
            group["weight_decay"] = decay  # which may have been changed
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        ranks = state["ranks"]
        if len(ranks) == self.processes.world_size:  # else dropout, which alone draws from it, begins anew
            checkpoint.set_rng_state(ranks[self.processes.rank]["rng"], self.device)
        mine = ranks[self.processes.rank % len(ranks)]["loss"]
        self.step, self.loss = state["step"], torch.tensor(mine, device=self.device)
        self.initial, self.initial_name = state["initial"], state["initial_name"]


def _optimiser(network: nn.Module, settings: Training) -> torch.optim.Optimizer:
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay, fused=True)
    return torch.optim.SGD(
        network.parameters(),
        lr=settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        fused=True,
    )
