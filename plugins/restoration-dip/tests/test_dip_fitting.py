"""The fit, step by step: Adam in closed form, steps taken back, where randomness comes from, precisions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from restoration_dip.fit.fitting import LARGEST_RISE, Fitting, check_memory
from restoration_dip.fit.inputs import JitteredInput
from torch import Generator, Tensor, nn
from torch.nn import functional

from restoration import NetworkCard, NetworkMaker


class Linear(nn.Module):
    """A 1x1 convolution that is called as networks are, and remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(random(3, 2, 1, 1, seed=3) - 0.5)
        self.bias = nn.Parameter(random(3, seed=4) - 0.5)
        self.shown: list[Tensor] = []

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        assert x is y and t.shape == (1,)
        self.shown.append(x)
        return functional.conv2d(x, self.weight, self.bias)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=Generator().manual_seed(seed))


Z, TARGET, ONE = random(1, 2, 6, 5, seed=1), random(1, 3, 6, 5, seed=2), torch.ones(1)


def error(x: Tensor) -> Tensor:
    return (x - TARGET).square().mean()


def fitting(
    network: nn.Module | None = None,
    *,
    loss: Callable[[Tensor], Tensor] = error,
    lr: float = 0.01,
    jitter: float = 0.0,
    seed: int = 0,
) -> Fitting:
    return Fitting(network or Linear(), JitteredInput(Z, jitter, Generator().manual_seed(seed)), loss, lr=lr)


def losses(fit: Fitting, number: int) -> list[float]:
    return [fit.step()[1] for _ in range(number)]


def test_an_answer_is_that_of_the_weights_before_the_step_and_the_loss_its_own() -> None:
    network = Linear()
    expected = network(Z, Z, ONE).detach()
    answer, loss = fitting(network).step()
    torch.testing.assert_close(answer, expected)
    assert not answer.requires_grad
    assert loss == pytest.approx(float(error(expected)))


def test_the_first_step_moves_every_weight_by_the_learning_rate_against_its_gradient() -> None:
    network = Linear()
    before = [parameter.detach().clone() for parameter in network.parameters()]
    gradients = torch.autograd.grad(error(network(Z, Z, ONE)), list(network.parameters()))
    fitting(network, lr=0.03).step()
    for parameter, old, gradient in zip(network.parameters(), before, gradients, strict=True):
        torch.testing.assert_close(parameter.detach(), old - 0.03 * gradient.sign(), rtol=0, atol=1e-5)


def test_later_steps_are_those_of_adam() -> None:
    network, other = Linear(), Linear()
    adam = torch.optim.Adam(other.parameters(), lr=0.01)
    fit = fitting(network)
    for _ in range(50):
        fit.step()
        adam.zero_grad()
        torch.autograd.backward(error(other(Z, Z, ONE)))
        adam.step()
    for parameter, expected in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(parameter, expected, rtol=1e-4, atol=1e-5)


def test_a_linear_network_comes_to_the_least_squares() -> None:
    columns = torch.cat([Z.flatten(2)[0].T, torch.ones(30, 1)], dim=1)
    target = TARGET.flatten(2)[0].T
    least = (columns @ torch.linalg.lstsq(columns, target).solution - target).square().mean()
    fit = fitting(lr=0.05)
    losses(fit, 400)
    assert fit.step()[1] == pytest.approx(float(least), rel=1e-4)


def weights(fit: Fitting) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in fit.parameters])


@pytest.mark.parametrize(("worse", "taken_back"), [(LARGEST_RISE + 0.5, True), (LARGEST_RISE - 0.5, False)])
def test_a_fall_of_five_decibels_is_taken_back_and_a_smaller_one_is_not(worse: float, taken_back: bool) -> None:
    factor = 1.0
    fit = fitting(loss=lambda x: factor * error(x), lr=1e-4)
    states = [weights(fit)]
    for step in range(6):
        factor = 10 ** (worse / 10) if step == 5 else 1.0
        fit.step()
        states.append(weights(fit))
    *before, after = states
    assert any(torch.equal(after, state) for state in before) is taken_back


@pytest.mark.parametrize("good", range(1, 24))
def test_whichever_step_a_fall_comes_from_the_weights_before_it_come_back(good: int) -> None:
    fit = fitting()
    best = losses(fit, good)[-1]
    fit.optimiser.lr = 100.0
    fit.step()
    fit.optimiser.lr = 0.01
    fallen, after, later = losses(fit, 3)
    assert fallen > 100 * best, "the large step made it worse"
    assert max(after, later) < 2 * best, "it was not taken back"


@pytest.mark.parametrize("falls", [False, True])
def test_after_a_fall_it_sets_out_slowly_so_that_it_does_not_fall_again(falls: bool) -> None:
    fit = fitting(loss=lambda x: factor * error(x), lr=0.01)
    for step in range(8):
        factor = 100.0 if falls and step == 7 else 1.0
        fit.step()
    before, factor = weights(fit), 1.0
    fit.step()
    farthest = float((weights(fit) - before).abs().max())
    assert farthest < 0.002 if falls else farthest > 0.008, farthest


