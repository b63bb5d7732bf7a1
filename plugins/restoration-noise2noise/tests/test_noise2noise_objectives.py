"""What is learnt from noisy pictures: the loss of pairs and of neighbours, in closed form."""

from __future__ import annotations

import pytest
import torch
from restoration_noise2noise.objectives import NEIGHBOURS, NeighbourMatching, PairMatching, _drawn
from torch import Generator, Tensor
from torch.testing import assert_close

from restoration import AnnealedObjective, Objective, RowGenerators


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def rows(x: Tensor, seed: int = 0) -> RowGenerators:
    return RowGenerators.keyed(seed, rows=range(len(x)))


def same(x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """A network that changes nothing."""
    return y


@pytest.mark.parametrize(("norm", "power"), [("l1", 1), ("l2", 2)])
def test_the_loss_is_the_mean_error_between_two_noisy_pictures_whichever_is_seen(norm: str, power: int) -> None:
    x, y = torch.randn(2, 6, 3, 4, 4, generator=seeded())
    loss = PairMatching(norm=norm, clipped=0.0).loss(same, None, x, y, rows(x))
    assert_close(loss, (x - y).abs().pow(power).mean(dim=(1, 2, 3)))


def test_psnr_lets_pairs_count_less_the_noisier_they_are() -> None:
    x, y = torch.randn(2, 6, 3, 4, 4, generator=seeded())
    shift = torch.zeros((), requires_grad=True)
    strength = torch.tensor([1.0, 1.0, 1.0, 10.0, 10.0, 10.0])[:, None, None, None]

    def shifted(x_t: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return y + shift

    objective = PairMatching(norm="psnr", clipped=0.0, swap=False)
    loss = objective.loss(shifted, None, x * strength, y * strength, rows(x))
    error = (y - x) * strength
    assert_close(loss, 10 * error.square().mean(dim=(1, 2, 3)).log10())
    slopes = torch.stack([torch.autograd.grad(one, shift, retain_graph=True)[0] for one in loss])
    mean_error, mean_square = error.mean(dim=(1, 2, 3)), error.square().mean(dim=(1, 2, 3))
    assert_close(slopes, 20 / torch.tensor(10.0).log() * mean_error / mean_square)


def test_half_of_the_pairs_change_places_and_a_share_of_the_inputs_is_clipped() -> None:
    x, y = torch.randn(2, 400, 1, 2, 2, generator=seeded())
    seen: list[Tensor] = []

    def network(x_t: Tensor, shown: Tensor, t: Tensor) -> Tensor:
        seen.append(shown)
        return shown

    PairMatching(clipped=0.3).loss(network, None, x, y, rows(x))
    (shown,) = seen
    clipped = ((shown * 255).frac().abs() < 1e-4).flatten(1).all(dim=1) & (shown.clamp(0, 1) == shown).flatten(1).all(1)
    assert 0.2 < float(clipped.float().mean()) < 0.4
    first, second = ((shown == one).flatten(1).all(dim=1) for one in (x, y))
    assert not (first & second).any()
    assert (first | second | clipped).all()
    assert 0.4 < float(first.sum() / (first | second).sum()) < 0.6

    seen.clear()
    PairMatching(clipped=0.0, swap=False).loss(network, None, x, y, rows(x))
    assert torch.equal(seen[0], y)


def test_targets_are_never_clipped() -> None:
    x, y = torch.full((2, 1, 1, 2, 2), 1.5)
    assert_close(PairMatching(clipped=1.0).loss(same, None, x, y, rows(x)), torch.tensor([0.25]))


def test_hue_and_brightness_change_both_alike_and_keep_what_is_grey() -> None:
    grey = torch.rand(5, 1, 4, 4, generator=seeded()).expand(-1, 3, -1, -1)
    assert_close(PairMatching(clipped=0.0, hue=60).loss(same, None, grey, grey, rows(grey)), torch.zeros(5))
    x = torch.rand(5, 3, 4, 4, generator=seeded(1))
    for options in ({"hue": 60.0}, {"brightness": 0.5}):
        seen: list[Tensor] = []

        def network(x_t: Tensor, y: Tensor, t: Tensor, seen: list[Tensor] = seen) -> Tensor:
            seen.append(y)
            return y

        loss = PairMatching(clipped=0.0, **options).loss(network, None, x, x, rows(x))
        assert_close(loss, torch.zeros(5))
        assert float((seen[0] - x).abs().amax(dim=(1, 2, 3)).min()) > 1e-3
    assert_close(seen[0] / x, (seen[0] / x)[:, :1, :1, :1].expand_as(x))


def test_colours_that_are_turned_keep_their_precision_under_autocast() -> None:
    x = torch.rand(3, 3, 4, 4, generator=seeded())
    objective = PairMatching(clipped=0.0, hue=60.0, swap=False)
    exact = objective.loss(same, None, x, x + 1e-3, rows(x))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(objective.loss(same, None, x, x + 1e-3, rows(x)), exact)


def test_l0_goes_from_squares_to_a_count_of_what_is_wrong() -> None:
    objective = PairMatching(norm="l0", clipped=0.0)
    assert isinstance(objective, AnnealedObjective)
    x, y = torch.zeros(2, 1, 1, 2, 2)
    y = y + torch.tensor([[0.0, 0.1], [0.5, -2.0]])
    assert_close(objective.loss(same, None, x, y, rows(x)), y.square().mean().reshape(1))
    objective.progress = 1 - 1e-3
    assert_close(objective.loss(same, None, x, y, rows(x)), torch.tensor([0.99]), atol=0.02, rtol=0)


def learnt(norm: str, draw: Tensor, steps: int = 400) -> float:
    """Return what a network that knows no input but one number predicts after a training on pairs of draws."""
    number = torch.tensor(0.5, requires_grad=True)
    objective, optimizer = PairMatching(norm=norm, clipped=0.0), torch.optim.Adam([number], lr=0.02)
    for step in range(steps):
        objective.progress = step / steps
        index = torch.randint(len(draw), (2, 4, 1, 4, 4), generator=seeded(step))
        x, y = draw[index]
        optimizer.zero_grad()
        objective.loss(lambda x_t, y, t: number.expand_as(y), None, x, y, rows(x)).mean().backward()
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / steps)
        optimizer.step()
    return float(number.detach())


def test_each_norm_learns_its_statistic_of_the_noise() -> None:
    draw = torch.cat([torch.full((40,), 0.2), torch.linspace(0.3, 1, 60)])  # mode 0.2, median 0.412, mean 0.47
    assert abs(learnt("l2", draw) - float(draw.mean())) < 0.02
    assert abs(learnt("l1", draw) - float(draw.median())) < 0.03
    assert abs(learnt("l0", draw) - 0.2) < 0.08


def test_neighbours_are_drawn_evenly_and_lie_beside_or_above_each_other() -> None:
    corners = torch.tensor([[0.0, 1.0], [2.0, 3.0]]).repeat(40, 40)[None, None]
    pair = NEIGHBOURS[rows(corners).integers(0, 8, 40, 40)]
    first, second = _drawn(corners, pair[..., 0]), _drawn(corners, pair[..., 1])
    assert first.shape == (1, 1, 40, 40)
    found = set(zip(first.flatten().tolist(), second.flatten().tolist(), strict=True))
    assert found == {(0, 1), (1, 0), (0, 2), (2, 0), (1, 3), (3, 1), (2, 3), (3, 2)}
    share = torch.stack([(first == corner).float().mean() for corner in range(4)])
    assert_close(share, torch.full((4,), 0.25), atol=0.04, rtol=0)


def test_the_second_term_grows_in_the_training_and_makes_up_for_the_half_pixel() -> None:
    ramp = torch.linspace(0, 1, 16)[:, None].expand(1, 1, 16, 16).clone()  # no noise, and neighbours differ
    objective = NeighbourMatching(strength=3.0)
    assert isinstance(objective, Objective)
    first = objective.loss(same, None, ramp, ramp, rows(ramp))
    assert float(first) > 0
    objective.progress = 1.0
    assert_close(objective.loss(same, None, ramp, ramp, rows(ramp)), first)  # the network is right: nothing is added


def test_the_loss_of_neighbours_uses_nothing_but_the_noisy_picture() -> None:
    y = torch.rand(2, 3, 9, 7, generator=seeded())
    for objective in (NeighbourMatching(), NeighbourMatching(clipped=1.0)):
        assert torch.equal(
            objective.loss(same, None, y, y, rows(y)), objective.loss(same, None, torch.zeros_like(y), y, rows(y))
        )


@pytest.mark.parametrize("wrong", [{"clipped": 1.5}, {"hue": 200}, {"brightness": -0.1}])
def test_what_is_no_share_or_angle_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        PairMatching(**wrong)
