"""A network in windows answers as the whole picture does."""

from __future__ import annotations

import logging

import pytest
import torch

from restoration.engine.adapter import build_network
from restoration.engine.tiling import SMALLEST, Tiled, auto_tile, windows
from restoration.registry import registry
from restoration.registry.cards import NetworkCard


def compact() -> torch.nn.Module:
    torch.manual_seed(0)
    network = build_network(registry().card(NetworkCard, "nafnet-compact"), {"width": 8}).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return network


@pytest.mark.parametrize("length", [129, 160, 200, 333, 512, 4001])
@pytest.mark.parametrize("tile", [64, 128, 256])
def test_the_weights_of_the_windows_sum_to_one_and_are_smooth(length, tile):
    total = torch.zeros(length)
    for span, weight in windows(length, tile, 96, total):
        assert span.start % 32 == 0
        assert 0 < span.stop - span.start <= tile + 2 * 96
        assert float(weight.min()) >= 0
        assert float(weight.diff().abs().max()) < 0.06
        total[span] += weight
    assert torch.allclose(total, torch.ones(length))


@pytest.mark.parametrize("size", [(300, 200), (161, 330)])
@torch.inference_mode()
def test_windows_and_the_whole_picture_agree(size):
    network = compact()
    x, y = torch.rand(2, 1, 3, *size, generator=torch.Generator().manual_seed(1)).unbind(0)
    t = torch.tensor([0.4])
    whole, tiled = network(x, y, t), Tiled(network, 64, reach=80)(x, y, t)
    assert float((whole - y).abs().mean()) > 0.01, "the network must say something, or this shows nothing"
    assert float((whole - tiled).abs().max()) < 1e-4


@torch.inference_mode()
def test_windows_lie_on_the_grid_of_a_network_that_halves_five_times():
    torch.manual_seed(0)
    card = registry().card(NetworkCard, "unet")
    network = build_network(card, {"width": 12}).eval()
    x = torch.rand(1, 3, 96, 480, generator=torch.Generator().manual_seed(1))
    whole, tiled = network(x, x, torch.ones(1)), Tiled(network, 128, reach=card.reach)(x, x, torch.ones(1))
    assert float((whole - tiled).abs().max()) < 1e-4 * float(whole.std())


@torch.inference_mode()
def test_the_reach_on_the_card_is_true():
    network = compact()
    reach = registry().card(NetworkCard, "nafnet-compact").reach
    x = torch.rand(1, 3, 32, 320, generator=torch.Generator().manual_seed(0))
    other = x.clone()
    other[..., 160:] = 0
    difference = (network(x, x, torch.ones(1)) - network(other, other, torch.ones(1))).abs().amax(dim=(0, 1, 2))
    assert float(difference[: 160 - reach].max()) < 1e-6
    assert float(difference[160 - reach : 160 - reach + 32].max()) > 0, "or the card promises more than it needs"


@torch.inference_mode()
def test_a_picture_hardly_larger_than_a_tile_is_evaluated_at_once():
    network = compact()
    x = torch.rand(1, 3, 100, 128)
    assert torch.equal(Tiled(network, 64)(x, x, torch.ones(1)), network(x, x, torch.ones(1)))


def test_out_of_memory_halves_the_window_and_says_so(caplog):
    seen = []

    class Greedy(torch.nn.Module):
        def forward(self, x, y, t):
            seen.append(max(x.shape[-2:]))
            if max(x.shape[-2:]) > 260:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return y + 0.25

    y = torch.rand(1, 3, 300, 700)
    with caplog.at_level(logging.WARNING, "restoration"):
        answer = Tiled(Greedy(), 0, reach=32)(y, y, torch.ones(1))
    assert torch.allclose(answer, y + 0.25, atol=1e-6)
    assert seen[0] == 700
    assert max(seen[-3:]) <= 260
    assert "out of memory: going on in tiles of" in caplog.text


def test_an_error_that_is_not_about_memory_is_not_swallowed():
    class Broken(torch.nn.Module):
        def forward(self, x, y, t):
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        Tiled(Broken(), 0)(torch.rand(1, 3, 300, 300), torch.rand(1, 3, 300, 300), torch.ones(1))


def test_small_pictures_need_no_windows_and_large_ones_get_some_that_fit():
    cpu = torch.device("cpu")
    assert auto_tile(256, 256, 1200, 32, cpu) == 0
    side = auto_tile(4000, 3000, 1200, 32, cpu)
    assert side >= SMALLEST
    assert (side + 2 * 32) ** 2 * 1200 <= 150e6


def test_a_tile_is_not_much_smaller_than_what_its_window_sees_around_it():
    assert auto_tile(4000, 3000, 1200, 256, torch.device("cpu")) == 512


def test_tiles_have_a_least_side():
    with pytest.raises(ValueError, match="at least 64"):
        Tiled(torch.nn.Identity(), 32)
