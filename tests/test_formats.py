"""Formats of results: the picture's own, or the one asked for; about as finely compressed as the picture was."""

from __future__ import annotations

import os

import made
import pytest
import pyvips
import torch

from restoration.errors import BadPicture
from restoration.images import decode, encode, is_picture, read, readable, writable, write
from restoration.images.codec import check
from restoration.images.formats import FORMATS, SUFFIXES, by_suffix
from restoration.picture import Compression, Picture

SCENE = made.scene(64, 96)
FINE = (SCENE.float() + 20 * torch.randn(SCENE.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 255)
NOISY = FINE.round().to(torch.uint8)


def tables(data: bytes) -> list[bytes]:
    return [content for marker, content in made.segments(data) if marker == 0xDB]


def sampling(data: bytes) -> bytes:
    frame = next(content for marker, content in made.segments(data) if marker in (0xC0, 0xC1, 0xC2))
    return frame[6:]


@pytest.mark.parametrize("halved", [True, False])
@pytest.mark.parametrize("quality", [50, 60, 75, 85, 92, 95, 98, 100])
def test_a_jpeg_goes_out_at_the_quality_and_sampling_it_came_in_with(quality, halved):
    data = made.jpeg(NOISY, Q=quality, subsample_mode="on" if halved else "off")
    picture = decode(data, "x.jpg")
    assert picture.compression == Compression(quality=quality, halved_colours=halved)
    again = encode(picture, ".jpg")
    assert tables(again) == tables(data) and sampling(again) == sampling(data)
    assert len(again) < 1.1 * len(data) + 100


def test_a_progressive_jpeg_stays_progressive_and_a_grey_one_grey():
    data = encode(decode(made.jpeg(NOISY, interlace=True), "x.jpg"), ".jpg")
    assert any(marker == 0xC2 for marker, _ in made.segments(data))
    assert decode(encode(decode(made.jpeg(NOISY[..., :1]), "x.jpg"), ".jpg"), "x.jpg").pixels.shape == (1, 1, 64, 96)


def test_tables_of_other_makers_are_matched_by_their_coarseness():
    data = bytearray(made.jpeg(NOISY, Q=80))
    place = data.find(b"\xff\xdb") + 5
    table = data[place : place + 64]
    data[place : place + 64] = bytes(max(1, value + (-2 if n % 2 else 2)) for n, value in enumerate(table))
    assert abs(decode(bytes(data), "x.jpg").compression.quality - 80) <= 1


def test_a_jpeg_that_came_in_worse_than_50_goes_out_at_50():
    data = encode(decode(made.jpeg(NOISY, Q=10), "x.jpg"), ".jpg")
    assert decode(data, "x.jpg").compression.quality == 50


def test_a_picture_that_was_no_jpeg_becomes_one_of_95():
    assert decode(encode(decode(made.png(NOISY), "x.png"), ".jpg"), "x.jpg").compression.quality == 95


def test_a_lossless_webp_stays_lossless_and_a_lossy_one_lossy():
    lossless = made.vips(NOISY).webpsave_buffer(lossless=True)
    picture = decode(lossless, "x.webp")
    again = decode(encode(picture, ".webp"), "x.webp")
    assert torch.equal(again.pixels, picture.pixels) and again.compression.lossless
    assert not decode(encode(decode(made.vips(NOISY).webpsave_buffer(), "x"), ".webp"), "x.webp").compression.lossless
    assert len(encode(picture, ".webp", 50)) < len(lossless) / 3, "unless a quality is asked for"


ECHO = """
from restoration import RestorerCard, hookimpl


class Echo:
    def __call__(self, observation, rng):
        yield observation.y


@hookimpl
def register_restorers():
    yield RestorerCard(name="echo", factory="echo:Echo", summary="x", needs_weights=False)
"""


@pytest.mark.parametrize(("task", "quality"), [("jpeg", 95), ("denoise", 60)])
def test_damage_by_compression_is_not_done_again(restore, tmp_path, task, quality):
    (tmp_path / "echo.py").write_text(ECHO)
    (tmp_path / "coarse.jpg").write_bytes(made.jpeg(NOISY, Q=60))
    done = restore(
        "--plugin", tmp_path / "echo.py", "run", tmp_path / "coarse.jpg", "-m", "echo", "-t", task, "--accept"
    )
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "coarse.restored.jpg").compression.quality == quality


