"""Deep Image Prior as a method: what it gains on small pictures, when it ends, and what it says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from restoration_dip.fit.inputs import MaskedInput, blur_known
from restoration_dip.prior import DeepImagePrior
from torch import Tensor

from restoration import BadOption, Observation, Picture, Restoration, psnr, write
from restoration.engine.adapter import Adapted
from restoration.operators import Masking
from restoration.tasks import make_task, observe
from restoration.testing import RestorerContract, generator, scene

TINY = {"down": [4, 4], "up": [4, 4], "skip": [4, 4]}
SMALL = {"down": [16, 32], "up": [16, 32], "skip": [4, 4]}
COARSE = {"down": [16, 32, 64], "up": [16, 32, 64], "skip": [0, 4, 4], "upsample": "nearest"}
"""Without a skip at full size, so that the network has to make up what is fine."""


class TestDip(RestorerContract):
    name = "dip"
    options: ClassVar[Mapping[str, Any]] = {"steps": 5}
    network: ClassVar[Mapping[str, Any]] = TINY


def dip(task: str, network: Mapping[str, Any], *, time_limit: float | None = None, **options: Any) -> Restoration:
    """Return the method with a network of its own kind, in float32 on the CPU, where the same seed gives the same."""
    options = {f"network.{name}": value for name, value in network.items()} | options
    return Restoration("dip", task, options=options, time_limit=time_limit, precision="fp32", device="cpu")


def gain(restoration: Restoration, seen: Observation, x: Tensor, before: Tensor) -> float:
    """Return by how many decibels the answer is nearer to `x` than `before` is."""
    return psnr(restoration(seen).picture.pixels, x) - psnr(before.clamp(0, 1), x)


def test_noise_falls_by_four_decibels() -> None:
    x = scene(40, 48)
    seen = observe(make_task("denoise", {"sigma": 25}), x, generator())
    assert gain(dip("denoise", SMALL, steps=60, lr=0.03), seen, x, seen.y) > 4


def test_wrong_pixels_are_left_out_of_the_fit_by_themselves() -> None:
    x = scene(32, 40)
    seen = observe(make_task("denoise", {"kind": "impulse", "impulse": 0.2}), x, generator())
    gains = {}
    for norm in ("auto", "l2"):
        result = dip("denoise", SMALL, steps=60, lr=0.03, norm=norm)(seen)
        gains[norm] = psnr(result.picture.pixels, x) - psnr(seen.y, x)
        assert result.told["fitted by"] == ("l1" if norm == "auto" else "l2")
    assert gains["auto"] > 10 and gains["auto"] > gains["l2"] + 3, gains


def test_lost_pixels_are_filled_far_better_than_by_their_mean() -> None:
    x = scene(40, 48)
    seen = observe(make_task("inpaint", {"kind": "pixels", "share": 0.5}), x, generator())
    assert isinstance(seen.operator, Masking)
    known = seen.operator.mask.expand_as(x) == 1
    filled = torch.where(known, x, x[known].mean())
    assert gain(dip("inpaint", SMALL, steps=60, lr=0.03), seen, x, filled) > 5


@pytest.mark.parametrize("downsampling", ["task", "lanczos2"])
def test_an_enlarged_picture_is_sharper_than_by_bicubic_filters(downsampling: str) -> None:
    x = scene(48, 64)
    seen = observe(make_task("sr", {"scale": 4}), x, generator())
    how: dict[str, Any] = {"steps": 60, "stop": "none", "lr": 0.04, "jitter": 0.0, "downsampling": downsampling}
    assert gain(dip("sr", COARSE, **how), seen, x, seen.y) > 0.2


def test_the_blocks_of_jpeg_are_mended() -> None:
    x = scene(40, 48)
    seen = observe(make_task("jpeg", {"quality": 5}), x, generator())
    assert gain(dip("jpeg", SMALL, steps=120, lr=0.02), seen, x, seen.y) > 0.3


def picture(height: int = 20, width: int = 24, seed: int = 0) -> Picture:
    return Picture(pixels=scene(height, width, seed))


def test_after_the_time_limit_the_best_so_far_is_the_answer() -> None:
    result = dip("denoise", TINY, steps=1_000_000, stop="none", time_limit=0.2)(picture())
    assert result.ended == "time limit" and 0 < result.told["of"] < 1_000_000
    assert result.picture.pixels.shape == (1, 3, 20, 24)


def test_a_run_that_is_cut_short_does_not_say_that_it_made_all_steps() -> None:
    assert "stopped by" not in dip("denoise", TINY, steps=1_000_000, time_limit=0.01)(picture()).told
    assert dip("denoise", TINY, steps=3)(picture()).told["stopped by"] == "the number of steps"


def test_every_picture_is_begun_afresh() -> None:
    restoration = dip("denoise", TINY, steps=8)
    first, second = restoration(picture(seed=1)), restoration(picture(seed=2))
    fresh = dip("denoise", TINY, steps=8)(picture(seed=2))
    assert torch.equal(second.picture.pixels, fresh.picture.pixels)
    assert not torch.equal(first.picture.pixels, second.picture.pixels)
    assert second.told["iteration"] == fresh.told["iteration"]


@pytest.mark.parametrize(("quality", "size"), [("fast", (9, 7)), ("balanced", (1, 40)), ("paper", (33, 5))])
def test_a_picture_too_small_for_the_depth_of_the_network_gets_an_answer(quality: str, size: tuple[int, int]) -> None:
    result = dip("denoise", {}, quality=quality, steps=2)(picture(*size))
    assert result.picture.pixels.shape == (1, 3, *size) and result.picture.pixels.isfinite().all()


@pytest.mark.parametrize(
    ("stop", "name"),
    [
        ("held-out", "held-out pixels"),
        ("moving-variance", "moving variance"),
        ("averaged-variance", "averaged variance"),
    ],
)
def test_a_rule_ends_the_fit_and_the_answer_is_its_best_step_not_the_last(stop: str, name: str) -> None:
    guesses: list[Tensor] = []
    x = scene(24, 32)
    seen = observe(make_task("denoise", {"sigma": 50}), x, generator())
    restoration = dip("denoise", SMALL, steps=400, lr=0.05, stop=stop, patience=20)
    result = restoration(seen, observe=lambda guess: guesses.append(guess.clone()))
    best = result.told["iteration"]
    assert result.told["stopped by"] == name
    assert len(guesses) == result.told["of"] == best + max(20, best // 4 if stop == "held-out" else 0) < 400
    assert torch.equal(guesses[-1], guesses[best - 1]) and not torch.equal(guesses[best - 1], guesses[best - 2])
    assert torch.equal(result.picture.pixels, guesses[-1].clamp(0, 1))
    assert psnr(result.picture.pixels, x) > psnr(seen.y.clamp(0, 1), x) + 4


def test_without_a_rule_the_last_step_is_the_answer() -> None:
    result = dip("denoise", TINY, steps=7, stop="none")(picture())
    assert result.ended == "done"
    assert (result.told["iteration"], result.told["of"]) == (7, 7)


def test_outside_inference_mode_and_mixed_precision_it_works_as_inside() -> None:
    made = dip("denoise", TINY, steps=5, stop="none")
    inside = made(picture(), seed=3).picture.pixels
    y = picture().pixels
    *_, outside = made.restorer(Observation(y=y), generator(3))
    assert torch.equal(inside, outside.clamp(0, 1)) and not outside.requires_grad
    options = changed(TINY, steps=5, stop="none")
    mixed = Restoration("dip", "denoise", options=options, precision="bf16", device="cpu")
    assert psnr(mixed(picture(), seed=3).picture.pixels, inside) > 25


def changed(network: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    return {**{f"network.{name}": value for name, value in network.items()}, **options}


def test_the_flash_is_what_the_network_is_shown(tmp_path: Path) -> None:
    write(picture(seed=5), tmp_path / "flash.png")
    made = dip("denoise", TINY, steps=4, flash=str(tmp_path / "flash.png"))
    shown = fitted_to(made, picture().pixels)
    assert float((shown - picture(seed=5).pixels).abs().max()) < 1 / 255


def fitted_to(made: Restoration, y: Tensor) -> Tensor:
    """Return what the network of a fit is shown in its last step, `1 c h w`."""
    shown: list[Tensor] = []
    with torch.nn.modules.module.register_module_forward_pre_hook(
        lambda module, inputs: shown.append(inputs[0].clone()) if isinstance(module, Adapted) else None
    ):
        list(made.restorer(Observation(y=y), generator()))
    return shown[-1]


def test_a_start_says_what_the_network_is_shown() -> None:
    y = picture().pixels
    grid = fitted_to(dip("denoise", TINY, steps=1, start="mesh-grid", jitter=0.0), y)
    assert grid.shape == (1, 2, 20, 24) and float(grid.max()) == 1
    noise = fitted_to(dip("denoise", TINY, steps=1, start="noise", channels=5, jitter=0.0), y)
    assert noise.shape == (1, 5, 20, 24) and 0.09 < float(noise.max()) < 0.1


def test_a_smoothed_start_is_noise_and_blurred_copies_of_the_picture_but_for_what_is_held_out() -> None:
    y = picture(64, 80).pixels
    options = {"steps": 1, "channels": 4, "start": "smoothed", "jitter": 0.0}
    z = fitted_to(dip("denoise", TINY, **options, stop="none"), y)
    assert z.shape == (1, 4 + 9, 64, 80)
    torch.testing.assert_close(z[:, 4:], blur_known(y, torch.ones(1, 1, 64, 80)), rtol=0, atol=1e-6)
    held_out = fitted_to(dip("denoise", TINY, **options), y)
    assert not torch.equal(held_out[:, 4:], z[:, 4:]), "nothing was held out"
    assert psnr(held_out[:, 4:7] + 0.5, y) == pytest.approx(psnr(z[:, 4:7] + 0.5, y), abs=0.3)


def test_a_masked_start_is_what_is_left_of_the_picture_and_is_fitted_to_the_rest() -> None:
    y = picture(32, 40).pixels
    made = dip("denoise", TINY, steps=3, start="masked", stop="none")
    method = made.restorer
    assert isinstance(method, DeepImagePrior)
    _, fit = method.begin(Observation(y=y), method.plan(Observation(y=y)), generator())
    assert isinstance(fit.make_input, MaskedInput)
    answer, loss = fit.step()
    hidden = fit.make_input.hidden > 0
    assert float(hidden.float().mean()) == pytest.approx(0.1, abs=0.02)
    assert loss == pytest.approx(float((answer - y)[hidden].square().mean()), rel=1e-4)
    fit.step()
    assert not torch.equal(fit.make_input.hidden > 0, hidden), "the same was hidden twice"


def test_a_flash_is_fitted_by_adam_as_noise_is(tmp_path: Path) -> None:
    write(picture(seed=5), tmp_path / "flash.png")
    method = dip("denoise", TINY, quality="fast", flash=str(tmp_path / "flash.png")).restorer
    assert isinstance(method, DeepImagePrior)
    plan = method.plan(Observation(y=picture().pixels))
    assert (plan.start, plan.optimiser, plan.steps, plan.stop) == ("noise", "adam", 300, "held-out")


@pytest.mark.parametrize(
    ("damage", "stop"),
    [({"sigma": 10}, "none"), ({"sigma": 35}, "held-out"), ({"kind": "impulse", "impulse": 0.2}, "none")],
)
def test_faint_noise_and_wrong_pixels_are_fitted_to_the_last_step_unless_told_otherwise(
    damage: dict[str, Any], stop: str
) -> None:
    seen = observe(make_task("denoise", damage), scene(64, 80), generator())
    for given, expected in ((None, stop), ("moving-variance", "moving-variance")):
        method = dip("denoise", TINY, **({} if given is None else {"stop": given})).restorer
        assert isinstance(method, DeepImagePrior)
        assert method.plan(seen).stop == expected


def test_noisy_copies_are_shaken_by_a_share_of_their_noise() -> None:
    y = picture(64, 80).pixels
    noisy = y + 0.2 * torch.randn(y.shape, generator=generator())
    options = {"steps": 1, "channels": 4, "start": "smoothed", "stop": "none"}
    still, shaken = (fitted_to(dip("denoise", TINY, **options, jitter=j), noisy) for j in (0.0, 0.01))
    change = (shaken - still).std(dim=(0, 2, 3))
    torch.testing.assert_close(change[:4], torch.full((4,), 0.01), rtol=0.1, atol=0)
    torch.testing.assert_close(change[4:], torch.full((9,), 0.12), rtol=0.1, atol=0)


def test_a_network_that_is_shown_pictures_only_is_shown_noise_of_as_many_channels() -> None:
    small = changed({"width": 8, "encoder": [1], "middle": 1, "decoder": [1]})
    options = {**small, "steps": 1, "jitter": 0.0, "start": "mesh-grid"}
    made = Restoration("dip", "denoise", network="nafnet-compact", options=options)
    noise = fitted_to(made, picture().pixels)
    assert noise.shape == (1, 3, 20, 24) and 0.09 < float(noise.max()) < 0.1


FEW = "steps, channels and pixels must be at least 1, lr above 0 and jitter at least 0"
"""Said of each number that is too small."""
WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "no steps": ("denoise", {"steps": 0}, FEW),
    "no channels": ("denoise", {"channels": 0}, FEW),
    "no rate": ("denoise", {"lr": 0.0}, FEW),
    "less than no jitter": ("denoise", {"jitter": -1.0}, FEW),
    "no pixels": ("inpaint", {"pixels": 0}, FEW),
    "quality": (
        "denoise",
        {"quality": "best"},
        "option 'quality' does not fit: 'best' is not one of fast, balanced, paper",
    ),
    "stop": ("denoise", {"stop": "wmv"}, "option 'stop' does not fit: 'wmv' is not one of held-out, moving"),
    "decay": ("denoise", {"decay": 1.0}, "decay must be in"),
    "levels": ("denoise", {"network.down": [4, 4, 4]}, "down, up and skip have 3, 2 and 2 levels"),
    "misspelt": ("denoise", {"network.dwon": [4]}, "network 'skip' has no option 'dwon'; did you mean 'down'?"),
    "no kernel": ("deblur", {}, "it must know the kernel: --kernel FILE"),
    "no small picture": ("denoise", {"downsampling": "lanczos2"}, "what was measured must be smaller"),
    "a task it is not for": (
        "derain",
        {},
        "made for .*, deblur and other tasks that know their operator, not for derain",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told_in_one_line(case: str) -> None:
    task, options, message = WRONG[case]
    with pytest.raises(BadOption, match=message) as told:
        dip(task, TINY, **{"steps": 2, **options})(picture())
    assert "\n" not in str(told.value)


def test_a_filter_of_super_resolution_does_not_take_the_place_of_a_mask() -> None:
    seen = observe(make_task("inpaint", {"kind": "pixels", "share": 0.5}), scene(20, 24), generator())
    with pytest.raises(BadOption, match="what was measured must be smaller"):
        dip("inpaint", TINY, steps=2, downsampling="lanczos2")(seen)


def test_a_scale_that_does_not_divide_the_picture_is_told_for_filters_of_lanczos() -> None:
    seen = observe(make_task("sr", {"scale": 4}), scene(21, 30), generator())
    assert dip("sr", TINY, steps=2)(seen).picture.pixels.shape == (1, 3, 21, 30)
    with pytest.raises(BadOption, match="21x30 cannot be made 4 times smaller"):
        dip("sr", TINY, steps=2, downsampling="lanczos2")(seen)


def test_the_filters_of_lanczos_work_at_every_scale() -> None:
    for scale in (2, 3, 4, 8):
        made = Restoration(
            "dip", "sr", task_options={"scale": scale}, options=changed(TINY, steps=2, downsampling="lanczos3")
        )
        assert made(picture(5, 6)).picture.pixels.shape == (1, 3, 5 * scale, 6 * scale)


def test_a_flash_of_another_size_is_told_in_one_line(tmp_path: Path) -> None:
    write(picture(9, 12), tmp_path / "flash.png")
    with pytest.raises(BadOption, match="the picture with flash is 12x9, the other 24x20; they must be equal"):
        dip("denoise", TINY, steps=2, flash=str(tmp_path / "flash.png"))(picture())


def test_two_pictures_at_once_are_refused() -> None:
    with pytest.raises(BadOption, match="fitted to one picture at a time"):
        dip("denoise", TINY, steps=2)(Observation(y=torch.rand(2, 3, 8, 8, generator=generator())))


def test_a_picture_without_colours_stays_without() -> None:
    grey = Picture(pixels=scene(20, 24).mean(dim=1, keepdim=True))
    assert dip("denoise", TINY, steps=2)(grey).picture.pixels.shape == (1, 1, 20, 24)
