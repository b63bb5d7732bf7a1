"""Latent Refusion: the walk between latents, and the training of the pair of networks."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from einops import rearrange, reduce
from restoration_ir_sde.latent import LatentIRSDE, LatentMatching, Pixels, latents_of, moments
from restoration_ir_sde.objectives import CleanMatching, EulerMatching, Matching, NoiseMatching, PosteriorMean
from restoration_ir_sde.restorers import IRSDE
from restoration_ir_sde.schedules import MeanReverting
from restoration_networks.latent_pair import LatentPair
from torch import Generator, Tensor, nn
from torch.testing import assert_close

from restoration import Observation, RowGenerators, psnr
from restoration.engine.adapter import Adapted
from restoration.engine.tiling import Tiled
from restoration.sampling import dpmpp_2m, posterior
from restoration.testing import scene


class Folded(nn.Module):
    """Latents of four pixels each, without a mean, which is what they hide; it says the latent of `clean`."""

    latent_channels = 12

    def __init__(self, clean: Tensor | None = None) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.ones(()))
        self.clean = clean

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = rearrange(reduce(x, "b c h w -> b", "mean"), "b -> b 1 1 1")
        return rearrange(self.share * (x - mean), "b c (h p) (w q) -> b (c p q) h w", p=2, q=2), mean

    def decode(self, latent: Tensor, hidden: Tensor) -> Tensor:
        return rearrange(latent, "b (c p q) h w -> b c (h p) (w q)", p=2, q=2) + hidden

    def forward(self, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
        return x if self.clean is None else self.encode(self.clean)[0]


def pictures(number: int = 4, size: int = 8) -> tuple[Tensor, Tensor]:
    rng = Generator().manual_seed(0)
    x = torch.rand(number, 3, size, size, generator=rng)
    return x, 0.5 * x + 0.4 * torch.rand(x.shape, generator=rng)


def rows(x: Tensor, seed: int = 0) -> RowGenerators:
    return RowGenerators.keyed(seed, rows=range(len(x)))


def small_pair() -> Adapted:
    torch.manual_seed(0)
    shape: dict[str, Any] = {"latent_channels": 4, "autoencoder_width": 8, "multipliers": (1, 2)}
    return Adapted(LatentPair(**shape, width=8, encoder=(1,), decoder=(1,)), ("y", "t"))


def restorer(network: nn.Module, *, previews: bool = False, **how: Any) -> LatentIRSDE:
    parts: dict[str, Any] = {"objective": LatentMatching(), "sampler": dpmpp_2m(), "steps": 5, **how}
    return LatentIRSDE(network=network, schedule=MeanReverting(max_sigma=50), previews=previews, **parts)


def test_latents_are_found_in_whatever_wraps_the_network() -> None:
    pair = small_pair()
    assert latents_of(pair) is latents_of(Tiled(pair, 0)) is pair.network
    for plain in (nn.Conv2d(3, 3, 1), Adapted(nn.Conv2d(3, 3, 1), ()), lambda x, y, t: x):
        assert isinstance(latents_of(plain), Pixels)  # type: ignore[arg-type]


def test_the_answer_is_the_clean_latent_with_what_the_degraded_picture_hides() -> None:
    x, y = pictures(1)
    (answer,) = restorer(Folded(x))(Observation(y=y), Generator())
    assert_close(answer, x - x.mean() + y.mean())


def test_the_walk_is_that_of_ir_sde_between_latents() -> None:
    _, y = pictures(1)
    network, how = Folded(), {"objective": CleanMatching(), "sampler": posterior(), "steps": 4}
    with torch.no_grad():
        (answer,) = restorer(network, **how)(Observation(y=y), Generator().manual_seed(3))
        latent, hidden = network.encode(y)
        between: Any = IRSDE(network=network, schedule=MeanReverting(max_sigma=50), **how)  # type: ignore[arg-type]
        *_, estimate = between(Observation(y=latent), Generator().manual_seed(3))
    assert torch.equal(answer, network.decode(estimate, hidden))


def test_every_estimate_is_decoded_only_where_it_is_asked_for() -> None:
    _, y = pictures(1)
    with torch.no_grad():
        all_of_them = list(restorer(Folded(), previews=True)(Observation(y=y), Generator().manual_seed(1)))
        (last,) = restorer(Folded())(Observation(y=y), Generator().manual_seed(1))
    assert len(all_of_them) == 5
    assert torch.equal(all_of_them[-1], last)


def test_a_network_without_latents_walks_between_pictures() -> None:
    _, y = pictures(1)
    network = lambda x, y, t: 0.9 * x + 0.05 * y  # noqa: E731
    (answer,) = restorer(network)(Observation(y=y), Generator().manual_seed(1))  # type: ignore[arg-type]
    parts: dict[str, Any] = {"objective": CleanMatching(), "sampler": dpmpp_2m(), "steps": 5}
    plain = IRSDE(network=network, schedule=MeanReverting(max_sigma=50), **parts)
    *_, expected = plain(Observation(y=y), Generator().manual_seed(1))
    assert torch.equal(answer, expected)


def test_replacing_wants_each_picture_back_from_its_latent_with_what_the_degraded_one_hides() -> None:
    x, y = pictures()
    loss, clean, degraded = LatentMatching(swap=False, regular=0).replacing(Folded(), x, y, rows(x))
    means = [rearrange(reduce(image, "b c h w -> b", "mean"), "b -> b 1 1 1") for image in (x, y)]
    assert_close(loss, (means[0] - means[1]).abs().flatten())  # the degraded one comes back as it was
    assert torch.equal(clean, Folded().encode(x)[0].detach())
    assert torch.equal(degraded, Folded().encode(y)[0].detach())
    assert not clean.requires_grad and not degraded.requires_grad


def test_moments_of_a_latent_are_drawn_to_those_of_its_picture() -> None:
    x, y = pictures()
    plain, regular = (
        LatentMatching(swap=False, regular=weight).replacing(Folded(), x, y, rows(x))[0] for weight in (0, 0.5)
    )
    latent = Folded().encode(y)[0]
    means, spreads = (
        (latent.flatten(1).mean(1), latent.flatten(1).std(1, correction=0)),
        y.flatten(1).std(1, correction=0),
    )
    expected = (means[0] - y.flatten(1).mean(1)).abs() + (means[1] - spreads / 2).abs()
    assert_close(regular - plain, 0.5 * expected, atol=1e-6, rtol=1e-5)


def test_the_spread_of_an_even_picture_has_a_gradient() -> None:
    even = torch.zeros(2, 3, 4, 4, requires_grad=True)
    moments(even)[1].sum().backward()
    assert even.grad is not None and even.grad.isfinite().all()


def test_half_of_the_pictures_change_places_and_their_latents_do_not() -> None:
    x, y = pictures(200, 2)
    x, y = x.zero_(), y.fill_(1.0)
    network, seen = Folded(), []
    network.decode = lambda latent, hidden: seen.append(hidden) or latent.new_zeros(x.shape)  # type: ignore[method-assign]
    LatentMatching(regular=0).replacing(network, x, y, rows(x))
    share = float(seen[0].mean())
    assert 0.4 < share < 0.6
    x, y = pictures(50)
    _, clean, degraded = LatentMatching().replacing(Folded(), x, y, rows(x))
    assert torch.equal(clean, Folded().encode(x)[0].detach()) and torch.equal(degraded, Folded().encode(y)[0].detach())


def gradients(stage: Any, rectification: float = 0.0) -> tuple[set[str], Adapted]:
    network, (x, y) = small_pair(), pictures()
    objective = LatentMatching(stage=stage, rectification=rectification)
    objective.loss(network, MeanReverting(), x, y, rows(x)).mean().backward()
    return {name.split(".")[1] for name, p in network.named_parameters() if p.grad is not None}, network


def test_a_stage_trains_its_half_and_leaves_the_other() -> None:
    assert gradients("autoencoder")[0] == {"autoencoder"}
    assert gradients("denoiser")[0] == gradients("denoiser", rectification=1.0)[0] == {"denoiser"}
    assert gradients("both")[0] == {"autoencoder", "denoiser"}


def test_the_denoiser_has_no_say_in_what_latents_are() -> None:
    _, alone = gradients("autoencoder")
    _, both = gradients("both")
    theirs = dict(both.named_parameters())
    for name, parameter in alone.named_parameters():
        if parameter.grad is not None:
            assert_close(parameter.grad, theirs[name].grad)


@pytest.mark.parametrize(
    ("matching", "like"),
    [("clean", CleanMatching), ("noise", NoiseMatching), ("posterior-mean", PosteriorMean), ("euler", EulerMatching)],
)
def test_between_pictures_it_is_the_matching_it_names(matching: Any, like: type[Matching]) -> None:
    x, y = pictures()
    path, network = MeanReverting(), lambda x, y, t: (x - y).tanh()
    ours, theirs = (one.loss(network, path, x, y, rows(x, 4)) for one in (LatentMatching(matching=matching), like()))
    assert torch.equal(ours, theirs)
    t = torch.tensor([0.5])
    ours, theirs = (one.clean(network, path, x, y, t) for one in (LatentMatching(matching=matching), like()))
    assert torch.equal(ours, theirs)


def test_what_cannot_be_trained_is_told() -> None:
    with pytest.raises(ValueError, match="rectification is for the matching clean"):
        LatentMatching(matching="noise", rectification=1.0)
    x, y = pictures()
    with pytest.raises(ValueError, match="needs a network with latents, such as latent-pair"):
        LatentMatching(stage="autoencoder").loss(lambda x, y, t: x, MeanReverting(), x, y, rows(x))


def hazy(x: Tensor, seed: int) -> Tensor:
    thickness = 0.3 + 0.3 * torch.rand(len(x), 1, 1, 1, generator=Generator().manual_seed(seed))
    return x * (1 - thickness) + 0.9 * thickness


@pytest.mark.slow
def test_a_training_of_both_takes_haze_out_of_pictures_it_has_not_seen() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    network, path, objective, rng = (
        small_pair(),
        MeanReverting(max_sigma=50),
        LatentMatching(),
        Generator().manual_seed(0),
    )
    seen = torch.cat([scene(16, 16, seed) for seed in range(32)])
    optimiser, losses = torch.optim.Adam(network.parameters(), lr=4e-3), []
    for step in range(120):
        x = seen[torch.randint(len(seen), (8,), generator=rng)]
        loss = objective.loss(network, path, x, hazy(x, step), rows(x, 1000 + step)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    torch.set_num_threads(threads)
    x = torch.cat([scene(48, 40, seed) for seed in range(100, 104)])
    y = hazy(x, 1000)
    with torch.inference_mode():
        (answer,) = restorer(network)(Observation(y=y), Generator().manual_seed(1))
        latents = latents_of(network)
        replaced = latents.decode(latents.encode(x)[0], latents.encode(y)[1])
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])
    assert psnr(replaced, x) > psnr(y, x) + 3
    assert psnr(answer, x) > psnr(y, x) + 3
