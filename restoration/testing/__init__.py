"""The promises of every interface, as tests that a plugin imports and pytest collects.

A plugin's test file says `class TestMedian(RestorerContract): name = "median"` and has them all. The thing is built
from its card, so what is tested is what users get; `options` make it small and quick.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, product
from typing import Any, ClassVar

import torch
from msgspec import structs
from torch import Tensor

from restoration import recipe as recipes
from restoration import weights
from restoration.engine.adapter import Adapted, build_network
from restoration.interfaces import KnowingTask, Observation
from restoration.metrics import psnr
from restoration.operators import Masking
from restoration.picture import Picture, with_channels
from restoration.randomness import RowGenerators
from restoration.registry import cards, registry
from restoration.runtime import Restoration
from restoration.tasks import observe
from restoration.testing.contract import SIZES, Contract, generator, no_side_effects, picture, scene
from restoration.testing.files import LayoutContract
from restoration.testing.scores import CommandContract, MetricContract

__all__ = [
    "SIZES",
    "CommandContract",
    "Contract",
    "LayoutContract",
    "MetricContract",
    "NetworkContract",
    "ObjectiveContract",
    "RestorerContract",
    "SamplerContract",
    "ScheduleContract",
    "TaskContract",
    "WeightsContract",
    "generator",
    "no_side_effects",
    "picture",
    "scene",
]


class Reverting:
    """A path in closed form, for objectives and samplers: `a = e^-3t`, `b = 1 - a`, `c = 0.1 sqrt(1 - a^2)`."""

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a = (-3 * t.double()).exp()
        return a, 1 - a, 0.1 * (1 - a.square()).sqrt()

    def steps(self, n: int) -> Tensor:
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)


class NetworkContract(Contract):
    """What every network promises, inside the adapter that methods call it through."""

    def paths(self) -> tuple[bool, ...]:
        """Return whether it serves on a noise path and, or, without one: one that enlarges, or takes no more, does not.

        One without `y` or `t` and without `in_channels`, as a published file has it, is given the picture alone.
        """
        card = self.card(cards.NetworkCard)
        free = {"y", "t"} <= set(card.takes) or "in_channels" in card.options()
        return (True, False) if free and not card.enlarges else (False,)

    def asked(self, height: int, width: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield a state and a degraded picture, `2 3 h w`; for one that enlarges, states of each scale, some cut."""
        for scale in (self.card(cards.NetworkCard).enlarges and self.network(False).enlarges) or (1,):
            cut = int(scale > 1 and height > 1)
            yield picture(2, 3, scale * height - cut, scale * width), picture(2, 3, height, width, seed=1)

    def network(self, path: bool) -> Adapted:
        """Build it, and move its weights a little, as training would: some start at zero and would hide mistakes."""
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            network = build_network(self.card(cards.NetworkCard), self.options, path=path)
            for parameter in network.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        return network.eval()

    def difference(self, one: list[float], two: list[list[float]]) -> float:
        """Return how far its answer on two pictures at times `one` is from those on parts of them at times `two`."""
        network, off = self.network(self.paths()[0]), 0.0
        for x, y in self.asked(18, 13):
            with torch.no_grad():
                whole = network(x, y, torch.tensor(one))
                parts = zip(x.chunk(len(two)), y.chunk(len(two)), two, strict=True)
                other = torch.cat([network(x_part, y_part, torch.tensor(t)) for x_part, y_part, t in parts])
            off = max(off, float((whole - other).abs().max() / whole.abs().max().clamp(min=1)))
        return off

    def test_every_size_is_kept_on_a_path_and_without_one(self) -> None:
        for network in map(self.network, self.paths()):
            for x, y in chain.from_iterable(self.asked(*size) for size in SIZES):
                with torch.no_grad(), no_side_effects(x, y):
                    answer = network(x, y, torch.ones(2))
                assert answer.shape == x.shape and answer.isfinite().all(), f"{x.shape} became {answer.shape}: {answer}"

    def test_an_answer_depends_on_its_own_picture_and_time_only(self) -> None:
        assert self.difference([0.2, 0.9], [[0.2, 0.9]]) == 0, "the same question got two answers"
        assert self.difference([0.2, 0.9], [[0.2], [0.9]]) < 1e-4, "pictures of a batch see each other"
        assert self.difference([0.3, 0.3], [[0.3]]) < 1e-4, "one time does not stand for the whole batch"

    def test_a_gradient_reaches_every_parameter(self) -> None:
        network = self.network(self.paths()[0]).train()
        for x, y in self.asked(18, 13):
            answer = network(x, y, torch.tensor([0.2, 0.9]))
            torch.autograd.backward((answer * picture(*answer.shape, seed=2)).sum())
        for name, parameter in network.named_parameters():
            reached = parameter.grad is not None and bool(parameter.grad.any() and parameter.grad.isfinite().all())
            assert reached or not parameter.requires_grad, f"no gradient reaches {name}, or one that is not finite"

    def test_its_state_is_tensors_only(self) -> None:
        state = self.network(self.paths()[0]).state_dict()
        assert all(isinstance(value, Tensor) for value in state.values()), "it needs pickle"


