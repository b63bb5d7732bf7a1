import pytest
import torch
from restoration_dip.fast import winograd as module
from restoration_dip.fast.winograd import Conv, pays, winograd
from restoration_dip.networks.skip import SkipNet
from torch import Tensor, nn
from torch.nn import functional


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def gradients(answer: Tensor, given: list[Tensor]) -> list[Tensor]:
    weights = random(*answer.shape, seed=9).to(answer)
    return list(torch.autograd.grad((answer * weights).sum(), given))


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(
    ("batch", "height", "width"),
    [(1, 6, 6), (1, 3, 3), (2, 10, 14), (1, 11, 8), (3, 9, 13), (1, 4, 1030), (1, 70, 20)],
)
def test_the_answer_and_all_gradients_are_those_of_the_direct_sum(batch, height, width, biased) -> None:
    x = random(batch, 5, height, width).requires_grad_()
    weight, bias = random(7, 5, 3, 3, seed=1).requires_grad_(), random(7, seed=2).requires_grad_()
    given = [x, weight, bias] if biased else [x, weight]
    ours, direct = winograd(*given), functional.conv2d(*given)
    torch.testing.assert_close(ours, direct, rtol=1e-10, atol=1e-10)
    assert ours.is_contiguous(memory_format=torch.channels_last)
    for one, other in zip(gradients(ours, given), gradients(direct, given), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_in_single_precision_it_rounds_a_millionth_of_the_answer() -> None:
    x, weight = random(1, 128, 34, 34), random(128, 128, 3, 3, seed=1)
    exact = functional.conv2d(x, weight)
    error = winograd(x.float(), weight.float()) - exact
    assert error.square().mean().sqrt() < 5e-6 * exact.square().mean().sqrt()


def conv(inner: int, outer: int, *, kernel: int = 3, stride: int = 1, zeros: int = 0) -> Conv:
    torch.manual_seed(0)
    return Conv(inner, outer, kernel, stride, zeros).to(memory_format=torch.channels_last)


def goes_through_winograd(layer: Conv, x: Tensor) -> bool:
    return "Winograd" in type(layer(x).grad_fn).__name__


@pytest.fixture
def an_intel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any processor counts as one where this way is the faster one."""
    monkeypatch.setattr(module, "is_intel", lambda: True)


@pytest.mark.usefixtures("an_intel")
def test_many_channels_of_a_large_picture_go_this_way_and_nothing_else() -> None:
    wide, x = conv(64, 96), random(1, 64, 34, 34, dtype=torch.float32)
    assert goes_through_winograd(wide, x)
    assert not goes_through_winograd(wide, x[..., :16])
    assert not goes_through_winograd(wide.double(), x.double())
    assert not goes_through_winograd(conv(32, 96), x[:, :32])
    for other in (conv(64, 96, kernel=5), conv(64, 96, stride=2), conv(64, 96, zeros=1), conv(64, 96, kernel=1)):
        assert not goes_through_winograd(other, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not goes_through_winograd(conv(64, 96), x)


@pytest.mark.parametrize(
    ("vectors", "intel", "expected"),
    [("AVX512", True, True), ("AVX2", True, True), ("AVX2", False, True), ("AVX512", False, False)],
)
def test_what_the_processor_is_decides_whether_it_pays(vectors, intel, expected, monkeypatch) -> None:
    assert pays(vectors, intel=intel) is expected
    monkeypatch.setattr(module, "is_intel", lambda: intel)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: vectors)
    assert goes_through_winograd(conv(64, 64), random(1, 64, 34, 34, dtype=torch.float32)) is expected


@pytest.mark.usefixtures("an_intel")
def test_a_compiled_network_is_left_to_the_compiler() -> None:
    layer, x = conv(64, 64), random(1, 64, 34, 34, dtype=torch.float32)
    compiled = torch.compile(layer, backend="aot_eager")
    torch.testing.assert_close(compiled(x), layer(x), rtol=1e-4, atol=1e-4)
    compiled(x).sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.usefixtures("an_intel")
def test_a_network_has_the_gradients_that_it_has_in_double_precision() -> None:
    torch.manual_seed(0)
    smooth = "swish"  # without a kink that rounding falls on either side of
    network = SkipNet(down=(128, 128), up=(128, 128), skip=(4, 4), act=smooth)
    x = random(1, 32, 72, 66)
    weights = random(1, 3, 72, 66, seed=1)

    def gradient(network: nn.Module, x: Tensor) -> list[Tensor]:
        network.zero_grad()
        (network(x) * weights.to(x)).sum().backward()
        return [one.grad.double() for one in network.parameters() if one.dim() == 4 and one.grad is not None]

    single = gradient(network, x.float())
    for one, exact in zip(single, gradient(network.double(), x), strict=True):
        assert (one - exact).norm() < 1e-4 * exact.norm()
