"""Device, precision, memory; and a restoration, made once and used for many pictures."""

from __future__ import annotations

import ctypes
import logging
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from msgspec.structs import replace

from restoration import weights as folders
from restoration.cards import NetworkCard, RestorerCard, TaskCard
from restoration.errors import BadOption, BadWeights, RestorationError
from restoration.images import Picture, read
from restoration.interfaces import Observation
from restoration.recipe import Part, Parts, Recipe, build_parts, build_restorer, default_recipe
from restoration.registry import hook, registry
from restoration.tiling import SMALLEST, Tiled, auto_tile, is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

log = logging.getLogger("restoration")
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4
"""Parameters of glibc's allocator, as its header numbers them."""
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def prepare(threads: int | None = None) -> None:
    """Set up this process for image work: memory that glibc keeps between tensors, and the number of threads.

    glibc returns every large tensor to the system and fetches the next one page by page; three settings stop that.
    """
    tune_allocator({MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 64 << 20})
    if threads is not None:
        torch.set_num_threads(threads)


def tune_allocator(settings: Mapping[int, int]) -> None:
    """Set parameters of glibc's allocator; elsewhere nothing happens."""
    if platform.libc_ver()[0] == "glibc":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            for parameter, value in settings.items():
                libc.mallopt(parameter, value)


def find_device(name: str) -> torch.device:
    """Return the device for a name; "auto" is the first of cuda, mps and cpu. Raises `BadOption` if it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadOption(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from error
    return device


def precision(name: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context that networks run in: "fp32", "bf16", "fp16", or "auto", bf16 where the hardware has it."""
    name = precision_name(name, device)
    return nullcontext() if name == "fp32" else torch.autocast(device.type, PRECISIONS[name])


def precision_name(name: str, device: torch.device) -> str:
    """Return what "auto" means on a device. Raises `BadOption` for a precision that there is not."""
    if name == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    if name not in PRECISIONS:
        raise BadOption(f"precision must be auto, {', '.join(PRECISIONS)}, not {name!r}")
    return name


def has_bf16(device: torch.device) -> bool:
    """Say whether a device computes in bfloat16 faster than in float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def colours(pixels: Tensor, channels: int) -> Tensor:
    """Return `b c h w` with as many channels as asked for: grey repeated, or colours averaged."""
    if pixels.shape[1] == channels:
        return pixels
    return pixels.expand(-1, channels, -1, -1) if pixels.shape[1] == 1 else pixels.mean(dim=1, keepdim=True)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A restored picture and how it came about; `tile` is the window that was used, 0 for the whole picture."""

    picture: Picture
    method: str
    task: str
    weights: str | None
    seed: int
    device: str
    precision: str
    tile: int
    evaluations: int
    seconds: float

    def facts(self) -> dict[str, Any]:
        """Return all but the picture, as plain data, with its size as `[width, height]`."""
        height, width = self.picture.pixels.shape[-2:]
        return {**{k: v for k, v in vars(self).items() if k != "picture"}, "size": [width, height]}


