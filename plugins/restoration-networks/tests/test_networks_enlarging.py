"""The network for small pictures: three scales of one set of weights, as far as it says, in windows as in the whole."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from restoration_networks.enlarging import DenseEnlarging
from torch import Tensor

from restoration import BadOption
from restoration.engine.adapter import build_network
from restoration.engine.tiling import Tiled
from restoration.framing import enlargement
from restoration.operators import enlarge
from restoration.recipe import Part, build_parts, default_recipe, with_options
from restoration.registry import registry
from restoration.registry.cards import NetworkCard
from restoration.testing import NetworkContract

every_scale = pytest.mark.parametrize("scale", [2, 3, 4])


class TestDenseEnlarging(NetworkContract):
    name = "sr-dense"
    options: ClassVar = {"width": 6, "blocks": 2}


def looking(blocks: int = 2) -> DenseEnlarging:
    """Return a narrow network of which no weight is zero."""
    torch.manual_seed(0)
    network = DenseEnlarging(width=4, blocks=blocks)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.05, 0.3)  # positive: no change is lost in a relu
    return network.eval()


def small(*size: int) -> Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))


def test_how_many_times_a_picture_is_enlarged_follows_from_the_sizes() -> None:
    sizes = {((24, 36), (12, 18)): 2, ((23, 36), (12, 18)): 2, ((25, 37), (9, 13)): 3, ((481, 321), (121, 81)): 4}
    assert {known: enlargement(torch.ones(1, 1, *known[0]), torch.ones(1, 1, *known[1])) for known in sizes} == sizes
    assert enlargement(small(5, 7), small(5, 7)) == 1


@every_scale
@torch.inference_mode()
def test_an_untrained_one_is_bicubic(scale: int) -> None:
    y = small(9, 7)
    x = enlarge(y, scale)
    assert torch.equal(DenseEnlarging().eval()(x, y), x)


@every_scale
def test_it_looks_no_further_than_it_says(scale: int) -> None:
    network, y = looking(), small(3, 40).requires_grad_()
    with torch.no_grad():
        x = enlarge(y, scale)
    middle = 20 * scale
    (gradient,) = torch.autograd.grad(network(x, y)[..., middle].sum(), y)
    seen = gradient[0].abs().amax(dim=(0, 1)).nonzero().flatten() * scale
    furthest = int(max(middle - seen.min(), seen.max() + scale - 1 - middle))
    assert 5 * scale <= furthest <= network.reach


@every_scale
@torch.inference_mode()
def test_windows_agree_with_the_whole_picture(scale: int) -> None:
    network = build_network(registry().card(NetworkCard, "sr-dense"), {"width": 4, "blocks": 2}, path=False).eval()
    for parameter in network.parameters():
        parameter.normal_(0, 0.1, generator=torch.Generator().manual_seed(3))
    y = small(2 * 96 // scale + 5, 3 * 96 // scale + 7)
    x = enlarge(y, scale)[..., :-1, :-1].contiguous()  # sides that the scale does not divide
    whole, tiled = (Tiled(network, tile, network.network.reach)(x, y, torch.ones(1)) for tile in (0, 96))
    assert whole.shape == x.shape and not torch.equal(whole, x)
    torch.testing.assert_close(tiled, whole, atol=1e-5 * float(whole.abs().max()), rtol=0)


@torch.inference_mode()
def test_mixed_precision_ends_before_the_picture() -> None:
    network, y = looking(), small(8, 8)
    x = enlarge(y, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = network(x, y)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, network(x, y), atol=0.1, rtol=0.05)


@torch.inference_mode()
def test_a_scale_without_a_head_is_refused() -> None:
    with pytest.raises(ValueError, match="there are weights to enlarge 2 times, not 4"):
        DenseEnlarging(scales=(2,))(enlarge(small(4, 4), 4), small(4, 4))
    with pytest.raises(ValueError, match="the network enlarges pictures 2, 3, 4 times, not 1"):
        build_network(registry().card(NetworkCard, "sr-dense"), {}, path=False)(*2 * [small(4, 4)], torch.ones(1))
    with pytest.raises(BadOption, match="width and blocks must be at least 1"):
        registry().card(NetworkCard, "sr-dense").build({"blocks": 0})


@pytest.mark.parametrize(
    ("method", "task", "options", "why"),
    [
        ("ir-sde", "sr", {}, "enlarges small pictures: it cannot serve on a path, only regression"),
        ("dip", "sr", {}, "enlarges small pictures, and cannot be fitted to one"),
        ("regression", "denoise", {}, "enlarges pictures 2, 3, 4 times: it is for a task such as sr"),
        ("regression", "sr", {"task.scale": 8}, "enlarges pictures 2, 3, 4 times, not 8"),
    ],
)
def test_what_it_cannot_do_is_said_before_the_work(method: str, task: str, options: dict[str, int], why: str) -> None:
    recipe = with_options(default_recipe(method, task), options, parts={"network": "sr-dense"})
    with pytest.raises(BadOption, match=f"network 'sr-dense' {why}"):
        build_parts(recipe)


def test_a_network_for_one_scale_has_no_other_heads() -> None:
    recipe = with_options(
        default_recipe("regression", "sr"),
        {"task.scale": 4, "network.scales": [4], "network.blocks": 1},
        parts={"network": "sr-dense"},
    )
    network = build_parts(recipe).network
    assert network is not None and recipe.network == Part("sr-dense", {"scales": [4], "blocks": 1})
    assert {name.split(".")[1] for name in network.network.state_dict() if name.startswith("heads")} == {"4"}