class ScheduleContract(Contract):
    """What every noise schedule promises."""

    def test_noise_grows_from_the_clean_image_on(self) -> None:
        a, b, c = self.made(cards.ScheduleCard).at(torch.linspace(0, 1, 101, dtype=torch.float64))
        assert max(abs(a[0] - 1), abs(b[0]), abs(c[0])) < 1e-6, f"a, b, c at 0 are {a[0]}, {b[0]}, {c[0]}"
        assert (c[1:] > 0).all() and ((c / a).diff() > 0).all(), "c must be positive, and c / a must grow with t"
        assert self.card(cards.ScheduleCard).uses_y or not b.any(), "its card says that y has no part, but b is not 0"

    def test_curves_are_elementwise_and_in_float64(self) -> None:
        schedule = self.made(cards.ScheduleCard)
        for t in (picture(), picture(1), picture(6), picture(2, 3)):
            for i, curve in enumerate(schedule.at(t)):
                alone = torch.stack([schedule.at(one)[i] for one in t.flatten()]).reshape(t.shape)
                assert curve.dtype == torch.float64 and curve.shape == t.shape and torch.allclose(curve, alone)

    def test_steps_fall_from_one_to_zero(self) -> None:
        for n in (1, 2, 7, 100):
            times = self.made(cards.ScheduleCard).steps(n)
            assert times.shape == (n + 1,) and times.dtype == torch.float64
            assert float(times[0]) == 1 and float(times[-1]) == 0 and (times.diff() < 0).all()


class ObjectiveContract(Contract):
    """What every objective promises. `schedule` names the one it is tried on; a path of our own if it takes any."""

    schedule: ClassVar[str] = ""

    def answers(self, x: Tensor, y: Tensor, n: Tensor, a: Tensor, c: Tensor) -> Iterable[Tensor]:
        """Yield what a perfect network may predict: clean image, noise, velocities, residual. Add yours."""
        return [x, n, a * n - c * x, y - x, x - y, y - x + c / (1 - a).clamp(min=1e-6) * n]

    def path(self) -> Any:
        """Return the schedule that it is tried on, None if it needs none."""
        path = registry().card(cards.ScheduleCard, self.schedule).build() if self.schedule else Reverting()
        return path if self.card(cards.ObjectiveCard).path else None

    def test_it_gives_a_loss_for_each_image_that_the_network_can_learn_from(self) -> None:
        weight, x, y = torch.tensor(0.5, requires_grad=True), picture(3, 3, 9, 7), picture(3, 3, 9, 7, seed=1)
        make, path, net = self.made(cards.ObjectiveCard).loss, self.path(), lambda x_t, y, t: weight * x_t
        with no_side_effects(x, y):
            loss, *again = (make(net, path, x[i], y[i], RowGenerators.keyed(rows=i)) for i in ([0, 1, 2], [0, 1], [2]))
        assert loss.shape == (3,) and loss.isfinite().all() and (loss >= 0).all(), f"its loss is {loss}"
        assert torch.allclose(loss, torch.cat(again)), "the same images have other losses in a smaller batch"
        torch.autograd.backward(loss.mean())
        assert weight.grad is not None and weight.grad.isfinite() and weight.grad != 0

    def test_it_reads_the_clean_image_out_of_a_perfect_network(self) -> None:
        objective, path = self.made(cards.ObjectiveCard), self.path()
        x, y, n = picture(2, 3, 9, 7), picture(2, 3, 9, 7, seed=1), torch.randn(2, 3, 9, 7, generator=generator())
        for t in (torch.tensor([0.4]), torch.tensor([0.2, 0.6])):
            a, b, c = (curve.float()[:, None, None, None] for curve in (path or Reverting()).at(t))
            x_t, errors = a * x + b * y + c * n if path else y, []
            for predicted in self.answers(x, y, n, a, c):
                with no_side_effects(x_t, y):
                    found = objective.clean(lambda x_t, y, t, predicted=predicted: predicted, path, x_t, y, t)
                assert found.shape == x.shape
                errors.append(float((found - x).abs().max()))
            assert min(errors) < 1e-3, f"whatever the network predicts, the clean image is off by {min(errors):.2g}"