@pytest.fixture
def quick(restore, weights):
    def run(*arguments, **keywords):
        how = ("-m", "ir-sde", "-t", "derain", "--weights", weights, "--steps", 1, "--accept")
        return restore("run", *arguments, *how, **keywords)

    return run


def test_the_quality_and_the_format_of_results_can_be_asked_for(quick, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(made.png(NOISY))
    (tmp_path / "in" / "b.jpg").write_bytes(made.jpeg(NOISY))
    done = quick(tmp_path / "in", "-o", f"{tmp_path}/out/", "--format", "webp", "--jpeg-quality", 30)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path / "out")) == ["a.webp", "b.webp"]
    assert quick(tmp_path / "in" / "b.jpg", "--jpeg-quality", 30).returncode == 0
    assert read(tmp_path / "in" / "b.restored.jpg").compression.quality == 30
    piped = quick("-", "--format", ".JPG", "--jpeg-quality", 77, input=made.png(NOISY), text=False)
    assert piped.returncode == 0, piped.stderr
    assert decode(piped.stdout, "x").compression.quality == 77
    wrong = quick(tmp_path / "in" / "a.png", "--format", "docx")
    assert wrong.returncode == 2 and "'docx' is none of png, " in wrong.stderr
    assert quick(tmp_path / "in" / "a.png", "--jpeg-quality", 0).returncode == 2


def test_folders_hold_the_pictures_that_are_read_when_they_are_named(quick, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(made.png(SCENE))
    (folder / "b.JFIF").write_bytes(made.jpeg(SCENE))
    (folder / "c.gif").write_bytes(made.vips(SCENE).gifsave_buffer())
    (folder / "d.avif").write_bytes(made.vips(SCENE).heifsave_buffer(compression="av1"))
    (folder / "._a.png").write_bytes(b"what macOS notes about a file")
    (folder / "notes.txt").write_text("no picture")
    done = quick(folder, "-o", f"{tmp_path}/out/")
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "b.jfif", "c.gif", "d.avif"]


def test_every_format_that_can_be_written_can_be_read_again():
    for suffix in writable():
        picture = Picture(pixels=SCENE.permute(2, 0, 1)[None] / 255)
        data = encode(picture, suffix)
        assert float((decode(data, f"x{suffix}").pixels - picture.pixels).abs().mean()) < 0.02, suffix
        assert suffix in readable()
    assert set(SUFFIXES) <= set(writable())


def test_suffixes_belong_to_one_format_and_formats_ask_libvips():
    suffixes = [suffix for one in FORMATS for suffix in one.suffixes]
    assert len(suffixes) == len(set(suffixes))
    for one in FORMATS:
        assert one.readable == bool(pyvips.type_find("VipsOperation", one.loader))
    assert by_suffix(".jpeg").name == "JPEG" and by_suffix(".docx") is None


def test_a_picture_in_a_folder_is_known_by_its_suffix():
    assert is_picture("A.PNG") and is_picture("x.jpe")
    assert not is_picture("._A.png") and not is_picture("x.svg") and not is_picture("png")


def test_what_a_format_does_not_hold_is_refused_with_one_that_does():
    wide = Picture(pixels=torch.zeros(1, 1, 2, 65_536))
    for target, side in ((".webp", 16383), (".jpg", 65535), (".avif", 16384)):
        with pytest.raises(BadPicture, match=f"holds at most {side} pixels a side, not 65536x2"):
            check(wide, target)
    assert check(wide, ".png").name == "PNG"
    with pytest.raises(BadPicture, match=r"cannot write \.docx; use one of \.png"):
        encode(wide, ".docx")


def test_a_picture_too_wide_for_its_format_does_not_stop_a_batch(quick, tmp_path):
    write(Picture(pixels=torch.zeros(1, 3, 2, 16_384)), tmp_path / "wide.png")
    write(Picture(pixels=SCENE.permute(2, 0, 1)[None] / 255), tmp_path / "z.png")
    done = quick(tmp_path / "wide.png", tmp_path / "z.png", "-o", f"{tmp_path}/out/", "--format", "webp")
    assert done.returncode == 1
    assert "would be 16384x2, and WebP holds 16383 pixels a side" in done.stderr
    assert os.listdir(tmp_path / "out") == ["z.webp"]
