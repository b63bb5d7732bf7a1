"""Files to tensors and back: nothing is lost, and bad files are told in one line."""

from __future__ import annotations

import os
import struct
import sys
import zlib
from dataclasses import replace

import pytest
import pyvips
import torch

from restoration.errors import BadPicture, RestorationError
from restoration.images import decode, encode, read, read_levels, read_size, write
from restoration.images.formats import SUFFIXES
from restoration.picture import Picture


def noise(channels: int, bits: int, height: int = 9, width: int = 13) -> torch.Tensor:
    top = 2**bits - 1
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, top + 1, (1, channels, height, width), generator=rng).float() / top


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 16])
def test_lossless_formats_keep_every_pixel_at_8_and_16_bits(tmp_path, suffix, channels, bits):
    pixels = noise(channels, bits)
    path = tmp_path / f"picture{suffix}"
    write(Picture(pixels=pixels, bits=bits), path)
    back = read(path)
    assert back.bits == bits
    assert torch.equal(back.pixels, pixels)
    assert back.alpha is None


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats_keep_a_smooth_picture_within_a_few_levels(tmp_path, suffix):
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64).contiguous()
    path = tmp_path / f"picture{suffix}"
    write(Picture(pixels=ramp, bits=16), path)
    back = read(path)
    assert back.bits == 8
    assert float((back.pixels - ramp).abs().max()) < 6 / 255


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 16])
def test_alpha_is_carried_through(tmp_path, channels, bits):
    picture = Picture(pixels=noise(channels, bits), alpha=noise(1, bits), bits=bits)
    write(picture, tmp_path / "picture.png")
    back = read(tmp_path / "picture.png")
    assert torch.equal(back.pixels, picture.pixels)
    assert torch.equal(back.alpha, picture.alpha)


def test_alpha_goes_where_the_format_has_no_place_for_it(tmp_path):
    write(Picture(pixels=noise(3, 8), alpha=noise(1, 8)), tmp_path / "picture.jpg")
    assert read(tmp_path / "picture.jpg").alpha is None


def test_alpha_stays_as_it_is_or_is_resized_with_the_pixels():
    picture = Picture(pixels=noise(3, 8), alpha=noise(1, 8))
    assert picture.with_pixels(noise(3, 8)).alpha is picture.alpha
    assert Picture(pixels=noise(3, 8)).with_pixels(noise(3, 8, 20, 20)).alpha is None
    for size in ((18, 26), (5, 4), (1, 1), (40, 3)):
        assert picture.with_pixels(noise(3, 8, *size)).alpha.shape == (1, 1, *size)
        even = replace(picture, alpha=torch.full((1, 1, 9, 13), 0.25)).with_pixels(noise(3, 8, *size))
        assert torch.allclose(even.alpha, torch.tensor(0.25))
    half = (torch.arange(12) < 6).float().expand(1, 1, 8, 12)
    large = Picture(pixels=noise(3, 8, 8, 12), alpha=half).with_pixels(noise(3, 8, 16, 24)).alpha
    assert torch.equal(large[..., :11], torch.ones(1, 1, 16, 11))
    assert torch.equal(large[..., 13:], torch.zeros(1, 1, 16, 11))
    assert torch.equal(large[..., 11:13], torch.tensor([0.75, 0.25]).expand(1, 1, 16, 2))


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_a_lower_quality_makes_a_smaller_file_further_from_the_picture(suffix):
    picture = Picture(pixels=noise(3, 8, 64, 64))
    sizes, errors = [], []
    for quality in (5, 50, 95):
        data = encode(picture, suffix, quality)
        sizes.append(len(data))
        errors.append(float((decode(data, "picture").pixels - picture.pixels).square().mean()))
    assert sizes == sorted(sizes) and sizes[0] < sizes[2] / 2
    assert errors == sorted(errors, reverse=True) and errors[0] > 1.2 * errors[2]
    assert encode(picture, suffix) == data, "95 if not said"


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_the_colour_profile_is_kept(tmp_path, suffix):
    image = pyvips.Image.black(16, 16, bands=3).copy(interpretation="srgb").icc_transform("p3", input_profile="srgb")
    profile = image.get("icc-profile-data")
    (tmp_path / "in.png").write_bytes(image.write_to_buffer(".png"))
    picture = read(tmp_path / "in.png")
    write(picture, tmp_path / f"out{suffix}")
    assert read(tmp_path / f"out{suffix}").metadata["icc-profile-data"] == profile


def camera_file(path, orientation: int) -> None:
    """Write a JPEG as a camera does: pixels as the sensor lay, EXIF with the maker and the orientation."""
    rows = torch.zeros(8, 16, 3, dtype=torch.uint8)
    rows[:, :4, 0] = 255
    image = pyvips.Image.new_from_memory(rows.numpy().tobytes(), 16, 8, 3, "uchar").copy(interpretation="srgb")
    image = image.copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Make", "A Maker (A Maker, ASCII, 8 components, 8 bytes)")
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    path.write_bytes(image.write_to_buffer(".jpg[Q=100]"))


