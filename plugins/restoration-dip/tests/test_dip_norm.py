import sys
from pathlib import Path
from subprocess import run

import pytest
import torch
from forking import python
from restoration_dip.fast.norm import BatchNorm, concatenate
from restoration_dip.fast.padding import pad_reflect
from torch import Tensor, nn
from torch.nn import functional


def features(channels: int, *, height: int, width: int, batch: int = 1) -> Tensor:
    noise = torch.randn((batch, channels, height, width), generator=torch.Generator().manual_seed(channels))
    x = 3 * noise + torch.arange(channels)[:, None, None]
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


def norms(channels: int) -> tuple[BatchNorm, nn.BatchNorm2d]:
    ours, torchs = BatchNorm(channels), nn.BatchNorm2d(channels)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.copy_(torch.linspace(-1, 2, channels))
    torchs.load_state_dict(ours.state_dict())
    return ours, torchs


@pytest.mark.parametrize("channels", [3, 4, 16, 20, 36, 132])
@pytest.mark.parametrize(("batch", "height", "width"), [(1, 12, 8), (1, 7, 5), (2, 6, 6)])
def test_any_number_of_channels_is_normed_as_torch_does_it(channels, batch, height, width) -> None:
    x = features(channels, height=height, width=width, batch=batch)
    ours, torchs = norms(channels)
    weights = torch.rand(x.shape, generator=torch.Generator().manual_seed(1))

    def results(norm: nn.Module, given: Tensor) -> list[Tensor]:
        answer = norm(given)
        loss = (answer * weights.to(answer.dtype)).sum()
        return [answer, *torch.autograd.grad(loss, [given, *norm.parameters()])]

    exact = results(torchs.double(), x.detach().double().requires_grad_())
    for one, other in zip(results(ours, x), exact, strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=3e-4)
    torchs.float()
    for name, value in torchs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-5, atol=1e-5)
    for norm in (ours, torchs):
        norm.eval()
    torch.testing.assert_close(ours(x), torchs(x))


def test_what_is_joined_has_gradients_laid_out_as_it_is() -> None:
    parts = [features(channels, height=6, width=9) for channels in (4, 16)]
    whole = concatenate(*parts)
    assert torch.equal(whole, torch.cat(parts, dim=1))
    weights = torch.rand(whole.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad((whole * weights).sum(), parts)
    assert torch.equal(torch.cat(gradients, dim=1), weights)
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in gradients)


@pytest.mark.parametrize("channels", [4, 20])
def test_few_channels_in_half_precision_are_normed_in_full(channels) -> None:
    x = features(channels, height=16, width=16)
    ours, torchs = norms(channels)
    answer = ours(x.bfloat16())
    assert answer.dtype == torch.bfloat16
    torch.testing.assert_close(answer, torchs(x.bfloat16().float()).bfloat16(), rtol=1e-2, atol=1e-2)


def test_what_was_normed_may_be_changed_in_place() -> None:
    x = features(4, height=8, width=8)
    functional.leaky_relu_(BatchNorm(4)(x), 0.2).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


@pytest.mark.parametrize("border", [1, 2, 4])
def test_a_mirrored_border_has_the_gradient_of_torch_and_keeps_nothing(border) -> None:
    x = features(5, height=9, width=6, batch=2)
    kept: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one):
        padded = pad_reflect(x, border)
    expected = functional.pad(x, (border,) * 4, mode="reflect")
    assert torch.equal(padded, expected)
    assert kept == []
    weights = torch.rand(expected.shape, generator=torch.Generator().manual_seed(1))
    (ours,) = torch.autograd.grad((padded * weights).sum(), x)
    torch.testing.assert_close(ours, torch.autograd.grad((expected * weights).sum(), x)[0])


WITHOUT_COMPILER = """
import sys
sys.modules["torch._dynamo"] = None  # from here on it is an error to import it
import torch, restoration
made = restoration.Restoration("dip", "denoise", options={"quality": "fast"}, steps=3)
made(restoration.Observation(y=torch.rand(1, 3, 40, 40)))
"""


def test_a_fit_does_not_load_the_compiler_of_torch(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(WITHOUT_COMPILER)
    done = python(script)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_fit_takes_less_memory_than_the_published_code() -> None:
    root = Path(__file__).parents[3]
    picture = root / "examples" / "derain" / "clean" / "hopper.png"
    command = [sys.executable, root / "benchmarks" / "dip.py", picture, "--size", "128", "--steps", "3", "--only"]
    ways = ("published code", "+ our arithmetic")
    done = [run([*command, way], capture_output=True, text=True, check=True).stdout.splitlines() for way in ways]
    assert [len(lines) for lines in done] == [3 + 1, 3 + 1], "a line for each step, and the memory in MB"
    published, ours = (float(lines[-1]) for lines in done)
    assert ours < published
