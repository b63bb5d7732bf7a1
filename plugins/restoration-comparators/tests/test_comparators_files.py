"""Files of the networks of the literature, by the names of their authors: recognised, and computed as published."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from recognition import loaded, recognised
from restoration_comparators.carn import CARN
from restoration_comparators.edsr import EDSR
from restoration_comparators.haze import AODNet
from restoration_comparators.layout import ComparatorsLayout
from restoration_comparators.rain import PReNet
from restoration_comparators.rfdn import RFDN
from restoration_comparators.safmn import SAFMN
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from restoration import Restoration
from restoration.foreign.conversion import convert
from restoration.picture import Picture
from restoration.testing import LayoutContract, generator, picture


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTORE_CACHE", str(tmp_path / "cache"))


def chain(widths: list[int], stem: str, *, norms: bool, biases: bool, ending: bool) -> dict[str, Tensor]:
    """Return a chain of convolutions, with batch norms or without, numbered as its authors number it."""
    rng, state, place = generator(), {}, 0
    for at, (inner, outer) in enumerate(pairwise(widths)):
        last = at == len(widths) - 2
        state[f"{stem}{place}.weight"] = 0.2 * torch.randn(outer, inner, 3, 3, generator=rng)
        if ending if last else biases:
            state[f"{stem}{place}.bias"] = 0.1 * torch.randn(outer, generator=rng)
        if norms and at > 0 and not last:
            place += 1
            for name in ("weight", "bias", "running_mean"):
                state[f"{stem}{place}.{name}"] = torch.randn(outer, generator=rng)
            state[f"{stem}{place}.running_var"] = 0.5 + torch.rand(outer, generator=rng)
            state[f"{stem}{place}.num_batches_tracked"] = torch.tensor(7)
        place += 2
    return state


def applied(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """Apply a chain as it is written down: a convolution, its norm if it has one, and a ReLU but at the end."""
    layers: dict[tuple[str, int], dict[str, Tensor]] = {}
    for name, value in state.items():
        stem, place, tensor = name.rsplit(".", 2)
        layers.setdefault((stem, int(place)), {})[tensor] = value
    *_, end = layers
    for at, (key, one) in enumerate(layers.items()):
        if one["weight"].ndim == 4:
            x = functional.conv2d(x, one["weight"], one.get("bias"), padding=1)
            following = list(layers)[at + 1 : at + 2]
            normed = bool(following) and layers[following[0]]["weight"].ndim == 1
        else:
            x = functional.batch_norm(x, one["running_mean"], one["running_var"], one["weight"], one["bias"])
            normed = False
        x = x if key == end or normed else x.relu()
    return x


GREY, COLOUR = [1, 6, 6, 6, 1], [3, 6, 6, 6, 3]
CHAINS: dict[str, dict[str, Any]] = {
    "KAIR, folded": {"widths": GREY, "stem": "model.", "norms": False, "biases": True, "ending": True},
    "BUIFD": {"widths": COLOUR, "stem": "module.dncnn.dncnn.", "norms": True, "biases": False, "ending": False},
    "SaoYan": {"widths": GREY, "stem": "module.dncnn.", "norms": True, "biases": False, "ending": False},
    "with a bias at the end": {"widths": COLOUR, "stem": "model.", "norms": True, "biases": True, "ending": True},
}
MADE: dict[str, nn.Module] = {
    "PReNet": PReNet(width=4),
    "AOD-Net": AODNet(),
    "EDSR": EDSR(width=8, blocks=2, scale=4),
    "EDSR, large": EDSR(width=256, blocks=1, scale=3, share=0.1),
    "CARN-M": CARN(width=8),
    "CARN of one scale": CARN(width=8, groups=1, scales=(3,)),
    "RFDN": RFDN(width=8, blocks=2, scale=2),
    "SAFMN": SAFMN(width=8, blocks=2, scale=3),
}


class TestComparatorsLayout(LayoutContract):
    name = "comparators"

    def files(self) -> list[dict[str, Tensor]]:
        return [*(made.state_dict() for made in MADE.values()), *(chain(**how) for how in CHAINS.values()), ffdnet(3)]


@pytest.mark.parametrize("name", MADE)
def test_options_follow_from_the_shapes(name: str) -> None:
    made = MADE[name].eval()
    network = loaded(recognised(made.state_dict()))
    x = picture(1, 3, 24, 20)
    scales = getattr(made, "enlarges", (1,))
    for scale in scales:
        large = torch.zeros(1, 3, scale * 24, scale * 20)
        arguments = (x,) if scales == (1,) else (large, x)
        with torch.inference_mode():
            torch.testing.assert_close(network(*arguments), made(*arguments))


@pytest.mark.parametrize("name", CHAINS)
@torch.inference_mode()
def test_every_published_form_of_dncnn_subtracts_what_its_chain_predicts(name: str) -> None:
    state = chain(**CHAINS[name])
    found = recognised(state)
    assert (found.network.name, found.tasks, found.method.name) == ("dncnn", ("denoise",), "regression")
    x = picture(1, 3, 16, 18)
    if CHAINS[name]["widths"] is GREY:
        each = torch.cat([x[:, i : i + 1] - applied(state, x[:, i : i + 1]) for i in range(3)], dim=1)
        torch.testing.assert_close(loaded(found)(x[:, :1]), each[:, :1])
        torch.testing.assert_close(loaded(found)(x), each)
    else:
        torch.testing.assert_close(loaded(found)(x), x - applied(state, x), atol=1e-4, rtol=1e-4)


def ffdnet(channels: int) -> dict[str, Tensor]:
    widths = [4 * channels + 1, 6, 6, 4 * channels]
    return chain(widths, "model.", norms=False, biases=True, ending=True)


@pytest.mark.parametrize("channels", [1, 3])
@torch.inference_mode()
def test_ffdnet_is_told_the_noise_as_a_map_at_half_the_size(channels: int, tmp_path: Path) -> None:
    state, sigma = ffdnet(channels), 25 / 255
    save_file(state, tmp_path / "net.safetensors")
    recipe = convert(tmp_path / "net.safetensors").recipe
    assert recipe.schedule is not None
    assert (recipe.method.name, recipe.task.name, recipe.schedule.name) == ("denoising-ode", "denoise", "noise-level")
    made = Restoration(
        "denoising-ode", "denoise", weights=str(tmp_path / "net.safetensors"), precision="fp32",
        task_options={"sigma": 25},
    )  # fmt: skip
    x = picture(1, 3, 14, 20)
    parts = []
    for part in [x] if channels == 3 else x.split(1, dim=1):
        half = functional.pixel_unshuffle(part, 2)
        noise = torch.full_like(half[:, :1], sigma)
        parts.append(functional.pixel_shuffle(applied(state, torch.cat([half, noise], dim=1)), 2))
    found = made(Picture(pixels=x)).picture.pixels
    torch.testing.assert_close(found, torch.cat(parts, dim=1).clamp(0, 1), atol=2e-6, rtol=0)
    assert made(Picture(pixels=x[..., :13, :17])).picture.pixels.shape == (1, 3, 13, 17)


def test_names_of_basicsr_are_those_of_edsr() -> None:
    made = EDSR(width=8, blocks=2, scale=4).eval()
    renamed = {}
    for name, value in made.state_dict().items():
        if name.startswith(("sub_mean", "add_mean")):
            continue
        new = name.replace("head.0.", "conv_first.").replace("body.2.", "conv_after_body.")
        new = new.replace(".body.0.", ".conv1.").replace(".body.2.", ".conv2.")
        renamed[new.replace("tail.0.", "upsample.").replace("tail.1.", "conv_last.")] = value
    network, small = loaded(recognised(renamed)), picture(1, 3, 9, 8)
    with torch.inference_mode():
        torch.testing.assert_close(network(torch.zeros(1, 3, 36, 32), small), made(torch.zeros(1, 3, 36, 32), small))


def test_chains_of_other_things_are_not_taken_for_denoisers() -> None:
    layout = ComparatorsLayout()
    assert layout.convert(chain([3, 6, 6, 12], "model.", norms=False, biases=True, ending=True)) is None
    assert layout.convert({**chain(**CHAINS["BUIFD"]), "module.dncnn.dncnn.head": torch.zeros(1)}) is None
    assert layout.convert({"0.weight": torch.zeros(3, 3, 1, 1), "1.weight": torch.zeros(3, 3, 1, 1)}) is None
