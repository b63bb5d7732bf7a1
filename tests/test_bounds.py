"""What a file may take is known from its header; what is no file of ours is not decoded, whatever it is called."""

from __future__ import annotations

import gzip
import os
import resource
import struct
import subprocess
import sys
import time
import zlib

import made
import pytest
import pyvips
import torch

from restoration.errors import BadOption, BadPicture
from restoration.images import decode, decode_all, read, read_all, read_stream

SIDE = 22_000
"""Of a square of 484 million pixels, less than the limit."""


def png_header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + made.chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def bomb_png(width: int, height: int) -> bytes:
    return png_header(width, height) + made.chunk(b"IDAT", zlib.compress(bytes(1000))) + made.chunk(b"IEND", b"")


def bomb_tiff(packing: int, bits: int = 8, channels: int = 1, data: bytes = bytes(900), side: int = SIDE) -> bytes:
    tags = {256: (4, side), 257: (4, side), 258: (3, [bits] * channels), 259: (3, packing), 278: (4, side)}
    return made.tiff(torch.zeros(1, 1, channels, dtype=torch.uint8), tags, strips=[data])


def bomb_gif(width: int, height: int, frames: int = 1) -> bytes:
    size = struct.pack("<HH", width, height)
    frame = b"\x21\xf9\4\0\x0a\0\0\0\x2c\0\0\0\0" + size + b"\0\2\2\x44\1\0"
    return b"GIF89a" + size + b"\x80\0\0\0\0\0\xff\xff\xff" + frame * frames + b";"


def bomb_jpeg(**how: object) -> bytes:
    data = bytearray(made.jpeg(made.scene(), **how))
    place = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[place + 5 : place + 9] = struct.pack(">HH", SIDE, SIDE)
    return bytes(data)


BOMBS = {
    "png": bomb_png(SIDE, SIDE),
    "wide png": bomb_png(10_000_000, 40),
    "strip beyond the end": bomb_tiff(1, data=bytes(900)),
    "deflate": bomb_tiff(8, data=zlib.compress(bytes(100_000))),
    "lzw": bomb_tiff(5),
    "zstd": bomb_tiff(50000),
    "fax": bomb_tiff(4, 1),
    "jpeg in tiff": bomb_tiff(7),
    "old jpeg in tiff": bomb_tiff(6),
    "floats": bomb_tiff(5, 32, 3, side=12_000),
    "channels": bomb_tiff(5, 16, 5000, side=5000),
    "gif": bomb_gif(SIDE, SIDE),
    "gif over the limit": bomb_gif(65535, 65535),
    "gif of frames": bomb_gif(5000, 5000, 3000),
    "jpeg": bomb_jpeg(),
    "progressive": bomb_jpeg(interlace=True),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_that_says_it_is_huge_is_refused_before_anything_of_its_size_is_made(name):
    begin, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadPicture) as caught:
        list(decode_all(BOMBS[name], "bomb"))
    assert time.process_time() - begin < 5
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 200, "MB"
    assert "\n" not in str(caught.value)


def test_a_large_picture_that_is_there_is_read():
    rows = torch.zeros(8, 70_000, 1, dtype=torch.uint8)
    assert decode(made.png(rows), "wide.png").pixels.shape == (1, 1, 8, 70_000)


def test_the_limit_is_that_of_the_variable(monkeypatch):
    with pytest.raises(BadPicture, match=r"100000x100000.*over 500000000 pixels; set RESTORE_MAX_PIXELS"):
        decode(bomb_png(100_000, 100_000), "bomb.png")
    monkeypatch.setenv("RESTORE_MAX_PIXELS", "100")
    with pytest.raises(BadPicture, match="over 100 pixels"):
        decode(bomb_png(11, 10), "bomb.png")
    monkeypatch.setenv("RESTORE_MAX_PIXELS", "1e9")
    assert decode(made.png(made.scene()), "x.png").pixels.shape == (1, 3, 24, 36)
    with pytest.raises(BadPicture, match="damaged"):
        decode(bomb_png(SIDE, SIDE), "bomb.png")
    for junk in ("junk", "nan", "inf", "-5", "0"):
        monkeypatch.setenv("RESTORE_MAX_PIXELS", junk)
        with pytest.raises(BadOption, match=f"RESTORE_MAX_PIXELS is a number of pixels.*'{junk}'"):
            decode(made.png(made.scene()), "x.png")


def test_frames_count_together(monkeypatch):
    assert len(read_all(bomb_gif(40, 10, 20), "x.gif")) == 20
    monkeypatch.setenv("RESTORE_MAX_PIXELS", "7000")
    with pytest.raises(BadPicture, match="20 times 40x10"):
        read_all(bomb_gif(40, 10, 20), "x.gif")


def test_a_jpeg_of_endless_scans_is_refused():
    data = made.jpeg(made.scene(), interlace=True)
    last = data.rfind(b"\xff\xda")
    with pytest.raises(BadPicture, match="scans, each of which"):
        decode(data[:last] + data[last:-2] * 300 + data[-2:], "x.jpg")


