"""What files tell beside their pixels: gathered from every format, and written to every format that has a place for it.

libvips carries colour profiles. The rest is done here, so that blocks stay as they were, byte by byte, but for what is
no longer true: see `exif` and `xmp`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from restoration.errors import BadPicture, plain
from restoration.images import exif, heif, jpeg, pages, png, profile, tiff, webp, xmp
from restoration.images.remarks import ABOUT, once, remark
from restoration.picture import Compression, Picture

if TYPE_CHECKING:
    from restoration.images.formats import Format

ICC, EXIF, XMP, IPTC = "icc-profile-data", "exif-data", "xmp-data", "iptc-data"
"""Blocks by libvips' names; of IPTC the bare records, as TIFF has them."""
PHOTOSHOP, CHUNKS, COLOURS, CODE = "photoshop-data", "png-chunks", "png-colours", "cicp"
"""Further blocks: Photoshop's resources, chunks of a PNG that it keeps, those of its colours, and its cICP."""
COMMENT = "jpeg-comment-"
RESOURCE_IPTC = 0x0404
DROPPED = {RESOURCE_IPTC, 0x0409, 0x040C, 0x040F, 0x0422, 0x0423, 0x0424}
"""Resources of Photoshop that are thumbnails, or that have a place of their own."""
SPACES = {1: b"GRAY", 3: b"RGB "}
PLAIN = ("srgb", "rgb", "rgb16", "b-w", "grey16", "cmyk")
"""What libvips calls the colours that a profile can be for."""
KEEP = {EXIF: 1, XMP: 2, ICC: 8}
"""How libvips numbers what it may write."""
BY_HAND = ("PNG", "JPEG", "TIFF", "WebP")
"""Formats whose blocks are put into the files that libvips wrote; to others it writes them itself."""


def gather(form: Format, data: bytes, image: Any, page: pages.Page | None) -> dict[str, Any]:
    """Return what a file tells beside its pixels, as keywords for `Picture`."""
    fields = image.get_fields()
    found: dict[str, bytes] = {name: image.get(name) for name in (ICC, EXIF, XMP) if name in fields}
    dpi, compression = None, None
    if form.name == "PNG":
        dpi = _from_png(data, found)
    elif form.name == "JPEG":
        header = jpeg.header(data)
        dpi, compression = header.dpi, header.compression()
        found |= {f"{COMMENT}{place}": comment for place, comment in enumerate(header.comments)}
        _from_resources(header.resources, found)
    elif page is not None:
        dpi = _from_tiff(page, found)
    elif form.name == "WebP":
        compression = Compression(lossless=webp.lossless(data))
    elif form.name in ("AVIF", "HEIC") and ICC not in found and (code := heif.colours(data)) is not None:
        found[CODE] = code
    if dpi is None and EXIF in found:
        dpi = exif.resolution(found[EXIF].removeprefix(exif.PREFIX))
    if dpi is not None and "orientation" in fields and image.get("orientation") >= 5:
        dpi = dpi[::-1]
    if found.get(ICC):
        _check_profile(found, image)
    blocks = {name: bytes(value) for name, value in found.items() if value}
    return {"metadata": blocks, "dpi": dpi, "compression": compression}


def _check_profile(found: dict[str, bytes], image: Any) -> None:
    """Leave out, and say so, a colour profile that is broken, or that is for other colours than the image has."""
    block, kind = bytes(found[ICC]), image.interpretation
    space = b"CMYK" if kind == "cmyk" else SPACES[1 if image.bands < 3 else 3]
    if not profile.is_whole(block):
        del found[ICC]
        remark(f"the colour profile of {ABOUT.get()} is broken and was left out")
    elif kind in PLAIN and block[16:20] != space:
        del found[ICC]
        words = [plain(one.decode("latin-1")) for one in (block[16:20], space)]
        remark(f"the colour profile of {ABOUT.get()} is for {words[0]}, not for {words[1]}; it was left out")


