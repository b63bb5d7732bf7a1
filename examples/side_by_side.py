"""The same part of several pictures in a row, with a word under each.

    python examples/side_by_side.py OUT LEFT,TOP,SIDE WORD=PICTURE... [/ WORD=PICTURE...]

A "/" begins another row. The part is that of the last picture; smaller ones are enlarged to its size first, without
smoothing. Prints the PSNR (RGB, border 0, of pictures in 8 bits) of those as large as the last one, whole, against it.
"""

from __future__ import annotations

import sys
from itertools import groupby

import pyvips

import restoration

GAP, LETTERS = 6, 24


def tile(word: str, picture: pyvips.Image, height: int, part: list[int]) -> pyvips.Image:
    """Return a part of a picture, enlarged to `height` before, above its word."""
    left, top, side = part
    picture = (picture.bandjoin([picture, picture]) if picture.bands == 1 else picture[0:3]).copy(interpretation="srgb")
    picture = picture.resize(height / picture.height, kernel="nearest").crop(left, top, side, side)
    text = pyvips.Image.text(word, font="sans 11", dpi=96).gravity("centre", picture.width, LETTERS).invert()
    return picture.join(text.bandjoin([text, text]).copy(interpretation="srgb"), "vertical")


def named(pair: str) -> tuple[str, str, pyvips.Image]:
    """Return the word of WORD=PICTURE, the path, and the picture."""
    word, path = pair.split("=", 1)
    return word, path, pyvips.Image.new_from_file(path)


def main() -> None:
    """Read, join, write."""
    out, part, *words = sys.argv[1:]
    rows = [[named(pair) for pair in row] for ends, row in groupby(words, key="/".__eq__) if not ends]
    height, numbers = rows[-1][-1][2].height, [int(number) for number in part.split(",")]
    tiles = [tile(word, picture, height, numbers) for row in rows for word, _, picture in row]
    white = {"background": [255, 255, 255]}
    sheet = pyvips.Image.arrayjoin(tiles, across=max(map(len, rows)), shim=GAP, **white)
    sheet.write_to_file(out)
    *others, clean = [(word, restoration.read(path).pixels) for row in rows for word, path, _ in row]
    found = [f"{word} {restoration.psnr(x, clean[1]):.2f}" for word, x in others if x.shape == clean[1].shape]
    print(f"{out}  PSNR (RGB, border 0), dB: {', '.join(found)}")


if __name__ == "__main__":
    main()
