"""The contracts find what is wrong with a plugin, and say what and where."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from restoration import testing
from restoration.registry import registry

HEAD = """
import torch
from torch import nn
from restoration import hookimpl, {card}


@hookimpl
def {hook}():
    yield {card}(name="{name}", factory="{name}:Wrong", summary="wrong"{more})


"""
NETWORK = """
class Wrong(nn.Module):
    def __init__(self, *, in_channels: int = 3, channels: int = 3, width: int = 4):
        super().__init__()
        self.first = nn.Conv2d(in_channels, width, 9, padding=4)
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x):
        found = self.first(x).relu()
        return x[:, :3] - self.last(found)
"""
SCHEDULE = """
class Wrong:
    def at(self, t):
        t = t.double()
        return 1 - 0.9 * t, 0.9 * t, 0.1 * t

    def steps(self, n):
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)
"""
OBJECTIVE = """
class Wrong:
    def loss(self, network, schedule, x, y, rng):
        return (network(y, y, torch.ones(1)) - x).square().mean(dim=(1, 2, 3))

    def clean(self, network, schedule, x_t, y, t):
        return network(x_t, y, t)
"""
SAMPLER = """
class Wrong:
    def __call__(self, clean, schedule, x_t, y, times, noise):
        a, b, c = (curve.tolist() for curve in schedule.at(times))
        for i in range(len(times) - 1):
            x = clean(x_t, times[i : i + 1].to(x_t))
            x_t = a[i + 1] * x + b[i + 1] * y + c[i + 1] * (x_t - a[i] * x - b[i] * y) / c[i]
            yield x_t, x
"""
METHOD = """
class Wrong:
    def __init__(self, *, radius: int = 1):
        self.radius, self.calls = radius, 0

    def __call__(self, observation, rng):
        y = observation.y
        yield y * 0.9
"""
METRIC = """
class Wrong:
    def __call__(self, image, clean):
        return float((image - clean).abs().mean())
"""
KINDS: dict[str, tuple[str, str, str, type[testing.Contract]]] = {
    "network": (NETWORK, "NetworkCard", ", reach=8", testing.NetworkContract),
    "schedule": (SCHEDULE, "ScheduleCard", "", testing.ScheduleContract),
    "objective": (OBJECTIVE, "ObjectiveCard", "", testing.ObjectiveContract),
    "sampler": (SAMPLER, "SamplerCard", "", testing.SamplerContract),
    "restorer": (METHOD, "RestorerCard", ", tasks=('denoise',), needs_weights=False", testing.RestorerContract),
    "metric": (METRIC, "MetricCard", ", less_is_better=True", testing.MetricContract),
}
WRONG = {
    ("network", "x[:, :3]", "x[:, :3].double()"): "a picture of torch.float32 became one of torch.float64",
    (
        "network",
        "found = ",
        "found = x.mean((1, 2, 3), True) * ",
    ): "say its true `reach`, or `tiles=False` if it has none",
    ("network", "9, padding=4", "25, padding=12"): "more than 8 pixels away changes its answer",
    (
        "network",
        "*, ",
        "",
    ): "its parameter 'in_channels' is no option, since it is not keyword-only; put `*,` before it",
    ("network", "width: int", "width"): "its parameter 'width' has no type",
    ("network", "= 4):", "= 4, depth: int = 2):"): "its parameter 'depth' is never read",
    ("network", "= 4):", "= 'four'):"): "its default is not of its type",
    (
        "network",
        "super().__init__()",
        "super().__init__(); self.k = torch.ones(1)",
    ): "network.k is a tensor that `to` does not move",
    ("network", "return ", "return x, "): "it returned a tuple, not a tensor",
    ("schedule", "t.double()", "t.float()"): "a is of torch.float32, not of torch.float64",
    ("schedule", "t = t.double()", "t = t.double().mul_(0.5)"): "it wrote into a tensor that it was given",
    ("schedule", ", 0.1 * t", ""): "`at` returned 2 curves, not a, b and c",
    ("schedule", "linspace(1, 0", "linspace(0, 1"): "the times of 1 steps do not fall from 1 to 0",
    ("objective", "- x)", "- x.mul_(0.5))"): "it wrote into a tensor that it was given",
    ("objective", "torch.ones(1))", "torch.ones(1)).detach()"): "its loss has no gradient",
    ("objective", "(x_t, y, t)", "(x_t, y, t) / 3"): "if it predicts something else, add that to `answers`",
    ("sampler", "yield x_t, x", "yield x, x_t"): "it yields states and clean estimates, in this order",
    ("sampler", "yield x_t, x", "yield x_t.double(), x"): "a state of torch.float32 became one of torch.float64",
    ("restorer", "yield y * 0.9", "yield (255 * y).byte()"): "it yielded torch.uint8, not the torch.float32",
    ("restorer", "yield y * 0.9", "yield y * 255"): "pictures are in [0, 1], and its answer goes from",
    ("restorer", "yield y", "self.calls += 1; yield self.calls * y"): "it keeps a state",
    ("restorer", "yield ", "return "): "it returns a picture; it must yield its estimates",
    ("restorer", "yield y * 0.9", "yield y.numpy()"): "it yielded a ndarray, not a tensor",
    ("restorer", "y * 0.9", "y * observation.sigma"): "it looks at sigma",
    ("metric", "float(", "str("): "it returned a str",
    ("metric", "return float", "float"): "it returned a NoneType",
}
NUMBERS = itertools.count()


@pytest.fixture
def failures(tmp_path: Path) -> Any:
    """Runs the contract of a plugin of a kind, written so; returns what its tests say."""
    loaded = []

    def run(kind: str, code: str, more: str = "") -> list[str]:
        _, card, usual, contract = KINDS[kind]
        name = f"contract_finds_{next(NUMBERS)}"
        file = tmp_path / f"{name}.py"
        file.write_text(HEAD.format(card=card, hook=f"register_{kind}s", name=name, more=usual + more) + code)
        loaded.append(name)
        registry().add_file(file)
        made = type("TestWrong", (contract,), {"name": name})()
        said = []
        for test in (getattr(made, one) for one in dir(made) if one.startswith("test_")):
            try:
                test()
            except Exception as error:
                said.append(f"{type(error).__name__}: {error}")
        return said

    yield run
    for name in loaded:
        sys.modules.pop(name, None)
    registry.cache_clear()


def test_the_plugins_of_these_tests_are_right_but_for_what_is_made_wrong(failures: Callable[..., list[str]]) -> None:
    assert {kind: failures(kind, code) for kind, (code, *_) in KINDS.items()} == {kind: [] for kind in KINDS}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: " ".join(wrong).replace("/", " "))
def test_a_wrong_plugin_is_told_what_is_wrong(wrong: tuple[str, str, str], failures: Callable[..., list[str]]) -> None:
    kind, old, new = wrong
    code = KINDS[kind][0]
    assert old in code
    said = failures(kind, code.replace(old, new, 1), ", uses=()" if kind == "restorer" else "")
    assert any(WRONG[wrong] in one for one in said), said
    assert not any(one.rstrip(": ") == "AssertionError" for one in said), "an assertion without a word"