def test_the_input_is_shaken_anew_at_each_step_by_normal_noise_of_the_generator() -> None:
    def noises(seed: int) -> Tensor:
        network, before = Linear(), torch.random.get_rng_state()
        losses(fitting(network, jitter=0.03, seed=seed), 200)
        assert torch.equal(torch.random.get_rng_state(), before), "it drew from the global generator"
        return torch.cat(network.shown) - Z

    drawn, same, other = noises(1), noises(1), noises(2)
    assert torch.equal(drawn, same) and not torch.equal(drawn, other)
    assert float(drawn.std()) == pytest.approx(0.03, rel=0.03)
    assert float(drawn.mean()) == pytest.approx(0, abs=0.001)
    assert not torch.equal(drawn[0], drawn[1])


def test_the_shaken_input_is_not_shaken_further_and_further() -> None:
    before = Z.clone()
    network = Linear()
    losses(fitting(network, jitter=0.03), 300)
    assert float((network.shown[-1] - Z).abs().max()) < 6 * 0.03
    assert torch.equal(Z, before)


def test_without_jitter_nothing_is_drawn_and_the_input_stays() -> None:
    network, rng = Linear(), Generator().manual_seed(0)
    losses(Fitting(network, JitteredInput(Z, 0.0, rng), error, lr=0.01), 3)
    assert torch.equal(rng.get_state(), Generator().manual_seed(0).get_state())
    assert all(torch.equal(z, Z) for z in network.shown)


def test_the_same_seed_gives_the_same_bytes() -> None:
    one, same, other = (fitting(convolutions(), jitter=0.03, seed=seed) for seed in (1, 1, 2))
    for fit in (one, same, other):
        losses(fit, 10)
    assert torch.equal(one.step()[0], same.step()[0])
    assert not torch.equal(one.step()[0], other.step()[0])


class Called(nn.Module):
    """Any network, called as ours are."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        answer: Tensor = self.network(x)
        return answer


def convolutions() -> nn.Module:
    """Return a small network with a batch norm, the same at each call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        inner = nn.Sequential(
            nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1)
        )
    return Called(inner)


def test_batch_norms_work_on_the_picture_at_hand() -> None:
    network = convolutions().eval()
    fit = fitting(network)
    first, _ = fit.step()
    with torch.no_grad():
        expected = convolutions().train()(Z, Z, ONE)
    torch.testing.assert_close(first, expected)


def test_in_mixed_precision_each_answer_is_made_with_the_weights_of_the_step_before() -> None:
    network = Linear()
    fit = fitting(network, lr=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        for _ in range(20):
            weight, bias = (parameter.detach().bfloat16() for parameter in (network.weight, network.bias))
            expected = functional.conv2d(Z.bfloat16(), weight, bias).float()
            answer, _ = fit.step()
            assert answer.dtype == torch.float32
            torch.testing.assert_close(answer, expected, rtol=0, atol=0.01)
        assert fit.step()[1] < 0.12, "it fits"
    assert {parameter.dtype for parameter in fit.parameters} == {torch.float32}


@pytest.mark.parametrize("jitter", [0.0, 0.03])
def test_inside_inference_mode_it_fits_as_outside(jitter: float) -> None:
    outside, inside = (fitting(convolutions(), jitter=jitter) for _ in range(2))
    expected = losses(outside, 12)
    with torch.inference_mode():
        assert losses(inside, 12) == expected
    assert expected[-1] < 0.7 * expected[0]


def test_parameters_that_are_frozen_stay() -> None:
    network = Linear()
    network.bias.requires_grad_(False)
    before = network.bias.clone()
    fit = fitting(network)
    values = losses(fit, 5)
    assert torch.equal(network.bias, before)
    assert values[-1] < values[0]


SKIP = NetworkMaker(NetworkCard(name="skip", factory="restoration_dip.networks.skip:SkipNet", summary=""), {})


def test_a_picture_that_needs_more_memory_than_is_free_is_refused_before_it_is_begun() -> None:
    with pytest.raises(
        ValueError, match=r"a fit of 400000x300000 pixels takes about \d+ GB .* smaller, to \d+x\d+ or less"
    ):
        check_memory(SKIP, 32, {}, (300_000, 400_000), torch.device("cpu"))


def test_the_size_that_is_advised_fits_about() -> None:
    with pytest.raises(ValueError) as refused:
        check_memory(SKIP, 32, {}, (300_000, 400_000), torch.device("cpu"))
    width, height = (int(side) for side in str(refused.value).split("to ")[1].split(" ")[0].split("x"))
    assert 1000 < height < width < 400_000
    check_memory(SKIP, 32, {}, (height // 2, width // 2), torch.device("cpu"))  # memory comes and goes meanwhile


def test_looking_at_the_memory_draws_nothing() -> None:
    before = torch.random.get_rng_state()
    check_memory(SKIP, 32, {}, (20, 20), torch.device("cpu"))
    assert torch.equal(torch.random.get_rng_state(), before)
