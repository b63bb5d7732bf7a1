"""What a file tells beside its pixels comes along, byte by byte, but for what is not true of the result."""

from __future__ import annotations

import struct
import zlib

import made
import pytest
import pyvips
import torch

from restoration.images import decode, encode, exif
from restoration.images.tiff import EXIF, INTEROPERABILITY, Directory, Entry, Structure, block, whole
from restoration.picture import Picture

SCENE = made.scene()
PROFILE = made.vips(SCENE).icc_transform("p3", input_profile="srgb").get("icc-profile-data")
THUMBNAIL = made.jpeg(SCENE[::4, ::4])
RECORDS = b"\x1c\x02\x50\x00\x06Author\x1c\x02\x74\x00\x04(c)x"
"""IPTC: who made it, and whose it is."""
XMP = (
    b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
    b' xmlns:dc="http://purl.org/dc/elements/1.1/" tiff:Orientation="6" xmp:Rating="4">'
    b"<xmp:Thumbnails><rdf:Alt><rdf:li>AAAA</rdf:li></rdf:Alt></xmp:Thumbnails>"
    b"<dc:title>fish &amp; chips</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"
    b'<?xpacket end="w"?>'
)


def resource(number: int, content: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + bytes(len(content) % 2)


def source(suffix: str, order: str = "<") -> bytes:
    """The scene, lying on its side, with all that a file of a format tells."""
    block = made.exif(order, thumbnail=THUMBNAIL)
    if suffix == ".jpg":
        photoshop = resource(0x404, RECORDS) + resource(0x40C, b"THUMBNAIL") + resource(0x3F3, b"a flag")
        return made.jpeg(
            SCENE,
            made.segment(0xE0, b"JFIF\0\1\2\1" + struct.pack(">HHBB", 300, 300, 0, 0)),
            made.segment(0xE1, b"Exif\0\0" + block),
            made.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
            made.segment(0xE2, b"ICC_PROFILE\0\1\1" + PROFILE),
            made.segment(0xED, b"Photoshop 3.0\0" + photoshop),
            made.segment(0xFE, b"a comment"),
        )
    if suffix == ".png":
        texts = made.chunk(b"tEXt", b"parameters\0a cat, Steps: 20")
        texts += made.chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b'{"a": 1}'))
        texts += made.chunk(b"iTXt", b"Title\0\0\0de\0Titel\0" + "Übung".encode())
        blocks = made.chunk(b"eXIf", block) + made.chunk(b"iCCP", b"p\0\0" + zlib.compress(PROFILE))
        blocks += made.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
        return made.png(SCENE, blocks, made.chunk(b"pHYs", struct.pack(">IIB", 11811, 11811, 1)), texts)
    if suffix == ".tif":
        tags = {271: (2, "A Maker"), 274: (3, 6), 282: (5, 300.0), 283: (5, 300.0), 296: (3, 2), 315: (2, "An Artist")}
        tags |= {700: (1, XMP), 33432: (2, "(c) me"), 33723: (7, RECORDS), 34675: (7, PROFILE)}
        plain = made.tiff(SCENE, {**tags, 34665: (4, 1), 34853: (4, 1)}, order=order)
        at = len(plain) + len(plain) % 2
        inner = made.directory({36867: (2, "2020:01:02 03:04:05"), 37500: (7, made.NOTE)}, at, order)
        places = {34665: (4, at), 34853: (4, at + len(inner))}
        end = inner + made.directory({1: (2, "N")}, at + len(inner), order)
        return made.tiff(SCENE, {**tags, **places}, order=order).ljust(at, b"\0") + end
    image = made.vips(SCENE).copy()
    for name, value in {"exif-data": block, "xmp-data": XMP, "icc-profile-data": PROFILE}.items():
        image.set_type(pyvips.GValue.blob_type, name, value)
    return bytes(image.write_to_buffer(suffix))


def exif_of(data: bytes, suffix: str) -> bytes:
    """The EXIF block of a file; a TIFF file is one itself."""
    if suffix == ".jpg":
        return next(content[6:] for marker, content in made.segments(data) if content.startswith(b"Exif\0\0"))
    if suffix == ".png":
        return next(content for kind, content in made.chunks(data) if kind == b"eXIf")
    if suffix == ".tif":
        return data
    block: bytes = pyvips.Image.new_from_buffer(data, "").get("exif-data")
    return block.removeprefix(b"Exif\0\0")


