"""Every space of colours and range of numbers comes out right, or is refused by one line."""

from __future__ import annotations

import struct
import zlib

import made
import pytest
import pyvips
import torch

from restoration.errors import BadPicture
from restoration.images import decode, encode

SCENE = made.scene()
GREY = SCENE[..., :1]


def error(data: bytes, name: str, expected: torch.Tensor = SCENE) -> float:
    """The mean difference to the scene, of 255."""
    pixels = decode(data, name).pixels[0].permute(1, 2, 0) * 255
    assert pixels.shape == expected.shape
    return float((pixels - expected.float()).abs().mean())


def linear(rows: torch.Tensor) -> torch.Tensor:
    """Levels of 8 bits in sRGB to linear light."""
    x = rows.double() / 255
    return torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).float()


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
@pytest.mark.parametrize("bits", [8, 16])
def test_cmyk_becomes_srgb_at_both_depths(suffix, bits):
    inks = made.vips(SCENE).icc_transform("cmyk", input_profile="srgb")
    if bits == 16 and suffix == ".tif":
        inks = (inks.cast("ushort") * 257).cast("ushort").copy(interpretation="cmyk")
    picture = decode(inks.write_to_buffer(suffix), f"inks{suffix}")
    assert error(inks.write_to_buffer(suffix), "inks") < 12
    assert "icc-profile-data" not in picture.metadata, "the profile of the press is not that of the screen"
    assert picture.bits == (bits if suffix == ".tif" else 8)


def test_cmyk_with_transparency_keeps_it():
    inks = made.vips(SCENE).icc_transform("cmyk", input_profile="srgb").numpy()
    rows = torch.cat([torch.from_numpy(inks.copy()), torch.full((24, 36, 1), 128, dtype=torch.uint8)], dim=-1)
    data = made.tiff(rows, {262: (3, 5), 338: (3, 2)})
    assert error(data, "inks.tif") < 12
    assert float(decode(data, "inks.tif").alpha.mean()) == pytest.approx(128 / 255)


@pytest.mark.parametrize("space", ["lab", "labs", "xyz", "scrgb"])
def test_lab_xyz_and_linear_light_become_srgb(space):
    assert error(made.vips(SCENE).colourspace(space).write_to_buffer(".tif"), f"{space}.tif") < 1


@pytest.mark.parametrize(("photometric", "offset"), [(8, 0), (9, 128)])
def test_lab_of_8_bits_becomes_srgb(photometric, offset):
    lab = torch.from_numpy(made.vips(SCENE).colourspace("lab").numpy().copy())
    rows = torch.stack([lab[..., 0] * 2.55, lab[..., 1] + offset, lab[..., 2] + offset], dim=-1)
    rows = (rows.round().int() & 255).to(torch.uint8)
    assert error(made.tiff(rows, {262: (3, photometric)}), "lab.tif") < 1.5


@pytest.mark.parametrize("top", [1, 255, 65535])
@pytest.mark.parametrize("rows", [SCENE, GREY], ids=["colours", "grey"])
def test_floats_from_0_to_1_255_and_65535_are_told_apart(top, rows):
    assert error(made.tiff(rows.float() / 255 * top), "float.tif", rows) < 0.01
    assert error(made.tiff(rows.float() / 255 * top, order=">"), "float.tif", rows) < 0.01


@pytest.mark.parametrize("kind", [torch.float16, torch.float32])
def test_linear_light_in_floats_is_known_by_the_levels_that_it_was_made_from(kind):
    assert error(made.tiff(linear(SCENE).to(kind)), "linear.tif") < 0.1
    assert error(made.tiff((SCENE.float() / 255).to(kind)), "encoded.tif") < 0.1
    alpha = torch.full((24, 36, 1), 0.5)
    both = made.tiff(torch.cat([linear(SCENE), alpha], dim=-1).to(kind))
    assert error(both, "linear.tif") < 0.1
    assert float(decode(both, "linear.tif").alpha.mean()) == pytest.approx(0.5, abs=1e-4)


def test_floats_of_a_profile_are_what_the_profile_says():
    profile = made.vips(SCENE).icc_transform("p3", input_profile="srgb").get("icc-profile-data")
    any_floats = (SCENE.float() + 0.3).clamp(0, 255) / 255
    picture = decode(made.tiff(any_floats, {34675: (7, profile)}), "p3.tif")
    assert float((picture.pixels[0].permute(1, 2, 0) - any_floats).abs().max()) < 1e-4
    assert picture.metadata["icc-profile-data"] == profile


