"""The promises of every metric, and a number that is known."""

from __future__ import annotations

import pytest
import torch
from restoration.testing import MetricContract
from restoration_example.metric import mean_absolute_error


class TestMeanAbsoluteError(MetricContract):
    """The contract of a metric, on the one that its card describes."""

    name = "example"


def test_it_is_the_mean_of_the_differences() -> None:
    clean = torch.full((1, 3, 8, 8), 0.5)
    image = torch.cat([clean[..., :4] + 0.2, clean[..., 4:] - 0.4], dim=-1)
    assert mean_absolute_error(image, clean) == pytest.approx(0.3)
