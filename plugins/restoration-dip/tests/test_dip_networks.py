"""The networks of Deep Image Prior as every method uses them: any size, any precision, any layout."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from restoration_dip import register_networks
from restoration_dip.fast.padding import crop_middle, pad_to_size
from restoration_dip.networks.skip import SkipNet
from restoration_dip.networks.unet import UNet
from torch import Tensor, nn

from restoration import BadOption
from restoration.engine.adapter import build_network
from restoration.testing import NetworkContract

CARDS = {card.name: card for card in register_networks()}
SMALL: dict[str, dict[str, Any]] = {
    "skip": {"down": (6, 6, 6), "up": (6, 6, 6), "skip": (2, 0, 2)},
    "dip-unet": {"widths": (4, 8, 8)},
    "resnet18": {"width": 4},
}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "skip": ("skip", {}),
    "skip without skips": ("skip", {"skip": (0, 0, 0)}),
    "skip, large kernels": ("skip", {"kernel_down": (7, 5, 5), "kernel_up": 5, "kernel_skip": 7}),
    "skip, zeros around": ("skip", {"pad": "zero", "act": "swish", "mix": False}),
    "skip, pooled": ("skip", {"downsample": "max", "upsample": ("nearest", "bilinear", "nearest"), "act": "elu"}),
    "skip, means and Lanczos": ("skip", {"downsample": ("stride", "avg", "lanczos3"), "act": "none", "sigmoid": False}),
    "unet": ("dip-unet", {}),
    "unet, transposed": ("dip-unet", {"upsample": "transposed", "norm": "instance", "pad": "zero"}),
    "unet, nearest": ("dip-unet", {"upsample": "nearest", "norm": "none", "sigmoid": False, "bias": False}),
    "resnet18": ("resnet18", {}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_card = pytest.mark.parametrize("name", CARDS)


class TestSkip(NetworkContract):
    name, options = "skip", SMALL["skip"]


class TestUNet(NetworkContract):
    name, options = "dip-unet", SMALL["dip-unet"]


class TestResNet18(NetworkContract):
    name, options = "resnet18", SMALL["resnet18"]


def made(kind: str, **options: Any) -> nn.Module:
    name, chosen = KINDS[kind]
    torch.manual_seed(0)
    network: nn.Module = CARDS[name].build({"in_channels": 3, **SMALL[name], **chosen, **options})
    return network


def picture(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@every_kind
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 5), (8, 8), (9, 9), (18, 13), (33, 40)])
def test_one_picture_of_any_size_can_be_learnt_from(kind: str, size: tuple[int, int]) -> None:
    network, x = made(kind).train(), picture(1, 3, *size)
    answer = network(x)
    torch.autograd.backward((answer * picture(*answer.shape, seed=2)).sum())
    assert answer.shape == x.shape
    assert answer.isfinite().all()
    assert not [key for key, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (33, 33)])
def test_the_network_of_full_depth_learns_from_pictures_that_the_published_one_breaks_on(size: tuple[int, int]) -> None:
    width = (4, 4, 4, 4, 4)
    network = SkipNet(in_channels=2, down=width, up=width)
    answer = network(picture(1, 2, *size))
    torch.autograd.backward(answer.square().mean())
    assert answer.shape == (1, 3, *size)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@every_kind
@torch.inference_mode()
def test_layout_does_not_change_the_answer_and_is_that_of_the_fast_convolutions(kind: str) -> None:
    network, x = made(kind).eval(), picture(2, 3, 20, 14)
    plain = network(x)
    network.to(memory_format=torch.channels_last)
    answer = network(x.contiguous(memory_format=torch.channels_last))
    assert answer.stride(1) == 1
    torch.testing.assert_close(answer, plain, atol=1e-5, rtol=1e-5)


@every_kind
@torch.inference_mode()
def test_mixed_precision_ends_with_the_picture(kind: str) -> None:
    network, x = made(kind).eval(), picture(1, 3, 20, 14)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = network(x)
    assert answer.dtype == torch.float32
    assert not torch.equal(answer, answer.bfloat16().float())
    torch.testing.assert_close(answer, network(x), atol=0.05, rtol=0.05)


def test_only_the_last_features_are_kept_for_gradients_in_float32() -> None:
    network, x = made("skip").train(), picture(1, 3, 32, 32)
    kept: list[tuple[int, ...]] = []

    def keep(tensor: Tensor) -> Tensor:
        if tensor.dtype == torch.float32 and tensor.numel() > 3 * 34 * 34:
            kept.append(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            network(x)
        assert kept == [(1, 6, 32, 32)]
        network(x)
    assert len(kept) > 5


@every_kind
def test_a_copy_answers_alike(kind: str) -> None:
    network, x = made(kind).eval(), picture(1, 3, 20, 14)
    assert torch.equal(copy.deepcopy(network)(x), network(x))


@every_card
def test_a_sigmoid_keeps_pictures_in_range_and_can_be_left_out(name: str) -> None:
    x = picture(1, 3, 24, 24)
    torch.manual_seed(0)
    bounded = CARDS[name].build({"in_channels": 3, **SMALL[name]})
    free = CARDS[name].build({"in_channels": 3, **SMALL[name], "sigmoid": False})
    free.load_state_dict(bounded.state_dict())
    torch.testing.assert_close(bounded(x), free(x).sigmoid())


@every_card
def test_pictures_of_any_number_of_channels_come_out_of_any_other(name: str) -> None:
    network = CARDS[name].build({"in_channels": 5, "channels": 1, **SMALL[name]})
    assert network(picture(2, 5, 17, 20)).shape == (2, 1, 17, 20)


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.tiles])
@torch.inference_mode()
def test_a_window_of_a_picture_is_answered_as_in_the_picture(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(CARDS[name], SMALL[name]).eval()
    x, y, t = picture(1, 3, 64, 192), picture(1, 3, 64, 192, seed=2), torch.tensor([0.5])
    whole, window = network(x, y, t), network(x[..., :160], y[..., :160], t)
    torch.testing.assert_close(window[..., :80], whole[..., :80], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [name for name, card in CARDS.items() if card.tiles])
@torch.inference_mode()
def test_nothing_further_away_than_its_reach_changes_an_answer(name: str) -> None:
    narrow: dict[str, dict[str, Any]] = {"dip-unet": {"widths": (1, 1, 1, 1, 1)}, "resnet18": {"width": 1}}
    network: nn.Module = CARDS[name].build({"in_channels": 1, "channels": 1, "sigmoid": False, **narrow[name]})
    network.eval().double()
    for parameter in network.parameters():  # so that nothing that arrives is lost
        parameter.abs_().add_(0.01)
    x = picture(1, 1, 1, 1).double().expand(1, 1, 32, 512).clone()
    plain = network(x)
    furthest = 0
    for place in range(256, 272):
        other = x.clone()
        other[..., place] += 100
        changed = (network(other) - plain).abs().amax(dim=(0, 1, 2)).nonzero()
        furthest = max(furthest, int((changed - place).abs().max()))
    assert CARDS[name].reach - 16 < furthest <= CARDS[name].reach


@pytest.mark.parametrize(("width", "millions"), [(16, 0.764), (32, 3.041), (64, 12.134)])
def test_the_width_of_resnet18_sets_its_size(width: int, millions: float) -> None:
    with torch.device("meta"):
        network = CARDS["resnet18"].build({"width": width})
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 3) == millions


def test_a_published_size_is_not_padded_and_skipped_features_are_cut_in_the_middle() -> None:
    x = picture(1, 2, 45, 38)
    assert pad_to_size(x, 33) is x
    assert pad_to_size(x, 9, 8).shape == (1, 2, 48, 40)
    assert torch.equal(pad_to_size(x, 50)[..., 45:, :38], x.flip(-2)[..., 1:6, :])
    assert torch.equal(pad_to_size(x, 100)[..., 45:, :38], x[..., -1:, :].expand(-1, -1, 55, -1))
    assert torch.equal(crop_middle(x, 42, 37), x[..., 1:43, 0:37])


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("skip", {"down": [8], "up": [8, 8], "skip": [4]}, "give all as many"),
        ("skip", {"down": [], "up": [], "skip": []}, "give all as many"),
        ("skip", {"kernel_up": [3, 3]}, "kernel_up has 2 values for 5 levels"),
        ("skip", {"kernel_down": 4}, "odd sides, not 4"),
        ("skip", {"upsample": "bicubic"}, "upsample"),
        ("skip", {"downsample": ["stride", "avg"]}, "downsample has 2 values"),
        ("skip", {"act": "tanh"}, "act"),
        ("dip-unet", {"widths": [8]}, "two or more levels"),
        ("resnet18", {"width": "wide"}, "width"),
    ],
)
def test_options_that_make_no_network_are_named(name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        CARDS[name].build(options)


def test_options_are_plain_data_with_one_value_for_all_levels_or_one_for_each() -> None:
    torch.manual_seed(0)
    one = CARDS["skip"].build({**SMALL["skip"], "kernel_down": 5, "upsample": "nearest", "downsample": "avg"})
    torch.manual_seed(0)
    each = CARDS["skip"].build(
        {**SMALL["skip"], "kernel_down": [5] * 3, "upsample": ["nearest"] * 3, "downsample": ["avg"] * 3}
    )
    x = picture(1, 32, 16, 16)
    assert isinstance(one, SkipNet)
    assert torch.equal(one(x), each(x))


def test_names_of_weights_can_be_read() -> None:
    with torch.device("meta"):
        skip, unet, resnet = SkipNet(), UNet(), CARDS["resnet18"].build()
    assert {"down.0.first.conv.weight", "skip.3.conv.weight", "up.1.spread.norm.bias"} <= skip.state_dict().keys()
    assert {"encoders.0.first.conv.weight", "decoders.3.enlarge.conv.weight"} <= unet.state_dict().keys()
    assert {"stages.1.0.around.conv.weight", "ups.2.join.conv.weight"} <= resnet.state_dict().keys()
