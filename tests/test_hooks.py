"""Every hook, used by a plugin of one file through the command line."""

from __future__ import annotations

import json
import os
import re

import pytest
import torch
from safetensors.torch import save_file

from restoration.images import read, write
from restoration.picture import Picture

PLUGIN = '''
import click
import torch
from restoration import (
    CommandCard, Converted, LayoutCard, MetricCard, NetworkCard,
    ObjectiveCard, Part, Picture, RestorerCard, SamplerCard, ScheduleCard, TaskCard,
    WeightsCard, hookimpl
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

class Biases:
    """Knows files that hold a bias alone."""

    def convert(self, tensors):
        if set(tensors) != {"their_bias"}:
            return None
        return Converted(
            title="a bias", network=Part("bias"), tensors={"by": tensors["their_bias"]}, tasks=("brighten",),
            method=Part("walk"), schedule=Part("straight"), objective=Part("plain"), sampler=Part("once"),
        )

    def names(self):
        return {"a bias": ["their_bias"]}

@hookimpl
def register_layouts():
    yield LayoutCard(name="biases", factory="mine:Biases", summary="files of a bias")

@hookimpl
def register_metrics():
    yield MetricCard(name="gap", factory="mine:gap", summary="largest difference, RGB", less_is_better=True)

def gap(image, clean):
    return (image - clean).abs().max()

@hookimpl
def register_commands():
    yield CommandCard(name="hello", factory="mine:hello", summary="Say hello.")

@click.command()
def hello():
    """Say hello."""
    click.echo("hello from a plugin")

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
    "metrics": "gap",
}


@pytest.mark.parametrize("command", BROUGHT)
def test_what_a_plugin_registers_is_listed(restore, mine, command):
    done = restore(*mine, command, "--json")
    assert done.returncode == 0, done.stderr
    assert BROUGHT[command] in [card["name"] for card in json.loads(done.stdout)]


def test_weights_that_are_not_where_their_card_says_are_a_broken_plugin(restore, mine):
    assert "walk/brighten" in restore(*mine, "weights", "list").stdout
    checked = restore(*mine, "plugins", "--check", env={**os.environ, "RESTORATION_PLUGINS": ""})
    assert checked.returncode == 1
    assert "weights 'walk/brighten' are not where their plugin says" in checked.stdout


def test_a_plugin_recognises_files(restore, mine, tmp_path):
    save_file({"their_bias": torch.tensor(0.25)}, tmp_path / "bias.safetensors")
    assert "biases" in restore(*mine, "weights", "layouts").stdout
    write(Picture(pixels=torch.full((1, 3, 4, 5), 0.5)), tmp_path / "dark.png")
    env = {**os.environ, "RESTORE_CACHE": str(tmp_path / "cache")}
    how = ("--weights", tmp_path / "bias.safetensors", "--accept", "-o", tmp_path / "light.png")
    done = restore(*mine, "run", tmp_path / "dark.png", *how, env=env)
    assert done.returncode == 0, done.stderr
    assert float((read(tmp_path / "light.png").pixels - 0.75).abs().max()) < 0.01


def test_a_plugin_adds_a_command(restore, mine):
    assert restore(*mine, "hello").stdout == "hello from a plugin\n"
    assert re.search("  hello +Say hello.\n", restore(*mine, "--help").stdout)
    assert "no command is named 'hello'" in restore("hello").stderr


def test_a_plugin_measures(restore, mine, tmp_path):
    for name, grey in (("clean", 0.2), ("mine", 0.6)):
        (tmp_path / name).mkdir()
        write(Picture(pixels=torch.full((1, 3, 12, 12), grey)), tmp_path / name / "1.png")
    done = restore(*mine, "score", "--data", tmp_path, "--metrics", "gap,psnr", "--json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    assert table["methods"]["input"]["metrics"]["gap"]["mean"] == pytest.approx(0.4)
    assert table["protocol"]["gap"].startswith(
        "largest difference, RGB, border 0, results clipped and rounded to 8 bits, less"
    )


FAILS = """
from restoration import hookimpl

@hookimpl
def read_image(data, name):
    {}

@hookimpl
def write_image(picture, suffix):
    {}

@hookimpl
def restored(result):
    {}
"""


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise ValueError('x')", "ValueError: x"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("return 'text'", "it returned str, not "),
    ],
)
def test_a_hook_that_fails_is_a_warning_and_the_picture_is_written(restore, mine, tmp_path, body, why):
    (tmp_path / "fails.py").write_text(FAILS.format(body, body, body))
    (tmp_path / "in.grey").write_bytes(b"GREY 100")
    run = ("run", tmp_path / "in.grey", "--method", "walk", "--task", "brighten")
    done = restore(*mine, "--plugin", tmp_path / "fails.py", *run, "-o", tmp_path / "out.png")
    assert done.returncode == 0, done.stderr
    assert torch.allclose(read(tmp_path / "out.png").pixels, torch.full((1, 3, 4, 5), 126 / 255))
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: the plugin fails failed in ")]
    assert [line.split()[6].rstrip(":") for line in warnings] == (
        ["read_image", "write_image"] if "text" in body else ["read_image", "restored", "write_image"]
    )
    assert all(why in line for line in warnings)


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
