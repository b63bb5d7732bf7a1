"""`--ensemble`: the mean over the positions that a task allows, with what is known about a picture turned as it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from small import picture
from torch import Generator, Tensor
from torch.nn import functional
from torch.testing import assert_close

from restoration import BadOption, BadPlugin, Observation, Restoration, psnr, read, restore, write
from restoration.engine.ensemble import POSITIONS, Ensemble, Position, Turned, extend, turned
from restoration.operators import Convolution, Masking, Resampling
from restoration.picture import round_to_levels
from restoration.registry import registry
from restoration.registry.cards import RestorerCard, TaskCard
from restoration.registry.validation import checked
from restoration.tasks import make_task

HOPPER = Path(__file__).parent.parent / "examples" / "derain" / "clean" / "hopper.png"
RNG = Generator().manual_seed(0)
every_position = pytest.mark.parametrize("position", POSITIONS["all"], ids=str)

PLUGIN = '''
import torch
from restoration import RestorerCard, TaskCard, hookimpl


class Sloping:
    """Adds what depends on the place, and looks to the right: it treats no two positions alike."""

    def __call__(self, observation, rng):
        y = observation.y
        for step in (0.5, 1.0):
            slope = (y[..., :1, :1] * 0 + 0.001) * (1 + torch.arange(y.shape[-1]))
            yield step * (0.5 * y + 0.5 * y.roll(1, dims=-1) + slope)


@hookimpl
def register_restorers():
    yield RestorerCard(name="sloping", factory="mine:Sloping", summary="slopes", needs_weights=False, uses=())


@hookimpl
def register_tasks():
    yield TaskCard(name="odd", factory="restoration_tasks.noise:Noise", summary="odd", linear=True)
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def sloping(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A method that is not equivariant, installed until the end of the test."""
    known = registry()
    monkeypatch.setattr(known, "_cards", {kind: dict(cards) for kind, cards in known._cards.items()})
    monkeypatch.setattr(known, "plugins", list(known.plugins))
    known.add_file(plugin)
    yield "sloping"
    known.hooks.unregister(sys.modules.pop("mine"))


def known(height: int, width: int) -> list[Observation]:
    """Observations of all kinds of one size."""
    y = torch.rand(1, 3, height, width, generator=RNG)
    mask = (torch.rand(1, 1, height, width, generator=RNG) < 0.7).float()
    kernel = torch.rand(1, 1, 3, 5, generator=RNG)
    down = Resampling(Fraction(1, 2), (height, width))
    blur = Convolution(kernel / kernel.sum())
    return [
        Observation(y=y, sigma=torch.rand(1, 1, height, width, generator=RNG)),
        Observation(y=y, operator=Masking(mask), measured=y * mask),
        Observation(y=y, operator=blur, measured=blur(y)),
        Observation(y=y, operator=down, measured=down(y)),
    ]


@every_position
def test_a_picture_comes_back_from_every_position(position: Position) -> None:
    x = torch.rand(1, 3, 5, 8, generator=RNG)
    assert torch.equal(position.back(position(x)), x)


def test_the_positions_differ_and_the_first_is_the_pictures_own() -> None:
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    seen = [position(x).flatten().tolist() for position in POSITIONS["all"]]
    assert len({tuple(one) for one in seen}) == 8
    assert all(torch.equal(positions[0](x), x) for positions in POSITIONS.values())
    assert [position(x)[0, 0, 0].tolist() for position in POSITIONS["mirror"]] == [[0, 1, 2], [2, 1, 0]]


@every_position
@pytest.mark.parametrize("size", [(12, 8), (13, 9)])
def test_what_is_known_of_a_turned_picture_is_what_was_known_turned(position: Position, size: tuple[int, int]) -> None:
    for seen in known(*size):
        there = turned(seen, position)
        assert torch.equal(there.y, position(seen.y))
        if isinstance(seen.sigma, Tensor):
            assert torch.equal(there.sigma, position(seen.sigma))  # type: ignore[arg-type]
        if seen.operator is not None and seen.measured is not None:
            assert there.operator is not None
            assert_close(there.operator(there.y), position(seen.measured))
            assert_close(there.operator(there.y), there.measured)
            back = there.operator.adjoint(position(seen.measured))
            assert_close(back, position(seen.operator.adjoint(seen.measured)))
            exact = isinstance(seen.operator, Resampling) and size == (13, 9) and position != Position()
            assert isinstance(there.operator, Turned if exact else type(seen.operator))


