"""Transparency: hidden colours neither bleed into what is seen nor are they lost, and JPEG gets a background."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from restoration.images import decode, encode, read, write
from restoration.picture import Picture, filled

BLUR = """
import torch
from restoration import RestorerCard, hookimpl


class Blur:
    def __call__(self, observation, rng):
        yield torch.nn.functional.avg_pool2d(observation.y, 5, 1, 2, count_include_pad=False)


@hookimpl
def register_restorers():
    yield RestorerCard(name="blur", factory="blur:Blur", summary="x", needs_weights=False)
"""


def disc(hidden: float, size: int = 40) -> Picture:
    """An even disc of 0.6 with a soft rim; what is hidden around it has another colour."""
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    alpha = (size / 3 - ((x - size / 2) ** 2 + (y - size / 2) ** 2).sqrt()).clamp(0, 1)[None, None]
    pixels = torch.where(alpha > 0, 0.6, hidden).expand(1, 3, size, size).contiguous()
    return Picture(pixels=pixels, alpha=alpha, bits=16)


@pytest.mark.parametrize("hidden", [0.0, 1.0])
def test_hidden_colours_do_not_bleed_into_the_rim(restore, tmp_path, hidden):
    (tmp_path / "blur.py").write_text(BLUR)
    write(disc(hidden), tmp_path / "disc.png")
    how = ("--method", "blur", "--task", "denoise")
    done = restore("--plugin", tmp_path / "blur.py", "run", tmp_path / "disc.png", *how, "-o", tmp_path / "out.png")
    assert done.returncode == 0, done.stderr
    before, after = read(tmp_path / "disc.png"), read(tmp_path / "out.png")
    seen = (after.alpha > 0).expand_as(after.pixels)
    assert float((after.pixels - 0.6)[seen].abs().max()) < 1e-4, "an even disc stays even"
    assert torch.equal(after.alpha, before.alpha)
    assert torch.equal(after.pixels[~seen], before.pixels[~seen]), "what nobody sees is as it was"


def test_what_is_hidden_is_filled_from_around_it():
    picture = disc(0.0)
    whole = filled(picture)
    assert float((whole.pixels - 0.6).abs().max()) < 1e-6
    assert torch.equal(whole.alpha, picture.alpha)
    opaque = Picture(pixels=picture.pixels, alpha=torch.ones_like(picture.alpha))
    assert filled(opaque) is opaque
    assert filled(Picture(pixels=picture.pixels)).alpha is None


def test_a_wholly_transparent_picture_and_odd_sizes_are_filled_with_something():
    for size in ((1, 1), (1, 7), (5, 3), (33, 17)):
        empty = Picture(pixels=torch.rand(1, 3, *size), alpha=torch.zeros(1, 1, *size))
        assert torch.allclose(filled(empty).pixels, torch.tensor(0.5))
        alpha = torch.zeros(1, 1, *size)
        alpha[..., -1, -1] = 0.01
        one = filled(Picture(pixels=torch.rand(1, 3, *size), alpha=alpha))
        assert torch.allclose(one.pixels, one.pixels[..., -1:, -1:].expand_as(one.pixels), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_jpeg_gets_a_white_background(caplog, channels):
    from restoration.images.remarks import once

    once.cache_clear()
    picture = disc(0.0, 64)
    picture = Picture(pixels=picture.pixels[:, :channels], alpha=picture.alpha)
    for _ in range(3):
        back = decode(encode(picture, ".jpg", 100), "x.jpg")
    assert back.alpha is None
    expected = picture.pixels * picture.alpha + 1 - picture.alpha
    assert float((back.pixels - expected).abs().mean()) < 0.01
    assert float(back.pixels[..., :5, :5].min()) > 0.99
    assert caplog.text.count("JPEG has no transparency: what was transparent is white") == 1


def test_an_opaque_picture_becomes_a_jpeg_without_a_word(caplog):
    picture = Picture(pixels=torch.full((1, 3, 16, 16), 0.5), alpha=torch.ones(1, 1, 16, 16))
    encode(picture, ".jpg")
    assert caplog.text == ""


def test_holes_marked_by_transparency_are_filled_and_what_is_known_stays(restore, tmp_path):
    pixels = functional.interpolate(torch.rand(1, 3, 6, 8), (24, 32), mode="bilinear").mul(255).round() / 255
    alpha = torch.ones(1, 1, 24, 32)
    alpha[..., 8:12, 8:20] = 0
    write(Picture(pixels=pixels, alpha=alpha), tmp_path / "holes.png")
    done = restore("run", tmp_path / "holes.png", "-m", "regression", "-t", "inpaint", "-o", tmp_path / "out.png")
    assert done.returncode == 0, done.stderr
    result = read(tmp_path / "out.png")
    known = (alpha == 1).expand_as(pixels)
    assert result.alpha is None
    assert torch.equal(result.pixels[known], pixels[known])
