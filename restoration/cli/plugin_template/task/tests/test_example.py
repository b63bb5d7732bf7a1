"""The promises of every task, and what this one does."""

from __future__ import annotations

import torch
from restoration.testing import TaskContract
from restoration_example.task import DarkCorners


class TestDarkCorners(TaskContract):
    """The contract of a task, on the one that its card describes."""

    name = "example"


def test_the_middle_stays_and_corners_lose_most() -> None:
    y = DarkCorners(strength=1.0)(torch.ones(1, 1, 9, 9), torch.Generator().manual_seed(0))[0, 0]
    assert y[4, 4] == 1
    assert y[0, 0] < y[0, 4] < 1
