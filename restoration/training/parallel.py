"""Several processes that train as one: each has the whole batch and evaluates the network on its share of it.

All draw the same numbers from equal generators, so all have the same batch, noise and places of the path. Only the
calls of the network are shared out; their answers are put together again, so that an objective sees in each process
what it would see in one alone, however often it calls the network and whatever it does between. The gradient goes back
the same way. Accelerate brings the processes together; one process needs none of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from restoration.errors import BadOption, RestorationError

LAUNCHERS = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
)
"""Variables in which torch's launcher and those of MPI say which process one is of how many; accelerate uses either."""
PATIENCE = timedelta(hours=2)
"""How long processes wait for the first, which alone validates."""


class LostProcess(RestorationError):
    """Another process of this training has ended before its time, and that one knows why."""

    follows = True


def place() -> tuple[int, int]:
    """Return which process this is and how many there are, from what a launcher says; 0 of 1 if there is none."""
    for rank, size in LAUNCHERS:
        number = os.environ.get(size, "1")
        if number.isdigit() and int(number) > 1:
            return int(os.environ.get(rank, "0")), int(number)
    return 0, 1


def own_device(name: str) -> str:
    """Return the device of this process for the one asked for: among several on one machine each takes a GPU."""
    here, index = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    if place()[1] == 1 or name not in ("auto", "cuda"):
        return name
    if name == "auto" and os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true":
        return "cpu"
    count = torch.cuda.device_count()
    if count and here > count:
        raise BadOption(f"{here} processes need as many GPUs, and this machine has {count}; or use --device cpu")
    return f"cuda:{index}" if count else name


@dataclass(frozen=True, kw_only=True)
class Processes:
    """The processes of a training, as one of them sees it: it is number `rank`, from 0, of `number`."""

    rank: int = 0
    number: int = 1

    @property
    def first(self) -> bool:
        """Say whether this is the process that validates, writes and speaks for all."""
        return self.rank == 0

    def share(self, network: nn.Module) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """Return the network as an objective calls it, `network(x, y, t)`: evaluated by all processes together."""
        if self.number == 1:
            return network
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                whole_batch(module)
        return Shared(network, self)

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Put into the gradients their mean over processes: that of the whole batch's loss, as `Whole` explains."""
        if self.number == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = total(torch.cat([gradient.flatten() for gradient in gradients])) / self.number
        for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def gather(self, value: Any) -> list[Any]:
        """Return what each process gives, in their order; all must call this."""
        if self.number == 1:
            return [value]
        from accelerate.utils import gather_object

        with together():
            values: list[Any] = gather_object([value])
        return values

    def from_first(self, value: Any) -> Any:
        """Return what the first process gives; all must call this."""
        if self.number == 1:
            return value
        from accelerate.utils import broadcast_object_list

        with together():
            values: list[Any] = broadcast_object_list([value])
        return values[0]

    def agree(self, facts: dict[str, Any]) -> None:
        """Raise `RestorationError` if the processes, perhaps on other machines, do not begin from the same facts."""
        first, *others = self.gather(facts)
        for rank, other in enumerate(others, start=1):
            for name, value in first.items():
                if other[name] != value:
                    raise RestorationError(f"process {rank + 1} of {self.number} has another {name}; give all the same")


def join(device: torch.device) -> Processes:
    """Meet the other processes of this training, if there are any. Raises `BadOption` if that cannot be."""
    _, number = place()
    if number == 1:
        return Processes()
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise BadOption("several processes need accelerate: pip install 'restoration-toolbox[train]'") from error
    with together():
        state = PartialState(cpu=device.type == "cpu", timeout=PATIENCE)
    if state.num_processes != number:
        raise BadOption(f"{number} processes cannot train on {device.type} together; use --device cpu")
    return Processes(rank=state.process_index, number=state.num_processes)


@contextmanager
def together() -> Iterator[None]:
    """Say in one line that a process is missing, whatever it was that noticed."""
    try:
        yield
    except RuntimeError as error:
        raise LostProcess("another process of this training has ended; see what it said") from error


def total(value: Tensor) -> Tensor:
    """Return the sum over processes, without a gradient."""
    from accelerate.utils import reduce

    with together():
        summed: Tensor = reduce(value.detach(), "sum")
    return summed


class Whole(torch.autograd.Function):
    """The sum over processes, and the sum of the gradients on the way back.

    Each of the R processes computes the whole loss from it, so R times the loss is differentiated: the mean of the
    parameters' gradients over processes is that of the loss.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        """Sum what the processes have, of one shape."""
        return total(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Sum what the processes send back."""
        return total(gradients[0].contiguous())


def whole(value: Tensor) -> Tensor:
    """Return the sum over processes; differentiable."""
    summed: Tensor = Whole.apply(value)
    return summed


class Shared(nn.Module):
    """A network whose rows are shared out: each process evaluates some that lie together, and gets all answers.

    What an objective does with a part of the network, found inside, each process does for the whole batch.
    """

    def __init__(self, network: nn.Module, processes: Processes) -> None:
        super().__init__()
        self.network, self.processes = network, processes

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Map `b c h w` at times `t`, `b` or `1`, to `b c h w`. Fewer rows than processes are evaluated by each."""
        batch, number, rank = x.shape[0], self.processes.number, self.processes.rank
        if batch < number:
            alone: Tensor = self.network(x, y, t)
            return alone
        begin, end = batch * rank // number, batch * (rank + 1) // number
        mine = self.network(x[begin:end], y[begin:end], t[begin:end] if t.shape[0] == batch else t)
        before, after = (mine.new_zeros(rows, *mine.shape[1:]) for rows in (begin, batch - end))
        return whole(torch.cat([before, mine, after]))


def whole_batch(norm: _BatchNorm) -> None:
    """Let a batch norm, while it trains, take its statistics over the rows of all processes. Raises `BadOption`."""
    if type(norm) not in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
        raise BadOption(f"the network has a {type(norm).__name__}, which needs the whole batch; train in one process")
    usual = norm.forward

    def forward(given: Tensor) -> Tensor:
        if not norm.training:
            return usual(given)
        x = given.float()
        others = [dim for dim in range(x.ndim) if dim != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        count = whole(x.new_tensor(float(x.numel() // x.shape[1])))
        mean = whole(x.sum(others)) / count
        centred = x - mean.view(shape)
        variance = whole(centred.square().sum(others)) / count
        _remember(norm, mean.detach(), (variance * count / (count - 1)).detach())
        answer = centred * torch.rsqrt(variance + norm.eps).view(shape)
        if norm.affine:
            answer = answer * norm.weight.view(shape) + norm.bias.view(shape)
        return answer.to(given.dtype)

    norm.forward = torch.compiler.disable(forward)  # type: ignore[method-assign, no-untyped-call]


@torch.no_grad()
def _remember(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Put the statistics of a batch into the running ones."""
    if norm.num_batches_tracked is None or norm.running_mean is None or norm.running_var is None:
        return
    norm.num_batches_tracked.add_(1)
    share = norm.momentum if norm.momentum is not None else 1 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance, share)
