"""Words over a picture, of letters that are drawn here: no font is needed, and they are the same on every machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from einops import repeat

if TYPE_CHECKING:
    from torch import Generator, Tensor

GLYPHS = (
    """
.##. ###. .### ###. #### #### .### #..# ### ...# #..# #... #...#
#..# #..# #... #..# #... #... #... #..# .#. ...# #.#. #... ##.##
#..# ###. #... #..# ###. ###. #.## #### .#. ...# ##.. #... #.#.#
#### #..# #... #..# #... #... #..# #..# .#. #..# #.#. #... #...#
#..# ###. .### ###. #### #... .### #..# ### .##. #..# #### #...#
""",
    """
#..# .##. ###. .##. ###. .### ##### #..# #...# #...# #..# #...# ####
##.# #..# #..# #..# #..# #... ..#.. #..# #...# #...# #..# .#.#. ...#
#.## #..# ###. #..# ###. .##. ..#.. #..# .#.#. #.#.# .##. ..#.. .##.
#..# #..# #... #.#. #.#. ...# ..#.. #..# .#.#. ##.## #..# ..#.. #...
#..# .##. #... .#.# #..# ###. ..#.. .##. ..#.. #...# #..# ..#.. ####
""",
)
"""The capitals, A to M and N to Z, each of five rows."""
LONGEST = 8
"""The letters that a word has at most."""
SIZES = (1, 4)
"""The pixels of a side of a dot, from and to."""
TRIES = 1000
"""Words that are drawn at most, if a picture is not covered before."""

LETTERS = [
    torch.tensor([[dot == "#" for dot in row] for row in rows])
    for half in GLYPHS
    for rows in zip(*(line.split(" ") for line in half.strip().splitlines()), strict=True)
]
"""The letters as dots, `5 w`, bool."""


def draw_writing(x: Tensor, share: float, rng: Generator) -> Tensor:
    """Write words of one colour each over a picture, `1 c h w`, until they cover at least a share of its pixels."""
    y = x.clone()
    height, width = x.shape[-2:]
    covered = torch.zeros(height, width, dtype=torch.bool)
    for _ in range(TRIES):
        if covered.float().mean() >= share:
            break
        word = _draw_word(rng)
        rows, columns = word.shape
        down, right = torch.rand(2, generator=rng).tolist()
        top, left = int(down * (height + rows)) - rows, int(right * (width + columns)) - columns
        part = word[max(0, -top) : height - top, max(0, -left) : width - left]
        window = (slice(max(0, top), max(0, top) + part.shape[0]), slice(max(0, left), max(0, left) + part.shape[1]))
        colour = torch.rand(x.shape[1], 1, generator=rng)
        y[0][:, *window][:, part] = colour
        covered[window] |= part
    return y


def _draw_word(rng: Generator) -> Tensor:
    """Draw a word in a random size: dots, `h w`, bool."""
    number, size = 1 + int(torch.randint(LONGEST, (), generator=rng)), int(torch.randint(*SIZES, (), generator=rng))
    dots = []
    for place in torch.randint(len(LETTERS), (number,), generator=rng).tolist():
        dots += [LETTERS[place], torch.zeros(5, 1, dtype=torch.bool)]
    return repeat(torch.cat(dots, dim=1), "h w -> (h i) (w j)", i=size, j=size)
