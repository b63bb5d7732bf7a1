"""Zero-Shot Noise2Noise: its loss in closed form, what it gains, and that it is the same each time."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from forking import Run, commands
from restoration_noise2noise.zero_shot import GUESSES, PLANS, ZeroShot, diagonal_means, in_stripes, symmetric_loss
from torch import Generator, Tensor
from torch.nn import functional
from torch.testing import assert_close

from restoration import Observation, Picture, Restoration, psnr, write
from restoration.recipe import build_parts, default_recipe
from restoration.testing import scene


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def made(**options: object) -> ZeroShot:
    make_network = build_parts(default_recipe("zs-n2n", "denoise")).make_network
    return ZeroShot(make_network=make_network, **options)  # type: ignore[arg-type]


def noisy(height: int = 64, width: int = 72) -> tuple[Tensor, Tensor]:
    x = scene(height, width)
    return x, x + 0.1 * torch.randn(x.shape, generator=seeded(1))


def test_the_two_halves_are_the_means_of_the_diagonals_of_each_cell() -> None:
    y = torch.rand(1, 3, 6, 8, generator=seeded())
    kernel = torch.tensor([[0.0, 0.5], [0.5, 0.0]])
    for found, weights in zip(diagonal_means(y), (kernel.flip(0), kernel), strict=True):
        expected = functional.conv2d(y, weights.expand(3, 1, 2, 2), stride=2, groups=3)
        assert_close(found, expected)


def test_the_loss_of_a_network_that_knows_the_clean_picture_is_that_of_the_noise_alone() -> None:
    y = torch.rand(1, 3, 8, 8, generator=seeded())
    first, second = diagonal_means(y)
    assert_close(symmetric_loss(lambda y: y, y), (first - second).square().mean())
    assert_close(symmetric_loss(torch.zeros_like, y), (first.square().mean() + second.square().mean()) / 2)


def test_a_noisy_picture_becomes_better_and_the_guesses_do() -> None:
    x, y = noisy()
    with torch.inference_mode():
        guesses = [guess.clone() for guess in made(steps=120)(Observation(y=y), seeded())]
    gains = [psnr(guess, x) - psnr(y, x) for guess in guesses]
    assert len(guesses) == GUESSES
    assert gains[-1] > 3
    assert gains[-1] > gains[0]


def test_the_published_plan_takes_the_whole_picture_and_learns_too() -> None:
    x, y = noisy(32, 41)
    restorer = made(quality="paper", steps=60)
    with torch.inference_mode():
        *_, guess = restorer(Observation(y=y), seeded())
    assert restorer.told == {"iteration": 60, "of": 60}
    assert psnr(guess, x) > psnr(y, x)
    assert (PLANS["paper"].steps, PLANS["paper"].lr, PLANS["paper"].side) == (2000, 1e-3, 0)


def test_a_fit_depends_on_its_own_generator_alone() -> None:
    _, y = noisy(40, 40)
    results = []
    for noise in (0, 1):
        torch.manual_seed(noise)
        before = torch.get_rng_state()
        with torch.inference_mode():
            *_, guess = made(steps=5)(Observation(y=y), seeded(3))
        assert torch.equal(torch.get_rng_state(), before)
        results.append(guess)
    assert torch.equal(*results)


def test_large_pictures_are_evaluated_in_parts_that_show_no_seams() -> None:
    y = torch.rand(1, 1, 80, 2**14, generator=seeded())  # 64 rows at a time
    kernel = torch.rand(1, 1, 5, 1, generator=seeded(1))
    calls = []

    def blurred(y: Tensor) -> Tensor:
        calls.append(y.shape[-2])
        return functional.conv2d(y, kernel, padding=(2, 0))

    assert torch.equal(in_stripes(blurred, y, 2), functional.conv2d(y, kernel, padding=(2, 0)))
    assert calls == [66, 48]
    calls.clear()
    in_stripes(blurred, y, None)
    assert calls == [80]


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"lr": 0.0}, {"side": 3}])
def test_settings_that_are_no_plan_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        made(**wrong)


@pytest.fixture(scope="module")
def restore() -> Iterator[Run]:
    with commands() as run:
        yield run


def test_it_is_a_command_and_dip_recommends_what_is_there(
    restore: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, y = noisy(24, 20)
    write(Picture(pixels=y.clamp(0, 1)), tmp_path / "photo.png")
    how = ("run", "photo.png", "-t", "denoise", "--steps", "4", "--overwrite")
    done = restore(*how, "-m", "zs-n2n", "--quality", "fast", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["told"] == {"iteration": 4, "of": 4}, done.stderr
    with caplog.at_level(logging.INFO, logger="restoration"):
        Restoration("dip", "denoise")
    (named,) = re.findall(r"--method (\S+)", caplog.text)
    assert f'"{named}"' in restore("methods", "--json", cwd=tmp_path).stdout
