"""Pictures of one height in a row, with a word under each: `python examples/side_by_side.py OUT WORD=PICTURE...`."""

from __future__ import annotations

import sys

import pyvips

SIDE, GAP, LETTERS = 256, 6, 24


def tile(word: str, path: str) -> pyvips.Image:
    """Return a picture scaled so that it is `SIDE` high, above its word."""
    picture = pyvips.Image.new_from_file(path)
    picture = (picture.bandjoin([picture, picture]) if picture.bands == 1 else picture[0:3]).copy(interpretation="srgb")
    kernel = "nearest" if picture.height < SIDE else "lanczos3"
    picture = picture.resize(SIDE / picture.height, kernel=kernel)
    text = pyvips.Image.text(word, font="sans 11", dpi=96).gravity("centre", picture.width, LETTERS).invert()
    return picture.join(text.bandjoin([text, text]).copy(interpretation="srgb"), "vertical")


def main() -> None:
    """Read, join, write."""
    out, *pairs = sys.argv[1:]
    tiles = [tile(*pair.split("=", 1)) for pair in pairs]
    row = tiles[0]
    for one in tiles[1:]:
        row = row.join(one, "horizontal", shim=GAP, background=[255, 255, 255])
    row.write_to_file(out)
    print(out)


if __name__ == "__main__":
    main()
