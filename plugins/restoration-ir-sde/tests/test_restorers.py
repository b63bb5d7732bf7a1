"""The methods, with a network that knows its pictures exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from restoration_ir_sde.objectives import CleanMatching
from restoration_ir_sde.restorers import IRSDE, Denoising, coloured
from restoration_ir_sde.schedules import DenoisingSDE, MeanReverting
from torch import Generator, Tensor

from restoration import Observation, Restoration, Restorer, Sampler, psnr, read
from restoration.sampling import EulerODE, EulerSDE, ddim, dpmpp_2m, dpmpp_2m_sde, posterior

SAMPLERS: list[Sampler] = [dpmpp_2m(), dpmpp_2m_sde(), ddim(), posterior(), EulerSDE(), EulerODE()]


class Known:
    """Says the mean of the clean image given a state, for pictures of normal pixels: `mean` off `y`, or around it."""

    def __init__(self, schedule: MeanReverting, std: float, offset: float = 0.0, mean: float | None = None) -> None:
        self.schedule, self.std, self.offset, self.mean = schedule, std, offset, mean
        self.calls: list[float] = []

    def __call__(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        """Return the posterior mean, `b c h w`."""
        self.calls.append(float(t))
        a, b, c = (float(curve) for curve in self.schedule.at(t))
        prior = y + self.offset if self.mean is None else torch.full_like(y, self.mean)
        return prior + a * self.std**2 / (a**2 * self.std**2 + c**2) * (x - b * y - a * prior)


def streaked() -> tuple[Tensor, Tensor]:
    """Return a clean picture, and one that is about 0.2 brighter, here more and there less."""
    rng = Generator().manual_seed(0)
    x = 0.5 * torch.rand(1, 3, 24, 24, generator=rng)
    return x, x + 0.2 + 0.02 * torch.randn(x.shape, generator=rng)


def ir_sde(sampler: Sampler = SAMPLERS[0], steps: int = 10) -> tuple[IRSDE, Known]:
    """Return the method, and the network in it."""
    schedule = MeanReverting()
    network = Known(schedule, 0.02, -0.2)
    method = IRSDE(network=network, schedule=schedule, objective=CleanMatching(), sampler=sampler, steps=steps)
    return method, network


def last(guesses: Iterator[Tensor]) -> Tensor:
    return list(guesses)[-1]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_picture_gains_ten_decibels(sampler: Sampler) -> None:
    x, y = streaked()
    restorer, _ = ir_sde(sampler, steps=20)
    answer = last(restorer(Observation(y=y), Generator().manual_seed(1)))
    assert psnr(answer, x) > psnr(y, x) + 10


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_there_is_a_guess_for_every_step(sampler: Sampler) -> None:
    restorer, network = ir_sde(sampler, steps=7)
    assert isinstance(restorer, Restorer)
    guesses = list(restorer(Observation(y=streaked()[1]), Generator()))
    assert len(guesses) == len(network.calls) == 7
    assert all(guess.shape == (1, 3, 24, 24) for guess in guesses)
    assert len({id(guess) for guess in guesses}) == 7


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_rng_gives_the_same_picture_and_another_another(sampler: Sampler) -> None:
    (restorer, _), observation = ir_sde(sampler, steps=4), Observation(y=streaked()[1])
    one, same, other = (last(restorer(observation, Generator().manual_seed(seed))) for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_one_step_is_the_answer_of_the_network_to_the_first_state() -> None:
    (restorer, network), (_, y) = ir_sde(steps=1), streaked()
    (answer,) = restorer(Observation(y=y), Generator().manual_seed(2))
    z = torch.randn(y.shape, generator=Generator().manual_seed(2))
    first = y + float(restorer.schedule.at(torch.tensor(1.0))[2]) * z
    torch.testing.assert_close(answer, network(first, y, torch.ones(1)))


def test_the_degraded_picture_is_left_as_it_is() -> None:
    y = streaked()[1]
    before = y.clone()
    for sampler in SAMPLERS:
        last(ir_sde(sampler, steps=3)[0](Observation(y=y), Generator()))
    assert torch.equal(y, before)


def test_no_steps_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ir_sde(steps=0)


def denoising(sampler: Sampler = SAMPLERS[-1], steps: int = 100) -> tuple[Denoising, Known]:
    """Return the method, and the network in it."""
    schedule = DenoisingSDE()
    network = Known(schedule, 0.05, mean=0.5)
    method = Denoising(network=network, schedule=schedule, objective=CleanMatching(), sampler=sampler, steps=steps)
    return method, network


def noisy(level: float = 25, side: int = 24) -> tuple[Tensor, Observation]:
    rng = Generator().manual_seed(0)
    x = 0.5 + 0.05 * torch.randn(1, 3, side, side, generator=rng)
    y = x + level / 255 * torch.randn(x.shape, generator=rng)
    return x, Observation(y=y, sigma=level / 255)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_noise_of_25_levels_falls_by_three_decibels_at_least(sampler: Sampler) -> None:
    x, observation = noisy()
    answer = last(denoising(sampler)[0](observation, Generator().manual_seed(1)))
    assert psnr(answer, x) > psnr(observation.y, x) + 3


def test_denoising_starts_where_the_noise_belongs_and_evaluates_the_places_on_the_way() -> None:
    (restorer, network), (_, observation) = denoising(), noisy()
    last(restorer(observation, Generator()))
    calls = network.calls
    assert calls == pytest.approx([place / 100 for place in range(22, 0, -1)])


def test_denoising_takes_fewer_steps_if_told_to() -> None:
    (restorer, network), (_, observation) = denoising(steps=5), noisy()
    assert len(list(restorer(observation, Generator()))) == 5
    assert network.calls[0] == pytest.approx(0.22)


def test_denoising_without_noise_of_its_own_needs_no_luck() -> None:
    _, observation = noisy()
    one, other = (last(denoising()[0](observation, Generator().manual_seed(seed))) for seed in (1, 2))
    assert torch.equal(one, other)


def test_unknown_noise_is_estimated() -> None:
    (restorer, network), (x, known) = denoising(), noisy(side=96)
    answer = last(restorer(Observation(y=known.y), Generator()))
    grain = (0.05**2 + (25 / 255) ** 2) ** 0.5  # the clean picture is grain too
    assert network.calls[0] == pytest.approx(restorer.schedule.time_of(grain), abs=0.015)
    assert psnr(answer, x) > psnr(known.y, x) + 3


def test_a_picture_without_noise_takes_the_last_step_and_one_beyond_the_path_all() -> None:
    noise = 3 * torch.randn(1, 3, 24, 24, generator=Generator())
    for picture, first in ((torch.zeros(1, 3, 9, 9), 0.01), (noise, 1.0)):
        restorer, network = denoising()
        last(restorer(Observation(y=picture), Generator()))
        assert network.calls[0] == pytest.approx(first)


def test_overwhelming_noise_is_an_error() -> None:
    y = torch.zeros(1, 3, 4, 4)
    with pytest.raises(ValueError, match="sigma is 80/255"):
        next(denoising()[0](Observation(y=y, sigma=80 / 255), Generator()))


def test_noise_of_a_grey_picture_gets_what_it_lacks_to_be_a_state_of_the_path() -> None:
    rng = torch.Generator().manual_seed(0)
    grey = torch.randn(1, 1, 200, 200, generator=rng).expand(-1, 3, -1, -1) * 0.1
    noise = coloured(grey, 0.1 * math.sqrt(3), lambda: torch.randn(1, 3, 200, 200, generator=rng))
    covariance = torch.cov(noise.flatten(2)[0])
    torch.testing.assert_close(covariance, 0.03 * torch.eye(3), rtol=0, atol=5e-4)
    torch.testing.assert_close(noise.mean(dim=1), grey[:, 0])


@pytest.mark.parametrize("how", [{}, {"sampler": "posterior"}])
def test_grey_photographs_are_denoised_as_coloured_ones_are(how: dict[str, str]) -> None:
    clean = read(Path(__file__).parents[3] / "examples" / "derain" / "clean" / "hopper.png").pixels[..., :96, :96]
    clean = clean.mean(dim=1, keepdim=True)
    noisy = clean + 25 / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    restoration = Restoration("denoising-ode", "denoise", steps=3, realism=1.0, **how)
    for y in (noisy, noisy.expand(-1, 3, -1, -1)):
        result = restoration(Observation(y=y, sigma=25 / 255)).picture.pixels
        assert psnr(result, clean.expand_as(result)) > psnr(noisy.clamp(0, 1), clean) + 6
        assert torch.equal(result, result[:, :1].expand_as(result))