class SamplerContract(Contract):
    """What every sampler promises, on a path of our own and with a perfect clean estimate."""

    def walk(self, steps: int, seed: int = 0) -> tuple[list[tuple[Tensor, Tensor]], int]:
        """Walk to `picture(1, 3, 9, 7)`; return what was yielded and how often noise was drawn."""
        x, y, path = picture(1, 3, 9, 7), picture(1, 3, 9, 7, seed=1), Reverting()
        supply = iter(torch.randn(1000, *x.shape, generator=generator(seed)))
        x_t, times, sampler = y + 0.05, path.steps(steps), self.made(cards.SamplerCard)
        with no_side_effects(x, y, x_t, times):
            walk = sampler(lambda x_t, t: x, path, x_t, y, times, lambda: next(supply))
            return [(state.clone(), clean.clone()) for state, clean in walk], 1000 - len(list(supply))

    def test_it_yields_once_a_step_and_arrives_at_the_clean_image(self) -> None:
        x = picture(1, 3, 9, 7)
        for steps in (1, 2, 5, 100):
            yielded, _ = self.walk(steps)
            assert len(yielded) == steps, f"{steps} steps yielded {len(yielded)} times"
            assert torch.equal(yielded[-1][1], x), "the last clean estimate is not what it was told"
            assert all(state.isfinite().all() and state.shape == x.shape for state, _ in yielded)
        assert float((yielded[-1][0] - x).abs().mean()) < 0.05, "after 100 steps the state is not the clean image"

    def test_the_same_noise_gives_the_same_walk(self) -> None:
        (first, draws), (second, _), (other, _) = self.walk(5), self.walk(5), self.walk(5, seed=1)
        assert all(torch.equal(one[0], two[0]) for one, two in zip(first, second, strict=True))
        stochastic = self.card(cards.SamplerCard).stochastic
        assert (draws > 0) is stochastic, f"its card says stochastic={stochastic}, but it drew noise {draws} times"
        assert torch.equal(first[0][0], other[0][0]) is not stochastic


class RestorerContract(Contract):
    """What every method promises, untrained. `network` are options of its default network, to make it small."""

    task: ClassVar[str] = ""
    network: ClassVar[Mapping[str, Any]] = {}

    def guesses(self, y: Tensor, seed: int = 0) -> list[Tensor]:
        """Build it with the default parts of its card; return all guesses, made as the toolbox makes them."""
        tasks = (self.task, *self.card(cards.RestorerCard).tasks, *(c.name for c in registry().cards(cards.TaskCard)))
        recipe = recipes.default_recipe(self.name, next(filter(None, tasks)))
        method = recipes.Part(self.name, {**recipe.method.options, **self.options})
        network = recipe.network and recipes.Part(recipe.network.name, {**recipe.network.options, **self.network})
        recipe = structs.replace(recipe, method=method, network=network)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            parts = recipes.build_parts(recipe)
        if parts.network is not None:
            parts.network.eval().requires_grad_(False)
        restorer = recipes.build_restorer(recipe, parts)
        with torch.inference_mode(), no_side_effects(y):
            return [guess.clone() for guess in restorer(Observation(y=y, sigma=0.1), generator(seed))]

    def test_every_size_gets_an_answer_of_its_size(self) -> None:
        for height, width in SIZES:
            guesses = self.guesses(picture(1, 3, height, width))
            assert {guess.shape for guess in guesses} == {(1, 3, height, width)}, "it yielded nothing, or another size"
            assert guesses[-1].isfinite().all()

    def test_the_same_seed_gives_the_same_bytes_and_another_too_if_it_does_not_draw(self) -> None:
        seeds = (0, 0, 1) if self.card(cards.RestorerCard).draws is False else (0, 0)
        first, *others = (self.guesses(picture(1, 3, 18, 13), seed)[-1] for seed in seeds)
        assert all(torch.equal(first, other) for other in others)


