"""Masks, kernels and maps of noise as people have them: understood where that is certain, else one clear error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor

from restoration import BadOption, Observation, Picture, write
from restoration.operators import Convolution, Masking
from restoration.tasks import make_task

SIZE = (12, 16)
KNOWN = torch.ones(SIZE)
KNOWN[3:6, 4:9] = 0


def scene(blank: bool = False) -> Picture:
    pixels = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    return Picture(pixels=torch.where(KNOWN == 0, torch.ones(()), pixels) if blank else pixels)


def seen(mask: object, picture: Picture | None = None, **options: object) -> Tensor:
    told = make_task("inpaint", {"mask": mask, **options}).describe(picture or scene())
    assert isinstance(told, Observation) and isinstance(told.operator, Masking)
    return told.operator.mask[0, 0]


def test_one_mask_in_many_forms(tmp_path: Path) -> None:
    array = KNOWN.numpy()
    write(Picture(pixels=KNOWN[None, None]), tmp_path / "usual.png")
    write(Picture(pixels=KNOWN[None, None] / 255), tmp_path / "of 0 and 1.png")
    write(Picture(pixels=torch.zeros(1, 3, *SIZE), alpha=KNOWN[None, None]), tmp_path / "in the alpha.png")
    np.save(tmp_path / "array.npy", array)
    for mask in (
        *(str(tmp_path / name) for name in ("usual.png", "of 0 and 1.png", "in the alpha.png", "array.npy")),
        tmp_path / "usual.png",
        array,
        array.astype(bool),
        (array * 255).astype(np.uint8),
        KNOWN,
        KNOWN[None],
        KNOWN.bool(),
        PIL.Image.fromarray((array * 255).astype(np.uint8)),
        PIL.Image.fromarray(array.astype(bool)),
        KNOWN.repeat_interleave(2, 0).repeat_interleave(2, 1),
    ):
        assert torch.equal(seen(mask), KNOWN), mask


def test_a_smaller_mask_is_enlarged_and_a_larger_one_loses_no_hole() -> None:
    small = torch.ones(3, 4)
    small[1, 1] = 0
    assert torch.equal(seen(small), small.repeat_interleave(4, 0).repeat_interleave(4, 1))
    large = torch.ones(24, 32)
    large[7, 9] = 0
    assert torch.equal(seen(large) == 0, torch.nn.functional.avg_pool2d(large[None], 2)[0] < 1)


def test_white_holes_are_understood_where_the_picture_is_blank_there_and_said(caplog: pytest.LogCaptureFixture) -> None:
    assert torch.equal(seen(1 - KNOWN, scene(blank=True)), KNOWN)
    assert "its white is taken for the holes" in caplog.text
    assert torch.equal(seen(1 - KNOWN, holes="white"), KNOWN)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (1 - KNOWN, "Say --holes black or --holes white"),
        (torch.ones(SIZE), "shows no holes, all of it is white"),
        (torch.zeros(SIZE), "leaves nothing of the picture"),
        (torch.rand(SIZE, generator=torch.Generator().manual_seed(0)), "neither black nor white; is it a photograph"),
        (torch.ones(5, 7), "is 7x5, the picture 16x12; make them one size"),
        (-KNOWN, "numbers below 0"),
        (KNOWN.where(KNOWN > 0, torch.nan), "not finite"),
        (torch.ones(2, 3, 4, 5), "must have two dimensions"),
        (7, "option 'mask' does not fit"),
        (object(), "is a path, an array of numpy, a tensor of torch or an image of PIL, not object"),
    ],
)
def test_what_is_no_certain_mask_is_refused(mask: object, said: str) -> None:
    with pytest.raises(BadOption) as caught:
        make_task("inpaint", {"mask": mask}).describe(scene())
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_kernels_in_many_forms(tmp_path: Path) -> None:
    kernel = torch.rand(5, 3, generator=torch.Generator().manual_seed(1)).double()
    np.save(tmp_path / "k.npy", kernel.numpy())
    for given in (kernel, kernel.numpy(), str(tmp_path / "k.npy"), tmp_path / "k.npy", kernel[None, None]):
        told = make_task("deblur", {"kernel": given}).describe(scene())
        assert isinstance(told.operator, Convolution)
        assert torch.allclose(told.operator.kernel[0, 0].double(), kernel / kernel.sum(), atol=1e-6)


def test_a_map_of_noise_is_known_for_every_pixel(tmp_path: Path) -> None:
    levels = torch.linspace(0, 50, SIZE[0] * SIZE[1]).reshape(SIZE).round()
    np.save(tmp_path / "s.npy", levels.numpy())
    PIL.Image.fromarray(levels.numpy().astype(np.uint8)).save(tmp_path / "s.png")
    for given in (levels, levels.numpy(), str(tmp_path / "s.npy"), str(tmp_path / "s.png")):
        told = make_task("denoise", {"sigma": given}).describe(scene())
        assert isinstance(told.sigma, torch.Tensor) and torch.allclose(told.sigma[0, 0], levels / 255, atol=1e-6)
    task = make_task("denoise", {"sigma": levels})
    drawn = task(torch.full((1, 3, *SIZE), 0.5), torch.Generator().manual_seed(0)) - 0.5
    assert float(drawn[..., 0, 0].abs().max()) == 0 and float(drawn[..., -1, :].std()) == pytest.approx(0.18, abs=0.06)
    with pytest.raises(BadOption, match="is 4x4, the picture 16x12; make them one size"):
        make_task("denoise", {"sigma": torch.ones(4, 4)}).describe(scene())
    with pytest.raises(BadOption, match="must be from 0 to 255, not -1 to -1"):
        make_task("denoise", {"sigma": -torch.ones(SIZE)}).describe(scene())


@pytest.mark.parametrize(
    ("task", "options", "said"),
    [
        ("inpaint", {"mask": KNOWN, "kind": "text"}, "kind and share are for holes that are drawn"),
        ("inpaint", {"holes": "white"}, "there is no mask"),
        ("deblur", {"kernel": torch.ones(3, 3), "extent": 5}, "kind and extent are for kernels that are drawn"),
        ("denoise", {"sigma": KNOWN, "kind": "camera"}, "is for noise of the kind gaussian"),
        ("sr", {"scale": 17}, "scale must be from 2 to 16"),
    ],
)
def test_options_that_would_change_nothing_are_refused(task: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(BadOption) as caught:
        make_task(task, options)
    assert said in str(caught.value)