def test_a_grid_lies_in_the_same_place_in_every_position() -> None:
    y = torch.zeros(1, 1, 17, 30)
    y[..., ::16, :] = y[..., ::16] = 1  # the upper and left rows of blocks
    for position in POSITIONS["all"]:
        there = turned(extend(Observation(y=y), 16), position).y
        assert all(side % 16 == 0 for side in there.shape[-2:])
        assert torch.equal(position.back(there)[..., :17, :30], y)


def test_a_small_picture_is_of_the_whole_extended_one() -> None:
    task, x = make_task("sr", {"scale": 4}), torch.rand(1, 3, 18, 21, generator=RNG)
    whole = extend(task.observe(x, RNG), 1)  # type: ignore[attr-defined]
    assert whole.y.shape[-2:] == (20, 24)
    assert whole.measured.shape[-2:] == (5, 6)
    assert whole.operator(whole.y).shape == whole.measured.shape


def test_the_mean_of_any_method_is_equivariant(sloping: str) -> None:
    restoration = Restoration(sloping, "denoise", ensemble=True)
    y = torch.rand(1, 3, 9, 14, generator=RNG)
    answer = restoration(Observation(y=y)).picture.pixels
    for position in POSITIONS["all"]:
        there = restoration(Observation(y=position(y))).picture.pixels
        assert_close(there, position(answer), atol=1e-6, rtol=0)
    alone = Restoration(sloping, "denoise")
    assert not torch.equal(alone(Observation(y=y.flip(-1))).picture.pixels, alone(Observation(y=y)).picture.pixels)
    slope = 0.001 * ((1 + 14) / 2 + (1 + 9) / 2) / 2
    around = sum(y.roll(k, dims=d) for k in (-1, 1) for d in (-1, -2)) / 4
    assert_close(answer, (0.5 * y + 0.5 * around + slope).clamp(0, 1), atol=1e-5, rtol=0)


def test_estimates_that_are_seen_are_means_and_lead_to_the_result(sloping: str) -> None:
    seen: list[Tensor] = []
    y = 0.5 * torch.rand(1, 3, 8, 8, generator=RNG)
    result = Restoration(sloping, "denoise", ensemble=True)(Observation(y=y), observe=seen.append)
    assert (len(seen), result.ensemble, result.ended) == (16, 8, "done")
    assert_close(seen[-1], result.picture.pixels)
    assert all(one.shape == y.shape for one in seen)
    assert not any(torch.equal(one, two) for one, two in pairwise(seen))


def test_where_the_time_ends_the_mean_of_the_positions_that_are_done_is_the_result() -> None:
    y = torch.zeros(1, 1, 4, 4)
    answers = iter([(y + 1, "done"), (y + 3, "done"), (y + 9, "time limit")])
    ensemble = Ensemble(positions=POSITIONS["all"])
    guess, ended = ensemble(Observation(y=y), lambda seen, see: next(answers), lambda guess: None)
    assert (float(guess.mean()), ended) == (2.0, "time limit")
    guess, ended = ensemble(Observation(y=y), lambda seen, see: (y + 9, "Ctrl-C"), lambda guess: None)
    assert (float(guess.mean()), ended) == (9.0, "Ctrl-C")


def noisy(sigma: float = 25) -> tuple[Tensor, Tensor]:
    x = read(HOPPER).pixels[..., 100:220, 60:181]
    return x, x + sigma / 255 * torch.randn(x.shape, generator=Generator().manual_seed(1))


