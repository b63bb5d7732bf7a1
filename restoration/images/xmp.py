"""XMP: what programs wrote about a picture, without what is no longer true of the one that comes out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.dom import minidom
from xml.parsers.expat import ExpatError

if TYPE_CHECKING:
    from xml.dom.minidom import Element

GONE = {
    ("http://ns.adobe.com/tiff/1.0/", "Orientation"),
    ("http://ns.adobe.com/tiff/1.0/", "ImageWidth"),
    ("http://ns.adobe.com/tiff/1.0/", "ImageLength"),
    ("http://ns.adobe.com/exif/1.0/", "PixelXDimension"),
    ("http://ns.adobe.com/exif/1.0/", "PixelYDimension"),
    ("http://ns.adobe.com/xap/1.0/", "Thumbnails"),
    ("http://ns.adobe.com/xmp/note/", "HasExtendedXMP"),
}
"""Properties of the damaged picture: how it lay, its size, its thumbnail, and blocks that do not come along."""
SPACES = (
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/1.0/image/",
    "http://ns.google.com/photos/1.0/depthmap/",
    "http://ns.google.com/photos/1.0/camera/",
)
"""Spaces of names for further pictures and films that a file holds behind the first, which do not come along."""
LARGEST = 16 << 20
"""Packets of more bytes are not looked into."""
TELLTALE = re.compile(rb"Orientation|ImageWidth|ImageLength|Dimension|Thumbnails|HasExtendedXMP|photos/1.0|gain-map")


def clean(packet: bytes) -> bytes | None:
    """Return a packet without `GONE` and `SPACES`, or as it is if it has none of them; None if it is unreadable."""
    if not TELLTALE.search(packet):
        return packet
    if len(packet) > LARGEST or b"<!" in packet.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        return None  # XMP has no declarations, and entities can be made to grow without end
    try:
        document = minidom.parseString(packet.strip(b"\0 \r\n\t"))
        for element in list(document.getElementsByTagName("*")):
            _clean(element)
        return b"".join(node.toxml().encode() for node in document.childNodes)
    except (ExpatError, ValueError, LookupError, RecursionError):
        return None


def _clean(element: Element) -> None:
    """Take away an element, or those of its attributes, that tell of the damaged picture."""
    for name in list((element.attributes or {}).keys()):
        attribute = element.getAttributeNode(name)
        if attribute is not None and _is_gone(attribute.namespaceURI, name.rpartition(":")[2]):
            element.removeAttribute(name)
    if _is_gone(element.namespaceURI, element.localName) and element.parentNode is not None:
        element.parentNode.removeChild(element)


def _is_gone(space: str | None, name: str) -> bool:
    return (space or "", name) in GONE or space in SPACES
