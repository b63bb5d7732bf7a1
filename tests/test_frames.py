"""Pages and frames: each is restored, with its timing; never silently the first one alone."""

from __future__ import annotations

import json
import struct

import made
import pytest
import pyvips
import torch

from restoration.errors import BadPicture
from restoration.images import decode, encode, read, read_all, write
from restoration.images.assembly import Assembly
from restoration.images.pictures import Timing
from restoration.picture import Picture

ECHO = """
from restoration import RestorerCard, hookimpl


class Negative:
    def __call__(self, observation, rng):
        yield 1 - observation.y


@hookimpl
def register_restorers():
    yield RestorerCard(name="negative", factory="negative:Negative", summary="x", needs_weights=False)
"""
FRAMES = [made.scene().roll(5 * n, dims=1) for n in range(4)]
TIMING = Timing((100, 50, 200, 70), 0)


@pytest.fixture
def negative(restore, tmp_path):
    (tmp_path / "negative.py").write_text(ECHO)

    def run(*arguments, **keywords):
        how = ("--method", "negative", "--task", "denoise")
        return restore("--plugin", tmp_path / "negative.py", "run", *arguments, *how, **keywords)

    return run


def picture(rows: torch.Tensor, **more: object) -> Picture:
    return Picture(pixels=rows.permute(2, 0, 1)[None] / 255, **more)


def rows_of(one: Picture) -> torch.Tensor:
    return (one.pixels[0].permute(1, 2, 0) * 255).round().to(torch.uint8)


def animation(suffix: str) -> bytes:
    """The frames as an animation, by libvips, or by hand."""
    if suffix == ".png":
        parts = [made.control(0, 36, 24, 0, 0, 100, 0, 0) + made.chunk(b"IDAT", made.packed(FRAMES[0]))]
        for n, delay in enumerate(TIMING.delays[1:], 1):
            content = struct.pack(">I", 2 * n) + made.packed(FRAMES[n])
            parts.append(made.control(2 * n - 1, 36, 24, 0, 0, delay, 0, 0) + made.chunk(b"fdAT", content))
        still = made.png(FRAMES[0], made.chunk(b"acTL", struct.pack(">II", 4, 0)))
        start = still.find(b"IDAT") - 4
        return still[:start] + b"".join(parts) + made.chunk(b"IEND", b"")
    image = made.vips(torch.cat(FRAMES)).copy()
    image.set_type(pyvips.GValue.gint_type, "page-height", 24)
    image.set_type(pyvips.GValue.array_int_type, "delay", list(TIMING.delays))
    image.set_type(pyvips.GValue.gint_type, "loop", 0)
    how = {"lossless": True} if suffix == ".webp" else {"dither": 0}
    return bytes(image.write_to_buffer(suffix, **how))


