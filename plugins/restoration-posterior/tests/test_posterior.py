"""The prior, and what the three methods make of pictures with known damage."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from restoration_posterior.prior import Prior
from restoration_posterior.problem import fill, pose
from torch import Tensor
from torch.testing import assert_close

from restoration import BadOption, BadWeights, Observation, Picture, Restoration, psnr
from restoration.operators import Masking
from restoration.recipe import default_recipe
from restoration.registry import registry
from restoration.registry.cards import ObjectiveCard, ScheduleCard
from restoration.tasks import make_task, observe
from restoration.testing import generator, scene
from restoration.weights import save

METHODS = ("ddrm", "diffpir", "dps")
DAMAGE: dict[str, tuple[str, dict[str, Any]]] = {
    "sr": ("sr", {"scale": 2}),
    "deblur": ("deblur", {"kind": "shake", "extent": 9.0, "noise": 1.0}),
    "text": ("inpaint", {"kind": "text"}),
    "noise": ("denoise", {"sigma": 25.0}),
}


class Perfect:
    """A network that knows the clean image, and keeps the states that it was shown."""

    def __init__(self, x: Tensor) -> None:
        self.x = x
        self.shown: list[tuple[Tensor, float]] = []

    def __call__(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        self.shown.append((x, float(t)))
        return self.x


def schedule(name: str, **options: Any) -> Any:
    return registry().card(ScheduleCard, name).build(options)


def prior(network: Any, name: str = "denoising-sde", **options: Any) -> Prior:
    objective = registry().card(ObjectiveCard, "clean-matching").build()
    return Prior(network=network, schedule=schedule(name, **options), objective=objective)


@pytest.mark.parametrize("name", ["denoising-sde", "ddpm"])
def test_every_noise_has_a_time_that_the_network_was_trained_at(name: str) -> None:
    one = prior(None, name)
    times = one.times(0.2, 0.01, 12)
    steps = times * schedule(name).T
    assert_close(steps, steps.round())
    assert (times.diff() < 0).all() and float(times[-1]) == 0
    sigmas = one.sigmas(times)
    assert sigmas[0] == pytest.approx(0.2, rel=0.1) and sigmas[-2] == pytest.approx(0.01, rel=0.3) and sigmas[-1] == 0


def test_noise_beyond_what_it_knows_begins_at_the_strongest() -> None:
    one = prior(None, max_sigma=50.0)
    assert one.strongest == pytest.approx(50 / 255, rel=0.01)
    assert one.sigmas(one.times(3.0, 0.0, 5))[0] == one.strongest
    assert len(one.times(1e-9, 1e-9, 5)) == 2


def test_on_a_path_that_shrinks_the_network_sees_the_state_of_the_path() -> None:
    x = scene(16, 16)
    network = Perfect(x)
    one, z, time = prior(network, "ddpm"), scene(16, 16, seed=1), torch.tensor(0.3, dtype=torch.float64)
    assert torch.equal(one.clean(z, time), x)
    shown, t = network.shown[0]
    assert t == pytest.approx(0.3)
    assert_close(shown, z * float(schedule("ddpm").at(time)[0]))


def test_a_schedule_with_the_degraded_picture_in_it_is_no_prior() -> None:
    with pytest.raises(ValueError, match="trained on noise alone"):
        prior(None, "mean-reverting")


def test_holes_are_filled_from_around_and_the_rest_stays() -> None:
    y, mask = torch.full((1, 3, 21, 34), 0.25), torch.ones(1, 1, 21, 34)
    y[..., 17:] = 0.75
    mask[..., 5:15, 8:26] = 0
    filled = fill(torch.where(mask > 0, y, 1.0), mask)
    assert torch.equal(filled[mask.expand_as(y) > 0], y[mask.expand_as(y) > 0])
    assert float(filled.min()) >= 0.25 and float(filled.max()) <= 0.75
    assert filled[0, 0, 10, 9] < 0.4 < 0.6 < filled[0, 0, 10, 24]


def test_a_map_of_noise_weights_what_was_measured() -> None:
    y, sigma = scene(8, 8), torch.full((1, 1, 8, 8), 0.1)
    sigma[..., 4:] = 0.2
    problem = pose(Observation(y=y, sigma=sigma), "denoise", None)
    assert problem.sigma == pytest.approx(0.1)
    assert isinstance(problem.operator, Masking)
    assert_close(problem.operator.mask, (0.1 / sigma))
    assert_close(problem.operator(y), problem.y)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_brings_pictures_nearer_to_the_clean_ones(method: str, damage: str) -> None:
    task, options = DAMAGE[damage]
    told = {"scale": 2} if task == "sr" else {}
    x = scene(48, 64)
    seen = observe(make_task(task, options), x, generator())
    restoration = Restoration(method, task, task_options=told, steps=8, precision="fp32")
    result = restoration(seen)
    assert result.weights == "denoising-ode/denoise"
    assert 0 < result.evaluations <= 8
    assert psnr(result.picture.pixels, x) > psnr(seen.y.clamp(0, 1), x) + 0.1


@pytest.mark.parametrize("method", METHODS)
def test_any_scale_can_be_asked_for_since_a_prior_knows_none(method: str) -> None:
    small = scene(12, 14)
    large = Restoration(method, "sr", task_options={"scale": 5}, steps=3, precision="fp32")(Picture(pixels=small))
    assert large.picture.pixels.shape == (1, 3, 60, 70)
    again = observe(make_task("sr", {"scale": 5}), large.picture.pixels, generator())
    assert psnr(again.y[..., 2::5, 2::5].clamp(0, 1), small) > 25


@pytest.mark.parametrize("method", METHODS)
def test_inside_and_outside_mixed_precision_it_differs_by_little_and_leaves_no_trace(method: str) -> None:
    x = scene(40, 48)
    seen = observe(make_task("deblur", {"kind": "defocus", "extent": 7.0, "noise": 1.0}), x, generator())
    results = []
    for precision in ("fp32", "bf16"):
        walk = Restoration(method, "deblur", steps=3, precision=precision)
        results.append(walk(seen).picture.pixels)
        assert not torch.is_autocast_enabled("cpu") and torch.is_grad_enabled()
    assert psnr(*results) > 35


def test_an_unknown_kernel_is_an_error_with_what_to_give() -> None:
    with pytest.raises(BadOption, match=r"ddrm.*give the kernel of the blur, --kernel FILE"):
        Restoration("ddrm", "deblur")(Picture(pixels=scene(16, 16)))


def test_an_operator_without_singular_values_is_for_the_other_two() -> None:
    class Halving:
        def __call__(self, x: Tensor) -> Tensor:
            return x / 2

        adjoint = __call__

    x = scene(32, 40)
    seen = Observation(y=x / 2, operator=Halving(), sigma=0.0)
    with pytest.raises(BadOption, match=r"singular values of a Halving are not known; take diffpir or dps"):
        Restoration("ddrm", "sr")(seen)
    for method in ("diffpir", "dps"):
        found = Restoration(method, "sr", steps=4)(seen).picture.pixels
        assert psnr(found, x) > psnr(x / 2, x) + 6


def test_weights_that_need_the_degraded_picture_are_refused() -> None:
    for name in ("ir-sde/denoise", "regression/sr"):
        with pytest.raises(BadWeights, match=f"{name} is no prior for ddrm.*denoising-ode/denoise is one"):
            Restoration("ddrm", "sr", weights=name)


def test_any_weights_of_noise_alone_serve(tmp_path: Any) -> None:
    from msgspec import structs

    from restoration import Part
    from restoration.recipe import build_parts

    recipe = default_recipe("denoising-sde", "denoise")
    small = {"width": 8, "encoder": [1], "middle": 1, "decoder": [1]}
    recipe = structs.replace(recipe, network=Part("nafnet-compact", small), schedule=Part("ddpm", {"T": 200}))
    network = build_parts(recipe).network
    assert network is not None
    save(tmp_path / "prior", recipe, network.network, "a prior")
    result = Restoration("diffpir", "inpaint", weights=str(tmp_path / "prior"), steps=2)(
        Picture(pixels=scene(24, 24), alpha=(scene(24, 24, seed=2)[:, :1] > 0.4).float())
    )
    assert result.evaluations == 2 and math.isfinite(float(result.picture.pixels.sum()))


def test_without_the_plugin_of_the_prior_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found = registry().card

    def card(_: object, kind: Any, name: str) -> Any:
        one = found(kind, name)
        return replace(one, prior="nobody/denoise") if name == "dps" else one

    monkeypatch.setattr(type(registry()), "card", card)
    with pytest.raises(BadWeights, match=r"the prior of dps: .*'nobody/denoise'.*--weights"):
        Restoration("dps", "denoise")


@pytest.mark.parametrize(
    ("method", "options"), [("ddrm", {"eta_b": 2.0}), ("diffpir", {"weight": 0.0}), ("dps", {"length": -1.0})]
)
def test_options_out_of_range_are_refused(method: str, options: dict[str, float]) -> None:
    with pytest.raises(BadOption, match=next(iter(options)).split("_")[0]):
        Restoration(method, "denoise", options=options)