@pytest.mark.parametrize("kind", [torch.int16, torch.int32, torch.uint32])
def test_whole_numbers_of_other_sizes_fill_their_range_or_are_levels(kind):
    top = torch.iinfo(kind).max
    assert error(made.tiff((SCENE.double() / 255 * top).round().to(kind)), "full.tif") < 0.01
    assert error(made.tiff(SCENE.to(kind)), "8.tif") < 0.01
    if top > 2**16:
        assert error(made.tiff((SCENE.long() * 257).to(kind)), "16.tif") < 0.01


REFUSED = {
    "noise between the levels, which may be linear light": (SCENE.float() + 0.3).clamp(0, 255) / 255,
    "numbers from 0 to 100": SCENE.float() / 2.551,
    "highlights beyond white": linear(SCENE) * 3,
    "numbers below black": SCENE.float() / 255 - 0.5,
    "what is no number": torch.where(SCENE > 240, torch.nan, SCENE.float() / 255),
    "what is infinite": torch.where(SCENE > 240, torch.inf, SCENE.float() / 255),
    "14 bits with a sign": (SCENE.int() * 60).to(torch.int16),
    "numbers with a sign": SCENE.int() - 100,
}


@pytest.mark.parametrize("what", REFUSED)
def test_numbers_that_may_mean_this_or_that_are_refused_by_one_line(what):
    with pytest.raises(BadPicture, match=r"^odd\.tif holds ") as caught:
        decode(made.tiff(REFUSED[what]), "odd.tif")
    assert "\n" not in str(caught.value)


STRANGE = {
    "a camera": {262: (3, 32803)},
    "a mask": {262: (3, 4)},
    "YCbCr that is not JPEG": {262: (3, 6), 530: (3, [1, 1])},
}


@pytest.mark.parametrize("what", STRANGE)
def test_samples_that_are_no_colours_are_refused_by_what_they_are(what):
    rows = GREY if what != "YCbCr that is not JPEG" else SCENE
    with pytest.raises(BadPicture, match=what):
        decode(made.tiff(rows, STRANGE[what]), "odd.tif")


def test_white_as_0_is_turned_round_or_refused():
    assert error(made.tiff(255 - GREY, {262: (3, 0)}), "fax.tif", GREY) == 0
    deep = (65535 - GREY.int() * 257).to(torch.uint16)
    assert error(made.tiff(deep, {262: (3, 0)}), "fax.tif", GREY) < 0.01
    with pytest.raises(BadPicture, match="0 is white"):
        decode(made.tiff(1 - GREY.float() / 255, {262: (3, 0)}), "fax.tif")


def test_a_picture_of_16_bits_that_uses_8_is_called_nearly_black(caplog):
    decode(made.tiff(SCENE.to(torch.uint16)), "dark.tif")
    assert "dark.tif is nearly black" in caplog.text


def test_bitmaps_and_palettes_become_plain_pictures():
    ink = (GREY > 100).to(torch.uint8) * 255
    for how in ({"bitdepth": 1}, {"bitdepth": 1, "compression": "ccittfax4"}):
        assert error(made.vips(ink).tiffsave_buffer(**how), "fax.tif", ink) == 0
    assert error(made.vips(ink).pngsave_buffer(bitdepth=1), "fax.png", ink) == 0
    palette = torch.tensor([[10, 20, 30], [200, 100, 50], [255, 255, 255], [0, 90, 0]], dtype=torch.uint8)
    places = (torch.arange(24 * 36) % 4).to(torch.uint8).reshape(24, 36, 1)
    whole = torch.zeros(3, 256, dtype=torch.int32)
    whole[:, :4] = palette.T.int() * 257
    data = made.tiff(places, {262: (3, 3), 320: (3, whole.flatten().tolist())})
    assert error(data, "palette.tif", palette[places[..., 0].long()]) == 0
    png = made.png(places)
    png = png[:25] + b"\x03" + png[26:29] + struct.pack(">I", zlib.crc32(png[12:25] + b"\x03" + png[26:29])) + png[33:]
    more = made.chunk(b"PLTE", bytes(palette.flatten().tolist())) + made.chunk(b"tRNS", b"\xff\x00")
    png = png[:33] + more + png[33:]
    assert error(png, "palette.png", palette[places[..., 0].long()]) == 0
    assert torch.equal(decode(png, "palette.png").alpha[0, 0] == 0, places[..., 0] == 1)


