"""The promises of every objective."""

from __future__ import annotations

from restoration.testing import ObjectiveContract


class TestResidualMatching(ObjectiveContract):
    """The contract of an objective, on the one that its card describes."""

    name = "example"
