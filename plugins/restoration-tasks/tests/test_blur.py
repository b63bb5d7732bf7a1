"""Blur: kernels that are drawn and kernels from files, and what they do to pictures."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from restoration_tasks.blur import Blur, Kind, disc, draw_path, shake
from restoration_tasks.kernels import read_kernel
from restoration_tasks.motion import move
from torch import Generator, Tensor

from restoration import BadOption, KnowingTask, Picture, RestorationError, write
from restoration.operators import Convolution

WITH_KERNELS = ("shake", "defocus", "mixed")


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def pictures(*shape: int) -> Tensor:
    return torch.rand(shape, generator=seeded(9))


def kernels_of(task: Blur, batch: int, seed: int = 0) -> Tensor:
    operator = task.observe(torch.zeros(batch, 1, 4, 4), seeded(seed)).operator
    assert isinstance(operator, Convolution)
    return operator.kernel


def diameter(kernel: Tensor) -> float:
    """Twice the distance of the furthest light from the middle."""
    place = torch.arange(kernel.shape[-1]) - kernel.shape[-1] // 2
    distance = (place[:, None] ** 2 + place**2).sqrt()
    return 2 * float(distance[kernel[0] > 1e-6].max())


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (40, 48)])
@pytest.mark.parametrize("kind", WITH_KERNELS)
def test_blurred_pictures_are_those_of_the_operator_to_half_a_level(kind: Kind, size: tuple[int, int]) -> None:
    x, task = pictures(2, 3, *size), Blur(kind=kind, noise=0)
    seen = task.observe(x, seeded())
    assert isinstance(task, KnowingTask) and isinstance(seen.operator, Convolution)
    assert float((seen.operator(x) - seen.y).abs().max()) <= 0.5001 / 255
    assert seen.sigma == 0
    assert seen.operator.kernel.shape[0] == 2
    assert torch.equal(seen.y, task(x, seeded()))
    assert not torch.equal(seen.y, task(x, seeded(1))) or size == (1, 1)


@pytest.mark.parametrize("kind", WITH_KERNELS)
@pytest.mark.parametrize("extent", [1.0, 7.0, (3.0, 21.0), 101.0])
def test_kernels_that_are_drawn_are_light_that_is_kept(kind: Kind, extent: float) -> None:
    kernels = kernels_of(Blur(kind=kind, extent=extent), 16)
    assert kernels.shape[2] % 2 and kernels.shape[3] % 2
    assert float(kernels.min()) >= 0
    assert torch.allclose(kernels.sum(dim=(1, 2, 3)), torch.ones(16), atol=1e-5)
    assert not kernels[..., 0, :].any() and not kernels[..., :, -1].any(), "nothing is cut off"
    assert torch.equal(kernels, kernels_of(Blur(kind=kind, extent=extent), 16))
    if kind == "shake" and extent != 1:
        assert not torch.equal(kernels[0], kernels[1])


@pytest.mark.parametrize("extent", [5.0, 11.0, 31.0])
def test_a_shake_reaches_over_its_extent_around_its_centre(extent: float) -> None:
    kernels = shake(torch.full((8, 1, 1, 1), extent), 35, seeded())
    place = torch.arange(35.0) - 17
    for kernel in kernels:
        assert extent - 2 < diameter(kernel) < extent + 3
        assert float((kernel * place).sum()) == pytest.approx(0, abs=1e-4)
        assert float((kernel * place[:, None]).sum()) == pytest.approx(0, abs=1e-4)


def test_a_shake_of_one_pixel_is_no_blur_and_a_disc_is_round() -> None:
    point = shake(torch.ones(2, 1, 1, 1), 9, seeded())
    assert torch.allclose(point[..., 4, 4], torch.ones(2, 1), atol=1e-6)
    round_ = disc(torch.full((1, 1, 1, 1), 9.0), 15)
    assert torch.allclose(round_, round_.flip(-1)) and torch.allclose(round_, round_.mT)
    assert diameter(round_[0]) == pytest.approx(9, abs=1)
    inside = round_[round_ == round_.max()]
    assert len(inside) == pytest.approx(torch.pi * 4**2, rel=0.1), "even light, but for the soft rim"


def test_mixed_blur_is_defocused_in_a_quarter_of_the_pictures() -> None:
    kernels = kernels_of(Blur(extent=21), 400)
    symmetric = (kernels - kernels.flip(-1)).abs().amax(dim=(1, 2, 3)) < 1e-6
    assert float(symmetric.float().mean()) == pytest.approx(0.25, abs=0.07)


def test_noise_comes_after_the_blur_and_is_what_is_told() -> None:
    x = torch.full((1, 3, 100, 100), 0.5)
    seen = Blur(noise=10).observe(x, seeded())
    assert float((seen.y - x).std()) * 255 == pytest.approx(10, rel=0.03)
    assert seen.sigma == pytest.approx(10 / 255)


def a_kernel() -> np.ndarray:
    kernel = np.arange(15.0).reshape(3, 5)
    kernel[0, 4] = 40
    return kernel


def files(folder: Path) -> dict[str, str]:
    """Write one kernel in every way it may come; return what to say for each."""
    kernel = a_kernel()
    np.save(folder / "kernel.npy", kernel)
    np.save(folder / "whole.npy", kernel.astype(np.int16))
    np.savez(folder / "many.npz", first=np.ones((2, 2)), second=kernel)
    pixels = torch.from_numpy(kernel / kernel.max()).float()[None, None]
    write(Picture(pixels=pixels, bits=16), folder / "kernel.png")
    write(Picture(pixels=pixels.expand(-1, 3, -1, -1), bits=16), folder / "kernel.tif")
    return {
        "array": f"{folder}/kernel.npy",
        "whole numbers": f"{folder}/whole.npy",
        "archive": f"{folder}/many.npz:second",
        "grey picture": f"{folder}/kernel.png",
        "colour picture": f"{folder}/kernel.tif",
    }


@pytest.mark.parametrize("way", ["array", "whole numbers", "archive", "grey picture", "colour picture"])
def test_a_kernel_is_read_from_an_array_an_archive_or_a_picture(way: str, tmp_path: Path) -> None:
    kernel = read_kernel(files(tmp_path)[way])
    expected = torch.from_numpy(a_kernel() / a_kernel().sum()).float()
    assert kernel.shape == (1, 1, 3, 5)
    assert kernel.dtype == torch.float32
    assert torch.allclose(kernel[0, 0], expected, rtol=0, atol=1e-6 if "picture" not in way else 1e-4)


def test_a_kernel_from_a_file_blurs_and_is_told_and_shows_the_right_way_round(tmp_path: Path) -> None:
    source = files(tmp_path)["array"]
    task = Blur(kernel=source, noise=0)
    point = torch.zeros(2, 1, 9, 11)
    point[..., 4, 5] = 1
    y = task(point, seeded())
    assert torch.allclose(y[1, 0, 3:6, 3:8], read_kernel(source)[0, 0], atol=0.51 / 255)
    told = task.describe(Picture(pixels=y[:1]))
    assert isinstance(told.operator, Convolution)
    assert torch.equal(told.operator.kernel, read_kernel(source))
    assert Blur().describe(Picture(pixels=y[:1])).operator is None


def test_a_kernel_of_even_sides_gets_a_row_and_a_column_more(tmp_path: Path) -> None:
    np.save(tmp_path / "even.npy", np.ones((2, 4)))
    kernel = read_kernel(str(tmp_path / "even.npy"))
    assert kernel.shape == (1, 1, 3, 5)
    assert float(kernel.sum()) == pytest.approx(1)
    assert not kernel[..., 2, :].any() and not kernel[..., 4].any()


def test_numbers_of_any_size_are_normalised(tmp_path: Path) -> None:
    np.save(tmp_path / "large.npy", np.full((3, 3), 1e300))
    assert torch.allclose(read_kernel(str(tmp_path / "large.npy")), torch.full((3, 3), 1 / 9))


def bad_files(folder: Path) -> dict[str, tuple[str, str]]:
    """Write files that are no kernels; return for each what to say and what must be answered."""
    arrays = {
        "flat.npy": np.ones(5),
        "deep.npy": np.ones((3, 5, 5)).repeat(2, axis=0),
        "empty.npy": np.ones((0, 3)),
        "nan.npy": np.full((3, 3), np.nan),
        "infinite.npy": np.full((3, 3), np.inf),
        "zero.npy": np.zeros((3, 3)),
        "negative.npy": -np.ones((3, 3)),
        "complex.npy": np.ones((3, 3), complex),
        "words.npy": np.array([["a", "b"]]),
        "wide.npy": np.ones((3, 257)),
        "fields.npy": np.zeros((3, 3), [("a", "f4")]),
    }
    for name, array in arrays.items():
        np.save(folder / name, array)
    np.save(folder / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(folder / "two.npz", a=np.ones((3, 3)), b=np.ones((3, 3)))
    np.savez(folder / "none.npz")
    whole = (folder / "two.npz").read_bytes()
    (folder / "cut.npz").write_bytes(whole[:150])
    (folder / "changed.npz").write_bytes(whole[:150] + bytes([whole[150] ^ 255]) + whole[151:])
    (folder / "archive.npy").write_bytes(whole)
    (folder / "cut.npy").write_bytes((folder / "deep.npy").read_bytes()[:140])
    (folder / "void.npy").write_bytes(b"")
    (folder / "void.npz").write_bytes(b"")
    (folder / "text.npy").write_text("0 1 0")
    (folder / "text.npz").write_text("0 1 0")
    (folder / "text.txt").write_text("0 1 0")
    (folder / "folder.npy").mkdir()
    with zipfile.ZipFile(folder / "stranger.npz", "w") as archive:
        archive.writestr("a", b"no array")
    black = Picture(pixels=torch.zeros(1, 1, 3, 3))
    write(black, folder / "black.png")
    shape, damaged, numbers = (
        "(is not a kernel: two|must have two|numbers that are not finite)",
        "cannot be read as a NumPy file",
        "holds no numbers",
    )
    answers = dict.fromkeys(("flat.npy", "deep.npy", "empty.npy", "nan.npy", "infinite.npy", "zero.npy"), shape)
    answers |= dict.fromkeys(("negative.npy", "black.png"), shape)
    answers |= dict.fromkeys(("complex.npy", "words.npy", "fields.npy", "archive.npy", "stranger.npz:a"), numbers)
    answers |= dict.fromkeys(("object.npy", "none.npz:a", "cut.npz:a", "changed.npz:a", "cut.npy"), damaged)
    answers |= dict.fromkeys(("void.npy", "void.npz:a", "text.npy", "text.npz:a"), damaged)
    answers |= dict.fromkeys(("two.npz", "two.npz:c", "two.npz:"), "name one of the arrays in")
    answers |= dict.fromkeys(("missing.npy", "missing.npz:a", "missing.png"), "No such file")
    answers |= {
        "wide.npy": "is 257x3, too large for a kernel",
        "folder.npy": "Is a directory",
        "text.txt": "is not a picture that can be read",
    }
    return {name: (str(folder / name), answer) for name, answer in answers.items()}


def test_files_that_are_no_kernels_are_told_in_one_line_each(tmp_path: Path) -> None:
    for name, (source, answer) in bad_files(tmp_path).items():
        with pytest.raises(RestorationError, match=answer) as caught:
            read_kernel(source)
        assert name.partition(":")[0] in str(caught.value)
        assert "\n" not in str(caught.value), name


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"any": "thing"}], dtype=object), allow_pickle=True)
    (tmp_path / "kernel.npy").write_bytes(buffer.getvalue())
    with pytest.raises(BadOption):
        Blur(kernel=str(tmp_path / "kernel.npy"))(pictures(1, 1, 4, 4), seeded())


def test_an_archive_says_which_kernels_it_has(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", a=np.ones((3, 3)), b=np.ones((3, 3)))
    with pytest.raises(BadOption, match=r"--kernel .*two\.npz:a \(of a, b\)"):
        read_kernel(str(tmp_path / "two.npz"))


@pytest.mark.parametrize(
    "options", [{"extent": 0.5}, {"extent": 102}, {"extent": (9, 3)}, {"noise": -1}, {"noise": float("nan")}]
)
def test_blur_that_cannot_be_is_an_error(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be a number or two"):
        Blur(**options)  # type: ignore[arg-type]


def test_motion_differs_from_place_to_place_and_is_sharp_in_the_middle_of_its_time() -> None:
    x = torch.zeros(1, 1, 96, 96)
    x[..., 8::16, 8::16] = 1  # points of light
    y = move(x, draw_path(torch.full((1, 1, 1, 1), 9.0), seeded()), seeded(1))
    spots = y.unfold(2, 16, 16).unfold(3, 16, 16)[0, 0].flatten(0, 1)
    spread = (spots > 0.02).float().sum(dim=(1, 2))
    assert float(spread.max()) > 1.5 * float(spread.min()) > 1.5  # some move further than others, all do move
    still = move(x, torch.zeros(1, 96, 2), seeded(1))
    assert float((still - x).abs().max()) < 0.02  # nothing moves without a path


def test_light_is_averaged_as_light_and_a_flat_picture_stays() -> None:
    flat = torch.full((1, 3, 32, 32), 0.3)
    path = draw_path(torch.full((1, 1, 1, 1), 15.0), seeded())
    assert torch.allclose(move(flat, path, seeded()), flat, atol=1e-5)
    halves = torch.cat([torch.zeros(1, 1, 32, 16), torch.ones(1, 1, 32, 16)], dim=3)
    swing = torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).repeat_interleave(48, 0)[None] * 4
    middle = float(move(halves, swing, seeded(5))[0, 0, 16, 16])
    assert middle > 0.6  # half of the light is a level of 0.73, not 0.5


@pytest.mark.parametrize("kind", ["motion", "all"])
def test_motion_has_no_operator_and_what_it_draws_is_repeated_by_the_seed(kind: Kind) -> None:
    x = pictures(6, 3, 24, 32)
    seen = Blur(kind=kind).observe(x, seeded(3))
    assert seen.operator is None and seen.y.shape == x.shape
    assert torch.equal(seen.y, Blur(kind=kind).observe(x, seeded(3)).y)
    assert set(get_args(Kind)) == {*WITH_KERNELS, "motion", "all"}
