"""The networks of Noise2Noise are the published ones, and their reach is what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from einops import repeat
from restoration_noise2noise.networks import SharedUNet, StackUNet, TwoLayers, from_tensorflow
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.testing import assert_close

PUBLISHED = load_file(Path(__file__).parent / "data" / "published.safetensors")


def with_waves(network: nn.Module) -> nn.Module:
    """Set all parameters by a formula, so that no weights need be stored."""
    with torch.no_grad():
        for parameter in network.parameters():
            n = torch.arange(parameter.numel(), dtype=torch.float64)
            wave = (n * n * 0.37 + n * 0.11).sin().reshape(parameter.shape)
            parameter.copy_(wave * ((3 / parameter[0].numel()) ** 0.5 if parameter.ndim == 4 else 0.05))
    return network.eval()


@pytest.mark.parametrize(("network", "name"), [(SharedUNet, "waves_shared"), (StackUNet, "waves_stack")])
def test_a_network_answers_as_the_published_one(network: type[nn.Module], name: str) -> None:
    with torch.inference_mode():
        answer = with_waves(network())(PUBLISHED["noisy"][None])
    assert_close(answer, PUBLISHED[name], atol=2e-5, rtol=0)


def test_the_layouts_have_as_many_parameters_as_the_published_ones() -> None:
    numbers = [sum(p.numel() for p in made.parameters()) for made in (StackUNet(), SharedUNet(), TwoLayers())]
    assert numbers == [991_203, 700_611, 22_275]


def test_weights_can_be_loaded_by_the_names_that_they_were_published_with() -> None:
    shared = {"_block1.0": 2, "_block1.2": 2, "_block2.0": 2, "_block3.0": 2, "_block3.2": 2, "_block4.0": 2}
    shared |= {"_block4.2": 2, "_block4.4": 2, "_block5.0": 2, "_block5.2": 2, "_block5.4": 2}
    shared |= {"_block6.0": 2, "_block6.2": 2, "_block6.4": 2}
    names = [f"{layer}.{part}" for layer in shared for part in ("weight", "bias")]
    assert list(SharedUNet().state_dict()) == names

    network = StackUNet()
    variables = {
        name.replace(".", "/"): value.permute(2, 3, 1, 0) if value.ndim == 4 else value
        for name, value in network.state_dict().items()
    }
    assert list(variables["dec_conv1a/weight"].shape) == [3, 3, 99, 64]
    other = StackUNet()
    other.load_state_dict(from_tensorflow(variables))
    assert all(torch.equal(one, two) for one, two in zip(network.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(("network", "depth"), [(StackUNet, 1), (StackUNet, 2), (StackUNet, 3), (SharedUNet, 3)])
def test_nothing_further_away_than_the_reach_changes_a_pixel_and_something_there_does(
    network: type[nn.Module], depth: int
) -> None:
    torch.manual_seed(0)
    small = network(depth=depth, width=3).double()
    with torch.no_grad():
        for parameter in small.parameters():
            parameter.fill_(0.01)  # nothing cancels, nothing is cut off
    found = 0
    for middle in range(128, 128 + 2**depth):
        for slope in (-1, 1):  # of a pool the upper row is seen, or the lower one
            ramp = 1 + slope * torch.linspace(0, 0.1, 256, dtype=torch.float64)
            x = repeat(ramp, "h -> 1 3 h 16").clone().requires_grad_()
            (gradient,) = torch.autograd.grad(small(x)[0, :, middle, 8].sum(), x)
            rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
            found = max(found, middle - int(rows[0]), int(rows[-1]) - middle)
    assert found == small.reach


def test_batch_norm_and_the_activation_are_options_and_leave_the_other_names_alone() -> None:
    for network in (StackUNet, SharedUNet):
        plain, normed = network(width=6), network(width=6, batch_norm=True)
        own = [
            name for name in normed.state_dict() if "norm" not in name and ".1.0." not in name and ".3.0." not in name
        ]
        assert own == list(plain.state_dict())
        assert sum(isinstance(one, nn.BatchNorm2d) for one in normed.modules()) > 6
        x = torch.rand(2, 3, 40, 33, generator=torch.Generator().manual_seed(0))
        answers: list[Tensor] = []
        for activation in ("relu", "leaky_relu"):
            torch.manual_seed(0)
            answers.append(network(width=6, activation=activation)(x))
        assert answers[0].shape == x.shape
        assert not torch.equal(*answers)


def test_a_depth_that_windows_do_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="depth must be 1 to 5"):
        StackUNet(depth=6)
    with pytest.raises(ValueError, match="depth must be 3 to 5"):
        SharedUNet(depth=2)
