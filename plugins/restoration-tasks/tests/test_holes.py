"""Holes: where they are, what is left, and what a user's picture says about its own."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from restoration_tasks.holes import CHANCES, SHARES, Holes, Kind
from restoration_tasks.strokes import LETTERS, draw_segments
from torch import Generator, Tensor

from restoration import BadOption, BadPicture, KnowingTask, Picture, write
from restoration.operators import Masking

KINDS = tuple(SHARES)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pictures(*shape: int) -> Tensor:
    return torch.rand(shape, generator=seeded(9))


def mask_of(task: Holes, x: Tensor, seed: int = 0) -> Tensor:
    operator = task.observe(x, seeded(seed)).operator
    assert isinstance(operator, Masking)
    return operator.mask


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """A file of 7 by 5 pixels, its upper row black and the rest white."""
    pixels = torch.ones(1, 1, 5, 7)
    pixels[..., 0, :] = 0
    write(Picture(pixels=pixels), tmp_path / "mask.png")
    return tmp_path / "mask.png"


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 90)])
@pytest.mark.parametrize("kind", get_args(Kind))
def test_holes_are_white_and_the_rest_is_untouched(kind: Kind, size: tuple[int, int]) -> None:
    x, task = pictures(2, 3, *size), Holes(kind=kind)
    seen, mask = task.observe(x, seeded()), mask_of(task, x)
    assert mask.shape == (2, 1, *size)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    known = mask.expand_as(x) == 1
    assert torch.equal(seen.y[known], x[known])
    assert bool((seen.y[~known] == 1).all())
    assert seen.measured is not None and torch.equal(seen.measured, x * mask)
    assert seen.sigma == 0


def test_holes_are_the_same_from_the_same_rng_and_others_from_another() -> None:
    x, task = pictures(2, 3, 40, 50), Holes()
    assert isinstance(task, KnowingTask)
    assert torch.equal(task(x, seeded(1)), task(x, seeded(1)))
    assert not torch.equal(task(x, seeded(1)), task(x, seeded(2)))
    mask = mask_of(task, x)
    assert not torch.equal(mask[0], mask[1]), "each picture has its own"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_covers_about_the_share_that_it_is_told(kind: Kind) -> None:
    x = torch.zeros(4, 1, 256, 320)
    lost = [1 - float(mask_of(Holes(kind=kind, share=share), x).mean()) for share in (0.0, 0.1, 0.4)]
    assert lost[0] == 0
    assert 0.03 < lost[1] < 0.2
    assert lost[1] * 1.8 < lost[2] < 0.45


def test_pixels_are_lost_one_by_one_and_boxes_whole() -> None:
    x = torch.zeros(4, 1, 128, 128)

    def neighbours_lost(kind: Kind) -> float:
        lost = 1 - mask_of(Holes(kind=kind, share=0.2), x)
        return float((lost[..., 1:] * lost[..., :-1]).sum() / lost.sum())

    alone, together = neighbours_lost("pixels"), neighbours_lost("boxes")
    assert alone == pytest.approx(0.2, abs=0.02)
    assert together > 0.95
    assert neighbours_lost("thin") < neighbours_lost("thick") < together


def test_mixed_holes_are_of_every_kind() -> None:
    assert set(CHANCES) == set(SHARES)
    assert sum(CHANCES.values()) == pytest.approx(1)
    shares = 1 - mask_of(Holes(), torch.zeros(60, 1, 48, 48)).mean(dim=(1, 2, 3))
    assert float(shares.min()) < 0.08 and float(shares.max()) > 0.5


def test_a_stroke_covers_the_pixels_that_are_nearer_than_half_its_pen() -> None:
    covered = draw_segments([(2.3, 3.2, 24.6, 11.1, 5.7)], 18, 30)
    rows, columns = torch.arange(18.0)[:, None, None], torch.arange(30.0)[:, None]
    places = torch.linspace(0, 1, 2001)  # of points along the stroke
    distance = ((columns - 2.3 - 22.3 * places) ** 2 + (rows - 3.2 - 7.9 * places) ** 2).sqrt().amin(dim=-1)
    clear = (distance - 2.85).abs() > 0.01
    assert torch.equal(covered[clear], (distance <= 2.85)[clear])
    point = draw_segments([(5.0, 4.0, 5.0, 4.0, 2.0)], 8, 12)
    assert point.sum() == 5 and bool(point[4, 5])
    assert not draw_segments([(-50.0, 3.0, -20.0, 3.0, 3.0), (3.0, 40.0, 5.0, 60.0, 4.0)], 8, 12).any()


def test_letters_are_lines_on_a_grid_of_five_by_seven() -> None:
    for letter, lines in LETTERS.items():
        for line in lines.split():
            places = [int(digit) for digit in line]
            assert len(places) >= 4 and len(places) % 2 == 0, letter
            assert max(places[0::2]) <= 4 and max(places[1::2]) <= 6, letter


def test_a_file_says_where_the_holes_are_in_black_or_in_white(mask: Path) -> None:
    x = pictures(2, 3, 5, 7)
    black, white = Holes(mask=str(mask))(x, seeded()), Holes(mask=str(mask), holes="white")(x, seeded())
    assert bool((black[..., 0, :] == 1).all()) and torch.equal(black[..., 1:, :], x[..., 1:, :])
    assert bool((white[..., 1:, :] == 1).all()) and torch.equal(white[..., 0, :], x[..., 0, :])


def test_a_coloured_mask_of_16_bits_is_read_by_its_brightness(tmp_path: Path) -> None:
    pixels = torch.tensor([[0.1, 0.0, 0.0], [0.0, 0.0, 0.05], [1.0, 1.0, 0.95], [0.9, 1.0, 1.0]]).T[None, :, None]
    write(Picture(pixels=pixels, bits=16), tmp_path / "mask.tif")
    told = Holes(mask=str(tmp_path / "mask.tif")).describe(Picture(pixels=pictures(1, 3, 1, 4)))
    assert isinstance(told.operator, Masking)
    assert told.operator.mask.flatten().tolist() == [0, 0, 1, 1]


def test_a_picture_with_a_mask_or_with_transparent_pixels_says_where_its_holes_are(mask: Path) -> None:
    pixels, alpha = pictures(1, 3, 5, 7), torch.ones(1, 1, 5, 7)
    alpha[..., 2, :3] = torch.tensor([0.0, 0.5, 0.99])
    erased = Holes().describe(Picture(pixels=pixels, alpha=alpha))
    assert isinstance(erased.operator, Masking)
    assert torch.equal(erased.operator.mask, (alpha == 1).float()), "a little transparent is a hole, too"
    assert bool((erased.y[..., 2, :3] == 1).all())
    both = Holes(mask=str(mask)).describe(Picture(pixels=pixels, alpha=alpha))
    assert isinstance(both.operator, Masking)
    assert both.operator.mask[..., 0, :].sum() == 0 and both.operator.mask.sum() == 28, "the mask counts"


@pytest.mark.parametrize("alpha", [None, torch.ones(1, 1, 5, 7)], ids=["none", "opaque"])
def test_a_picture_that_says_nothing_of_its_holes_is_one_clear_line(alpha: Tensor | None) -> None:
    with pytest.raises(BadOption, match="where are the holes") as caught:
        Holes().describe(Picture(pixels=pictures(1, 3, 5, 7), alpha=alpha))
    assert "--mask FILE" in str(caught.value) and "\n" not in str(caught.value)


def test_a_mask_of_another_size_or_none_at_all_is_one_line(mask: Path) -> None:
    with pytest.raises(BadOption, match=r"mask\.png is 7x5, the picture 5x7; make them one size"):
        Holes(mask=str(mask)).describe(Picture(pixels=pictures(1, 3, 7, 5)))
    with pytest.raises(BadOption, match="make them one size"):
        Holes(mask=str(mask))(pictures(1, 3, 7, 5), seeded())
    with pytest.raises(BadPicture, match=r"nothing\.png: No such file"):
        Holes(mask="nothing.png")(pictures(1, 3, 7, 5), seeded())


@pytest.mark.parametrize("share", [(-0.1, 0.2), (0.3, 0.2), 1.5])
def test_a_share_that_cannot_be_is_an_error(share: float) -> None:
    with pytest.raises(ValueError, match="share must be"):
        Holes(share=share)
