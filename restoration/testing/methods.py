"""The promises of methods, of the tasks that they are for, and of weights."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, ClassVar

import torch
from msgspec import structs
from torch import Tensor

from restoration import recipe as recipes
from restoration import weights
from restoration.engine.watched import FIELDS, Watched
from restoration.interfaces import KnowingTask, Observation, Restorer
from restoration.metrics import psnr
from restoration.operators import Masking
from restoration.picture import Picture, with_channels
from restoration.registry import cards, registry
from restoration.runtime import Restoration
from restoration.tasks import observe
from restoration.testing.contract import SIZES, BuiltContract, Contract, generator, no_side_effects, picture, scene


class RestorerContract(BuiltContract):
    """What every method promises, untrained. `network` are options of its default network, to make it small."""

    kind = cards.RestorerCard
    task: ClassVar[str] = ""
    network: ClassVar[Mapping[str, Any]] = {}

    def restorer(self) -> Restorer:
        """Build it with the default parts of its card."""
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
        return recipes.build_restorer(recipe, parts)

    def guesses(self, y: Tensor, seed: int = 0, restorer: Restorer | None = None) -> list[Tensor]:
        """Return all guesses of it, or of one that was built before, made as the toolbox makes them."""
        restorer, seen = restorer or self.restorer(), Watched.of(Observation(y=y, sigma=0.1))
        found = []
        with torch.inference_mode(), no_side_effects(y):
            answers = restorer(seen, generator(seed))
            assert not isinstance(answers, Tensor), "it returns a picture; it must yield its estimates, one at least"
            for guess in answers:
                assert isinstance(guess, Tensor), f"it yielded a {type(guess).__name__}, not a tensor"
                found.append(guess.clone())
        uses = self.card(cards.RestorerCard).uses
        whole = seen.read == set(FIELDS)  # as `dataclasses.replace` reads it, to make another
        beside = set() if uses is None or whole else ({"sigma", "operator"} & seen.read) - set(uses)
        assert not beside, f"its card says that it uses {uses} beside y, but it looks at {', '.join(sorted(beside))}"
        return found

    def test_every_size_gets_an_answer_of_its_size(self) -> None:
        for height, width in SIZES:
            guesses = self.guesses(picture(1, 3, height, width))
            assert guesses, "it yielded nothing"
            for guess in guesses:
                assert guess.shape == (1, 3, height, width), f"of 1x3x{height}x{width} it made {tuple(guess.shape)}"
                assert guess.dtype == torch.float32, f"it yielded {guess.dtype}, not the torch.float32 of the picture"
            assert guesses[-1].isfinite().all(), f"its answer to 1x3x{height}x{width} is not finite"
            if not self.card(cards.RestorerCard).needs_weights:
                low, high = float(guesses[-1].min()), float(guesses[-1].max())
                assert low > -5 and high < 6, (
                    f"pictures are in [0, 1], and its answer goes from {low:.3g} to {high:.3g}"
                )

    def test_the_same_seed_gives_the_same_bytes_and_another_too_if_it_does_not_draw(self) -> None:
        seeds = (0, 0, 1) if self.card(cards.RestorerCard).draws is False else (0, 0)
        restorer, y = self.restorer(), picture(1, 3, 18, 13)
        first, *others = (self.guesses(y, seed, restorer)[-1] for seed in seeds)
        assert torch.equal(first, others[0]), "asked again, with the same seed, it answers otherwise: it keeps a state"
        fresh = self.guesses(y)[-1]
        assert torch.equal(first, fresh), "built again, with the same seed, it answers otherwise"
        assert all(torch.equal(first, other) for other in others), "its card says draws=False, but the seed counts"


class TaskContract(BuiltContract):
    """What every task promises. `random` is False for one that damages a picture always in the same way."""

    kind = cards.TaskCard
    random: ClassVar[bool] = True

    def damaged(self, x: Tensor, seed: int = 0) -> Tensor:
        with no_side_effects(x):
            return self.made(cards.TaskCard)(x, generator(seed))  # type: ignore[no-any-return]

    def test_the_seed_decides_the_damage(self) -> None:
        x = scene(40, 48)
        y = self.damaged(x)
        assert torch.equal(y, self.damaged(x)), "the same seed damages the same picture otherwise"
        assert not torch.equal(y, x), "it damages nothing"
        other = not torch.equal(y, self.damaged(x, seed=1))
        told = "say `random = False` in its test if it draws nothing"
        assert other is self.random, f"another seed damages {'otherwise' if other else 'in the same way'}; {told}"

    def test_every_size_is_kept_and_what_is_observed_is_true(self) -> None:
        task, linear = self.made(cards.TaskCard), self.card(cards.TaskCard).linear
        assert isinstance(task, KnowingTask) is linear, "linear on its card must say if it has observe and describe"
        for channels, (height, width) in product((1, 3), SIZES):
            x = 0.2 + 0.6 * picture(2, channels, height, width)  # far from where a camera clips
            y, seen = self.damaged(x), observe(task, x, generator())
            assert y.shape == x.shape, f"pictures {tuple(x.shape)} became {tuple(y.shape)}; enlarge small ones again"
            assert y.dtype == x.dtype, f"pictures of {x.dtype} became {y.dtype}"
            assert y.isfinite().all(), f"damaged pictures {tuple(x.shape)} are not finite"
            assert torch.equal(seen.y, y), "observe damages otherwise than a call does"
            told = y if seen.measured is None else seen.measured
            finite = not linear or task.describe(Picture(pixels=told[:1], alpha=told[:1, :1])).y.isfinite().all()
            assert finite, "what it describes of a picture is not finite"
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
