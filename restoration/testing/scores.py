"""The promises of metrics and commands."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import click
import torch
from click.testing import CliRunner
from torch import Tensor

from restoration.interfaces import SetMetric
from restoration.registry import cards
from restoration.testing.contract import BuiltContract, Contract, no_side_effects, picture, scene


class MetricContract(BuiltContract):
    """What every metric promises. `compares` is False for one that looks at the restored picture alone."""

    kind = cards.MetricCard
    compares: ClassVar[bool] = True

    def value(self, image: Tensor, clean: Tensor, metric: Any = None) -> float:
        """Return what the metric says of two pictures; one of sets compares the sets of their mirrored versions."""
        metric = metric or self.made(cards.MetricCard)
        with no_side_effects(image, clean):
            if not isinstance(metric, SetMetric):
                found = metric(image, clean)
                one = isinstance(found, int | float) or (isinstance(found, Tensor) and found.ndim == 0)
                assert one, f"it returned a {type(found).__name__}, {found}, not a number"
                return float(found)
            mirrored = [[one, one.flip(-1), one.flip(-2)] for one in (image, clean)]
            first, second = (torch.stack([metric.features(one) for one in ones]) for ones in mirrored)
            assert first.ndim == 2, f"the features of one picture are a list of numbers, not {tuple(first.shape[1:])}"
            return float(metric.distance(first, second))

    def test_it_measures_pictures_as_small_as_its_card_says_grey_and_in_colour(self) -> None:
        side, metric = self.card(cards.MetricCard).smallest, self.made(cards.MetricCard)
        for channels, more, wider in ((1, 0, 3), (3, 2, 0)):
            x = 0.1 + 0.8 * picture(1, channels, side + more, side + wider)
            found = self.value(0.9 * x, x, metric)
            assert math.isfinite(found), f"of {channels} x {side + more} x {side + wider} pixels it is {found}"

    def test_the_more_noise_the_worse_and_the_same_question_has_one_answer(self) -> None:
        card, metric = self.card(cards.MetricCard), self.made(cards.MetricCard)
        side = max(48, card.smallest)
        x = scene(side, side + 16)
        noise = picture(*x.shape, seed=1) - 0.5
        found = [self.value((x + amount * noise).clamp(0, 1), x, metric) for amount in (0.0, 0.1, 0.4)]
        assert found[1] == self.value((x + 0.1 * noise).clamp(0, 1), x, metric), "the same pictures got two numbers"
        best, little, much = found if card.less_is_better else [-one for one in found]
        assert little < much, f"its card says less_is_better={card.less_is_better}, but with more noise it is {found}"
        assert best < little or not self.compares, f"equal pictures are not the best: {found}"


class CommandContract(Contract):
    """What every command promises."""

    def command(self) -> click.Command:
        """Return what the card names."""
        command = self.card(cards.CommandCard).load()
        assert isinstance(command, click.Command), f"its factory is a {type(command).__name__}, not a click.Command"
        return command

    def test_its_help_says_what_it_and_every_option_is_for(self) -> None:
        command = self.command()
        assert command.help, "it has no help: give its function a docstring"
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"the option {parameter.opts[0]} has no help"
        shown = CliRunner().invoke(command, ["--help"])
        assert shown.exit_code == 0 and shown.output.startswith("Usage:"), shown.output

    def test_an_option_that_there_is_not_is_wrong_usage(self) -> None:
        assert CliRunner().invoke(self.command(), ["--no-such-option-anywhere"]).exit_code == 2