def test_the_exif_orientation_is_applied_once_and_the_rest_of_exif_kept(tmp_path):
    camera_file(tmp_path / "in.jpg", orientation=6)
    picture = read(tmp_path / "in.jpg")
    assert tuple(picture.pixels.shape) == (1, 3, 16, 8)
    assert float(picture.pixels[0, 0, :3].mean()) > 0.9, "red was at the left of the sensor, so it is on top"
    write(picture, tmp_path / "out.jpg")
    again = read(tmp_path / "out.jpg")
    assert tuple(again.pixels.shape) == (1, 3, 16, 8)
    assert "A Maker" in pyvips.Image.new_from_file(str(tmp_path / "out.jpg")).get("exif-ifd0-Make")


def test_a_palette_a_bitmap_and_cmyk_become_plain_pictures(tmp_path):
    rgb = pyvips.Image.new_from_memory(bytes(range(192)), 8, 8, 3, "uchar").copy(interpretation="srgb")
    (tmp_path / "palette.png").write_bytes(rgb.write_to_buffer(".png[palette]"))
    assert read(tmp_path / "palette.png").pixels.shape == (1, 3, 8, 8)
    mono = (rgb[0] > 100).cast("uchar")
    (tmp_path / "mono.png").write_bytes(mono.write_to_buffer(".png[bitdepth=1]"))
    assert set(read(tmp_path / "mono.png").pixels.unique().tolist()) == {0.0, 1.0}
    (tmp_path / "cmyk.tif").write_bytes(rgb.icc_transform("cmyk", input_profile="srgb").write_to_buffer(".tif"))
    assert read(tmp_path / "cmyk.tif").pixels.shape == (1, 3, 8, 8)


def truncated(path) -> bytes:
    write(Picture(pixels=noise(3, 8, 200, 200)), path)
    return path.read_bytes()[:5000]


def test_files_that_are_not_whole_pictures_are_told_in_one_line(tmp_path):
    bad = {
        "empty.png": b"",
        "text.png": b"this is not a picture",
        "cut.png": truncated(tmp_path / "whole.png"),
        "cut.jpg": truncated(tmp_path / "whole.jpg"),
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(BadPicture, match=name) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(BadPicture, match=r"missing.png: No such file"):
        read(tmp_path / "missing.png")


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is large and holds almost nothing: a decompression bomb."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(monkeypatch):
    with pytest.raises(BadPicture, match=r"100000x100000.*RESTORE_MAX_PIXELS"):
        decode(png_header(100_000, 100_000), "bomb.png")
    monkeypatch.setenv("RESTORE_MAX_PIXELS", "100")
    with pytest.raises(BadPicture, match="over 100 pixels"):
        decode(png_header(11, 10), "bomb.png")


def test_an_unknown_suffix_names_those_that_there_are():
    with pytest.raises(BadPicture, match=r"\.webp"):
        encode(Picture(pixels=noise(3, 8)), ".docx")
    assert set(SUFFIXES) == {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"}


def test_a_write_that_fails_leaves_nothing_behind_and_the_old_file_whole(tmp_path, monkeypatch):
    import resource
    import signal

    old = tmp_path / "picture.png"
    old.write_bytes(b"the old one")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would be cut, and break what imports it later
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(RestorationError, match=r"cannot write .*picture\.png"):
            write(Picture(pixels=noise(3, 8, 100, 100)), old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert old.read_bytes() == b"the old one"
    assert os.listdir(tmp_path) == ["picture.png"]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("transparent", [False, True])
def test_levels_are_the_pixels_rounded_and_sizes_are_known_without_them(tmp_path, suffix, channels, bits, transparent):
    alpha = noise(1, bits) if transparent else None
    path = tmp_path / f"picture{suffix}"
    write(Picture(pixels=noise(channels, bits), alpha=alpha, bits=bits), path)
    whole, levels = read(path).pixels, read_levels(path)
    assert levels.dtype == torch.uint8 and tuple(levels.shape) == (9, 13, whole.shape[1])
    assert torch.equal(levels.permute(2, 0, 1)[None], (whole * 255).round().to(torch.uint8))
    assert read_size(path) == (9, 13)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_levels_and_sizes_are_upright(tmp_path, orientation):
    image = pyvips.Image.new_from_memory(bytes(range(0, 180, 3)), 10, 6, 1, "uchar").copy(interpretation="b-w")
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    image.write_to_file(str(tmp_path / "turned.jpg[Q=100]"))
    pixels, levels = read(tmp_path / "turned.jpg").pixels, read_levels(tmp_path / "turned.jpg")
    assert torch.equal(levels.permute(2, 0, 1)[None], (pixels * 255).round().to(torch.uint8))
    assert read_size(tmp_path / "turned.jpg") == tuple(levels.shape[:2]) == ((10, 6) if orientation > 4 else (6, 10))


def test_levels_and_sizes_of_what_is_no_picture_are_one_line(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("text")
    whole = encode(Picture(pixels=noise(3, 8, 200, 200)), ".png")
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    for name, message in (("empty", "is empty"), ("text", "is not a picture"), ("gone", "No such file")):
        for ask in (read_levels, read_size):
            with pytest.raises(BadPicture, match=rf"{name}\.png.*{message}"):
                ask(tmp_path / f"{name}.png")
    with pytest.raises(BadPicture, match="is damaged and cannot be read whole"):
        read_levels(tmp_path / "half.png")
    assert read_size(tmp_path / "half.png") == (200, 200)
