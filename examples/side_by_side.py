"""The same part of several pictures in a row, with a word under each.

    python examples/side_by_side.py OUT LEFT,TOP,SIDE WORD=PICTURE...

The part is that of the last picture; smaller ones are enlarged to its size first, without smoothing. Prints the PSNR
(RGB, border 0, of pictures in 8 bits) of those as large as the last one, whole, against it.
"""

from __future__ import annotations

import math
import sys

import pyvips

GAP, LETTERS = 6, 24


def colour(picture: pyvips.Image) -> pyvips.Image:
    """Return a picture as RGB."""
    return (picture.bandjoin([picture, picture]) if picture.bands == 1 else picture[0:3]).copy(interpretation="srgb")


def psnr(picture: pyvips.Image, clean: pyvips.Image) -> float:
    """Return the PSNR of two pictures in RGB, in dB."""
    error = ((picture - clean) ** 2).avg()
    return 10 * math.log10(255**2 / error) if error else math.inf


def tile(word: str, picture: pyvips.Image, height: int, part: list[int]) -> pyvips.Image:
    """Return a part of a picture, enlarged to `height` before, above its word."""
    left, top, side = part
    picture = picture.resize(height / picture.height, kernel="nearest").crop(left, top, side, side)
    text = pyvips.Image.text(word, font="sans 11", dpi=96).gravity("centre", picture.width, LETTERS).invert()
    return picture.join(text.bandjoin([text, text]).copy(interpretation="srgb"), "vertical")


def main() -> None:
    """Read, join, write."""
    out, part, *pairs = sys.argv[1:]
    named = [(word, colour(pyvips.Image.new_from_file(path))) for word, path in (pair.split("=", 1) for pair in pairs)]
    clean = named[-1][1]
    tiles = [tile(word, picture, clean.height, [int(number) for number in part.split(",")]) for word, picture in named]
    row = tiles[0]
    for one in tiles[1:]:
        row = row.join(one, "horizontal", shim=GAP, background=[255, 255, 255])
    row.write_to_file(out)
    whole = [one for one in named[:-1] if (one[1].width, one[1].height) == (clean.width, clean.height)]
    found = [f"{word} {psnr(picture, clean):.2f}" for word, picture in whole]
    print(f"{out}  PSNR (RGB, border 0), dB: {', '.join(found)}")


if __name__ == "__main__":
    main()
