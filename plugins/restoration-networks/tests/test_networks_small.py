"""The U-Net for small pictures: its size, its halvings, and how it begins."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from restoration_networks.norm import GroupNorm
from restoration_networks.small_unet import SmallUNet

from restoration.testing import NetworkContract


class TestSmallUNet(NetworkContract):
    name = "unet-small"
    options: ClassVar = {"width": 8, "multipliers": [1, 2, 3], "blocks": 2}


def looked_at(network: SmallUNet, height: int, width: int) -> list[tuple[int, ...]]:
    """Return the sizes that the attention sees for a picture."""
    sizes: list[tuple[int, ...]] = []
    hook = network.attention.register_forward_hook(lambda layer, inputs, output: sizes.append(inputs[0].shape[-2:]))
    with torch.no_grad():
        answer = network(torch.zeros(1, network.intro.in_channels, height, width), torch.zeros(1))
    hook.remove()
    assert answer.shape[-2:] == (height, width)
    return sizes


def test_pictures_of_28x28_are_attended_to_at_7x7_without_padding() -> None:
    network = SmallUNet(in_channels=1, channels=1)
    assert sum(parameter.numel() for parameter in network.parameters()) == 864_545
    assert looked_at(network, 28, 28) == [(7, 7)]
    assert looked_at(network, 27, 30) == [(7, 8)]


def test_it_predicts_zero_at_first() -> None:
    network = SmallUNet(width=8, multipliers=(1, 2))
    assert not network(torch.rand(2, 3, 8, 8), torch.rand(2)).any()


@pytest.mark.parametrize(
    "wrong", [{"width": 3}, {"width": 9}, {"multipliers": ()}, {"multipliers": (1, 0)}, {"blocks": 0}]
)
def test_impossible_options_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="width must be even and at least 4, multipliers and blocks at least 1"):
        SmallUNet(**wrong)


def test_a_group_norm_of_bfloat16_is_that_of_float32_rounded() -> None:
    norm = GroupNorm(2, 8)
    x = torch.randn(2, 8, 5, 7, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        normed = norm(x)
    assert normed.dtype == torch.bfloat16
    torch.testing.assert_close(normed, torch.nn.functional.group_norm(x.float(), 2).bfloat16(), rtol=0, atol=0)
