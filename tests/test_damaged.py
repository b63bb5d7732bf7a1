"""Damaged files are noticed, and refused by one line; with --damaged they are used as far as they go."""

from __future__ import annotations

import zlib

import made
import pytest
import torch

from restoration.errors import BadPicture
from restoration.images import decode, read

SCENE = made.scene(120, 160)


def strips(rows: torch.Tensor, count: int) -> list[bytes]:
    return [part.contiguous().numpy().tobytes() for part in rows.chunk(count)]


def jpeg_strips() -> bytes:
    parts = [made.jpeg(part.contiguous(), subsample_mode="off") for part in SCENE[:112].chunk(7)]
    return made.tiff(SCENE[:112], {259: (3, 7), 262: (3, 6), 530: (3, [1, 1])}, strips=parts)


WHOLE = {
    "plain.png": made.png(SCENE),
    "of libvips.png": made.vips(SCENE).pngsave_buffer(),
    "interlaced.png": made.vips(SCENE).pngsave_buffer(interlace=True),
    "usual.jpg": made.jpeg(SCENE),
    "fine.jpg": made.jpeg(SCENE, subsample_mode="off", Q=95),
    "progressive.jpg": made.jpeg(SCENE, interlace=True),
    "plain.tif": made.tiff(SCENE),
    "strips.tif": made.tiff(SCENE, strips=strips(SCENE, 8)),
    "deflate.tif": made.tiff(SCENE, {259: (3, 8)}, strips=[zlib.compress(one) for one in strips(SCENE, 8)]),
    "big.tif": made.tiff(SCENE, order=">"),
    "jpeg.tif": jpeg_strips(),
    "of libvips.tif": made.vips(SCENE).tiffsave_buffer(compression="lzw"),
    "lossy.webp": made.vips(SCENE).webpsave_buffer(),
    "lossless.webp": made.vips(SCENE).webpsave_buffer(lossless=True),
    "usual.gif": made.vips(SCENE).gifsave_buffer(),
    "usual.avif": made.vips(SCENE).heifsave_buffer(compression="av1"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_is_cut_off_anywhere_is_noticed(name):
    data = WHOLE[name]
    whole = decode(data, name).pixels
    for part in (0.05, 0.3, 0.5, 0.7, 0.9, 0.97, 0.995):
        cut = data[: int(len(data) * part)]
        with pytest.raises(BadPicture) as caught:
            assert torch.equal(decode(cut, name).pixels, whole), part
        assert "damaged" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["plain.png", "of libvips.png", "usual.jpg", "fine.jpg", "plain.tif", "strips.tif"])
def test_a_damaged_file_is_used_as_far_as_it_goes(name, caplog):
    data = WHOLE[name]
    whole = decode(data, name).pixels
    for part in (0.4, 0.8):
        caplog.clear()
        found = decode(data[: int(len(data) * part)], name, damaged=True).pixels
        same = float(((found - whole).abs().amax(dim=1) < 0.02).float().mean())
        assert part - 0.25 < same < part + 0.15, "what is there is right, and no more is made up"
        assert caplog.text.count(f"{name} is damaged (") == 1


def test_every_row_before_the_damage_is_used_and_later_strips_too():
    data = bytearray(WHOLE["deflate.tif"])
    place = data.find(zlib.compress(strips(SCENE, 8)[3]))
    data[place + 20 : place + 60] = bytes(40)
    with pytest.raises(BadPicture, match="damaged"):
        decode(bytes(data), "x.tif")
    found = decode(bytes(data), "x.tif", damaged=True).pixels[0].permute(1, 2, 0) * 255
    assert torch.equal(found[:45].round(), SCENE[:45].float()) and torch.equal(found[60:].round(), SCENE[60:].float())


def test_wrong_sums_and_wrong_codes_are_damage_but_harmless_oddities_are_not():
    data = bytearray(WHOLE["plain.png"])
    data[len(data) // 2] ^= 1
    with pytest.raises(BadPicture, match="damaged"):
        decode(bytes(data), "x.png")
    data = bytearray(WHOLE["usual.jpg"])
    data[len(data) // 2 : len(data) // 2 + 60] = bytes(range(100, 160))
    data[len(data) // 2 : len(data) // 2 + 2] = b"\xff\xd9"
    with pytest.raises(BadPicture, match="damaged"):
        decode(bytes(data), "x.jpg")
    whole = WHOLE["usual.jpg"]
    for odd in (whole[:-2] + b"\0\0\0" + whole[-2:], whole + b"\0" * 1000, whole + b"more of the maker"):
        assert torch.equal(decode(odd, "x.jpg").pixels, decode(whole, "x.jpg").pixels)


@pytest.mark.parametrize("name", ["lossy.webp", "usual.avif", "of libvips.tif"])
def test_a_file_of_which_nothing_can_be_decoded_is_refused_in_any_case(name):
    with pytest.raises(BadPicture, match="damaged") as caught:
        decode(WHOLE[name][:-400], name, damaged=True)
    assert "--damaged" not in str(caught.value)


def test_the_command_line_refuses_a_damaged_file_or_uses_it_and_says_so(restore, weights, tmp_path):
    (tmp_path / "half.png").write_bytes(WHOLE["plain.png"][: len(WHOLE["plain.png"]) // 2])
    run = ("run", tmp_path / "half.png", "-m", "ir-sde", "-t", "derain", "--weights", weights, "--steps", 1)
    refused = restore(*run)
    assert refused.returncode == 1 and refused.stdout == ""
    assert "half.png is damaged and cannot be read whole" in refused.stderr and "--damaged" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    used = restore(*run, "--damaged", "--accept")
    assert used.returncode == 0
    assert f"warning: {tmp_path}/half.png is damaged (" in used.stderr
    assert read(tmp_path / "half.restored.png").pixels.shape == (1, 3, 120, 160)
