"""Metrics from their cards: chosen by name, built, shown, and what is said where one is no metric."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from restoration import interfaces, registry
from restoration.errors import BadOption, BadPlugin, UnknownName
from restoration.registry import Registry
from restoration.registry.cards import MetricCard
from restoration.scoring import measures
from restoration.scoring.measures import DEFAULT, choose

PLUGIN = '''
import torch
from restoration import MetricCard, hookimpl


def mae(image, clean):
    return (image - clean).abs().mean()


def power(image, clean, *, of: int = 2):
    return float((image - clean).abs().pow(of).mean())


class Hue:
    """How far the mean colours of two sets are from one another."""

    protocol = "distance of mean colours, RGB"

    def features(self, image):
        return image.mean(dim=(0, 2, 3))

    def distance(self, first, second):
        return float((first.mean(dim=0) - second.mean(dim=0)).norm())


def text(image, clean):
    return "close"


def picky(image, clean):
    raise ValueError("pictures of another planet")


def made(*, by: float = 2.0):
    return lambda image, clean: by


@hookimpl
def register_metrics():
    yield MetricCard(name="mae", factory="metrics_in_one_file:mae", summary="mean absolute error", less_is_better=True)
    yield MetricCard(name="cube", factory="metrics_in_one_file:power", summary="cubes", defaults={"of": 3}, digits=1)
    yield MetricCard(name="hue", factory="metrics_in_one_file:Hue", summary="hue", title="Hue", unit="lm")
    yield MetricCard(name="Odd-One", factory="metrics_in_one_file:made", summary="always 2")
    yield MetricCard(name="text", factory="metrics_in_one_file:text", summary="no number")
    yield MetricCard(name="picky", factory="metrics_in_one_file:picky", summary="refuses")
    yield MetricCard(name="nothing", factory="collections:UserDict", summary="no metric")
    yield MetricCard(name="wrong", factory="metrics_in_one_file:power", summary="wrong", defaults={"off": 3})
'''
CLEAN = torch.full((1, 3, 6, 6), 0.5)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The metrics above, beside those that are installed."""
    file = tmp_path / "metrics_in_one_file.py"
    file.write_text(PLUGIN)
    found = Registry(only=[], files=[file])
    monkeypatch.setattr(measures, "registry", lambda: found)
    yield
    sys.modules.pop(file.stem)


def test_metrics_are_chosen_by_name_in_any_spelling_and_once() -> None:
    assert [measure.name for measure in choose(["MS-SSIM", "psnr", " ms_ssim"])] == ["ms_ssim", "psnr"]
    assert [measure.name for measure in choose(DEFAULT)] == list(DEFAULT)
    with pytest.raises(UnknownName, match="no metric is named 'ssmi'; did you mean 'ssim'"):
        choose(["ssmi"])
    known = [card.name for card in registry.registry().cards(MetricCard)]
    with pytest.raises(BadOption, match=f"no metric was named; there are {', '.join(known)}"):
        choose([""])


def test_a_protocol_says_what_was_taken_of_what_and_which_way_is_better() -> None:
    (measure,) = choose(["psnr_y"])
    expected = "PSNR, Y (BT.601, 16-235, float), border 4, results clipped and rounded to 8 bits, more is better"
    assert measure.protocol(4) == expected
    assert (measure.title, measure.unit) == ("PSNR-Y", "dB")
    assert [measure.number(value) for value in (1 / 3, math.inf, math.nan)] == ["0.33", "inf", "-"]
    assert measure.number(0.125, sign=True) == "+0.12"
    ssim, ms_ssim = choose(["ssim", "ms_ssim"])
    assert ssim.how == "SSIM, RGB, Gaussian 11x11 sigma 1.5, valid windows"
    assert ms_ssim.how.endswith("5 scales halved by 2x2 means")


@pytest.mark.usefixtures("plugin")
def test_a_function_of_two_pictures_is_a_metric_and_its_summary_the_protocol() -> None:
    mae, cube = choose(["mae", "cube"])
    assert mae.of is not None and cube.of is not None
    assert mae.of(CLEAN + 0.25, CLEAN) == 0.25
    assert isinstance(mae.of(CLEAN, CLEAN), float), "a tensor of one number is a number"
    assert mae.protocol(0) == "mean absolute error, border 0, results clipped and rounded to 8 bits, less is better"
    assert mae.title == "mae"
    assert cube.of(CLEAN + 0.5, CLEAN) == 0.125
    assert cube.number(0.125) == "0.1"


@pytest.mark.usefixtures("plugin")
def test_a_class_may_compare_sets_and_say_its_protocol_itself() -> None:
    (hue,) = choose(["hue"])
    assert hue.of is None and hue.features is not None and hue.distance is not None
    assert hue.distance(torch.zeros(4, 3), torch.ones(5, 3)) == pytest.approx(math.sqrt(3))
    assert hue.features(CLEAN).tolist() == [0.5, 0.5, 0.5]
    assert hue.how == "distance of mean colours, RGB"
    assert (hue.title, hue.unit) == ("Hue", "lm")


@pytest.mark.usefixtures("plugin")
def test_a_function_that_makes_the_metric_is_called_and_names_are_spelt_freely() -> None:
    (odd,) = choose(["odd_one"])
    assert odd.of is not None
    assert (odd.name, odd.of(CLEAN, CLEAN)) == ("Odd-One", 2.0)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("text", BadPlugin, "metric 'text' of the plugin metrics_in_one_file gave str, which is not one number"),
        ("picky", BadOption, "metric 'picky': pictures of another planet"),
        (
            "nothing",
            BadPlugin,
            "of the plugin metrics_in_one_file: collections:UserDict makes neither a `Metric` nor a `SetMetric`",
        ),
        ("wrong", BadOption, "metric 'wrong' has no option 'off'; did you mean 'of'?"),
    ],
)
def test_what_is_no_metric_is_one_clear_error(name: str, kind: type[Exception], words: str) -> None:
    def tried() -> None:
        (measure,) = choose([name])
        assert measure.of is not None
        measure.of(CLEAN, CLEAN)

    with pytest.raises(kind) as caught:
        tried()
    assert words in str(caught.value)


def test_the_interfaces_are_told_apart() -> None:
    (psnr,) = (registry.registry().card(MetricCard, name).build() for name in ("psnr",))
    assert isinstance(psnr, interfaces.Metric) and not isinstance(psnr, interfaces.SetMetric)
    assert not isinstance(psnr, interfaces.DescribedMetric)
