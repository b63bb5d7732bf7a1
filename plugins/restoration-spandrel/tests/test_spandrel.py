"""Files of spandrel's architectures: recognised, built again by shapes, and equal to spandrel's own answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from restoration_spandrel import network as networks
from restoration_spandrel.layout import SpandrelLayout
from safetensors.torch import save_file
from spandrel import MAIN_REGISTRY, ImageModelDescriptor
from spandrel.architectures.DAT import DAT
from spandrel.architectures.DRUNet import DRUNet
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.NAFNet import NAFNet
from spandrel.architectures.RCAN import RCAN
from spandrel.architectures.SAFMN import SAFMN
from torch import Tensor, nn

from restoration import BadOption, Restoration, Training, psnr, resolve, score, train
from restoration.engine.tiling import Tiled
from restoration.foreign.conversion import convert
from restoration.foreign.recognition import build
from restoration.images import write
from restoration.picture import Picture
from restoration.recipe import with_options
from restoration.tasks import make_task
from restoration.testing import LayoutContract, NetworkContract, picture, scene

CLEAN = Path(__file__).parents[3] / "examples" / "derain" / "clean"


def compact(scale: int = 1, channels: int = 3) -> nn.Module:
    """Return a small Real-ESRGAN Compact."""
    from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact

    made: nn.Module = SRVGGNetCompact(num_in_ch=channels, num_out_ch=channels, num_feat=4, num_conv=2, upscale=scale)
    return made


MADE: dict[str, Callable[[], nn.Module]] = {
    "compact 1x": compact,
    "compact 2x": lambda: compact(2),
    "compact 8x": lambda: compact(8),
    "esrgan 4x": lambda: ESRGAN(num_filters=4, num_blocks=1, scale=4),
    "safmn 4x, a multiple of 8": lambda: SAFMN(dim=8, n_blocks=2, ffn_scale=2.0, upscaling_factor=4),
    "dat 2x, which reads values": lambda: DAT(embed_dim=32, depth=[1], num_heads=[2], split_size=[4, 8], upscale=2),
    "rcan 3x, which writes into its input": lambda: RCAN(scale=3, n_resgroups=1, n_resblocks=1, n_feats=8, reduction=4),
    "nafnet": lambda: NAFNet(width=4, enc_blk_nums=[1, 1], middle_blk_num=1, dec_blk_nums=[1, 1]),
    "drunet": lambda: DRUNet(in_nc=4, out_nc=3, nc=[4, 4, 4, 4], nb=2),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTORE_CACHE", str(tmp_path / "cache"))


def state_of(name: str) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how spandrel's architectures are made
        torch.manual_seed(0)
        return {key: value.clone() for key, value in MADE[name]().state_dict().items()}


def file_of(name: str, folder: Path) -> Path:
    path = folder / "net.safetensors"
    save_file(state_of(name), path)
    return path


def described(name: str) -> ImageModelDescriptor[nn.Module]:
    found = MAIN_REGISTRY.load(state_of(name))
    assert isinstance(found, ImageModelDescriptor)
    return found


class TestSpandrelLayout(LayoutContract):
    name = "spandrel"

    def files(self) -> list[dict[str, Tensor]]:
        return [state_of(name) for name in MADE]


def options_of(name: str) -> dict[str, Any]:
    found = SpandrelLayout().convert(state_of(name))
    assert found is not None
    return found.network.options


class TestRestoring(NetworkContract):
    name, options = "spandrel", options_of("compact 1x")


class TestEnlarging(NetworkContract):
    name, options = "spandrel-sr", options_of("compact 8x")


class TestPadded(NetworkContract):
    name, options = "spandrel-sr", options_of("safmn 4x, a multiple of 8")


class TestDenoising(NetworkContract):
    name, options = "spandrel-denoising", options_of("drunet")


@pytest.mark.parametrize("name", [name for name in MADE if name != "drunet"])
def test_pictures_are_those_of_spandrel(name: str, tmp_path: Path) -> None:
    path, theirs = file_of(name, tmp_path), described(name)
    task = "sr" if theirs.scale > 1 else "denoise"
    small = picture(1, 3, 37, 30)
    found = Restoration("regression", task, weights=str(path), precision="fp32")(Picture(pixels=small)).picture.pixels
    assert found.shape == (1, 3, 37 * theirs.scale, 30 * theirs.scale)
    torch.testing.assert_close(found, theirs(small.clone()), atol=2e-6, rtol=0)


def test_scale_and_task_follow_from_the_file(tmp_path: Path) -> None:
    tasks = {
        "compact 8x": ("sr", {"scale": 8}),
        "drunet": ("denoise", {}),
        "dat 2x, which reads values": ("sr", {"scale": 2}),
    }
    for name, (task, options) in tasks.items():
        recipe = convert(file_of(name, tmp_path)).recipe
        assert (recipe.task.name, recipe.task.options) == (task, options)
    scale = {"task_options": {"scale": 4}}
    with pytest.raises(BadOption, match="was trained to enlarge 8 times, not 4"):
        Restoration("regression", "sr", weights=str(file_of("compact 8x", tmp_path)), **scale)  # type: ignore[arg-type]


def test_a_network_that_is_told_the_noise_is_told_that_of_the_picture(tmp_path: Path) -> None:
    path, theirs = file_of("drunet", tmp_path), described("drunet")
    noisy = picture(1, 3, 24, 32)
    answers = {}
    for sigma in (15, 50):
        made = Restoration(
            "denoising-ode", "denoise", weights=str(path), precision="fp32", task_options={"sigma": sigma}
        )
        answers[sigma] = made(Picture(pixels=noisy)).picture.pixels
    torch.testing.assert_close(answers[15], theirs(noisy), atol=2e-6, rtol=0)  # spandrel always says 15
    assert not torch.equal(answers[15], answers[50])


def test_it_is_a_prior_for_every_known_damage(tmp_path: Path) -> None:
    made = Restoration("diffpir", "inpaint", weights=str(file_of("drunet", tmp_path)), steps=2)
    assert made.recipe.network is not None and made.recipe.network.name == "spandrel-denoising"


@pytest.mark.parametrize("name", ["compact 2x", "compact 8x", "safmn 4x, a multiple of 8"])
@torch.inference_mode()
def test_windows_are_answered_as_spandrel_answers_each(name: str) -> None:
    theirs, found = described(name), SpandrelLayout().convert(state_of(name))
    assert found is not None
    inner = build(found).eval()
    inner.load_state_dict(dict(found.tensors))
    seen: list[Tensor] = []

    class Looking(nn.Module):
        enlarges = inner.enlarges

        def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
            seen.append(y)
            answer: Tensor = inner(x, y)
            assert x.shape[-2:] == tuple(theirs.scale * side for side in y.shape[-2:])
            torch.testing.assert_close(answer.clamp(0, 1), theirs(y.clone()), atol=2e-6, rtol=0)
            return answer

    scale, side = theirs.scale, 512 // theirs.scale
    tiled = Tiled(Looking(), 64, reach=4 * scale, multiple=inner.multiple)
    small = picture(1, 3, side, side + 8)
    whole = tiled(torch.zeros(1, 3, scale * side, scale * (side + 8)), small, torch.ones(1))
    assert len(seen) > 1 and whole.shape[-1] == scale * (side + 8)
    assert all(one.shape[-1] % inner.multiple == 0 for one in seen), f"windows start off the grid of {inner.multiple}"
    if name.startswith("compact"):
        torch.testing.assert_close(whole.clamp(0, 1), theirs(small), atol=1e-4, rtol=0)


def test_grey_networks_restore_each_channel(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        grey = compact(1, channels=1)
    save_file(grey.state_dict(), tmp_path / "grey.safetensors")
    made = Restoration("regression", "jpeg", weights=str(tmp_path / "grey.safetensors"), precision="fp32")
    colours = picture(1, 3, 20, 24)
    with torch.inference_mode():
        each = torch.cat([grey(colours[:, i : i + 1]) for i in range(3)], dim=1).clamp(0, 1)
    torch.testing.assert_close(made(Picture(pixels=colours)).picture.pixels, each, atol=2e-6, rtol=0)
    one = made(Picture(pixels=colours[:, :1])).picture.pixels
    torch.testing.assert_close(one, each[:, :1], atol=2e-6, rtol=0)


def test_mixed_precision_ends_before_the_picture(tmp_path: Path) -> None:
    path = str(file_of("compact 2x", tmp_path))
    exact, mixed = (
        Restoration("regression", "sr", weights=path, precision=name)(Picture(pixels=scene(40, 48))).picture.pixels
        for name in ("fp32", "bf16")
    )
    assert not torch.equal(exact, mixed)
    assert len(mixed.unique()) > 2000, "the picture has no more levels than bfloat16 has"


def test_an_architecture_that_is_not_there_and_shapes_that_do_not_fit_are_one_line() -> None:
    with pytest.raises(BadOption, match="spandrel, as it is installed here, has no architecture 'Nothing'"):
        networks.Restoring(architecture="Nothing", shapes={})
    with pytest.raises(BadOption, match="this Compact enlarges 2 times: it is a network spandrel-sr"):
        networks.Restoring(**options_of("compact 2x"))


def test_what_came_from_a_file_is_trained_further_and_scored(tmp_path: Path) -> None:
    folder = resolve(str(file_of("compact 2x", tmp_path)), "", "")
    assert folder is not None
    recipe = with_options(folder.recipe(), {})
    how = Training(
        steps=30, batch=2, patch=24, held_out=1, validate_every=30, workers=0, shrink=0.0, lr=4e-3, precision="fp32"
    )
    out = train(recipe, CLEAN, tmp_path / "weights", how).path
    x = scene(48, 64)
    seen = make_task("sr", {"scale": 2}).observe(x, torch.Generator())  # type: ignore[attr-defined]
    found = Restoration("regression", "sr", weights=str(out), precision="fp32")(seen).picture.pixels
    assert found.shape == x.shape and psnr(found, x) > 10


def test_the_command_line_enlarges_as_the_file_does(tmp_path: Path) -> None:
    from forking import restore as command

    path, small = file_of("compact 8x", tmp_path), tmp_path / "small.png"
    write(Picture(pixels=scene(20, 24)), small)
    import json
    import os

    done = command(
        "run",
        small,
        "--weights",
        path,
        "--accept",
        "--ensemble",
        "--json",
        "-o",
        tmp_path / "large.png",
        env={**os.environ, "RESTORE_CACHE": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["size"] == [192, 160]


@pytest.mark.parametrize("name", ["rcan 3x, which writes into its input", "safmn 4x, a multiple of 8", "compact 8x"])
def test_every_factor_is_scored_and_trained(name: str, tmp_path: Path) -> None:
    scale = described(name).scale
    (tmp_path / "clean").mkdir()
    write(Picture(pixels=scene(61, 75)), tmp_path / "clean" / "a.png")
    made = Restoration("regression", "sr", weights=str(file_of(name, tmp_path)), tile=64)
    assert made.task_options == {"scale": scale}
    (one,) = score(made, tmp_path / "clean", metrics=["psnr"])
    assert one.after["psnr"] > 3 and one.before["psnr"] > 10, "sides that the scale does not divide are scored too"
    assert made.folder is not None
    how = Training(
        steps=1, batch=1, patch=3 * scale, held_out=1, validate_every=1, workers=0, shrink=0.0, precision="fp32"
    )
    out = train(made.folder.recipe(), CLEAN, tmp_path / "weights", how)
    assert out.recipe().task.options == {"scale": scale}