SUFFIXES = (".jpg", ".png", ".tif", ".webp")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_who_made_a_picture_when_and_where_comes_along_between_all_formats(suffix, target, order):
    picture = decode(source(suffix, order), f"x{suffix}")
    assert picture.pixels.shape[-2:] == (36, 24), "upright"
    data = encode(picture, target)
    block = exif_of(data, target)
    found, mark = made.tags_of(block), "<" if block[:2] == b"II" else ">"
    told = {271: b"A Maker\0", 315: b"An Artist\0", 33432: b"(c) me\0"}
    assert {tag: found.get(tag) for tag in told} == told
    assert made.number(found.get(274, b"\1\0"[:: 1 if mark == "<" else -1]), mark) == 1, "it need not be turned again"
    inner = made.tags_of(block, made.number(found[34665], mark))
    assert inner[36867] == b"2020:01:02 03:04:05\0"
    assert inner[37500] == made.NOTE or suffix == ".webp", "libvips wrote that one"
    assert made.tags_of(block, made.number(found[34853], mark))[1] == b"N\0"
    back = decode(data, f"x{target}")
    assert back.metadata["icc-profile-data"] == PROFILE
    assert b'Rating="4"' in back.metadata["xmp-data"] and b"fish &amp; chips" in back.metadata["xmp-data"]
    assert back.dpi == pytest.approx((300, 300), abs=0.02)


@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_thumbnail_and_the_orientation_of_the_damaged_picture_do_not_come_along(suffix, target):
    data = encode(decode(source(suffix), f"x{suffix}"), target)
    assert THUMBNAIL[:60] in source(suffix) or suffix == ".tif"
    assert THUMBNAIL[:60] not in data
    assert b"THUMBNAIL" not in data and b"Thumbnails" not in data and b"tiff:Orientation" not in data
    assert decode(data, f"x{target}").pixels.shape[-2:] == (36, 24)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_block_of_exif_keeps_its_places_for_the_notes_of_makers(suffix):
    before, after = (exif_of(data, suffix) for data in (source(suffix), encode(decode(source(suffix), "x"), suffix)))
    assert after.find(made.NOTE) == before.find(made.NOTE)
    changed = [place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b]
    assert len(changed) <= 9, "the orientation, the size that turned, and where the thumbnail was"
    assert len(after) < len(before)


def test_the_size_that_exif_says_is_that_of_the_result():
    picture = decode(source(".jpg"), "x.jpg")
    block = exif_of(encode(picture.with_pixels(torch.zeros(1, 3, 144, 96)), ".jpg"), ".jpg")
    inner = made.tags_of(block, made.number(made.tags_of(block)[34665]))
    assert (made.number(inner[40962]), made.number(inner[40963])) == (96, 144)


@pytest.mark.parametrize("order", "<>")
def test_the_size_is_true_wherever_a_phone_or_an_editor_wrote_it(order):
    def said(*tags: int) -> dict[int, Entry]:
        return {tag: whole([24], order, 3 if tag == 257 else 4) for tag in tags}

    original = Directory(said(4097, 4098), {})
    inner = Directory(said(40962, 40963), {INTEROPERABILITY: original})
    changed = Structure(exif.set_size(block(Directory(said(256, 257), {EXIF: inner}), order), 96, 144))
    first = changed.directory(changed.first)
    found = (first, first.children[EXIF], first.children[EXIF].children[INTEROPERABILITY])
    sizes = [[one.entries[tag].numbers(order)[0] for tag in sorted(one.entries.keys() - one.children)] for one in found]
    assert sizes == [[96, 144]] * 3


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_iptc_comes_along_where_there_is_a_place_for_it(suffix, caplog):
    picture = decode(source(suffix), f"x{suffix}")
    assert picture.metadata["iptc-data"] == RECORDS
    for target in (".jpg", ".tif", ".png"):
        assert decode(encode(picture, target), f"x{target}").metadata["iptc-data"] == RECORDS
    assert made.tags_of(encode(picture, ".tif"))[33723] == RECORDS
    if suffix == ".jpg":
        assert b"a flag" in encode(picture, ".jpg")
        assert (254, b"a comment") in [(marker, content) for marker, content in made.segments(encode(picture, ".jpg"))]


def test_the_texts_of_a_png_stay_as_they_are_in_png_and_go_into_exif_elsewhere():
    data = source(".png")
    texts = [(kind, content) for kind, content in made.chunks(data) if kind in (b"tEXt", b"zTXt")]
    picture = decode(data, "x.png")
    written = list(made.chunks(encode(picture, ".png")))
    assert all(text in written for text in texts)
    assert (b"iTXt", b"Title\0\0\0de\0Titel\0" + "Übung".encode()) in written
    for target in (".jpg", ".tif", ".webp"):
        block = exif_of(encode(picture, target), target)
        found, mark = made.tags_of(block), "<" if block[:2] == b"II" else ">"
        comment = made.tags_of(block, made.number(found[34665], mark))[37510]
        assert comment[:8] == b"UNICODE\0"
        assert comment[8:].decode("utf-16-be").splitlines() == ["a cat, Steps: 20", 'workflow: {"a": 1}']
        assert found[270].rstrip(b"\0").decode() == "Übung"


