"""Every network on offer, beyond the contract: grey pictures, memory layouts, windows, mixed precision, options."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from restoration_networks import register_networks
from torch import Tensor, nn

from restoration.engine.adapter import build_network
from restoration.errors import BadOption
from restoration.registry.cards import NetworkCard

CARDS = {card.name: card for card in register_networks() if not card.enlarges}  # which have tests of their own
SMALL: dict[str, dict[str, Any]] = {
    "nafnet-compact": {"width": 8, "encoder": (1, 1), "decoder": (1, 1), "time_channels": 8},
    "unet-dense": {"widths": (4, 8, 8), "encoder": (1, 1), "middle": 1, "decoder": (1, 1), "time_channels": 8},
    "unet-small": {"width": 8, "multipliers": (1, 2)},
    "conditional-unet": {"width": 8, "depth": 2},
    "unconditional-unet": {"width": 8, "depth": 2},
    "conditional-nafnet": {"width": 8, "encoder": (1, 1), "decoder": (1, 1)},
    "latent-pair": {
        "latent_channels": 4,
        "autoencoder_width": 4,
        "multipliers": (1, 2),
        "width": 8,
        "encoder": (1,),
        "decoder": (1,),
    },
    "latent-unet": {"width": 4, "multipliers": (1, 2), "latent_channels": 4},
    "nafnet": {"width": 8, "encoder": (1, 1), "decoder": (1, 1)},
    "unet": {"width": 6, "depth": 2},
    "dncnn": {"width": 8, "depth": 4},
}
every_network = pytest.mark.parametrize("name", CARDS)


def small(name: str, **how: Any) -> nn.Module:
    torch.manual_seed(0)
    network = build_network(CARDS[name], SMALL[name], **how).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.2)
    return network


def pictures(*shape: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(1)
    return torch.rand(shape, generator=rng), torch.rand(shape, generator=rng)


def test_every_card_has_small_options_here() -> None:
    assert SMALL.keys() == CARDS.keys()


@every_network
@pytest.mark.parametrize("how", [{"uses_y": False}, {"channels": 1}], ids=["without y", "grey"])
@torch.inference_mode()
def test_pictures_of_any_size_fit_where_the_contract_does_not_look(name: str, how: dict[str, Any]) -> None:
    network = small(name, **how)
    for size in ((1, 1), (7, 5), (16, 24)):
        x, y = pictures(2, how.get("channels", 3), *size)
        answer = network(x, y, torch.tensor([0.3]))
        assert answer.shape == x.shape
        assert answer.isfinite().all()


@every_network
@torch.inference_mode()
def test_memory_layout_stays_and_does_not_change_the_answer(name: str) -> None:
    network = small(name)
    x, y = pictures(2, 3, 14, 10)
    t = torch.tensor([0.2, 0.9])
    plain = network(x, y, t)
    answer = network.to(memory_format=torch.channels_last)(  # type: ignore[call-overload]
        x.contiguous(memory_format=torch.channels_last), y.contiguous(memory_format=torch.channels_last), t
    )
    assert answer.stride(1) == 1
    torch.testing.assert_close(answer, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if "t" in card.takes])
@torch.inference_mode()
def test_one_time_serves_a_whole_batch_and_may_be_a_scalar(name: str) -> None:
    network = small(name)
    x, y = pictures(2, 3, 8, 8)
    repeated = network(x, y, torch.tensor([0.4, 0.4]))
    torch.testing.assert_close(network(x, y, torch.tensor([0.4])), repeated, atol=1e-5, rtol=1e-5)
    scalar = network.network(*([x, y] if "y" in CARDS[name].takes else [torch.cat([x, y], dim=1)]), torch.tensor(0.4))
    torch.testing.assert_close(scalar, repeated, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.tiles])
@torch.inference_mode()
def test_a_window_of_a_picture_is_answered_as_in_the_picture(name: str) -> None:
    network = small(name)
    x, y = pictures(1, 3, 64, 128)
    t = torch.tensor([0.5])
    whole, window = network(x, y, t), network(x[..., :96], y[..., :96], t)
    torch.testing.assert_close(window[..., :48], whole[..., :48], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["nafnet", "dncnn"])
@pytest.mark.parametrize(
    ("how", "mended"), [({}, "y"), ({"path": False}, "x"), ({"uses_y": False}, "x"), ({"channels": 1}, "y")]
)
@torch.inference_mode()
def test_a_residual_network_mends_the_degraded_picture(name: str, how: dict[str, Any], mended: str) -> None:
    network = build_network(CARDS[name], SMALL[name], **how).eval()
    last = network.network.ending if name == "nafnet" else network.network.dncnn[-1]
    for parameter in last.parameters():
        parameter.zero_()
    x, y = pictures(1, how.get("channels", 3), 8, 8)
    torch.testing.assert_close(network(x, y, torch.tensor([0.5])), y if mended == "y" else x)


@pytest.mark.parametrize("name", ["nafnet", "dncnn"])
def test_a_residual_network_needs_a_picture_to_mend(name: str) -> None:
    with pytest.raises(BadOption, match="set residual to false"):
        CARDS[name].build({"in_channels": 1, "channels": 3})
    assert CARDS[name].build({**SMALL[name], "in_channels": 1, "residual": False})(torch.rand(1, 1, 4, 4)).shape[1] == 3


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("nafnet", {"encoder": [1], "decoder": [1, 1]}),
        ("conditional-nafnet", {"width": 3}),
        ("conditional-unet", {"depth": 0}),
        ("unet", {"depth": 0}),
        ("dncnn", {"depth": 1}),
        ("dncnn", {"width": "wide"}),
    ],
)
def test_options_that_make_no_network_are_named(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match="|".join(options)):
        CARDS[name].build(options)


@pytest.mark.parametrize(("name", "number"), [("unet", 991_203), ("dncnn", 558_400)])
def test_plain_networks_have_as_many_parameters_as_published(name: str, number: int) -> None:
    with torch.device("meta"):
        network = CARDS[name].build()
    assert sum(p.numel() for p in network.parameters()) == number


@every_network
def test_cards_say_what_they_take(name: str) -> None:
    card: NetworkCard = CARDS[name]
    options = card.options()
    assert "channels" in options
    assert ("in_channels" in options) == (set(card.takes) != {"y", "t"})


@every_network
@torch.inference_mode()
def test_mixed_precision_ends_before_the_picture(name: str) -> None:
    network = small(name)
    x, y = pictures(1, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = network(x, y, torch.tensor([0.5]))
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer, network(x, y, torch.tensor([0.5])), atol=0.1, rtol=0.05)