def _from_png(data: bytes, found: dict[str, bytes]) -> tuple[float, float] | None:
    chunks = list(png.chunks(data))
    found[CHUNKS], found[COLOURS] = png.keep_chunks(chunks)
    if ICC not in found and any(kind == b"iCCP" for kind, _ in chunks):  # libpng refuses it
        remark(f"the colour profile of {ABOUT.get()} is broken, or not for its colours; it was left out")
    code = next((bytes(content) for kind, content in chunks if kind == b"cICP" and len(content) == 4), None)
    if code is not None:
        found[CODE] = code
    blocks = png.blocks(chunks)
    for name, key in {"exif": EXIF, "APP1": EXIF, "xmp": XMP}.items():
        if name in blocks:
            found.setdefault(key, blocks[name])
    for block in (blocks.get("iptc", b""), blocks.get("8bim", b"")):
        _from_resources(block.removeprefix(jpeg.PHOTOSHOP), found)
    return png.resolution(chunks)


def _from_tiff(page: pages.Page, found: dict[str, bytes]) -> tuple[float, float] | None:
    tags = page.tags.entries
    block = exif.of_tiff(page.tags, page.order)
    if block is not None:
        found[EXIF] = block
    if 34377 in tags:
        _from_resources(bytes(tags[34377].data), found)
    if 33723 in tags:
        found[IPTC] = bytes(tags[33723].data)
    return tiff.resolution(tags, page.order)


def _from_resources(resources: bytes, found: dict[str, bytes]) -> None:
    """Sort Photoshop's resources: IPTC, and those that stay as they are."""
    kept = b""
    for number, content, whole in jpeg.resources(resources):
        if number == RESOURCE_IPTC:
            found.setdefault(IPTC, content)
        elif number not in DROPPED:
            kept += whole
    if kept:
        found[PHOTOSHOP] = found.get(PHOTOSHOP, b"") + kept


def colour_profile(picture: Picture, form: Format) -> bytes | None:
    """Return the profile to be written with a picture, made of what PNG and AVIF say in numbers if it has none.

    Raises `BadPicture` for colours that only PNG can name.
    """
    found, channels = picture.metadata, picture.pixels.shape[1]
    if ICC in found:
        return found[ICC] if found[ICC][16:20] == SPACES[channels] else None
    if form.name == "PNG":
        return None
    if CODE in found:
        colours = profile.of_code(found[CODE])
        if colours is None or colours.hdr:
            what = f"{colours.hdr} (HDR)" if colours else f"of the numbers {found[CODE][0]} and {found[CODE][1]}"
            raise BadPicture(f"the colours of the picture are {what}, which {form.name} cannot say here; write a .png")
    elif COLOURS in found:
        chunks = dict(png.chunks(png.SIGNATURE + found[COLOURS]))
        if b"sRGB" in chunks:
            return None
        gamma, corners = (bytes(chunks[kind]) if kind in chunks else None for kind in (b"gAMA", b"cHRM"))
        colours = profile.of_gamma(gamma, corners)
    else:
        return None
    return None if colours.is_srgb() else colours.profile(channels)


def blocks_of(picture: Picture, form: Format) -> tuple[bytes | None, bytes | None]:
    """Return the EXIF and XMP blocks to be written with a picture, true for it."""
    found, (height, width) = picture.metadata, picture.pixels.shape[-2:]
    about, packet = None, None
    if EXIF in found:
        about = exif.block(found[EXIF])
        if about is None:
            remark(f"the EXIF of {ABOUT.get()} is unreadable and was left out")
    texts = {} if form.name == "PNG" else _texts(picture, comments=form.name != "JPEG")
    if texts:
        about = exif.with_texts(about, texts)
    if XMP in found:
        packet = xmp.clean(found[XMP])
        if packet is None:
            remark(f"the XMP of {ABOUT.get()} is unreadable and was left out")
    if picture.dpi is not None and form.name not in ("PNG", "JPEG", "TIFF"):
        about = exif.with_resolution(about, picture.dpi)
    return (None if about is None else exif.set_size(about, width, height)), packet


