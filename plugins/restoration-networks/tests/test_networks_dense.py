"""The dense U-Net sees as far as it says, in windows as in the whole, and has no layers in vain."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from restoration_networks.dense import DenseUNet
from torch import Tensor

from restoration import BadOption
from restoration.engine.adapter import build_network
from restoration.engine.tiling import Tiled
from restoration.registry import registry
from restoration.registry.cards import NetworkCard
from restoration.testing import NetworkContract


class TestDenseUNet(NetworkContract):
    name = "unet-dense"
    options: ClassVar = {"widths": (4, 6, 8), "encoder": (1, 1), "middle": 1, "decoder": (1, 1)}


def looking(**options: int) -> DenseUNet:
    """Return a network of few channels, in its usual depth, of which no weight is zero."""
    torch.manual_seed(0)
    network = DenseUNet(widths=(3, 4, 5, 6), **options)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.05, 0.3)  # positive: no change is lost in a relu
    return network.eval()


def views(network: DenseUNet) -> list[int]:
    """Return how far from some pixels something changes the answer there."""
    y = torch.rand(1, 3, 8, 480, requires_grad=True, generator=torch.Generator().manual_seed(1))
    answer = network(y, y, torch.ones(1))
    found = []
    for at in range(240, 248):
        (gradient,) = torch.autograd.grad(answer[..., 4, at].sum(), y, retain_graph=True)
        found.append(int((gradient[0].abs().amax(dim=(0, 1)).nonzero() - at).abs().max()))
    return found


def test_it_looks_as_far_as_it_says_and_no_further() -> None:
    network = looking()
    assert network.reach - 4 <= max(views(network)) <= network.reach


@torch.inference_mode()
def test_windows_agree_with_the_whole_picture() -> None:
    network = looking()
    x: Tensor = torch.rand(1, 3, 64, 640, generator=torch.Generator().manual_seed(1))
    whole, tiled = (Tiled(network, tile, network.reach)(x, x, torch.ones(1)) for tile in (0, 128))
    torch.testing.assert_close(tiled, whole, atol=1e-5 * float(whole.abs().max()), rtol=0)


def test_without_a_path_it_has_no_layers_for_the_time_and_sees_the_picture_once() -> None:
    card = registry().card(NetworkCard, "unet-dense")
    names = {
        how: {name for name, _ in build_network(card, {}, path=path, uses_y=uses_y).network.named_parameters()}
        for how, path, uses_y in (("none", False, True), ("to y", True, True), ("to noise", True, False))
    }
    assert not any("time" in name for name in names["none"])
    assert names["to y"] == names["to noise"] > names["none"]
    seen = [
        build_network(card, {}, path=p, uses_y=y).network.intro.in_channels for p, y in ((False, True), (True, True))
    ]
    assert seen == [3, 6]


@torch.inference_mode()
def test_an_untrained_one_changes_nothing() -> None:
    y = torch.rand(1, 3, 13, 18, generator=torch.Generator().manual_seed(1))
    assert torch.equal(DenseUNet(timed=False, conditional=False)(y, y, torch.ones(1)), y)


def test_numbers_of_levels_that_do_not_fit_are_told() -> None:
    card = registry().card(NetworkCard, "unet-dense")
    with pytest.raises(BadOption, match="4 widths need 3 numbers of blocks"):
        build_network(card, {"encoder": [1, 1]})
