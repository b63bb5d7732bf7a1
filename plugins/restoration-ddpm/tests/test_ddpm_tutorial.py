"""The tutorial that the published figures were made with: its network, and a step of its sampler by ours."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from einops import rearrange
from restoration_ddpm.schedules import VariancePreserving
from restoration_ir_sde.objectives import NoiseMatching
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torch.testing import assert_close

from restoration.sampling import posterior

VECTORS = {
    name.removeprefix("tutorial."): value
    for name, value in load_file(Path(__file__).parent / "data" / "tutorial.safetensors").items()
}
TIMES = (torch.tensor([0, 10, 500, 999]) + 1).double() / 1000
EMBEDDED = 100


def embedding(t: Tensor) -> Tensor:
    """Return sines and cosines of the numbers of steps, in turn: `b c`."""
    frequencies = 10_000 ** (-4 * torch.arange(EMBEDDED // 2, dtype=torch.float64) / EMBEDDED)
    angles = (t * 1000 - 1).round()[:, None] * frequencies
    return rearrange(torch.stack([angles.sin(), angles.cos()]), "two b c -> b (c two)").float()


class Block(nn.Module):
    """Two convolutions of 3x3, after a norm over the whole picture, whose side is `side`."""

    def __init__(self, side: int, inner: int, outer: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm([inner, side, side])
        self.first, self.second = nn.Conv2d(inner, outer, 3, padding=1), nn.Conv2d(outer, outer, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return functional.silu(self.second(functional.silu(self.first(self.norm(x)))))


class Level(nn.Module):
    """Three blocks; the time is added to their input."""

    def __init__(self, side: int, *widths: int) -> None:
        super().__init__()
        inner = widths[0]
        self.time = nn.Sequential(nn.Linear(EMBEDDED, inner), nn.SiLU(), nn.Linear(inner, inner))
        self.blocks = nn.Sequential(*(Block(side, a, b) for a, b in pairwise(widths)))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        added: Tensor = self.blocks(x + self.time(time)[..., None, None])
        return added


class Tutorial(nn.Module):
    """The U-Net of the tutorial for 28x28, its layers in the order in which it draws their weights."""

    def __init__(self) -> None:
        super().__init__()
        torch.randn(1000, EMBEDDED)  # the tutorial draws a table of times, and replaces it
        self.down1, self.halve1 = Level(28, 1, 10, 10, 10), nn.Conv2d(10, 10, 4, 2, 1)
        self.down2, self.halve2 = Level(14, 10, 20, 20, 20), nn.Conv2d(20, 20, 4, 2, 1)
        self.down3 = Level(7, 20, 40, 40, 40)
        self.halve3 = nn.Sequential(nn.Conv2d(40, 40, 2, 1), nn.SiLU(), nn.Conv2d(40, 40, 4, 2, 1))
        self.middle = Level(3, 40, 20, 20, 40)
        self.double1 = nn.Sequential(nn.ConvTranspose2d(40, 40, 4, 2, 1), nn.SiLU(), nn.ConvTranspose2d(40, 40, 2, 1))
        self.up1, self.double2 = Level(7, 80, 40, 20, 20), nn.ConvTranspose2d(20, 20, 4, 2, 1)
        self.up2, self.double3 = Level(14, 40, 20, 10, 10), nn.ConvTranspose2d(10, 10, 4, 2, 1)
        self.up3 = Level(28, 20, 10, 10, 10)
        self.up3.blocks[2].norm = nn.Identity()
        self.ending = nn.Conv2d(10, 1, 3, 1, 1)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        time = embedding(t)
        first = self.down1(x, time)
        second = self.down2(self.halve1(first), time)
        third = self.down3(self.halve2(second), time)
        features = self.double1(self.middle(self.halve3(third), time))
        features = self.double2(self.up1(torch.cat([third, features], dim=1), time))
        features = self.double3(self.up2(torch.cat([second, features], dim=1), time))
        noise: Tensor = self.ending(self.up3(torch.cat([first, features], dim=1), time))
        return noise


@pytest.fixture(scope="module")
def tutorial() -> Tutorial:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Tutorial()


def test_the_times_are_embedded_as_in_the_tutorial() -> None:
    steps = torch.tensor([0, 1, 500, 999])
    assert_close(embedding((steps + 1) / 1000), VECTORS["time_embed"], atol=1e-4, rtol=0)


@torch.no_grad()
def test_the_network_of_the_tutorial_predicts_the_same_noise(tutorial: Tutorial) -> None:
    assert_close(tutorial(VECTORS["xt"], TIMES), VECTORS["eps"], atol=2e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("place", range(4))
def test_a_step_of_ancestral_sampling_has_the_mean_of_the_tutorial(tutorial: Tutorial, place: int) -> None:
    """Our pictures are in [0, 1] and not in [-1, 1]: a state is half of theirs and half of the grey that they lack."""
    schedule, t = VariancePreserving(strength=0.5), TIMES[place]
    a, a_next = (schedule.at(one)[0] for one in (t, t - 1 / 1000))
    theirs, mean = (VECTORS[name][place : place + 1].double() for name in ("xt", "mean"))

    def network(x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        shown = 2 * x_t - schedule.at(t)[0]
        return tutorial(shown.float(), t).double()

    def clean(x_t: Tensor, t: Tensor) -> Tensor:
        return NoiseMatching().clean(network, schedule, x_t, x_t, t.double())

    x_t = (theirs + a) / 2
    times = torch.stack([t, t - 1 / 1000])
    ((state, _),) = posterior()(clean, schedule, x_t, x_t, times, lambda: torch.zeros_like(x_t))
    assert_close(2 * state - a_next, mean, atol=3e-5, rtol=1e-5)


def test_the_noise_that_the_tutorial_adds_is_that_of_the_forward_process() -> None:
    betas = VariancePreserving().betas[torch.tensor([0, 10, 500, 999])]
    assert_close(VECTORS["sigma"], betas.sqrt().float(), rtol=1e-5, atol=0)
