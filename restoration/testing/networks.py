"""The promises of networks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor, nn

from restoration.engine.adapter import Adapted, build_network
from restoration.interfaces import BoundedNetwork
from restoration.layouts import MeasuredNetwork
from restoration.registry import cards
from restoration.testing.contract import SIZES, BuiltContract, no_side_effects, picture


class NetworkContract(BuiltContract):
    """What every network promises, inside the adapter that methods call it through."""

    kind = cards.NetworkCard

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
                assert isinstance(answer, Tensor), f"it returned a {type(answer).__name__}, not a tensor"
                assert answer.shape == x.shape, f"a picture {tuple(x.shape)} became one of {tuple(answer.shape)}"
                assert answer.dtype == x.dtype, f"a picture of {x.dtype} became one of {answer.dtype}"
                assert answer.isfinite().all(), f"its answer to a picture {tuple(x.shape)} is not finite"

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

    def test_it_looks_at_what_it_takes(self) -> None:
        network, takes = self.network(self.paths()[0]), self.card(cards.NetworkCard).takes
        for x, y in self.asked(18, 13):
            with torch.no_grad():
                answer = network(x, y, torch.tensor(0.2).expand(2))
                other = {"y": network(x, 1 - y, torch.tensor(0.2).expand(2)), "t": network(x, y, torch.full((2,), 0.9))}
            for name in takes:
                assert not torch.equal(answer, other[name]), (
                    f"its card says that it takes {name}, which changes nothing"
                )

    def test_nothing_changes_an_answer_from_beyond_its_reach(self) -> None:
        network, card = self.network(self.paths()[0]), self.card(cards.NetworkCard)
        inner = network.network
        if card.enlarges or not (inner if isinstance(inner, MeasuredNetwork) else card).tiles:
            return  # it says that it looks at whole pictures
        reach = inner.reach if isinstance(inner, BoundedNetwork) else card.reach
        (x, y), near = (picture(1, 3, 16, reach + 32, seed=seed) for seed in (0, 1)), slice(None, 8)
        with torch.no_grad():
            answer = network(x, y, torch.tensor([0.5]))
            x[..., near.stop + reach :], y[..., near.stop + reach :] = 1.0, 0.9
            off = float((network(x, y, torch.tensor([0.5])) - answer)[..., near].abs().max() / answer.abs().max())
        assert off < 5e-4, (
            f"something more than {reach} pixels away changes its answer by {100 * off:.2g} %, so that windows differ "
            "from the whole picture; say its true `reach`, or `tiles=False` if it has none, as with a global pool"
        )

    def test_its_state_is_tensors_only_and_all_of_it(self) -> None:
        network = self.network(self.paths()[0])
        state = network.state_dict()
        assert all(isinstance(value, Tensor) for value in state.values()), "it needs pickle"
        for place, module in network.named_modules():
            for name, value in vars(module).items():
                lost = isinstance(value, Tensor) and value.ndim > 0 and not isinstance(value, nn.Parameter)
                assert not lost, f"{place}.{name} is a tensor that `to` does not move; use register_buffer for it"