def attach(image: Any, picture: Picture, form: Format) -> Any:
    """Return an image of libvips with the blocks that libvips is to write. Raises `BadPicture`."""
    import pyvips

    blocks = {ICC: colour_profile(picture, form)}
    if form.name not in BY_HAND:
        blocks[EXIF], blocks[XMP] = blocks_of(picture, form)
    image = image.copy()
    for name, block in blocks.items():
        if block is not None:
            image.set_type(pyvips.GValue.blob_type, name, block)
    return image


def kept(image: Any) -> int:
    """Return what libvips is to write of the blocks of an image, as it numbers them; it would make EXIF up."""
    return sum(number for name, number in KEEP.items() if name in image.get_fields())


def _texts(picture: Picture, *, comments: bool) -> dict[str, str]:
    """What a picture tells in PNG's texts and, if asked for, JPEG's comments, by keywords."""
    texts = png.texts(png.chunks(png.SIGNATURE + picture.metadata.get(CHUNKS, b"")))
    found = (value for name, value in picture.metadata.items() if comments and name.startswith(COMMENT))
    words = "\n".join(value.rstrip(b"\0").decode(errors="replace") for value in found)
    return {**texts, "Comment": words} if words else texts


def dress(data: bytes, picture: Picture, form: Format) -> bytes:
    """Return a file that libvips wrote with what a picture tells, as far as the format has a place for it."""
    about, packet = blocks_of(picture, form)
    found, (height, width) = picture.metadata, picture.pixels.shape[-2:]
    records = found.get(IPTC, b"")
    resources = found.get(PHOTOSHOP, b"") + (jpeg.resource(RESOURCE_IPTC, records) if records else b"")
    if form.name == "JPEG":
        comments = [value for name, value in found.items() if name.startswith(COMMENT)]
        return jpeg.add_metadata(data, exif=about, xmp=packet, photoshop=resources, comments=comments, dpi=picture.dpi)
    if form.name == "PNG":
        late = [found.get(CHUNKS, b""), png.chunk(b"eXIf", about) if about else b""]
        late += [png.as_text("iptc", jpeg.resource(RESOURCE_IPTC, records))] if records else []
        late += [png.chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)] if packet else []
        late += [png.comment(value) for name, value in found.items() if name.startswith(COMMENT)]
        code = png.chunk(b"cICP", found[CODE]) if CODE in found and COLOURS not in found else b""
        return png.add_metadata(data, [found.get(COLOURS, b""), code], late, picture.dpi)
    if form.name == "TIFF":
        return tiff.join([(data, as_tags(picture, about, packet))])
    if records:
        once(f"{form.name} has no place for IPTC; it was left out")
    if form.name == "WebP":
        return webp.add_metadata(data, about, packet, width, height, picture.alpha is not None)
    return data


def as_tags(picture: Picture, about: bytes | None, packet: bytes | None) -> tiff.Directory:
    """Return what a picture tells, with its blocks of EXIF and XMP, as tags of a TIFF file that libvips wrote."""
    more = exif.for_tiff(about, "<") if about else tiff.Directory({}, {})
    for tag, value in {700: packet, 33723: picture.metadata.get(IPTC), 34377: picture.metadata.get(PHOTOSHOP)}.items():
        if value:
            more.entries[tag] = tiff.Entry(1 if tag == 700 else 7, len(value), value)
    x, y = picture.dpi or (1, 1)
    more.entries |= {282: tiff.fraction(x, "<"), 283: tiff.fraction(y, "<")}
    more.entries[296] = tiff.whole([2 if picture.dpi else 1], "<", 3)
    return more


def converted(told: dict[str, Any]) -> dict[str, Any]:
    """Return what `gather` found for pixels that became sRGB: what their colours were does not hold any more."""
    blocks = {name: value for name, value in told["metadata"].items() if name not in (ICC, COLOURS, CODE)}
    return {**told, "metadata": blocks}
