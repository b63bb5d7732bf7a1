"""Pictures as programs have them: arrays, tensors, images of PIL and paths go in, and come out in the same form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from small import picture

from restoration import BadOption, BadPicture, Picture, Restoration, restore, write
from restoration.images.given import picture_of
from restoration.picture import to_levels

LEVELS = (picture(40, 48).pixels[0].permute(1, 2, 0) * 255).round().to(torch.uint8)


def forms() -> dict[str, Any]:
    """The same picture in many forms."""
    array = LEVELS.numpy()
    floats = (LEVELS.float() / 255).permute(2, 0, 1)
    return {
        "uint8": array,
        "uint16": array.astype(np.uint16) * 257,
        "float32": array.astype(np.float32) / 255,
        "float64, big-endian": (array / 255).astype(">f8"),
        "a view": array[::-1][::-1],
        "with alpha": np.dstack([array, np.full(array.shape[:2], 255, np.uint8)]),
        "tensor": floats,
        "tensor of a batch": floats[None],
        "tensor of levels": LEVELS.permute(2, 0, 1).contiguous(),
        "PIL": PIL.Image.fromarray(array),
        "PIL with alpha": PIL.Image.fromarray(array).convert("RGBA"),
    }


def levels_of(pixels: torch.Tensor) -> Any:
    """Return levels of 8 bits, `h w c`."""
    return to_levels(pixels)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("form", forms())
def test_a_picture_is_the_same_in_every_form_and_comes_back_in_it(form: str) -> None:
    given = forms()[form]
    found, back = picture_of(given)
    assert torch.allclose(found.pixels, LEVELS.permute(2, 0, 1)[None].float() / 255, atol=1e-6)
    again = back(found)
    assert type(again) is type(given)
    if isinstance(given, PIL.Image.Image):
        assert again.mode == given.mode and again.tobytes() == given.tobytes()
    else:
        assert again.dtype == given.dtype and again.shape == given.shape
        assert np.allclose(np.asarray(again, dtype=float), np.asarray(given, dtype=float), atol=1e-6)


def test_grey_pictures_keep_their_shape() -> None:
    for given in (LEVELS[..., 0].numpy(), LEVELS[..., :1].numpy(), PIL.Image.fromarray(LEVELS[..., 0].numpy())):
        found, back = picture_of(given)
        assert found.pixels.shape == (1, 1, 40, 48)
        assert np.array_equal(np.asarray(back(found)), np.asarray(given))


def test_paths_bytes_and_pictures_become_pictures(tmp_path: Path) -> None:
    write(Picture(pixels=LEVELS.permute(2, 0, 1)[None].float() / 255), tmp_path / "a.png")
    for given in (tmp_path / "a.png", str(tmp_path / "a.png"), (tmp_path / "a.png").read_bytes()):
        found, back = picture_of(given)
        assert torch.equal(found.pixels, LEVELS.permute(2, 0, 1)[None].float() / 255) and back(found) is found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros((4, 5, 6), np.uint8), "channels (1 to 4), not (4, 5, 6)"),
        (np.zeros((2, 40, 48, 3), np.uint8), "one at a time"),
        (np.zeros((40, 48), np.int64), "is of int64; a picture is of uint8"),
        (np.zeros((40, 48), complex), "holds no numbers of a picture"),
        (np.full((40, 48), 255.0, np.float32), "from 255 to 255; they must be from 0 to 1"),
        (np.full((40, 48), np.nan, np.float32), "not finite"),
        (np.zeros((0, 48, 3), np.uint8), "has no pixels"),
        (torch.zeros(40, 48, 3), "c h w or 1 c h w"),
        (torch.zeros(2, 3, 40, 48), "one at a time"),
        (torch.full((3, 4, 4), -0.2), "from -0.2 to -0.2"),
        (PIL.Image.new("CMYK", (4, 4)), "the mode CMYK has no certain colours"),
        (7, "a picture is a path, bytes, an array of numpy, a tensor of torch or an image of PIL, not int"),
        (None, "not NoneType"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(given: object, said: str) -> None:
    with pytest.raises(BadPicture) as caught:
        picture_of(given)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_of_pil_is_turned_upright(orientation: int, tmp_path: Path) -> None:
    image = PIL.Image.fromarray(LEVELS.numpy())
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    given = PIL.Image.open(tmp_path / "a.png")
    found, back = picture_of(given)
    upright, _ = picture_of(tmp_path / "a.png")
    assert torch.equal(found.pixels, upright.pixels)
    again = back(found)
    assert again.size == (found.pixels.shape[-1], found.pixels.shape[-2]) and 0x0112 not in again.getexif()


def test_restore_gives_what_it_takes(weights: Path) -> None:
    how = {"weights": str(weights), "device": "cpu", "steps": 2, "precision": "fp32"}
    expected = restore(Picture(pixels=LEVELS.permute(2, 0, 1)[None].float() / 255), "ir-sde", "derain", **how)
    assert expected.image is expected.picture and "image" not in expected.facts()
    for form in ("uint8", "PIL", "tensor of a batch"):
        found = restore(forms()[form], "ir-sde", "derain", **how).image
        assert type(found) is type(forms()[form])
        levels = np.asarray(found) if form != "tensor of a batch" else levels_of(found)
        assert np.array_equal(levels, levels_of(expected.picture.pixels))


def test_what_a_method_does_not_use_is_refused_and_names_those_that_do() -> None:
    made = Restoration("regression", "denoise", task_options={"sigma": 25}, device="cpu")
    with pytest.raises(
        BadOption,
        match=r"method 'regression' does not use --sigma; .*denoising-ode, denoising-sde, .*dip, .*do",
    ):
        made(LEVELS.numpy())


@pytest.mark.parametrize(("task", "scale"), [("sr", 5), ("sr", 8)])
def test_a_scale_that_weights_were_not_trained_with_is_refused(task: str, scale: int) -> None:
    with pytest.raises(BadOption, match=f"regression/sr was trained to enlarge 2, 3, 4 times, not {scale}"):
        Restoration("regression", task, task_options={"scale": scale}, device="cpu")


@pytest.mark.parametrize("options", [{"quality": "fast"}, {"steps": 5}])
def test_an_option_of_other_methods_names_them(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match=r"method 'regression' has no option .*; it belongs to .*dip"):
        Restoration("regression", "denoise", options=options)
