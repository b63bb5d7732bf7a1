"""The processes that train together: who this one is, and what they tell one another.

A launcher (torch's, accelerate's or one of MPI) says in the environment which process this is; accelerate brings them
together, and torch's DistributedDataParallel makes their gradients one. A process alone needs none of it.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from restoration.engine.hardware import find_device
from restoration.errors import BadOption, RestorationError

if TYPE_CHECKING:
    from accelerate import Accelerator

Module = TypeVar("Module", bound=nn.Module)

LAUNCHERS = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
)
"""Variables in which torch's launcher and those of MPI give rank and world size; accelerate reads the same."""
TIMEOUT = timedelta(hours=2)
"""How long processes wait for rank 0, which alone validates."""
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
"""Batch norms that `nn.SyncBatchNorm` can stand in for; classes derived from them may do more than it does."""


class LostProcess(RestorationError):
    """Another process of this training has ended before its time; its error is the one to read."""


def rank_and_world_size() -> tuple[int, int]:
    """Return which process this is, from 0, and how many there are, as a launcher says; 0 of 1 without one."""
    for rank, size in LAUNCHERS:
        world_size = os.environ.get(size, "1")
        if world_size.isdigit() and int(world_size) > 1:
            return int(os.environ.get(rank, "0")), int(world_size)
    return 0, 1


def local_world_size() -> int:
    """Return how many of the processes run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


@dataclass(frozen=True, kw_only=True)
class Processes:
    """The processes of a training as one of them sees it: number `rank` of `world_size`, computing on `device`."""

    device: torch.device
    rank: int = 0
    world_size: int = 1
    accelerator: Accelerator | None = None

    def synchronised(self, network: Module) -> Module:
        """Return the network with batch norms that see the rows of all processes. Raises `BadOption` if there are none.

        Parameters and buffers keep their names.
        """
        norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        if self.world_size == 1 or not norms:
            return network
        if self.device.type == "cpu":
            raise BadOption(
                "the network has batch norms, which processes can share on GPUs only; train in one process on a CPU, "
                "which uses all of its cores"
            )
        for norm in norms:
            if type(norm) not in BATCH_NORMS:
                raise BadOption(f"the network has a {type(norm).__name__}, which processes cannot share; train in one")
        converted: Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return converted

    def distributed(self, module: nn.Module) -> nn.Module:
        """Return the module in DistributedDataParallel: its gradients are means over the processes."""
        if self.accelerator is None:
            return module
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view")  # either is right for 1x1
        wrapped: nn.Module = self.accelerator.prepare_model(module, device_placement=False)
        return wrapped

    def gather(self, value: Any) -> list[Any]:
        """Return what each process gives, by rank; all must call this."""
        if self.world_size == 1:
            return [value]
        from accelerate.utils import gather_object

        values: list[Any] = gather_object([value])
        return values

    def broadcast(self, value: Any) -> Any:
        """Return what rank 0 gives; all must call this."""
        if self.world_size == 1:
            return value
        from accelerate.utils import broadcast_object_list

        values: list[Any] = broadcast_object_list([value])
        return values[0]

    def agree(self, facts: dict[str, Any]) -> None:
        """Raise `RestorationError` if the processes, perhaps on other machines, do not begin from the same facts."""
        first, *others = self.gather(facts)
        for rank, other in enumerate(others, start=1):
            for name, value in first.items():
                if other[name] != value:
                    here = f"process {rank + 1} of {self.world_size}"
                    raise RestorationError(f"{here} has another {name} than the first; give all of them the same")


def join(name: str) -> Processes:
    """Meet the other processes of this training, if there are any, and take a device: a GPU each for "auto" or "cuda".

    Raises `BadOption` if that cannot be.
    """
    rank, world_size = rank_and_world_size()
    if world_size == 1:
        return Processes(device=find_device(name))
    device = _kind_of_device(name)
    try:
        from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
        from accelerate.utils import DistributedType
    except ImportError as error:
        raise BadOption("several processes need accelerate: pip install 'restoration-toolbox[train]'") from error
    with together():
        accelerator = Accelerator(
            cpu=device == "cpu",
            mixed_precision="no",  # precision and compiling are settings of the training
            dynamo_backend="no",
            kwargs_handlers=[
                InitProcessGroupKwargs(timeout=TIMEOUT),
                DistributedDataParallelKwargs(find_unused_parameters=True),  # an objective may leave out a part
            ],
        )
    usual = (DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
    if accelerator.num_processes != world_size or accelerator.distributed_type not in usual:
        kind = accelerator.distributed_type.value
        raise BadOption(f"{world_size} processes cannot train on {device} by {kind}; use --multi_gpu, or --device cpu")
    return Processes(device=accelerator.device, rank=rank, world_size=world_size, accelerator=accelerator)


@contextmanager
def together() -> Iterator[None]:
    """Say in one line that another process is missing, whichever call noticed. Raises `LostProcess`."""
    try:
        yield
    except RuntimeError as error:
        words = str(error).lower()
        network = isinstance(error, torch.distributed.DistError) or "gloo" in words or "closed by peer" in words
        if not network or rank_and_world_size()[1] == 1:
            raise
        raise LostProcess("another process of this training has ended; its error is the one to read") from error


def _kind_of_device(name: str) -> str:
    """Return "cpu" or "cuda" for the device that was asked for. Raises `BadOption` where there are too few."""
    if name == "auto":
        cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true" or not torch.cuda.is_available()
        name = "cpu" if cpu else "cuda"
    if name not in ("cpu", "cuda"):
        raise BadOption(f"several processes train on cuda, a GPU each, or on cpu, not on {name}")
    here, count = local_world_size(), torch.cuda.device_count()
    if name == "cuda" and here > count:
        raise BadOption(f"{here} processes need as many GPUs, and this machine has {count}; or use --device cpu")
    return name
