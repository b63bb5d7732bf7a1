"""The promises of every network, and that this one learns."""

from __future__ import annotations

import torch
from restoration.testing import NetworkContract, scene
from restoration_example.network import Convolutions


class TestConvolutions(NetworkContract):
    """The contract of a network, on the one that its card describes."""

    name = "example"


def test_it_learns_to_take_noise_away() -> None:
    torch.manual_seed(0)
    network, clean = Convolutions(width=8), scene(32, 32)
    noisy = clean + 0.1 * torch.randn(clean.shape)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.005)
    for _ in range(60):
        loss = (network(noisy) - clean).square().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    assert float(loss.detach()) < 0.7 * float((noisy - clean).square().mean())
