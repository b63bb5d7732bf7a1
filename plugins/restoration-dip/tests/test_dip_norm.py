import re
import sys
from pathlib import Path
from subprocess import run

import pytest
import torch
from restoration_dip.norm import BatchNorm
from restoration_dip.padding import mirrored
from torch import Tensor, nn
from torch.nn import functional

PARTS = [(20,), (4, 16), (4, 36, 16), (3,), (16,)]


def features(*channels: int, height: int, width: int, batch: int = 1) -> list[Tensor]:
    rng = torch.Generator().manual_seed(sum(channels))
    shapes = [(batch, one, height, width) for one in channels]
    made = [3 * torch.randn(shape, generator=rng) + torch.arange(shape[1])[:, None, None] for shape in shapes]
    return [one.contiguous(memory_format=torch.channels_last).requires_grad_() for one in made]


def norms(channels: int) -> tuple[BatchNorm, nn.BatchNorm2d]:
    ours, torchs = BatchNorm(channels), nn.BatchNorm2d(channels)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(torch.linspace(-1, 2, channels))
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


@pytest.mark.parametrize("channels", PARTS)
@pytest.mark.parametrize(("batch", "height", "width"), [(1, 12, 8), (1, 7, 5), (2, 6, 6)])
def test_parts_are_normed_as_they_would_be_joined(channels, batch, height, width) -> None:
    parts = features(*channels, height=height, width=width, batch=batch)
    ours, torchs = norms(sum(channels))
    weights = torch.rand(batch, sum(channels), height, width, generator=torch.Generator().manual_seed(1))

    doubles = [part.detach().double().requires_grad_() for part in parts]

    def results(norm: nn.Module, given: list[Tensor], leaves: list[Tensor]) -> list[Tensor]:
        answer = norm(*given)
        loss = (answer * weights.to(answer.dtype)).sum()
        return [answer, *torch.autograd.grad(loss, [*leaves, *norm.parameters()])]

    found, exact = results(ours, parts, parts), results(torchs.double(), [torch.cat(doubles, dim=1)], doubles)
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=2e-4)
    torchs.float()
    for name, value in torchs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-5)
    for norm in (ours, torchs):
        norm.eval()
    torch.testing.assert_close(ours(*parts), torchs(torch.cat(parts, dim=1)))


@pytest.mark.parametrize("channels", [4, 20])
def test_few_channels_in_half_precision_are_normed_in_full(channels) -> None:
    (x,) = features(channels, height=16, width=16)
    ours, torchs = norms(channels)
    answer = ours(x.bfloat16())
    assert answer.dtype == torch.bfloat16
    torch.testing.assert_close(answer, torchs(x.bfloat16().float()).bfloat16(), rtol=1e-2, atol=1e-2)


def test_what_was_normed_may_be_changed_in_place() -> None:
    (x,) = features(4, height=8, width=8)
    functional.leaky_relu_(BatchNorm(4)(x), 0.2).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


@pytest.mark.parametrize("border", [1, 2, 4])
def test_a_mirrored_border_has_the_gradient_of_torch_and_keeps_nothing(border) -> None:
    (x,) = features(5, height=9, width=6, batch=2)
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one):
        padded = mirrored(x, border)
    expected = functional.pad(x, (border,) * 4, mode="reflect")
    assert torch.equal(padded, expected)
    assert kept == []
    weights = torch.rand(expected.shape, generator=torch.Generator().manual_seed(1))
    (ours,) = torch.autograd.grad((padded * weights).sum(), x)
    torch.testing.assert_close(ours, torch.autograd.grad((expected * weights).sum(), x)[0])


def test_a_fit_does_not_load_the_compiler_of_torch() -> None:
    code = """
import sys, torch, restoration
made = restoration.Restoration("dip", "denoise", options={"quality": "fast"}, steps=3)
made(restoration.Observation(y=torch.rand(1, 3, 40, 40)))
print("torch._dynamo" in sys.modules)
"""
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_fit_takes_less_memory_than_the_published_code() -> None:
    root = Path(__file__).parents[3]
    picture = root / "examples" / "derain" / "clean" / "hopper.png"
    how = ("--size", "128", "--rates")
    done = run(
        [sys.executable, root / "benchmarks" / "dip.py", picture, *how], capture_output=True, text=True, check=True
    )
    published, ours = (int(found) for found in re.findall(r"^(?:published|\+ our arith).* (\d+) MB", done.stdout, re.M))
    assert ours < published
