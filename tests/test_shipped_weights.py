"""The weights that come with the plugins do what their cards say, on pictures they were not trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from restoration.images import read
from restoration.metrics import psnr
from restoration.picture import Picture
from restoration.registry import registry
from restoration.registry.cards import WeightsCard
from restoration.runtime import Restoration
from restoration.tasks import make_task, observe
from restoration.weights import MODEL, bundled

EXAMPLES = Path(__file__).parents[1] / "examples" / "derain"
METHODS = ("ir-sde", "regression")
CARDS = [card for card in registry().cards(WeightsCard) if card.default]
"""Weights for photographs; those that are no default are of another kind of picture."""
GAINS = {
    "derain": (9, {"strength": 0.15}),
    "deblur": (0.3, {"kind": "shake", "extent": 9.0}),
    "denoise": (9, {"sigma": 25.0}),
    "sr": (0.8, {"scale": 4}),
    "inpaint": (12, {"kind": "thin", "share": 0.2}),
    "dehaze": (3, {"thickness": 1.0}),
    "jpeg": (0.8, {"quality": 10.0}),
}
"""By task: how many dB the weights gain at least on a photograph that they never saw, damaged in this way."""


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pair(name: str) -> tuple[Picture, Picture]:
    """Return a rainy picture and the clean one."""
    return read(EXAMPLES / "rain" / f"{name}.png"), read(EXAMPLES / "clean" / f"{name}.png")


def crop(picture: Picture, side: int) -> Picture:
    return picture.with_pixels(picture.pixels[..., 50 : 50 + side, 50 : 50 + side].contiguous())


@pytest.mark.parametrize("name", ["hopper", "bridge"])
@pytest.mark.parametrize("method", METHODS)
def test_rain_goes_away(method, name):
    rainy, clean = (crop(one, 224) for one in pair(name))
    result = Restoration(method, "derain", device="cpu")(rainy)
    before, after = (psnr(image.pixels, clean.pixels, space="y") for image in (rainy, result.picture))
    assert after > before + 9, f"PSNR-Y (border 0) {before:.2f} -> {after:.2f} dB"
    assert result.evaluations == (10 if method == "ir-sde" else 1)


def furthest(side: int, *tiles: int, **how: Any) -> float:
    """Return how far the answers by windows are from that to the whole picture, in levels of 255."""
    rainy = crop(pair("hopper")[0], side)
    whole, *others = (
        Restoration(task="derain", device="cpu", tile=t, **how)(rainy).picture.pixels for t in (0, *tiles)
    )
    return max(float((other - whole).abs().max()) for other in others) * 255


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("how", [{"method": "ir-sde", "steps": 2}, {"method": "regression"}], ids=METHODS)
def test_windows_and_the_whole_picture_agree_to_one_level(how, precision):
    assert furthest(240, 128, 192, precision=precision, **how) <= 1.001


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "levels"), [("fp32", 1.001), ("bf16", 2.001)])  # bf16 rounds at every step
def test_after_a_whole_walk_windows_of_a_larger_picture_agree_too(precision, levels):
    assert furthest(400, 128, 256, precision=precision, method="ir-sde") <= levels


def test_one_evaluation_of_the_walk_is_what_regression_answers():
    rainy, clean = crop(pair("hopper")[0], 224), crop(pair("hopper")[1], 224).pixels
    walk = Restoration("ir-sde", "derain", device="cpu", steps=1)(rainy).picture.pixels
    direct = Restoration("regression", "derain", device="cpu")(rainy).picture.pixels
    assert abs(psnr(walk, clean) - psnr(direct, clean)) < 1.5
    assert psnr(walk, direct) > 27


@pytest.mark.slow
def test_a_hundred_evaluations_are_no_better_than_ten():
    rainy, clean = pair("bridge")[0], pair("bridge")[1].pixels
    ten = Restoration("ir-sde", "derain", device="cpu")(rainy).picture.pixels
    hundred = Restoration("ir-sde", "derain", device="cpu", steps=100, sampler="posterior")(rainy).picture.pixels
    assert psnr(hundred, clean) < psnr(ten, clean) + 0.5


@pytest.mark.parametrize("method", METHODS)
def test_small_grey_and_odd_pictures_are_restored(method):
    restoration = Restoration(method, "derain", device="cpu", precision="fp32")
    for size in ((1, 1), (7, 5), (33, 47)):
        grey = Picture(pixels=torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(0)))
        assert restoration(grey).picture.pixels.shape == (1, 1, *size)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_set_of_weights_mends_the_damage_of_its_task(card):
    gain, options = GAINS[card.task]
    clean = crop(pair("hopper")[1], 192).pixels
    observed = observe(make_task(card.task, options), clean, torch.Generator().manual_seed(1))
    restored = Restoration(card.method, card.task, task_options=options, device="cpu")(observed).picture.pixels
    before, after = psnr(observed.y.clamp(0, 1), clean), psnr(restored, clean)
    if card.method == "denoising-sde":
        gain -= 3  # it draws one likely picture, not the mean of all
    assert after > before + gain, f"PSNR (RGB, border 0) {before:.2f} -> {after:.2f} dB"
    shift = (restored - clean).mean(dim=(2, 3))
    assert float((shift - shift.mean()).abs().max()) < 0.04, "the colours shifted"
    assert float(shift.abs().max()) < (0.17 if card.task == "dehaze" else 0.05), "the brightness shifted"


@pytest.mark.parametrize("method", ["regression", "ir-sde", "denoising-ode"])
def test_noise_that_a_file_cut_off_at_black_takes_most_of_its_brightness_with_it(method):
    clean = pair("bridge")[1].pixels[..., 160:352, 288:480].contiguous()
    noisy = make_task("denoise", {"sigma": 50.0, "clipped": 1.0})(clean, torch.Generator().manual_seed(1))
    restored = Restoration(method, "denoise", device="cpu")(Picture(pixels=noisy)).picture.pixels
    before, after = (float((image - clean).mean(dim=(2, 3)).abs().max()) * 255 for image in (noisy, restored))
    assert before > 15
    assert after < 0.6 * before


@pytest.mark.parametrize("method", METHODS)
def test_the_noise_of_a_camera_goes_too(method):
    clean = crop(pair("hopper")[1], 192).pixels
    noisy = make_task("denoise", {"kind": "camera", "camera_gain": 0.01})(clean, torch.Generator().manual_seed(3))
    restored = Restoration(method, "denoise", device="cpu")(Picture(pixels=noisy)).picture.pixels
    assert psnr(restored, clean) > psnr(noisy, clean) + 2.4


def test_windows_are_as_large_as_the_view_of_the_network_at_hand():
    halos = [Restoration("regression", task, device="cpu").tiled.halo for task in ("derain", "dehaze")]
    assert halos == [96, 256]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_says_how_the_weights_were_made_and_what_they_reach(card):
    folder = bundled(card)
    text = (folder.path / "README.md").read_text(encoding="utf-8")
    recipe = folder.recipe()
    named = f"{recipe.method.name}/{recipe.task.name}"
    for words in (named, "license: mit", "PSNR", "steps", "seed", "restore train", "restore audit"):
        assert words in text, words
    assert folder.size() <= 4e6
    assert recipe.training["steps"] > 500


@pytest.mark.parametrize("card", registry().cards(WeightsCard), ids=lambda card: card.name)
def test_every_set_of_weights_says_what_it_was_trained_with_so_that_another_recipe_is_refused(card):
    folder = bundled(card)
    with safe_open(folder.path / MODEL, "pt") as tensors:
        assert json.loads(tensors.metadata()["trained"]) == json.loads(json.dumps(folder.recipe().trained()))