def test_directories_without_end_and_tags_that_share_their_values_take_neither_time_nor_memory():
    loop = made.tiff(made.scene())
    slot = 10 + 12 * struct.unpack("<H", loop[8:10])[0]
    assert decode(loop[:slot] + struct.pack("<I", 8) + loop[slot + 4 :], "loop.tif").pixels.shape == (1, 3, 24, 36)
    rows = b"".join(struct.pack("<HHII", tag, 1, 4_000_000, 0) for tag in range(1000, 31_000))
    shared = b"II*\0" + struct.pack("<IH", 8, 30_000) + rows + bytes(4_000_000)
    chain = b"".join(
        made.directory({256: (4, 4), 257: (4, 4)}, 8 + 30 * n, following=8 + 30 * (n + 1)) for n in range(20_000)
    )
    for data in (shared, b"II*\0" + struct.pack("<I", 8) + chain):
        begin = time.process_time()
        with pytest.raises(BadPicture):
            decode(data, "x.tif")
        assert time.process_time() - begin < 10


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="9" height="9"/></svg>'
UNKNOWN = r"is not a picture that can be read \(PNG, JPEG, TIFF, WebP"
OTHERS = {
    "svg": (SVG, r"a drawing \(SVG\) or another XML"),
    "svg with a declaration": (b'<?xml version="1.0"?>' + SVG, r"a drawing \(SVG\) or another XML"),
    "svgz": (gzip.compress(SVG), "an archive; unpack it"),
    "pdf": (b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF", "a PDF; save its pages"),
    "html": (b"<html><body><img src=x></body></html>", "a web page"),
    "csv": (b"1,2,3\n4,5,6\n", UNKNOWN),
    "matrix": (b"3 3\n1 2 3\n4 5 6\n7 8 9\n", UNKNOWN),
    "fits": (b"SIMPLE  =                    T".ljust(2880), UNKNOWN),
    "elf": (b"\x7fELF" + bytes(1000), UNKNOWN),
    "nothing": (bytes(4096), "is no picture but zeros at its beginning"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_none_of_our_formats_is_not_decoded_whatever_it_is_called(name, tmp_path):
    content, message = OTHERS[name]
    for suffix in (".png", ".tif", ".svg", ""):
        path = tmp_path / f"file{suffix}"
        path.write_bytes(content)
        with pytest.raises(BadPicture, match=message):
            read(path)


def test_the_own_format_of_libvips_is_not_decoded(tmp_path):
    made.vips(made.scene()).write_to_file(str(tmp_path / "x.v"))
    with pytest.raises(BadPicture, match="is not a picture that can be read"):
        read(tmp_path / "x.v")


KNOWN = {
    "BMP": b"BM" + struct.pack("<IHHIIiiHH", 102, 0, 0, 54, 40, 4, 4, 1, 24) + bytes(72),
    "PNM": b"P6\n4 4\n255\n" + bytes(48),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100),
    "JPEG XL": b"\xff\x0a" + bytes(100),
    "Radiance HDR": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 4 +X 4\n" + bytes(64),
    "OpenEXR": b"\x76\x2f\x31\x01" + bytes(100),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_format_that_this_libvips_cannot_read_is_named(name):
    from restoration.images.formats import FORMATS

    if next(one for one in FORMATS if one.name == name).readable:
        pytest.skip(f"this libvips reads {name}")
    with pytest.raises(BadPicture, match=f"is {name}, which cannot be read here"):
        decode(KNOWN[name], "x.png")


def test_a_format_is_known_by_its_first_bytes_whatever_its_name(tmp_path):
    for suffix, data in (
        (".png", made.jpeg(made.scene())),
        (".jpg", made.tiff(made.scene())),
        (".x", made.png(made.scene())),
    ):
        (tmp_path / f"x{suffix}").write_bytes(data)
        assert read(tmp_path / f"x{suffix}").pixels.shape == (1, 3, 24, 36)


def test_pipes_devices_and_endless_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadPicture, match=r"pipe\.png is no file but a pipe; give -"):
        read(tmp_path / "pipe.png")
    with pytest.raises(BadPicture, match="is no file but a device"):
        read("/dev/zero")
    with pytest.raises(BadPicture, match="Is a directory"):
        read(tmp_path)
    sparse = tmp_path / "sparse.png"
    sparse.write_bytes(made.png(made.scene()))
    os.truncate(sparse, 1 << 40)
    with pytest.raises(BadPicture, match="GB, too long for a picture"):
        read(sparse)
    with open("/dev/zero", "rb") as endless, pytest.raises(BadPicture, match="stdin is no picture but zeros"):
        read_stream(endless, "stdin")


def test_what_takes_more_memory_than_there_is_is_refused(monkeypatch):
    monkeypatch.setattr("restoration.memory.free_memory", lambda device: 10_000_000)
    rows = torch.randint(0, 256, (2100, 2100, 3), dtype=torch.uint8)
    with pytest.raises(BadPicture, match=r"takes 0\.1 GB to be decoded, and 0\.0 GB are free"):
        decode(made.vips(rows).pngsave_buffer(compression=0), "x.png")


def test_a_stream_is_read_to_its_end_and_no_further_than_a_picture_goes():
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
        cat.stdin.write(made.png(made.scene()))
        cat.stdin.close()
        assert read_stream(cat.stdout, "stdin").only().pixels.shape == (1, 3, 24, 36)


def test_nothing_is_drawn_by_the_loaders_of_libvips_that_are_not_asked():
    code = "import pyvips; from restoration.images.formats import operations; print('svgload_buffer' in operations())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert pyvips.type_find("VipsOperation", "pngload_buffer")
