"""The network that we train sees as far as it says, and a wider view begins as none."""

from __future__ import annotations

import pytest
import torch
from restoration_networks.compact import CompactNAFNet
from torch import Tensor

from restoration.engine.tiling import Tiled


def looking(**options: int) -> CompactNAFNet:
    """Return a network of which no weight is zero, in its usual depth."""
    torch.manual_seed(0)
    network = CompactNAFNet(width=4, **options)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def farthest(network: CompactNAFNet, at: int, side: int) -> int:
    """Return how far from a pixel something changes its answer."""
    y = torch.rand(1, 3, 32, side, requires_grad=True, generator=torch.Generator().manual_seed(1))
    answer = network(torch.zeros_like(y), y, torch.ones(1))
    (gradient,) = torch.autograd.grad(answer[..., 16, at].sum(), y)
    seen = gradient[0].abs().amax(dim=(0, 1)).nonzero()
    return int((seen - at).abs().max())


@pytest.mark.parametrize("far", [0, 1, 2])
def test_the_network_looks_as_far_as_it_says(far: int) -> None:
    network = looking(far=far)
    assert network.reach == 80 + 80 * far
    views = [farthest(network, at, 640) for at in (320, 327, 335)]
    assert network.reach - 16 < max(views) <= network.reach + 4  # the last four pixels weigh next to nothing


def test_a_wider_view_begins_as_none() -> None:
    torch.manual_seed(0)
    narrow, wide = CompactNAFNet(width=4), CompactNAFNet(width=4, far=2)
    lacking, unknown = wide.load_state_dict(narrow.state_dict(), strict=False)
    assert lacking and not unknown
    x, y = torch.rand(2, 1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    t = torch.tensor([0.5])
    assert torch.equal(wide(x, y, t), narrow(x, y, t))


@torch.inference_mode()
def test_windows_of_a_network_with_a_wide_view_agree_with_the_whole_picture() -> None:
    network = looking(far=1)
    x: Tensor = torch.rand(1, 3, 64, 640, generator=torch.Generator().manual_seed(1))
    whole, tiled = (Tiled(network, tile, network.reach)(x, x, torch.ones(1)) for tile in (0, 128))
    torch.testing.assert_close(tiled, whole, atol=1e-3 * float(whole.abs().max()), rtol=0)