@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif"])
def test_every_frame_of_an_animation_is_restored_and_shown_as_long_as_it_was(negative, tmp_path, suffix):
    (tmp_path / f"in{suffix}").write_bytes(animation(suffix))
    done = negative(tmp_path / f"in{suffix}", "-o", tmp_path / f"out{suffix}", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == 4
    before, after = (read_all(tmp_path / f"{name}{suffix}") for name in ("in", "out"))
    assert after.timing == before.timing == TIMING
    for one, other in zip(before, after, strict=True):
        worst = (rows_of(one).int() + rows_of(other).int() - 255).abs()
        assert float(worst.float().mean()) < (3 if suffix == ".gif" else 0.01), "a GIF has 256 colours"
    assert before.only if len(before) == 1 else len(before) == 4


@pytest.mark.parametrize("target", [".png", ".webp", ".gif"])
@pytest.mark.parametrize("suffix", [".png", ".webp", ".gif"])
def test_an_animation_becomes_one_of_another_format(suffix, target):
    frames = read_all(animation(suffix), f"x{suffix}")
    assembly = Assembly(target, len(frames), frames.timing)
    for frame in frames:
        assembly.add(frame)
    again = read_all(assembly.file(), f"x{target}")
    assert (len(again), again.timing) == (4, TIMING)


@pytest.mark.parametrize("target", [".jpg", ".tif", ".avif"])
def test_frames_are_refused_before_the_work_where_the_format_holds_one_picture(negative, tmp_path, target):
    (tmp_path / "in.gif").write_bytes(animation(".gif"))
    refused = negative(tmp_path / "in.gif", "-o", tmp_path / f"out{target}")
    assert refused.returncode == 1
    assert f"{target} does not hold the 4 frames of the picture; write .gif, .webp or .png" in refused.stderr
    assert not (tmp_path / f"out{target}").exists()


def test_who_asks_for_one_picture_is_told_that_there_are_more():
    with pytest.raises(BadPicture, match=r"x\.gif holds 4 frames; `restore run` restores each of them"):
        decode(animation(".gif"), "x.gif")
    with pytest.raises(BadPicture, match=r"x\.tif holds 2 pages"):
        decode(pages(FRAMES[:2]), "x.tif")


def pages(all_rows: list[torch.Tensor], **tags: object) -> bytes:
    """A TIFF file of pages, by hand: each a file of its own whose directory names the next."""
    whole = b""
    for place, rows in enumerate(all_rows):
        one = made.tiff(rows, tags.get(f"page{place}"))
        if not whole:
            whole = one
            continue
        start = len(whole) + len(whole) % 2
        moved = dict(entries(one))
        moved[273] = (4, [start + made.number(made.tags_of(one)[273])])
        at = start + len(one) + len(one) % 2
        whole = whole.ljust(start, b"\0") + one.ljust(at - start, b"\0") + made.directory(moved, at)
        whole = chained(whole, at)
    return whole


def entries(one: bytes):
    for tag, value in made.tags_of(one).items():
        row = one.find(struct.pack("<H", tag), 10, 10 + 12 * struct.unpack("<H", one[8:10])[0])
        while (row - 10) % 12:
            row = one.find(struct.pack("<H", tag), row + 1)
        yield tag, (struct.unpack("<H", one[row + 2 : row + 4])[0], value)


def chained(whole: bytes, at: int) -> bytes:
    """Let the last directory before a place name it as the next."""
    place, patched = struct.unpack("<I", whole[4:8])[0], bytearray(whole)
    while True:
        slot = place + 2 + 12 * struct.unpack("<H", whole[place : place + 2])[0]
        following = struct.unpack("<I", whole[slot : slot + 4])[0]
        if not following:
            struct.pack_into("<I", patched, slot, at)
            return bytes(patched)
        place = following


def test_every_page_of_a_tiff_file_is_restored_whatever_its_size_and_depth(negative, tmp_path):
    several = [FRAMES[0], (FRAMES[1][:10, :20].int() * 257).to(torch.uint16), FRAMES[2][..., :1]]
    (tmp_path / "in.tif").write_bytes(pages(several, page0={282: (5, 300.0), 283: (5, 300.0), 296: (3, 2)}))
    done = negative(tmp_path / "in.tif", "-o", tmp_path / "out.tif")
    assert done.returncode == 0, done.stderr
    after = list(read_all(tmp_path / "out.tif"))
    assert [(one.bits, *one.pixels.shape[1:]) for one in after] == [(8, 3, 24, 36), (16, 3, 10, 20), (8, 1, 24, 36)]
    for one, other in zip(read_all(tmp_path / "in.tif"), after, strict=True):
        assert float((one.pixels + other.pixels - 1).abs().max()) < 1e-4
    assert [one.dpi for one in after] == [(300, 300), None, None]
    refused = negative(tmp_path / "in.tif", "-o", tmp_path / "out.png")
    assert ".png does not hold the 3 pages of the picture; write .tif" in refused.stderr


def test_smaller_copies_of_a_picture_are_no_pages():
    for several, kept in (
        (pages([FRAMES[0], FRAMES[0][::4, ::4]], page1={254: (4, 1)}), 0),
        (pages([FRAMES[0][::4, ::4], FRAMES[0]], page0={254: (4, 1)}), 1),
    ):
        found = decode(several, "x.tif")
        assert torch.equal(rows_of(found), FRAMES[0]), kept
        assert len(read_all(encode(found, ".tif"), "x.tif")) == 1


def test_parts_of_an_animated_png_are_painted_one_over_another():
    """Frames that change a rectangle: over what is there or instead of it, and that stay, vanish or go back."""
    red, clear = torch.tensor([255, 0, 0, 255], dtype=torch.uint8), torch.tensor([0, 0, 0, 0], dtype=torch.uint8)
    half = torch.tensor([0, 0, 255, 128], dtype=torch.uint8)
    parts = [  # colour, x, y, dispose, blend
        (red.expand(4, 4, 4), 0, 0, 0, 0),
        (half.expand(2, 2, 4), 1, 1, 2, 1),
        (clear.expand(2, 2, 4), 0, 0, 1, 0),
        (clear.expand(1, 1, 4), 3, 3, 0, 1),
    ]
    body, number = b"", 0
    for place, (rows, x, y, dispose, blend) in enumerate(parts):
        height, width, _ = rows.shape
        body += made.control(number, width, height, x, y, 40, dispose, blend)
        number += 1
        content = made.packed(rows.contiguous())
        body += made.chunk(b"fdAT", struct.pack(">I", number) + content) if place else made.chunk(b"IDAT", content)
        number += 1 if place else 0
    still = made.png(parts[0][0].contiguous(), made.chunk(b"acTL", struct.pack(">II", 4, 3)))
    data = still[: still.find(b"IDAT") - 4] + body + made.chunk(b"IEND", b"")
    shown = [torch.cat([one.pixels, one.alpha], dim=1)[0] for one in read_all(data, "x.png")]
    assert read_all(data, "x.png").timing == Timing((40,) * 4, 3)
    assert torch.equal(shown[0], (red / 255)[:, None, None].expand(4, 4, 4))
    assert torch.allclose(shown[1][:, 1, 1], torch.tensor([127 / 255, 0, 128 / 255, 1]), atol=1e-6)
    assert torch.equal(shown[1][:, 3, 3], red / 255)
    assert torch.equal(shown[2][:, 0, 0], clear / 255) and torch.equal(shown[2][:, 2, 2], red / 255)
    assert float(shown[3][3, :2, :2].max()) == 0 and torch.equal(shown[3][:, 3, 3], red / 255)


def test_the_cover_of_an_animated_png_stays_its_cover():
    cover = made.png(FRAMES[3], made.chunk(b"acTL", struct.pack(">II", 1, 0)))
    frame = made.control(0, 36, 24, 0, 0, 90, 0, 0) + made.chunk(b"fdAT", struct.pack(">I", 1) + made.packed(FRAMES[0]))
    data = cover[:-12] + frame + made.chunk(b"IEND", b"")
    found = read_all(data, "x.png")
    assert found.timing == Timing((90,), 0, cover=True)
    assert [torch.equal(rows_of(one), rows) for one, rows in zip(found, (FRAMES[3], FRAMES[0]), strict=True)] == [
        True,
        True,
    ]
    assembly = Assembly(".png", len(found), found.timing)
    for one in found:
        assembly.add(one)
    again = read_all(assembly.file(), "x.png")
    assert again.timing == found.timing
    assert torch.equal(rows_of(next(iter(again))), FRAMES[3])


def test_an_animation_that_is_cut_off_is_damaged():
    for suffix in (".png", ".webp", ".gif"):
        data = animation(suffix)
        with pytest.raises(BadPicture, match="damaged"):
            list(read_all(data[: int(len(data) * 0.8)], f"x{suffix}"))


def test_an_animation_of_stdin_goes_to_stdout_in_the_format_that_is_asked_for(negative):
    done = negative("-", "--format", "webp", input=animation(".gif"), text=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout[:4] == b"RIFF" and len(read_all(done.stdout, "x.webp")) == 4
    assert len(read_all(animation(".gif"), "x")) == 4


def test_a_film_is_refused_instead_of_its_first_picture(tmp_path):
    picture_of_it = made.vips(FRAMES[0]).write_to_buffer(".avif")
    film = picture_of_it[:8] + b"avis" + picture_of_it[12:] + struct.pack(">I", 8) + b"moov"
    with pytest.raises(BadPicture, match=r"x\.avif is a film"):
        decode(film, "x.avif")
    assert decode(picture_of_it, "x.avif").pixels.shape == (1, 3, 24, 36)


def test_pictures_of_one_frame_are_plain_pictures(tmp_path):
    write(picture(FRAMES[0]), tmp_path / "one.gif")
    assert float((rows_of(read(tmp_path / "one.gif")).float() - FRAMES[0].float()).abs().mean()) < 3
    assert read_all(tmp_path / "one.gif").timing is None