class TaskContract(Contract):
    """What every task promises. `random` is False for one that damages a picture always in the same way."""

    random: ClassVar[bool] = True

    def damaged(self, x: Tensor, seed: int = 0) -> Tensor:
        with no_side_effects(x):
            return self.made(cards.TaskCard)(x, generator(seed))  # type: ignore[no-any-return]

    def test_the_seed_decides_the_damage(self) -> None:
        x = scene(40, 48)
        assert torch.equal(self.damaged(x), self.damaged(x)) and not torch.equal(self.damaged(x), x)
        assert torch.equal(self.damaged(x), self.damaged(x, seed=1)) is not self.random

    def test_every_size_is_kept_and_what_is_observed_is_true(self) -> None:
        task, linear = self.made(cards.TaskCard), self.card(cards.TaskCard).linear
        assert isinstance(task, KnowingTask) is linear, "linear on its card must say if it has observe and describe"
        for channels, (height, width) in product((1, 3), SIZES):
            x = 0.2 + 0.6 * picture(2, channels, height, width)  # far from where a camera clips
            y, seen = self.damaged(x), observe(task, x, generator())
            assert y.shape == x.shape and y.dtype == x.dtype and y.isfinite().all()
            assert torch.equal(seen.y, y), "observe damages otherwise than a call does"
            told = y if seen.measured is None else seen.measured
            assert not linear or task.describe(Picture(pixels=told[:1], alpha=told[:1, :1])).y.isfinite().all()
            operator = seen.operator or Masking(torch.ones(1))  # None is the identity, if it is known at all
            off = float((operator(x) - told).abs().max())
            assert seen.sigma is None or off <= 12 * seen.sigma + 2 / 255, f"operator(x) is off by {off:.2g}"
            clean, other = x.double(), picture(*told.shape, seed=1).double()
            there, back = float((operator(clean) * other).sum()), float((clean * operator.adjoint(other)).sum())
            assert abs(there - back) <= 1e-9 * max(1, abs(there)), f"<Ax, v> is {there}, <x, A'v> is {back}"


class WeightsContract(Contract):
    """What every set of bundled weights promises."""

    def test_its_folder_is_whole_small_and_says_what_it_is_for(self) -> None:
        folder = weights.bundled(card := self.card(cards.WeightsCard))
        assert folder.size() <= 4 * 2**20, f"the model has {folder.size()} bytes; the most is 4 MiB"
        text, recipe = (folder.path / weights.CARD).read_text(encoding="utf-8"), folder.recipe()
        assert card.method in text and card.task in text, "its README must name its method and its task"
        assert recipe.task.name == card.task, "its recipe is for another task"

    def test_it_brings_pictures_nearer_to_the_clean_ones(self) -> None:
        card = self.card(cards.WeightsCard)
        restoration, gains = Restoration(card.method, card.task, weights=self.name), []
        for seed in range(3):
            x = with_channels(scene(48, 64, seed), len(restoration.recipe.channels))
            seen = observe(recipes.build_task(restoration.recipe), x, generator(seed))
            gains.append(psnr(restoration(seen, seed=seed).picture.pixels, x) - psnr(seen.y.clamp(0, 1), x))
        assert sum(gains) > 0, f"the gains on three pictures are {gains} dB"