def test_our_weights_gain() -> None:
    x, y = noisy()
    alone, together = (
        Restoration("regression", "denoise", ensemble=one, precision="fp32")(Observation(y=y)) for one in (False, True)
    )
    assert psnr(together.picture.pixels, x) > psnr(alone.picture.pixels, x) + 0.05
    assert (alone.evaluations, together.evaluations) == (1, 8)


def test_jpeg_gains_though_its_blocks_are_cut_at_the_border() -> None:
    x = read(HOPPER).pixels[..., 100:220, 60:181]
    y = make_task("jpeg", {"quality": 10})(x, RNG)
    results = [restore(y, "regression", "jpeg", ensemble=one, precision="fp32").image for one in (False, True)]
    alone, together = (psnr(round_to_levels(one), x) for one in results)
    assert together > alone + 0.02


def test_holes_are_filled_and_the_rest_is_unchanged() -> None:
    x = read(HOPPER).pixels[..., 100:164, 60:141]
    mask = torch.ones(64, 81)
    mask[10:14, 20:60] = 0
    result = restore(x, "regression", "inpaint", ensemble=True, task_options={"mask": mask.numpy()})
    change = (result.image - x).abs().amax(dim=(0, 1))
    assert float(change[mask == 1].max()) < 1e-6 < float(change[mask == 0].mean())


def test_rain_is_only_mirrored() -> None:
    result = restore(read(HOPPER).pixels[..., :48, :64], "regression", "derain", ensemble=True)
    assert (result.ensemble, result.evaluations) == (2, 2)


def test_cards_of_our_tasks_say_what_may_be_turned() -> None:
    found = {card.name: card.symmetries for card in registry().cards(TaskCard)}
    falls = {"derain": "mirror", "dehaze": "mirror"}
    assert found == {**dict.fromkeys(("denoise", "deblur", "sr", "inpaint", "jpeg"), "all"), **falls}


def test_a_symmetry_that_there_is_not_is_refused() -> None:
    card = replace(registry().card(TaskCard, "denoise"), symmetries="some")
    with pytest.raises(BadPlugin, match="its symmetries are all, mirror, none, not 'some'"):
        checked(card, TaskCard, "register_tasks")


@pytest.mark.parametrize("method", ["dip", "dip-staged"])
def test_a_method_that_is_fitted_to_each_picture_has_none(method: str) -> None:
    assert not registry().card(RestorerCard, method).ensembles
    with pytest.raises(BadOption, match=f"method '{method}' is fitted to each picture, and has no --ensemble"):
        Restoration(method, "denoise", ensemble=True)


def test_a_task_that_says_nothing_is_not_turned(sloping: str) -> None:
    with pytest.raises(BadOption, match="pictures for task 'odd' cannot be mirrored or turned"):
        Restoration(sloping, "odd", ensemble=True)


def test_the_command_line_has_it(restore, plugin, tmp_path) -> None:  # type: ignore[no-untyped-def]
    write(picture(), tmp_path / "noisy.png")
    command = ["--plugin", plugin, "run", tmp_path / "noisy.png", "-m", "sloping", "-t", "denoise"]
    done = restore(*command, "--ensemble", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ensemble"] == 8
    refused = restore("run", tmp_path / "noisy.png", "-m", "dip", "-t", "denoise", "--ensemble", "--overwrite")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert "leave it out" in refused.stderr


def test_scores_compare_a_method_with_its_ensemble(restore, plugin, pictures) -> None:  # type: ignore[no-untyped-def]
    methods = ["-m", "sloping", "-m", "sloping@ensemble=true"]
    done = restore("--plugin", plugin, "score", *methods, "-t", "denoise", "--data", pictures, "--limit", 1, "--json")
    assert done.returncode == 0, done.stderr
    assert "mean of 8 positions" in done.stdout


def test_what_is_reflected_is_what_networks_reflect() -> None:
    y = torch.rand(1, 1, 20, 24, generator=RNG)
    assert_close(extend(Observation(y=y), 16).y, functional.pad(y, (0, 8, 0, 12), mode="reflect"))
