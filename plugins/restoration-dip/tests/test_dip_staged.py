"""Staged Deep Image Prior: how long each stage is, what it is fitted to, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate
from typing import Any, ClassVar

import pytest
import torch
from restoration_dip.fit.average import RunningAverage
from restoration_dip.staged import StagedDeepImagePrior
from restoration_dip.stages import compute_levels, distribute, make_stages
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from restoration import NetworkCard, NetworkMaker, NoiseSchedule, Observation, Restorer, psnr
from restoration.operators import Masking, Resampling
from restoration.testing import RestorerContract, scene

TINY = {"down": [8, 8], "up": [8, 8], "skip": [2, 2]}
FACTORIES = {
    "skip": "restoration_dip.networks.skip:SkipNet",
    "dip-unet": "restoration_dip.networks.unet:UNet",
    "resnet18": "restoration_dip.networks.resnet18:ResNet18",
    "pixels": f"{__name__}:Pixels",
    "adding": f"{__name__}:Adding",
}


class Levels:
    """The path of DDPM at ten levels, beta from 0.001 to 0.01, in closed form between them."""

    betas = torch.linspace(0.001, 0.01, 10, dtype=torch.float64)

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        abar = torch.cat([torch.ones(1, dtype=torch.float64), (1 - self.betas).cumprod(0)])[(t * 10).round().long()]
        return abar.sqrt(), torch.zeros_like(abar), (1 - abar).sqrt()

    def steps(self, n: int) -> Tensor:
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)


class Exploding:
    """Noise that grows in proportion to the time; it does not say how many levels it has."""

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.ones_like(t), torch.zeros_like(t), 0.4 * t

    def steps(self, n: int) -> Tensor:
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)


class Pixels(nn.Module):
    """A network that says its parameters, whatever it is shown: it can be fitted to anything."""

    def __init__(self, *, in_channels: int = 3, channels: int = 3) -> None:
        super().__init__()
        self.pixels = nn.Parameter(torch.full((1, channels, 6, 6), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.pixels * 1


class Adding(nn.Module):
    """A network that adds to what it is shown, unless told not to."""

    def __init__(self, *, channels: int = 3, residual: bool = True) -> None:
        super().__init__()
        self.conv, self.residual = nn.Conv2d(channels, channels, 1), residual

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


def staged(
    network: str = "skip", options: Mapping[str, Any] = TINY, task: str = "denoise", **settings: Any
) -> StagedDeepImagePrior:
    card = NetworkCard(name=network, summary="", factory=FACTORIES[network])
    return StagedDeepImagePrior(make_network=NetworkMaker(card, options), schedule=Levels(), task=task, **settings)


def fitted(observation: Observation, **settings: Any) -> list[Tensor]:
    """Fit pixel by pixel, closely; return what was said at the end of each stage."""
    restorer = staged("pixels", {}, lr=0.02, jitter=0.0, answer="last", epochs=150, k=1e6, **settings)
    guesses = list(restorer(observation, seeded()))
    return [guesses[end - 1] for end in accumulate(stage.epochs for stage in restorer.stages)]


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def random(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=seeded(seed))


class TestStaged(RestorerContract):
    name = "dip-staged"
    options: ClassVar = {"steps": 3, "levels": 2}
    network: ClassVar = TINY


class TestPreservingWithFeatures(RestorerContract):
    name = "dip-staged"
    options: ClassVar = {"steps": 3, "levels": 2, "form": "preserving", "perceptual": 0.1, "features": "laplacian"}
    network: ClassVar = TINY


def test_the_epochs_of_the_stages_are_those_of_the_report() -> None:
    E_linear = [104, 180, 237, 280, 311, 334, 351, 364, 373, 380]
    assert [stage.epochs for stage in make_stages(Levels(), epochs=400)] == [*E_linear, 400]
    assert [stage.epochs for stage in make_stages(Levels(), epochs=400, order="literal")] == [*reversed(E_linear), 400]
    assert sum(stage.epochs for stage in make_stages(Levels(), epochs=247)[:-1]) == 1800


def test_without_a_fall_all_stages_are_as_long() -> None:
    assert {stage.epochs for stage in make_stages(Levels(), epochs=30, alpha=0)} == {30}
    assert [stage.epochs for stage in make_stages(Levels(), epochs=30, k=0)] == [0] * 10 + [30]


@pytest.mark.parametrize("steps", [1, 2, 7, 100, 1014])
def test_a_number_of_steps_is_met_exactly_in_the_proportions_of_the_stages(steps: int) -> None:
    numbers = [stage.epochs for stage in make_stages(Levels(), epochs=400, steps=steps)]
    whole = [stage.epochs for stage in make_stages(Levels(), epochs=400)]
    assert sum(numbers) == steps
    assert numbers == pytest.approx([one * steps / sum(whole) for one in whole], abs=1)


def test_whole_numbers_follow_their_shares() -> None:
    assert distribute(10, [1, 2, 2]) == [2, 4, 4]
    assert sum(distribute(11, [0.3, 0.3, 0.3])) == 11


def test_targets_go_from_the_noisiest_level_to_the_picture_itself() -> None:
    found = [stage.sigma * 255 for stage in make_stages(Levels(), epochs=1)]
    assert found == pytest.approx([60.7, 54.8, 48.9, 43.0, 37.2, 31.4, 25.6, 19.8, 14.0, 8.1, 0], abs=0.06)
    assert {(stage.scale, stage.weight) for stage in make_stages(Levels(), epochs=1)} == {(1, 1)}


def test_a_preserving_target_is_the_state_of_the_schedule_between_minus_one_and_one() -> None:
    y, n = random(1, 3, 5, 4), torch.randn(1, 3, 5, 4, generator=seeded())
    a, _, c = Levels().at(torch.arange(10, -1, -1) / 10)
    for stage, keeps, adds in zip(make_stages(Levels(), epochs=1, form="preserving"), a, c, strict=True):
        state = (keeps * (2 * y - 1) + adds * n + 1).float() / 2
        said = random(1, 3, 5, 4, seed=2)
        assert_close(stage.to_picture(state), y + stage.sigma * n)
        error = stage.weight * (stage.to_picture(said) - y - stage.sigma * n).square().mean()
        assert_close(error, (2 * said - 2 * state).square().mean(), rtol=1e-4, atol=0)


def test_any_schedule_has_levels() -> None:
    assert isinstance(Exploding(), NoiseSchedule)
    sigma, beta = compute_levels(Exploding())
    assert_close(sigma, 0.04 * torch.arange(1, 11, dtype=torch.float64))
    assert_close((1 - beta).cumprod(0), 1 / (1 + sigma.square()))
    assert_close(compute_levels(Levels())[1], Levels.betas)
    sigma, _ = compute_levels(Exploding(), 4)
    assert sigma.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("form", ["exploding", "preserving"])
def test_every_stage_is_fitted_to_the_picture_plus_the_same_noise(form: str) -> None:
    y = random(1, 3, 6, 6)
    *noisy, last = fitted(Observation(y=y), form=form, levels=3)
    assert_close(last, y, atol=0.01, rtol=0)
    sigma = compute_levels(Levels(), 3)[0].flip(0).tolist()
    halved = 1 if form == "exploding" else 2
    noises = [(one - y) / part * halved for one, part in zip(noisy, sigma, strict=True)]
    assert_close(noises[1], noises[0], atol=0.1, rtol=0)
    assert_close(noises[2], noises[0], atol=0.1, rtol=0)
    assert 0.8 < float(noises[0].std()) < 1.2
    assert float(noises[0].abs().max()) > 2, "it is clipped"


@pytest.mark.parametrize("perceptual", [0.0, 0.1])
def test_pixels_that_a_mask_hides_are_not_fitted(perceptual: float) -> None:
    mask = (random(1, 1, 6, 6, seed=3) < 0.5).float()
    y = random(1, 3, 6, 6) * mask
    observation = Observation(y=y, operator=Masking(mask))
    last = fitted(observation, task="inpaint", levels=1, perceptual=perceptual, features="laplacian")[-1]
    assert_close(last * mask, y, atol=0.01, rtol=0)
    assert torch.equal(last * (1 - mask), 0.5 * (1 - mask).expand_as(y))


def test_the_noise_is_added_to_what_was_measured() -> None:
    x = random(1, 3, 6, 6)
    operator = Resampling(Fraction(1, 2), (6, 6))
    observation = Observation(y=x, operator=operator, measured=operator(x))
    first, last = fitted(observation, task="sr", levels=1)
    assert_close(operator(last), operator(x), atol=0.01, rtol=0)
    assert 0.15 < float((operator(first) - operator(x)).std()) < 0.33
    assert staged().stages[0].sigma == pytest.approx(0.238, abs=1e-3)


def test_features_pull_where_pixels_alone_do_not() -> None:
    y, guesses = random(1, 3, 24, 20), []
    for weight in (0.0, 1.0):
        restorer = staged(steps=4, levels=1, perceptual=weight, features="laplacian", answer="last")
        with torch.inference_mode():
            guesses.append(list(restorer(Observation(y=y), seeded())))
    assert torch.equal(guesses[0][0], guesses[1][0])
    assert not torch.equal(guesses[0][-1], guesses[1][-1])


def test_the_average_is_that_of_what_was_said_last() -> None:
    y, average = random(1, 3, 24, 20), RunningAverage()
    means, lasts = (
        [guess.clone() for guess in staged(steps=30, answer=answer)(Observation(y=y), seeded())]
        for answer in ("average", "last")
    )
    assert len(means) == len(lasts) == 30
    for mean, last in zip(means, lasts, strict=True):
        assert torch.equal(mean, average.update(last))
    assert not torch.equal(means[-1], lasts[-1])


def test_it_says_where_it_is_and_how_well_it_fits() -> None:
    y, restorer = random(1, 3, 24, 20), staged(steps=20, levels=3)
    assert isinstance(restorer, Restorer)
    for step, guess in enumerate(restorer(Observation(y=y), seeded()), 1):
        assert (restorer.told["iteration"], restorer.told["of"]) == (step, 20)
        error = float((guess - y).square().mean())
        assert restorer.told["fit of the average"] == f"{-10 * math.log10(error):.2f} dB"
        if step == 1:
            assert restorer.told["stage"] == "1 of 4"
            assert restorer.told["fit of the last"] == restorer.told["fit of the average"]
    assert restorer.told["stage"] == "4 of 4"


def test_noise_is_taken_away() -> None:
    x = scene(48, 48)
    y = x + 50 / 255 * torch.randn(x.shape, generator=seeded())
    network = {"down": [16, 32, 32], "up": [16, 32, 32], "skip": [4, 4, 4]}
    with torch.inference_mode():
        for guess in staged(options=network, steps=150)(Observation(y=y), seeded()):
            answer = guess
    assert psnr(answer, x) > psnr(y, x) + 4


@pytest.mark.parametrize(
    ("network", "options"), [("dip-unet", {"widths": [4, 4]}), ("resnet18", {"width": 4}), ("adding", {})]
)
def test_every_network_will_do(network: str, options: Mapping[str, Any]) -> None:
    y = random(1, 3, 17, 12)
    with torch.inference_mode():
        guesses = [guess.clone() for guess in staged(network, options, steps=3)(Observation(y=y), seeded())]
    assert [guess.shape for guess in guesses] == [y.shape] * 3
    assert guesses[-1].isfinite().all()


def test_a_network_with_few_batch_norms_does_not_end_in_nothing() -> None:
    x = scene(32, 32)
    grey = psnr(x.mean(dim=(2, 3), keepdim=True).expand_as(x), x)
    with torch.inference_mode():
        for guess in staged("dip-unet", {}, steps=40)(Observation(y=x), seeded()):
            answer = guess
    assert psnr(answer, x) > grey + 0.5


def test_a_network_that_would_add_to_what_it_is_shown_does_not_unless_asked_to() -> None:
    seen = []
    for options in ({}, {"residual": True}):
        restorer = staged("adding", options, steps=1, jitter=0.0)
        (guess,) = restorer(Observation(y=random(1, 3, 8, 8)), seeded())
        seen.append(guess)
    z = torch.rand(1, 3, 8, 8, generator=seeded()) * 0.1
    assert_close(seen[1] - seen[0], z)


def test_one_picture_at_a_time() -> None:
    with pytest.raises(ValueError, match="one picture at a time"):
        next(staged()(Observation(y=random(2, 3, 8, 8)), seeded()))


@pytest.mark.parametrize(("task", "words"), [("inpaint", "where the holes are"), ("sr", "the scale")])
def test_a_task_must_say_what_it_knows(task: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        next(staged(task=task)(Observation(y=random(1, 3, 8, 8)), seeded()))


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 0},
        {"alpha": 1.1},
        {"alpha": -0.1},
        {"k": -1},
        {"levels": 0},
        {"steps": 0},
        {"channels": 0},
        {"lr": 0},
        {"jitter": -1},
        {"perceptual": -1},
    ],
)
def test_settings_that_mean_nothing_are_errors(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least"):
        staged(**settings)
