"""Damage that varies slowly is judged in a small copy, and mended at full size."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch
from small import picture

from restoration.engine.shrinking import carry_over, shrink
from restoration.errors import BadWeights
from restoration.images import read, write
from restoration.images.folders import Pair
from restoration.interfaces import Observation
from restoration.metrics import psnr
from restoration.operators import Masking
from restoration.picture import Picture
from restoration.recipe import default_recipe
from restoration.runtime import Restoration
from restoration.tasks import make_task
from restoration.training.patches import Patches
from restoration.training.validation import Validation
from restoration.weights import CONFIG, resolve

HOPPER = Path(__file__).parent.parent / "examples" / "derain" / "clean" / "hopper.png"


def pixels(height: int, width: int, seed: int) -> torch.Tensor:
    return picture(height, width, seed).pixels


def veil(height: int, width: int) -> torch.Tensor:
    """How much light comes through from the left, where it is clear, to the right."""
    return torch.linspace(0.9, 0.3, width).expand(1, 1, height, width)


def test_a_picture_shrinks_to_so_many_pixels_and_keeps_its_ratio() -> None:
    for height, width in ((300, 400), (400, 300), (1000, 90)):
        small = shrink(torch.rand(1, 3, height, width), 64)
        rows, columns = small.shape[-2:]
        assert math.isclose(rows * columns, 64**2, rel_tol=0.05)
        assert math.isclose(rows / columns, height / width, rel_tol=0.07)
    x = torch.rand(1, 3, 40, 60)
    assert shrink(x, 64) is x, "it is small as it is"
    assert shrink(x, 0) is x
    assert shrink(torch.rand(1, 3, 4000, 9), 64).shape[-1] == 9, "a strip keeps its width"


def test_the_mean_of_a_picture_does_not_move_when_it_shrinks() -> None:
    x = pixels(240, 320, 3)
    torch.testing.assert_close(shrink(x, 64).mean((2, 3)), x.mean((2, 3)), rtol=0, atol=2e-3)


def test_what_was_changed_in_small_is_changed_alike_at_full_size() -> None:
    x, t = pixels(256, 320, 1) * 0.8 + 0.1, veil(256, 320)
    y = x * t + 0.95 * (1 - t)
    small = shrink(y, 80)
    full = carry_over(y, small, shrink(x, 80))
    before, after = (float((guess - x).square().mean().sqrt()) for guess in (y, full))
    assert after < 0.06 * before, (before, after)
    unchanged = carry_over(y, small, small)
    torch.testing.assert_close(unchanged, y, rtol=0, atol=1e-5)
    assert carry_over(y, y, x) is x, "nothing was shrunk"


def test_a_flat_picture_is_shifted_and_its_noise_left_as_it_is() -> None:
    noise = 0.002 * torch.randn(1, 3, 200, 200, generator=torch.Generator().manual_seed(0))
    y = 0.5 + noise
    small = shrink(y, 50)
    torch.testing.assert_close(carry_over(y, small, small - 0.2), y - 0.2, rtol=0, atol=1e-5)


def test_patches_with_a_working_size_are_of_pictures_that_were_shrunk(tmp_path: Path) -> None:
    write(picture(240, 320, 0), tmp_path / "a.png")
    large, small = (
        Patches([Pair(clean=tmp_path / "a.png")], lambda x, rng: x, size=32, working_size=size, cache=10**6).pictures
        for size in (0, 40)
    )
    assert large.size(0) == (240, 320)
    height, width = small.size(0)
    assert math.isclose(height * width, (1.5 * 40) ** 2, rel_tol=0.05)
    whole = small.window(0, slice(0, height), slice(0, width))[0] / 255
    torch.testing.assert_close(whole, shrink(pixels(240, 320, 0), 60)[0], rtol=0, atol=0.6 / 255)


def test_patches_show_more_or_less_of_a_picture_and_pairs_stay_together(tmp_path: Path) -> None:
    ramp = torch.linspace(0, 1, 320).expand(1, 3, 240, 320)
    for name in ("clean", "hazy"):
        (tmp_path / name).mkdir()
        write(Picture(pixels=ramp if name == "clean" else ramp * 0.5), tmp_path / name / "a.png")

    def degrade(x: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        raise AssertionError("pairs are not degraded again")

    pair = Pair(clean=tmp_path / "clean" / "a.png", degraded=tmp_path / "hazy" / "a.png")
    patches = Patches([pair], degrade, size=24, working_size=40)
    x, y = (torch.stack(side) for side in zip(*(patches.row(0, 0, row) for row in range(64)), strict=True))
    assert x.shape == y.shape == (64, 3, 24, 24)
    torch.testing.assert_close(y, x * 0.5, rtol=0, atol=1.5 / 255)
    shown = (x.amax((1, 2, 3)) - x.amin((1, 2, 3))) * 69  # of the 69 pixels that the shrunk picture is wide
    assert shown.min() < 26 and shown.max() > 40, (shown.min(), shown.max())


def test_pictures_held_out_are_judged_at_the_working_size(tmp_path: Path) -> None:
    write(picture(300, 400, 2), tmp_path / "a.png")
    pair = Pair(clean=tmp_path / "a.png")
    held_out = Validation([pair], lambda x, rng: x * 0.5, channels=3, working_size=100)
    x, seen = held_out.pictures[0]
    assert math.isclose(x.shape[2] * x.shape[3], 100**2, rel_tol=0.05)
    torch.testing.assert_close(seen.y, x * 0.5)


@pytest.fixture
def dehaze() -> Restoration:
    return Restoration("regression", "dehaze", device="cpu")


def test_a_large_picture_is_dehazed_like_a_small_one_and_its_colours_come_back(dehaze: Restoration) -> None:
    clean = read(HOPPER).pixels
    haze = make_task("dehaze", {"thickness": 0.8, "patchy": 0})
    hazy = haze(clean, torch.Generator().manual_seed(1))
    seen = []
    large = dehaze(Observation(y=hazy), observe=lambda guess: seen.append(guess.shape)).picture.pixels
    assert dehaze.recipe.working_size == 192
    assert seen == [(1, 3, 192, 192)], "guesses are of the size that it works at"
    small = dehaze(Observation(y=shrink(hazy, 192))).picture.pixels
    assert psnr(shrink(large, 192), small) > 30
    assert psnr(large, clean) > psnr(hazy, clean) + 10
    assert float((large - clean).mean((2, 3)).abs().max()) < 16 / 255


def test_where_more_is_known_than_the_picture_it_is_not_shrunk(dehaze: Restoration) -> None:
    y = torch.rand(1, 3, 300, 300, generator=torch.Generator().manual_seed(0))
    seen = []
    known = Observation(y=y, operator=Masking(torch.ones(1, 1, 300, 300)))
    dehaze(known, observe=lambda guess: seen.append(guess.shape))
    assert seen == [(1, 3, 300, 300)]


def test_a_recipe_has_the_working_size_of_its_task_and_weights_refuse_another(tmp_path: Path) -> None:
    assert default_recipe("regression", "dehaze").working_size == 192
    assert "working_size" not in default_recipe("regression", "denoise").trained()
    shipped = resolve(None, "regression", "dehaze")
    assert shipped is not None
    folder = Path(shutil.copytree(shipped.path, tmp_path / "dehaze"))
    config = folder / CONFIG
    assert '"working_size": 192' in config.read_text()
    for wrong, said in (
        ("256", "says working_size = 256, but its weights were trained with 192"),
        ("7", "for the full size, or 32 to 10000000, not 7"),
    ):
        config.write_text(
            (shipped.path / CONFIG).read_text().replace('"working_size": 192', f'"working_size": {wrong}')
        )
        with pytest.raises(BadWeights, match=said):
            Restoration("regression", "dehaze", weights=str(folder), device="cpu")
