"""The promises of what sampling consists of: noise schedules, objectives and samplers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import torch
from torch import Tensor

from restoration.randomness import RowGenerators
from restoration.registry import cards, registry
from restoration.testing.contract import BuiltContract, generator, no_side_effects, picture


class Reverting:
    """A path in closed form, for objectives and samplers: `a = e^-3t`, `b = 1 - a`, `c = 0.1 sqrt(1 - a^2)`."""

    def at(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a = (-3 * t.double()).exp()
        return a, 1 - a, 0.1 * (1 - a.square()).sqrt()

    def steps(self, n: int) -> Tensor:
        return torch.linspace(1, 0, n + 1, dtype=torch.float64)


class ScheduleContract(BuiltContract):
    """What every noise schedule promises."""

    kind = cards.ScheduleCard

    def test_noise_grows_from_the_clean_image_on(self) -> None:
        a, b, c = self.made(cards.ScheduleCard).at(torch.linspace(0, 1, 101, dtype=torch.float64))
        assert max(abs(a[0] - 1), abs(b[0]), abs(c[0])) < 1e-6, f"a, b, c at 0 are {a[0]}, {b[0]}, {c[0]}"
        assert (c[1:] > 0).all() and ((c / a).diff() > 0).all(), "c must be positive, and c / a must grow with t"
        assert self.card(cards.ScheduleCard).uses_y or not b.any(), "its card says that y has no part, but b is not 0"

    def test_curves_are_elementwise_and_in_float64(self) -> None:
        schedule = self.made(cards.ScheduleCard)
        for t in (picture(), picture(1), picture(6), picture(2, 3), picture(4).double()):
            with no_side_effects(t):
                curves = tuple(schedule.at(t))
            assert len(curves) == 3, f"`at` returned {len(curves)} curves, not a, b and c"
            for i, (name, curve) in enumerate(zip("abc", curves, strict=True)):
                assert curve.dtype == torch.float64, f"{name} is of {curve.dtype}, not of torch.float64"
                assert curve.shape == t.shape, f"{name} at times {tuple(t.shape)} has the shape {tuple(curve.shape)}"
                alone = torch.stack([schedule.at(one)[i] for one in t.flatten()]).reshape(t.shape)
                assert torch.allclose(curve, alone), f"{name} at several times at once is not {name} at each of them"

    def test_steps_fall_from_one_to_zero(self) -> None:
        for n in (1, 2, 7, 100):
            times = self.made(cards.ScheduleCard).steps(n)
            assert times.shape == (n + 1,), f"{n} steps have {n + 1} times, not {tuple(times.shape)}"
            assert times.dtype == torch.float64, f"times are of {times.dtype}, not of torch.float64"
            falling = float(times[0]) == 1 and float(times[-1]) == 0 and bool((times.diff() < 0).all())
            assert falling, f"the times of {n} steps do not fall from 1 to 0: {times.tolist()}"


class ObjectiveContract(BuiltContract):
    """What every objective promises. `schedule` names the one it is tried on; a path of our own if it takes any."""

    kind = cards.ObjectiveCard
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
        losses = []
        for i in ([0, 1, 2], [0, 1], [2]):
            with no_side_effects(x_i := x[i], y_i := y[i]):
                losses.append(make(net, path, x_i, y_i, RowGenerators.keyed(rows=i)))
        loss, *again = losses
        assert loss.shape == (3,), f"the loss of three images has the shape {tuple(loss.shape)}, not (3,)"
        assert loss.isfinite().all() and (loss >= 0).all(), f"its loss is {loss.tolist()}"
        assert loss.requires_grad, "its loss has no gradient: something in it was detached"
        assert torch.allclose(loss, torch.cat(again)), "the same images have other losses in a smaller batch"
        torch.autograd.backward(loss.mean())
        grad = weight.grad
        assert grad is not None and grad.isfinite() and grad != 0, f"the gradient of its loss is {grad}"

    def test_it_reads_the_clean_image_out_of_a_perfect_network(self) -> None:
        objective, path = self.made(cards.ObjectiveCard), self.path()
        x, y, n = picture(2, 3, 9, 7), picture(2, 3, 9, 7, seed=1), torch.randn(2, 3, 9, 7, generator=generator())
        for t in (torch.tensor([0.4]), torch.tensor([0.2, 0.6])):
            a, b, c = (curve.float()[:, None, None, None] for curve in (path or Reverting()).at(t))
            x_t, errors = a * x + b * y + c * n if path else y, []
            for predicted in self.answers(x, y, n, a, c):
                with no_side_effects(x_t, y):
                    found = objective.clean(lambda x_t, y, t, predicted=predicted: predicted, path, x_t, y, t)
                assert found.shape == x.shape, f"the clean image of {tuple(x.shape)} is {tuple(found.shape)}"
                errors.append(float((found - x).abs().max()))
            assert min(errors) < 1e-3, (
                f"the clean image is off by {min(errors):.2g}, whether the network predicts it, the noise, a velocity "
                "or the residual; if it predicts something else, add that to `answers`"
            )


class SamplerContract(BuiltContract):
    """What every sampler promises, on a path of our own and with a perfect clean estimate."""

    kind = cards.SamplerCard

    def sampled(self, steps: int, seed: int = 0) -> tuple[list[tuple[Tensor, Tensor]], int]:
        """Sample `picture(1, 3, 9, 7)`; return what was yielded and how often noise was drawn."""
        x, y, path = picture(1, 3, 9, 7), picture(1, 3, 9, 7, seed=1), Reverting()
        supply = iter(torch.randn(1000, *x.shape, generator=generator(seed)))
        x_t, times, sampler = y + 0.05, path.steps(steps), self.made(cards.SamplerCard)
        with no_side_effects(x, y, x_t, times):
            trajectory = sampler(lambda x_t, t: x, path, x_t, y, times, lambda: next(supply))
            return [(state.clone(), clean.clone()) for state, clean in trajectory], 1000 - len(list(supply))

    def test_it_yields_once_a_step_and_arrives_at_the_clean_image(self) -> None:
        x = picture(1, 3, 9, 7)
        for steps in (1, 2, 5, 100):
            yielded, _ = self.sampled(steps)
            assert len(yielded) == steps, f"{steps} steps yielded {len(yielded)} times"
            assert torch.equal(yielded[-1][1], x), "the last clean estimate is not what it was told"
            for state, _ in yielded:
                assert state.shape == x.shape, f"a state of {tuple(x.shape)} became one of {tuple(state.shape)}"
                assert state.dtype == x.dtype, f"a state of {x.dtype} became one of {state.dtype}"
                assert state.isfinite().all(), f"with {steps} steps a state is not finite"
        assert float((yielded[-1][0] - x).abs().mean()) < 0.05, "after 100 steps the state is not the clean image"

    def test_its_states_are_on_the_path(self) -> None:
        x, y, path = picture(1, 3, 9, 7), picture(1, 3, 9, 7, seed=1), Reverting()
        for (state, _), t in zip(self.sampled(100)[0][:-1], path.steps(100)[1:-1], strict=True):
            a, b, c = (float(curve) for curve in path.at(t))
            noise = float((state - a * x - b * y).abs().mean()) / c
            assert noise < 2, (
                f"it yields states and clean estimates, in this order; noise is {noise:.2g} times too strong"
            )

    def test_the_same_noise_gives_the_same_trajectory(self) -> None:
        (first, draws), (second, _), (other, _) = self.sampled(5), self.sampled(5), self.sampled(5, seed=1)
        again = all(torch.equal(one[0], two[0]) for one, two in zip(first, second, strict=True))
        assert again, "the same noise led to another picture"
        stochastic = self.card(cards.SamplerCard).stochastic
        assert (draws > 0) is stochastic, f"its card says stochastic={stochastic}, but it drew noise {draws} times"
        assert torch.equal(first[0][0], other[0][0]) is not stochastic, "what it draws has no part in its states"
