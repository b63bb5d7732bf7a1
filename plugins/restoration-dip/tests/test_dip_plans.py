"""The settings of each task: the published networks by their numbers of parameters, and what changes them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from restoration_dip.downsampler import Downsampler
from restoration_dip.fit.plans import (
    FINE,
    NO_SKIPS,
    PAPER,
    PYRAMID,
    Holes,
    Plan,
    Quality,
    choose_plan,
    choose_settings,
    classify_holes,
    with_adam,
)
from restoration_dip.networks.skip import SkipNet
from restoration_dip.prior import DeepImagePrior
from torch import Tensor

from restoration import NetworkCard, NetworkMaker, Observation, Operator
from restoration.operators import Masking
from restoration.registry import registry


def parameters(plan: Plan) -> int:
    """Count those of the network that a plan fits."""
    channels = {"mesh-grid": 2, "noise": plan.channels, "smoothed": plan.channels + 9, "masked": 12}[plan.start]
    with torch.device("meta"):
        network = SkipNet(in_channels=channels, **plan.network)
    return sum(parameter.numel() for parameter in network.parameters())


def mask(holes: Holes) -> Tensor:
    """Half of the pixels at random, a bar of 5 pixels, or a square."""
    known = torch.ones(1, 1, 64, 96)
    match holes:
        case "dots":
            known = torch.rand(known.shape, generator=torch.Generator().manual_seed(0)).round()
        case "strokes":
            known[..., 20:25, :] = 0
        case "wide":
            known[..., 10:50, 20:60] = 0
    return known


@pytest.mark.parametrize("holes", ["dots", "strokes", "wide"])
def test_holes_are_told_apart_by_how_far_something_known_is(holes: Holes) -> None:
    assert classify_holes(mask(holes)) == holes


@pytest.mark.parametrize("task", ["denoise", "jpeg", "sr", "deblur", "any other"])
def test_the_published_networks_have_as_many_parameters_as_the_published_code_makes(task: str) -> None:
    assert parameters(choose_plan(task, "paper")) == {"jpeg": 572_827}.get(task, 2_217_831)


@pytest.mark.parametrize(("holes", "number"), [("dots", 2_217_831), ("strokes", 3_002_627), ("wide", 2_157_955)])
def test_the_published_networks_for_holes_suit_their_width(holes: Holes, number: int) -> None:
    assert parameters(choose_plan("inpaint", "paper", Masking(mask(holes)))) == number


@pytest.mark.parametrize("quality", ["fast", "balanced"])
def test_what_is_around_wide_holes_goes_on_in_them(quality: Quality) -> None:
    wide, narrow = (choose_plan("inpaint", quality, Masking(mask(holes))) for holes in ("wide", "strokes"))
    assert (wide.network, wide.start) == (PYRAMID | NO_SKIPS, "mesh-grid")
    assert (narrow.network, narrow.start) == (PYRAMID, "noise")
    assert wide.steps >= 500, "what is far away arrives late"


def test_missing_pixels_are_filled_as_noise_is_taken_away_but_what_is_held_out_says_when() -> None:
    seen = faint(Masking(mask("dots")))
    plan = method("inpaint", quality="fast").plan(seen)
    assert (plan.network, plan.start, plan.steps, plan.stop) == (FINE, "masked", 100, "held-out")


def test_strokes_are_filled_from_noise_however_few_the_steps() -> None:
    plan = choose_plan("inpaint", "fast", Masking(mask("strokes")))
    assert (plan.network, plan.start, plan.steps, plan.optimiser) == (PYRAMID, "noise", 200, "muon")


@pytest.mark.parametrize("task", ["sr", "any other"])
@pytest.mark.parametrize(
    ("quality", "steps", "start", "channels", "number"),
    [("fast", 150, "smoothed", 8, 1_039_595), ("balanced", 1000, "noise", 32, 1_041_815)],
)
def test_faster_settings_fit_the_narrow_network_and_stop_by_held_out_pixels(
    task: str, quality: Quality, steps: int, start: str, channels: int, number: int
) -> None:
    plan = choose_plan(task, quality)
    assert (plan.network, plan.steps, plan.stop, plan.optimiser) == (PYRAMID, steps, "held-out", "muon")
    assert (plan.start, plan.channels) == (start, channels)
    assert parameters(plan) == number


@pytest.mark.parametrize(("quality", "steps"), [("fast", 100), ("balanced", 400)])
def test_noise_is_fitted_from_what_is_around_each_value(quality: Quality, steps: int) -> None:
    plan = choose_plan("denoise", quality)
    assert (plan.network, plan.steps, plan.stop, plan.optimiser) == (FINE, steps, "held-out", "muon")
    assert plan.start == "masked"
    assert parameters(plan) == 1_044_495


def test_few_steps_go_with_little_jitter() -> None:
    fast, balanced = (choose_plan("sr", quality).jitter for quality in ("fast", "balanced"))
    assert fast == 0.01 < balanced == 0.02 < choose_plan("denoise", "paper").jitter == 1 / 30


@pytest.mark.parametrize(("quality", "steps"), [("fast", 180), ("balanced", 3000)])
def test_blocks_of_jpeg_are_not_fitted_in_large_steps(quality: Quality, steps: int) -> None:
    plan = choose_plan("jpeg", quality)
    assert (plan.network, plan.steps, plan.optimiser) == (PYRAMID, steps, "adam")


def test_the_published_settings_are_fitted_by_adam() -> None:
    assert {plan.optimiser for plan in PAPER.values()} == {"adam"}


def method(task: str, name: str = "skip", **options: Any) -> DeepImagePrior:
    """Return the method as a recipe makes it, with the default options of a network."""
    return DeepImagePrior(make_network=NetworkMaker(registry().card(NetworkCard, name), {}), task=task, **options)


def faint(operator: Operator | None = None) -> Observation:
    """A picture with little noise."""
    return Observation(y=torch.rand(1, 3, 16, 16), sigma=5 / 255, operator=operator)


def test_what_is_given_goes_before_what_is_planned() -> None:
    seen = faint(Masking(mask("strokes")))
    plan = method("inpaint", quality="fast", steps=7, start="mesh-grid", jitter=0.1).plan(seen)
    assert (plan.steps, plan.start, plan.jitter, plan.stop) == (7, "mesh-grid", 0.1, "held-out")


def test_what_cannot_be_masked_begins_otherwise_and_is_stopped() -> None:
    assert (method("denoise").plan(faint()).start, method("denoise").plan(faint()).stop) == ("masked", "none")
    pictures_only = method("denoise", "nafnet-compact").plan(faint())
    assert (pictures_only.start, pictures_only.stop) == ("noise", "held-out")
    small = method("sr", start="masked").plan(faint(Downsampler(factor=4)))
    assert (small.start, small.stop) == ("smoothed", "held-out")


def test_a_task_that_is_not_in_the_paper_is_fitted_as_noise_is() -> None:
    assert choose_plan("any other", "paper") == choose_plan("denoise", "paper")


def test_plans_are_not_changed_by_those_who_use_them() -> None:
    before = dict(PYRAMID)
    choose_plan("sr", "fast").network["down"] = ()
    assert PYRAMID == before == choose_plan("sr", "fast").network


def test_networks_that_muon_was_not_tried_on_are_fitted_by_adam_for_longer() -> None:
    plan = choose_plan("denoise", "fast")
    assert (with_adam(plan).optimiser, with_adam(plan).steps) == ("adam", 300)
    assert with_adam(PAPER["sr"]) == PAPER["sr"]
    plan = method("denoise", "dip-unet", quality="fast", lr=0.1).plan(faint())
    assert (plan.optimiser, plan.steps, plan.lr) == ("adam", 300, 0.1)


class Residual(torch.nn.Module):
    """Adds what it learns to what it is shown, unless told not to."""

    def __init__(self, *, residual: bool = True) -> None:
        super().__init__()
        self.residual = residual


def test_the_published_step_is_for_its_own_network_and_others_take_smaller_ones() -> None:
    skip = NetworkMaker(NetworkCard(name="skip", factory="restoration_dip.networks.skip:SkipNet", summary=""), {})
    unet = NetworkMaker(NetworkCard(name="dip-unet", factory="restoration_dip.networks.unet:UNet", summary=""), {})
    assert choose_settings(skip).lr == 0.01 > choose_settings(unet).lr
    assert choose_settings(skip).options == choose_settings(unet).options == {}


def test_there_is_nothing_to_add_a_residual_to_where_noise_is_shown() -> None:
    card = NetworkCard(name="other", factory=f"{__name__}:Residual", summary="")
    assert choose_settings(NetworkMaker(card, {})).options == {"residual": False}