def test_texts_that_unpack_without_end_are_left_alone():
    bomb = made.chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(50_000_000), 9))
    many = b"".join(made.chunk(b"zTXt", b"k%d\0\0" % n + zlib.compress(bytes(1_000_000), 9)) for n in range(60))
    picture = decode(made.png(SCENE, bomb, many), "x.png")
    assert len(encode(picture, ".jpg")) < 100_000, "20 MB of nothing do not fit into EXIF"
    assert bomb in encode(picture, ".png")


def test_chunks_that_are_not_safe_to_copy_are_not_copied():
    private = made.chunk(b"prIv", b"of the pixels") + made.chunk(b"prIV", b"of these very pixels")
    wrong = made.chunk(b"tEXt", b"Title\0torn")[:-1] + b"?"
    data = encode(decode(made.png(SCENE, private, wrong), "x.png"), ".png")
    assert [kind for kind, _ in made.chunks(data)] == [b"IHDR", b"prIv", b"IDAT", b"IEND"]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_a_picture_without_a_resolution_gets_none(suffix):
    data = encode(Picture(pixels=torch.zeros(1, 3, 8, 8)), suffix)
    assert decode(data, f"x{suffix}").dpi is None
    assert b"pHYs" not in data
    if suffix == ".tif":
        assert made.tags_of(data)[296] == b"\1\0", "no unit"
    if suffix == ".jpg":
        assert made.segments(data)[0][1][7:12] == b"\0\0\1\0\1"


def test_a_resolution_in_centimetres_or_of_two_kinds_is_kept():
    fax = made.tiff(SCENE, {282: (5, 80.31), 283: (5, 38.58), 296: (3, 3)})
    picture = decode(fax, "fax.tif")
    assert picture.dpi == pytest.approx((204, 98), abs=0.02)
    for suffix in (".tif", ".jpg", ".png"):
        assert decode(encode(picture, suffix), f"x{suffix}").dpi == pytest.approx((204, 98), abs=0.02)
    turned = made.tiff(SCENE, {274: (3, 6), 282: (5, 204.0), 283: (5, 98.0), 296: (3, 2)})
    assert decode(turned, "fax.tif").dpi == pytest.approx((98, 204))


def test_blocks_that_png_keeps_as_text_are_found():
    digits = made.exif(orientation=1).hex()
    words = f"\nexif\n{len(digits) // 2:8}\n{digits}\n".encode()
    raw = made.chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(words))
    data = encode(decode(made.png(SCENE, raw), "x.png"), ".jpg")
    assert made.tags_of(exif_of(data, ".jpg"))[315] == b"An Artist\0"


@pytest.mark.parametrize("junk", [b"", b"II*\0", b"MM\0*\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff", b"\0" * 100])
def test_broken_exif_and_xmp_are_left_out_and_the_picture_is_read(junk, caplog):
    packet = b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='6'"
    data = made.jpeg(SCENE, made.segment(0xE1, b"Exif\0\0" + junk), made.segment(0xE1, packet))
    result = encode(decode(data, "x.jpg"), ".jpg")
    assert not any(content.startswith((b"Exif", b"http")) for _, content in made.segments(result))
    assert "XMP of a picture is unreadable" in caplog.text


def test_xmp_with_entities_that_grow_is_left_out(caplog):
    grow = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>' + XMP
    picture = Picture(pixels=torch.zeros(1, 3, 8, 8), metadata={"xmp-data": grow})
    assert b"ENTITY" not in encode(picture, ".png")


def test_what_is_too_large_for_jpeg_is_left_out_and_that_is_said(caplog):
    packet = XMP.replace(b"fish", b"f" * 70_000)
    picture = Picture(pixels=torch.zeros(1, 3, 8, 8), metadata={"xmp-data": packet})
    assert len(encode(picture, ".jpg")) < 2000
    assert "the XMP of a picture is too large for JPEG" in caplog.text
    assert b"f" * 70_000 in encode(picture, ".tif")


def test_further_views_and_gain_maps_of_a_jpeg_are_named_as_left_behind(caplog):
    entries = struct.pack("<IIIHH", 0x20030002, 0, 0, 0, 0) + struct.pack("<IIIHH", 0x00020002, 0, 0, 0, 0)
    index = b"MPF\0II*\0" + struct.pack("<I", 8) + made.directory({45058: (7, entries)}, 8)
    decode(made.jpeg(SCENE, made.segment(0xE2, index)), "stereo.jpg")
    assert "stereo.jpg holds 2 views of its subject" in caplog.text
    bright = XMP.replace(b'xmp:Rating="4"', b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"')
    data = made.jpeg(SCENE, made.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + bright))
    picture = decode(data, "phone.jpg")
    assert "phone.jpg also says how it looks in more light" in caplog.text
    assert b"hdrgm:Version" not in encode(picture, ".jpg")
