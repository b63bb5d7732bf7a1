"""The promises of every sampler."""

from __future__ import annotations

from restoration.testing import SamplerContract


class TestStraight(SamplerContract):
    """The contract of a sampler, on the one that its card describes."""

    name = "example"