class Restoration:
    """A method, ready for pictures: weights found, checked and loaded, on its device.

    `weights` is a path, a card's name or `owner/name[@revision]`, None for the default; `steps` and `sampler` change
    how it walks; `options` are further options of the method; `tile` is "auto", 0 or a side in pixels. Raises
    `RestorationError` if anything does not fit.
    """

    def __init__(
        self,
        method: str,
        task: str,
        *,
        weights: str | None = None,
        steps: int | None = None,
        sampler: str | None = None,
        options: Mapping[str, Any] | None = None,
        device: str = "auto",
        precision: str = "auto",
        tile: int | str = "auto",
        offline: bool = False,
    ) -> None:
        card = registry().card(RestorerCard, method)
        registry().card(TaskCard, task)
        if card.tasks and task not in card.tasks:
            raise BadOption(f"method {method!r} is made for {', '.join(card.tasks)}, not for {task}")
        self.method, self.task, self.tile = method, task, checked_tile(tile)
        self.device = find_device(device)
        self.precision = precision_name(precision, self.device)
        self.folder = folders.resolve(weights, method, task, offline=offline)
        recipe = self._recipe()
        self.recipe = changed(recipe, {**({} if steps is None else {"steps": steps}), **(options or {})}, sampler)
        parts = build_parts(self.recipe)
        self.network = parts.network
        if parts.network is not None:
            if self.folder:
                folders.load(self.folder, parts.network.network, recipe)
            parts.network.eval().requires_grad_(False)
            parts.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            self.tiled = Tiled(parts.network, 0, self._network_card().reach)
            self.tiled.register_forward_hook(self._count)
            parts = Parts(**{**vars(parts), "network": self.tiled})
        self.restorer = build_restorer(self.recipe, parts)
        self._evaluations = 0

    def __call__(
        self,
        picture: Picture,
        *,
        seed: int = 0,
        sigma: float | None = None,
        observe: Callable[[Tensor], None] = lambda guess: None,
    ) -> Result:
        """Restore one picture, its noise `sigma` in units of [0, 1] if known; `observe` sees every guess, `1 c h w`."""
        begin = time.perf_counter()
        y = colours(picture.pixels, len(self.recipe.channels)).to(self.device)
        self._evaluations = 0
        self._set_tile(y)
        guess = None
        try:
            with torch.inference_mode(), precision(self.precision, self.device):
                for guess in self.restorer(Observation(y=y, sigma=sigma), torch.Generator().manual_seed(seed)):
                    observe(guess)
        except ValueError as error:
            raise BadOption(f"method {self.method!r}: {error}") from error
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise RestorationError("out of memory, even in small tiles; close other programs") from error
            raise
        if guess is None or not bool(torch.isfinite(guess.sum())):
            raise RestorationError(f"method {self.method!r} gave numbers that are not finite; try --precision fp32")
        pixels = colours(guess.float().cpu().clamp(0, 1), picture.pixels.shape[1])
        result = Result(
            picture=picture.with_pixels(pixels),
            method=self.method,
            task=self.task,
            weights=self.folder.origin if self.folder else None,
            seed=seed,
            device=str(self.device),
            precision=self.precision,
            tile=self.tiled.tile if self.network is not None else 0,
            evaluations=self._evaluations,
            seconds=round(time.perf_counter() - begin, 3),
        )
        hook("restored", result=result)
        return result

    def _recipe(self) -> Recipe:
        """The recipe of the weights, or the method's own; its method and task must be those asked for."""
        if self.folder is None:
            return default_recipe(self.method, self.task)
        recipe = self.folder.recipe()
        if (recipe.method.name, recipe.task.name) != (self.method, self.task):
            made = f"--method {recipe.method.name} --task {recipe.task.name}"
            raise BadWeights(f"{self.folder.origin} holds weights for {made}; ask for these, or name others")
        return recipe

    def _set_tile(self, y: Tensor) -> None:
        """Give the network its window for this picture."""
        if self.network is None:
            return
        card = self._network_card()
        height, width = y.shape[-2:]
        auto = self.tile == "auto"
        needed = card.bytes_per_pixel * (1.0 if self.precision == "fp32" else 0.5)
        tile = auto_tile(height, width, needed, card.reach, self.device) if auto else int(self.tile)
        if tile and not card.tiles:
            log.warning("%s pools over the whole picture: its windows will differ from it", card.name)
        self.tiled.tile = tile
        if tile:  # tensors of a whole large picture go back to the system when freed, those of a window stay
            tune_allocator({MMAP_MAX: 65536, MMAP_THRESHOLD: 32 << 20})

    def _network_card(self) -> NetworkCard:
        assert self.recipe.network is not None
        return registry().card(NetworkCard, self.recipe.network.name)

    def _count(self, *_: object) -> None:
        self._evaluations += 1


def restore(
    image: Picture | str | Path | bytes,
    method: str,
    task: str,
    *,
    seed: int = 0,
    sigma: float | None = None,
    **options: Any,
) -> Result:
    """Restore one picture, from a file or its bytes; `options` are those of `Restoration`."""
    prepare()
    picture = image if isinstance(image, Picture) else read(image)
    return Restoration(method, task, **options)(picture, seed=seed, sigma=sigma)


def changed(recipe: Recipe, options: Mapping[str, Any], sampler: str | None) -> Recipe:
    """Return a recipe with other options of its method, and another sampler. What belongs to the weights stays."""
    if options:
        method = Part(recipe.method.name, {**recipe.method.options, **options})
        recipe = replace(recipe, method=method)
    if sampler is not None:
        takes = registry().card(RestorerCard, recipe.method.name).options()
        if "sampler" not in takes:
            raise BadOption(f"method {recipe.method.name!r} takes no sampler")
        recipe = replace(recipe, sampler=Part(sampler))
    return recipe


def checked_tile(tile: int | str) -> int | str:
    """Return "auto" or a number; raises `BadOption` for all else."""
    if tile == "auto":
        return tile
    try:
        number = int(tile)
        Tiled(torch.nn.Identity(), number)
    except ValueError as error:
        raise BadOption(
            f"tile must be auto, 0 for none, or a side of at least {SMALLEST} pixels, not {tile!r}"
        ) from error
    return number