def test_colours_multiplied_by_their_opacity_are_divided_by_it():
    alpha = torch.full((24, 36, 1), 128, dtype=torch.uint8)
    rows = torch.cat([(SCENE.float() * 128 / 255).round().to(torch.uint8), alpha], dim=-1)
    assert error(made.tiff(rows, {338: (3, 1)}), "straight.tif") < 1.5
    assert error(made.tiff(torch.cat([SCENE, alpha], dim=-1)), "straight.tif") == 0


def test_a_channel_that_is_no_transparency_is_left_out_and_that_is_said(caplog):
    rows = torch.cat([SCENE, torch.zeros(24, 36, 1, dtype=torch.uint8)], dim=-1)
    picture = decode(made.tiff(rows, {338: (3, 0)}), "mask.tif")
    assert picture.alpha is None
    assert "mask.tif has a channel that is no transparency" in caplog.text
    with pytest.raises(BadPicture, match="5 channels"):
        decode(made.tiff(torch.cat([rows, rows[..., :1]], dim=-1), {338: (3, [2, 0])}), "many.tif")


def shown(data: bytes) -> torch.Tensor:
    """What a program that knows colour profiles shows, in sRGB of 8 bits, `h w 3`."""
    image = pyvips.Image.new_from_buffer(data, "")
    if "icc-profile-data" in image.get_fields():
        image = image.icc_transform("srgb", embedded=True)
    return torch.from_numpy(image.numpy().copy())[..., :3]


GAMMA = made.chunk(b"gAMA", struct.pack(">I", 100_000))
ADOBE = made.chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000))
P3 = made.chunk(b"cICP", bytes([12, 13, 0, 1]))


@pytest.mark.parametrize("said", [GAMMA, ADOBE, P3], ids=["gAMA", "cHRM", "cICP"])
def test_what_a_png_says_of_its_colours_stays_in_png_and_is_a_profile_elsewhere(said):
    picture = decode(made.png(SCENE, said), "said.png")
    assert said in encode(picture, ".png")
    for suffix in (".tif", ".jpg", ".webp", ".avif"):
        data = encode(picture, suffix)
        assert float((shown(data).float() - SCENE.float()).abs().mean()) > 5, "the same numbers are other colours"
        assert "icc-profile-data" in decode(data, f"x{suffix}").metadata
    if said == GAMMA:
        encoded = 255 * torch.where(
            SCENE / 255 <= 0.0031308, SCENE / 255 * 12.92, 1.055 * (SCENE / 255) ** (1 / 2.4) - 0.055
        )
        assert float((shown(encode(picture, ".tif")) - encoded).abs().max()) < 2


def test_srgb_by_any_name_needs_no_profile():
    usual = made.chunk(b"gAMA", struct.pack(">I", 45455))
    for said in (usual, made.chunk(b"sRGB", b"\0"), made.chunk(b"cICP", bytes([1, 13, 0, 1]))):
        picture = decode(made.png(SCENE, said), "said.png")
        assert "icc-profile-data" not in decode(encode(picture, ".tif"), "x.tif").metadata
        assert said in encode(picture, ".png")


def test_colours_that_only_png_can_name_are_refused_elsewhere():
    said = made.chunk(b"cICP", bytes([9, 16, 0, 1]))
    picture = decode(made.png(SCENE, said), "hdr.png")
    assert said in encode(picture, ".png")
    with pytest.raises(BadPicture, match=r"PQ \(HDR\), which JPEG cannot say"):
        encode(picture, ".jpg")


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif_keeps_its_depth(bits):
    if ".avif" not in pyvips.get_suffixes():
        pytest.skip("this libvips has no AVIF")
    deep = made.vips(SCENE).colourspace("rgb16")
    picture = decode(deep.heifsave_buffer(compression="av1", bitdepth=bits, Q=95), "x.avif")
    assert picture.bits == (8 if bits == 8 else 16)
    again = pyvips.Image.heifload_buffer(encode(picture, ".avif"))
    assert again.get("bits-per-sample") >= bits


def test_a_profile_for_colours_does_not_go_into_a_grey_file():
    profile = made.vips(SCENE).icc_transform("p3", input_profile="srgb").get("icc-profile-data")
    picture = decode(made.tiff(GREY, {34675: (7, profile)}), "grey.tif")
    for suffix in (".png", ".jpg", ".tif"):
        assert "icc-profile-data" not in decode(encode(picture, suffix), f"x{suffix}").metadata
