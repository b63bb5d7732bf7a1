"""Methods that fit new networks and may be cut short: their networks, their options, and how they end."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import click
import pytest
import torch
from forking import commands, start
from small import SMALL, picture

import restoration.cli.preview
from restoration import BadOption, NetworkMaker, Restoration, RestorationError
from restoration.cli.options import Duration
from restoration.cli.preview import previewed
from restoration.images import read, write
from restoration.registry import registry
from restoration.registry.cards import NetworkCard, RestorerCard

PLUGIN = '''
import sys
import time
from typing import Literal

import torch
from restoration import CommandOption, NetworkCard, RestorerCard, hookimpl


class Grey(torch.nn.Module):
    """Says one grey, whatever it is shown."""

    def __init__(self, *, in_channels: int = 3, channels: int = 3, level: float = 0.0):
        super().__init__()
        self.seen, self.channels, self.level = in_channels, channels, level

    def forward(self, x):
        assert x.shape[1] == self.seen
        return torch.full((1, self.channels, *x.shape[2:]), self.level)


class Fixed(Grey):
    """A grey that is shown pictures only."""

    def __init__(self, *, channels: int = 3, level: float = 0.6):
        super().__init__(in_channels=channels, channels=channels, level=level)


class Brighten:
    """Says the grey of its network, one level of 255 brighter at each step."""

    def __init__(
        self, *, make_network, task: str, steps: int = 3, pause: float = 0.0, shown: int = 5,
        mood: Literal["calm", "wild"] = "calm", fails: int = 0,
    ):
        self.make_network, self.task, self.steps, self.pause, self.shown = make_network, task, steps, pause, shown
        self.mood, self.fails = mood, fails
        self.told = {}

    def __call__(self, observation, rng):
        shown = self.shown if self.make_network.free else self.make_network.channels
        network = self.make_network(shown, {"level": 0.2})
        height, width = observation.y.shape[2:]
        grey = network(torch.zeros(1, shown, height, width), None, torch.ones(1))
        for step in range(1, self.steps + 1):
            if step == self.fails:
                raise KeyboardInterrupt
            self.told = {"step": step, "mood": self.mood, "task": self.task, "shown": shown}
            yield grey + step / 255
            time.sleep(self.pause)


@hookimpl
def register_networks():
    yield NetworkCard(name="grey", factory="mine:Grey", summary="one grey")
    yield NetworkCard(name="fixed-grey", factory="mine:Fixed", summary="one grey")


@hookimpl
def register_restorers():
    asks = (
        CommandOption(name="mood", help="how it feels", values=("calm", "wild")),
        CommandOption(name="pause", help="seconds between steps"),
        CommandOption(name="shown", help="channels", values="whole"),
    )
    how = {"needs_weights": False, "summary": "brighter and brighter", "defaults": {"network": {"name": "grey"}}}
    yield RestorerCard(name="brighten", factory="mine:Brighten", anytime=True, asks=asks, **how)
    yield RestorerCard(name="patient", factory="mine:Brighten", **how)
    for told in ("number", "object"):
        yield RestorerCard(name=told, factory=f"mine:Told{told.title()}", summary="odd", needs_weights=False)
    yield RestorerCard(name="echo", factory="mine:Echo", summary="says it again", needs_weights=False)


class Echo:
    def __call__(self, observation, rng):
        yield observation.y


class ToldNumber(Echo):
    told = 5


class ToldObject(Echo):
    told = {"thing": object()}
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "mine.py"
    path.write_text(PLUGIN)
    return path


@pytest.fixture
def installed(plugin, monkeypatch):
    """The plugin in this process too, until the end of the test."""
    known = registry()
    monkeypatch.setattr(known, "_cards", {kind: dict(cards) for kind, cards in known._cards.items()})
    monkeypatch.setattr(known, "plugins", list(known.plugins))
    known.add_file(plugin)
    yield
    module = sys.modules.pop("mine")
    known.hooks.unregister(module)


def level(result) -> float:
    """Return the grey of a result, in levels of 255."""
    pixels = result.picture.pixels
    assert float(pixels.max() - pixels.min()) == 0
    return float(pixels[0, 0, 0, 0]) * 255


def brighten(options=(), **how):
    return Restoration("brighten", "denoise", options=dict(options), **how)


def test_all_steps_are_done_if_nothing_cuts_them_short(installed):
    seen = []
    result = brighten()(picture(), observe=seen.append)
    assert (result.ended, len(seen), level(result)) == ("done", 3, pytest.approx(51 + 3))
    assert result.told == {"step": 3, "mood": "calm", "task": "denoise", "shown": 5}
    assert result.facts()["told"] == result.told and result.facts()["ended"] == "done"


def test_after_the_time_limit_the_last_guess_is_the_answer(installed):
    result = brighten({"pause": 0.1}, steps=1_000_000, time_limit=0.25)(picture())
    assert result.ended == "time limit"
    assert result.told["step"] <= 4, "before the fourth it has slept for longer"
    assert level(result) == pytest.approx(51 + result.told["step"])


def test_before_the_time_limit_nothing_ends(installed):
    assert brighten({"pause": 0.01}, time_limit=3600)(picture()).ended == "done"


def test_the_time_limit_is_of_each_picture_and_one_guess_is_made_at_least(installed):
    restoration = brighten({"pause": 0.02}, steps=1_000_000, time_limit=1e-9)
    assert [restoration(picture(seed=seed)).told["step"] for seed in range(2)] == [1, 1]


def test_what_was_told_belongs_to_its_result_alone(installed):
    restoration = brighten()
    first = restoration(picture())
    restoration(picture(seed=1))
    assert first.told == {"step": 3, "mood": "calm", "task": "denoise", "shown": 5}


def test_ctrl_c_gives_the_last_guess_of_a_method_whose_guesses_are_answers(installed):
    result = brighten({"fails": 3}, steps=9)(picture())
    assert (result.ended, result.told["step"], level(result)) == ("Ctrl-C", 2, pytest.approx(51 + 2))


@pytest.mark.parametrize(("method", "fails"), [("brighten", 1), ("patient", 3)])
def test_ctrl_c_is_heard_if_there_is_no_answer_yet(installed, method, fails):
    with pytest.raises(KeyboardInterrupt):
        Restoration(method, "denoise", steps=9, options={"fails": fails})(picture())


def test_a_method_that_says_nothing_about_its_work_has_told_nothing(installed):
    result = Restoration("echo", "denoise")(picture())
    assert (result.told, result.ended) == ({}, "done")


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, 51),
        ({"options": {"network.level": 0.4}}, 102),
        ({"network": "grey"}, 51),
        ({"network": "fixed-grey"}, 51),
        ({"network": "fixed-grey", "options": {"network.level": 0.4}}, 102),
    ],
)
def test_the_network_and_its_options_reach_the_method(installed, how, expected):
    made = Restoration("brighten", "denoise", steps=1, **how)
    result = made(picture())
    assert level(result) == pytest.approx(expected + 1)
    assert result.told["shown"] == (3 if how.get("network") == "fixed-grey" else 5)
    assert made.recipe.network.name == how.get("network", "grey")
    assert made.network is None, "it is made anew for each picture"


WRONG_NETWORKS = {
    "misspelt": ({"network": "gray"}, "no network is named 'gray'; did you mean 'grey'?"),
    "no such option": ({"options": {"network.levl": 1}}, "network 'grey' has no option 'levl'; did you mean 'level'?"),
    "no number": ({"options": {"network.level": "dark"}}, "network 'grey': option 'level' does not fit"),
    "of the method": ({"options": {"level": 0.4}}, "method 'brighten' has no option 'level'"),
    "no part as an option": ({"options": {"network": "fixed-grey"}}, "method 'brighten' has no option 'network'"),
    "no schedule": ({"options": {"schedule.T": 10}}, "method 'brighten' has no schedule"),
}


@pytest.mark.parametrize("case", WRONG_NETWORKS)
def test_a_network_that_does_not_fit_is_told_in_one_line(installed, case):
    how, message = WRONG_NETWORKS[case]
    with pytest.raises(RestorationError) as told:
        Restoration("brighten", "denoise", **how)(picture())
    assert message in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("how", [{"network": "unet"}, {"options": {"network.width": 8}}])
def test_the_network_of_weights_cannot_be_another(weights, how):
    with pytest.raises(BadOption, match="those of its weights; others must be trained") as told:
        Restoration("ir-sde", "derain", weights=str(weights), **how)
    assert str(weights) in str(told.value) and "\n" not in str(told.value)


def test_a_method_without_a_network_takes_none(installed):
    with pytest.raises(BadOption, match="method 'echo' has no network"):
        Restoration("echo", "denoise", network="grey")


def maker(name, options=(), channels=3):
    return NetworkMaker(registry().card(NetworkCard, name), dict(options), channels)


def test_a_maker_makes_a_new_network_each_time_that_maps_what_it_is_told_to_pictures():
    make = maker("dip-unet", {"widths": [4, 8]}, channels=1)
    assert (make.name, make.free, make.channels) == ("dip-unet", True, 1)
    first, second = make(5), make(5)
    assert first is not second and first.network is not second.network
    z = torch.rand(1, 5, 16, 20)
    assert first(z, z, torch.ones(1)).shape == (1, 1, 16, 20)
    assert all(parameter.requires_grad for parameter in first.parameters())


def test_what_was_chosen_goes_before_the_defaults_of_a_method(installed):
    assert maker("grey", {"level": 0.7})(4, {"level": 0.2}).network.level == 0.7
    assert maker("grey")(4, {"level": 0.2}).network.level == 0.2
    assert maker("grey")(4).network.level == 0.0


def test_a_network_that_is_shown_pictures_only_says_so(installed):
    make = maker("fixed-grey")
    assert not make.free
    assert make(3).network.seen == make().network.seen == 3
    with pytest.raises(BadOption, match="network 'fixed-grey' is shown pictures of 3 channels only, not 5"):
        make(5)


def test_a_maker_of_a_network_that_takes_the_picture_and_the_time_gives_it_both():
    network = maker("nafnet-compact", SMALL)()
    z = torch.rand(1, 3, 9, 7)
    assert network(z, z, torch.ones(1)).shape == (1, 3, 9, 7)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("2m", 120), ("1.5m", 90), ("1h", 3600), ("0.25s", 0.25), (7.5, 7.5)]
)
def test_a_time_is_read_with_its_unit(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["soon", "", "s", "5d", "1m30s", "0", "0s", "-5", "-1m", "inf", "nan", "1e999h"])
def test_what_is_no_time_is_told(text):
    with pytest.raises(click.BadParameter, match=r"is not a time (such as 90s, 2m or 1h|above 0)"):
        Duration().convert(text, None, None)


@pytest.fixture(scope="module")
def quick():
    with commands() as run:
        yield run


@pytest.fixture
def run(quick, plugin, rainy):
    """Run a method on `rainy.png` in the folder of the test."""

    def run(method, *arguments):
        how = ("run", "rainy.png", "-m", method, "-t", "denoise", "--overwrite")
        return quick("--plugin", plugin, *how, *arguments, cwd=rainy.parent)

    return run


def said(text):
    """Return the options in a text of help."""
    return {word.rstrip(",") for word in text.split() if word.startswith("--") and word.rstrip(",") != "--"}


def test_help_of_run_shows_what_methods_ask_for_and_that_of_other_commands_does_not(quick, plugin):
    before, after = quick("run", "--help").stdout, quick("--plugin", plugin, "run", "--help").stdout
    assert said(after) - said(before) == {"--mood", "--pause", "--shown"}
    assert "--mood [calm|wild] For brighten: how it feels" in " ".join(after.split())
    assert {"--network", "--time-limit", "--preview"} <= said(before)
    for command in ("degrade", "score"):
        assert not said(quick("--plugin", plugin, command, "--help").stdout) & {"--mood", "--pause", "--shown"}


def test_options_of_a_method_reach_it_and_its_word_is_shown(run, rainy):
    done = run("brighten", "--mood", "wild", "--shown", 7, "--set", "network.level=0.4", "--steps", 2)
    assert (done.returncode, done.stdout) == (0, "rainy.restored.png\n")
    assert done.stderr == "rainy.png: step 2, mood wild, task denoise, shown 7\n"
    assert float(read(rainy.with_name("rainy.restored.png")).pixels.mean()) * 255 == pytest.approx(104)
    assert run("brighten", "--mood", "wild", "-q").stderr == ""


def test_json_has_what_was_told_and_how_it_ended(run):
    done = run("brighten", "--pause", 0.02, "--steps", 1000000, "--time-limit", "0.2s", "--json")
    facts = json.loads(done.stdout)
    assert facts["ended"] == "time limit" and facts["told"]["mood"] == "calm"
    assert done.stderr == (
        f"rainy.png: step {facts['told']['step']}, mood calm, task denoise, shown 5, ended by time limit\n"
    )
    assert json.loads(run("echo", "--json").stdout)["told"] == {}
    number, thing = run("number", "--json"), run("object", "--json")
    assert number.returncode == 1
    assert "method 'number' of the plugin mine has a `told` that is int, not a dict" in number.stderr
    assert thing.returncode in (0, 1)
    assert "Traceback" not in thing.stderr


WRONG = {
    ("brighten", "--mood", "sad"): "method 'brighten': option 'mood' does not fit: 'sad' is not one of ",
    ("brighten", "--shown", "two"): "'two' is not a whole number",
    ("brighten", "--set", "network=grey"): "method 'brighten' has no option 'network'",
    ("brighten", "--set", "mod=wild"): "method 'brighten' has no option 'mod'; did you mean 'mood'?",
    ("echo", "--mood", "wild"): "method 'echo' has no option 'mood'",
    ("echo", "--steps", "5"): "method 'echo' has no option 'steps'",
    ("echo", "--network", "grey"): "method 'echo' has no network",
    ("brighten", "--network", "gray"): "no network is named 'gray'; did you mean 'grey'?",
    ("brighten", "--time-limit", "soon"): "'soon' is not a time such as 90s, 2m or 1h",
    ("brighten", "--time-limit", "0s"): "'0s' is not a time above 0",
    ("regression", "--network", "unet"): "those of its weights; others must be trained",
    ("regression", "--set", "network.width=8"): "those of its weights; others must be trained",
}


def test_what_is_wrong_is_one_line_each_and_nothing_is_written(run, rainy):
    for (method, *arguments), message in WRONG.items():
        done = run(method, *arguments)
        lines = done.stderr.splitlines()
        assert done.returncode == 2 and len(lines) == 1 and message in lines[0], (arguments, done.stderr)
        assert done.stdout == "" and os.listdir(rainy.parent) == ["rainy.png"]


def test_a_preview_shows_the_guesses_and_is_gone_in_the_end(tmp_path, monkeypatch):
    path, seen = tmp_path / "preview.png", []
    with previewed(path, seen.append) as see:
        see(torch.full((1, 3, 4, 5), 0.2))
        assert read(path).pixels.shape == (1, 3, 4, 5)
        see(torch.full((1, 3, 4, 5), 0.4))
        assert float(read(path).pixels.mean()) == pytest.approx(0.2), "not so soon again"
        monkeypatch.setattr(restoration.cli.preview, "EVERY", 0.0)
        see(torch.full((1, 3, 4, 5), 1.6))
        assert float(read(path).pixels.mean()) == 1
    assert len(seen) == 3
    assert os.listdir(tmp_path) == []


def test_a_preview_is_gone_after_a_failure_too_and_none_may_have_been_drawn(tmp_path):
    def fail():
        with previewed(tmp_path / "preview.png", lambda guess: None) as see:
            see(torch.zeros(1, 1, 4, 5))
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        fail()
    with previewed(tmp_path / "preview.png", lambda guess: None):
        pass
    assert os.listdir(tmp_path) == []


def test_with_a_preview_only_the_result_is_left(run, rainy):
    assert run("brighten", "--preview").stdout == "rainy.restored.png\n"
    assert sorted(os.listdir(rainy.parent)) == ["rainy.png", "rainy.restored.png"]


def interrupted(plugin, folder, method, *arguments, ready):
    """Press Ctrl-C once `ready` exists; return the code, stdout and the lines of stderr."""
    command = ["-m", "restoration", "--plugin", plugin, "run", *arguments, "-m", method, "-t", "denoise"]
    process = start(*command, "--steps", "1000000", "--set", "pause=0.01", "--preview", cwd=folder)
    end = time.monotonic() + 120
    while not (folder / ready).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    return process.returncode, out, [line for line in errors.splitlines() if line]


def test_ctrl_c_writes_the_last_guess_and_leaves_the_other_pictures(plugin, tmp_path):
    for name in ("a.png", "b.png"):
        write(picture(), tmp_path / name)
    code, out, errors = interrupted(plugin, tmp_path, "brighten", "a.png", "b.png", ready="a.restored.preview.png")
    assert (code, out, errors[-1]) == (130, "a.restored.png\n", "interrupted")
    assert errors[0].startswith("a.png: step ") and errors[0].endswith(", ended by Ctrl-C")
    step = int(errors[0].split()[2].rstrip(","))
    assert float(read(tmp_path / "a.restored.png").pixels.mean()) * 255 == pytest.approx(min(255, 51 + step), abs=0.51)
    assert sorted(os.listdir(tmp_path)) == ["a.png", "a.restored.png", "b.png"]


def test_ctrl_c_writes_nothing_for_a_method_whose_guesses_are_no_answers(plugin, tmp_path):
    write(picture(), tmp_path / "a.png")
    code, out, errors = interrupted(plugin, tmp_path, "patient", "a.png", ready="a.restored.preview.png")
    assert (code, out, errors) == (130, "", ["interrupted"])
    assert os.listdir(tmp_path) == ["a.png"]


def test_cards_say_which_methods_can_be_cut_short(quick, plugin):
    cards = {card["name"]: card for card in json.loads(quick("--plugin", plugin, "methods", "--json").stdout)}
    assert cards["brighten"]["anytime"] and not cards["patient"]["anytime"]
    assert not RestorerCard(name="x", factory="a:b", summary="x").anytime


def test_a_preview_writes_over_nothing(tmp_path):
    path = tmp_path / "preview.png"
    path.write_bytes(b"mine")
    with pytest.raises(RestorationError, match="already there"), previewed(path, lambda guess: None):
        pass
    assert path.read_bytes() == b"mine"
