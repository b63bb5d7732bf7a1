"""The promises of every schedule, and where this one ends."""

from __future__ import annotations

import pytest
import torch
from restoration.testing import ScheduleContract
from restoration_example.schedule import Straight


class TestStraight(ScheduleContract):
    """The contract of a schedule, on the one that its card describes."""

    name = "example"


def test_it_ends_near_the_degraded_picture() -> None:
    a, b, c = Straight(noise=0.2).at(torch.tensor(1.0))
    assert [float(curve) for curve in (a, b, c)] == pytest.approx([0.1, 0.9, 0.2])
