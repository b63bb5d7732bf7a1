"""Every hook, used by a plugin of one file through the command line."""

from __future__ import annotations

import json

import pytest
import torch

from restoration.images import read

PLUGIN = '''
import click
import torch
from restoration import (
    NetworkCard, ObjectiveCard, Picture, RestorerCard, SamplerCard, ScheduleCard, TaskCard, WeightsCard, hookimpl
)


class Straight:
    """From the clean image to the degraded one, without noise but a little."""

    def at(self, t):
        return 1 - 0.9 * t.double(), 0.9 * t.double(), 0.1 * t.double()

    def steps(self, n):
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)


class Bias(torch.nn.Module):
    """Says the degraded image, a little brighter."""

    def __init__(self, *, by: float = 0.1):
        super().__init__()
        self.by = torch.nn.Parameter(torch.tensor(by))

    def forward(self, x, y, t):
        return y + self.by


class Clean:
    def loss(self, network, schedule, x, y, rng):
        return (network(y, y, torch.ones(1)) - x).square().mean(dim=(1, 2, 3))

    def clean(self, network, schedule, x_t, y, t):
        return network(x_t, y, t)


class Once:
    def __call__(self, clean, schedule, x_t, y, times, noise):
        x = clean(x_t, times[:1].float())
        yield x, x


class Walk:
    def __init__(self, *, network, schedule, objective, sampler):
        self.parts = network, schedule, objective, sampler

    def __call__(self, observation, rng):
        network, schedule, objective, sampler = self.parts
        y = observation.y
        ask = lambda x_t, t: objective.clean(network, schedule, x_t, y, t)
        for _, x in sampler(ask, schedule, y, y, schedule.steps(1), None):
            yield x


class Dark:
    def __call__(self, x, rng):
        return x * 0.5


@hookimpl
def register_networks():
    yield NetworkCard(name="bias", factory="mine:Bias", summary="a bias", takes=("y", "t"))

@hookimpl
def register_schedules():
    yield ScheduleCard(name="straight", factory="mine:Straight", summary="a straight path")

@hookimpl
def register_objectives():
    yield ObjectiveCard(name="plain", factory="mine:Clean", summary="the clean image")

@hookimpl
def register_samplers():
    yield SamplerCard(name="once", factory="mine:Once", summary="one step")

@hookimpl
def register_restorers():
    parts = {"network": "bias", "schedule": "straight", "objective": "plain", "sampler": "once"}
    defaults = {part: {"name": name} for part, name in parts.items()}
    yield RestorerCard(name="walk", factory="mine:Walk", summary="walks", needs_weights=False, defaults=defaults)

@hookimpl
def register_tasks():
    yield TaskCard(name="brighten", factory="mine:Dark", summary="make bright what is dark")

@hookimpl
def register_weights():
    yield WeightsCard(
        name="walk/brighten", factory="restoration:nowhere", summary="none", method="walk", task="brighten"
    )

@hookimpl
def register_commands(cli):
    cli.add_command(click.Command("hello", callback=lambda: click.echo("hello from a plugin")))

@hookimpl
def read_image(data, name):
    if not data.startswith(b"GREY "):
        return None
    return Picture(pixels=torch.full((1, 3, 4, 5), int(data[5:]) / 255))

@hookimpl
def write_image(picture, suffix):
    return f"GREY {round(float(picture.pixels.mean()) * 255)}".encode() if suffix == ".grey" else None

@hookimpl
def restored(result):
    click.echo(f"seen {result.method} {result.evaluations}", err=True)
'''


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    return ("--plugin", path)


BROUGHT = {
    "networks": "bias",
    "schedules": "straight",
    "objectives": "plain",
    "samplers": "once",
    "methods": "walk",
    "tasks": "brighten",
}


@pytest.mark.parametrize("command", BROUGHT)
def test_what_a_plugin_registers_is_listed(restore, mine, command):
    done = restore(*mine, command, "--json")
    assert done.returncode == 0, done.stderr
    assert BROUGHT[command] in [card["name"] for card in json.loads(done.stdout)]


def test_weights_that_are_not_where_their_card_says_are_a_broken_plugin(restore, mine):
    assert "walk/brighten" in restore(*mine, "weights", "list").stdout
    checked = restore(*mine, "plugins", "--check")
    assert checked.returncode == 1
    assert "weights 'walk/brighten' are not where their plugin says" in checked.stdout


def test_a_plugin_adds_a_command(restore, mine):
    assert restore(*mine, "hello").stdout == "hello from a plugin\n"
    assert "No such command 'hello'" in restore("hello").stderr


def test_a_plugin_reads_writes_and_sees_results_of_a_method_of_its_own(restore, mine, tmp_path):
    (tmp_path / "in.grey").write_bytes(b"GREY 100")
    run = ("run", tmp_path / "in.grey", "--method", "walk", "--task", "brighten")
    done = restore(*mine, *run, "-o", tmp_path / "out.grey")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.grey").read_bytes() == b"GREY 126"
    assert done.stderr == "seen walk 1\n"
    assert restore(*mine, *run, "-o", tmp_path / "out.png").returncode == 0
    assert torch.allclose(read(tmp_path / "out.png").pixels, torch.full((1, 3, 4, 5), 126 / 255))
    refused = restore(*mine, *run, "-o", tmp_path / "out.xyz")
    assert refused.returncode == 1
    assert "cannot write .xyz" in refused.stderr
