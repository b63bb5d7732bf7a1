"""Muon, beside the one of torch, and what it leaves to Adam."""

from __future__ import annotations

import pytest
import torch
from restoration_dip.fast.adam import Adam
from restoration_dip.fast.muon import STEP_RATIO, Muon, orthogonalise
from torch import Generator, Tensor, nn


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(16, 16), (16, 90), (90, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    left, values, right = torch.linalg.svd(random(*shape), full_matrices=False)
    found = orthogonalise(left @ torch.diag(values) @ right)
    there = left.T @ found @ right.T
    assert 0.65 < float(there.diagonal().min()) <= float(there.diagonal().max()) < 1.25
    assert float((there - there.diagonal().diag()).abs().max()) < 1e-3


@pytest.mark.parametrize("shape", [(8, 24), (24, 8)])
def test_steps_are_those_of_torch(shape: tuple[int, int]) -> None:
    target = random(*shape, seed=1)
    ours, theirs = (nn.Parameter(random(*shape)[(...,) + (None,) * more].clone()) for more in (2, 0))
    mine = Muon([ours], lr=0.01)
    other = torch.optim.Muon([theirs], lr=0.01 * STEP_RATIO, momentum=0.95, nesterov=True, weight_decay=0.0)
    for _ in range(20):
        mine.zero_grad()
        other.zero_grad()
        torch.autograd.backward((ours[..., 0, 0] - target).square().mean() + (theirs - target).square().mean())
        mine.step()
        other.step()
    found, expected = ours.detach()[..., 0, 0], theirs.detach()
    assert float((found - expected).norm() / (expected - random(*shape)).norm()) < 0.03, "theirs rounds to bfloat16"


def test_what_is_no_matrix_is_changed_by_adam() -> None:
    shapes = {"bias": (16,), "three rows": (3, 16, 1, 1), "one number each": (16, 4, 1, 1)}
    ours, theirs = ([nn.Parameter(random(*shape)) for shape in shapes.values()] for _ in range(2))
    mine, adam = Muon(ours, lr=0.02), Adam(theirs, lr=0.02)
    for _ in range(5):
        for parameters, optimiser in ((ours, mine), (theirs, adam)):
            optimiser.zero_grad()
            torch.autograd.backward(sum((one.square().sum() for one in parameters), torch.zeros(())))
            optimiser.step()
    for name, one, other in zip(shapes, ours, theirs, strict=True):
        assert torch.equal(one, other), name


def test_where_nothing_was_learnt_nothing_changes() -> None:
    kernel, bias = nn.Parameter(random(8, 8, 3, 3)), nn.Parameter(random(8))
    before, muon = kernel.detach().clone(), Muon([kernel, bias], lr=0.1)
    torch.autograd.backward(bias.sum())
    muon.step()
    assert torch.equal(kernel, before) and not torch.equal(bias, random(8))


def test_halted_it_goes_by_the_next_gradient_alone() -> None:
    kernel = nn.Parameter(random(8, 8, 1, 1))
    muon = Muon([kernel], lr=0.01)
    for seed in (1, 2):
        kernel.grad = random(8, 8, 1, 1, seed=seed)
        muon.step()
        muon.reset_momentum()
    before = kernel.detach().clone()
    gradient = kernel.grad = random(8, 8, 1, 1, seed=3)
    muon.step()
    step = (before - kernel.detach())[..., 0, 0]
    torch.testing.assert_close(step, 0.02 * orthogonalise(gradient[..., 0, 0]), rtol=1e-3, atol=1e-5)
