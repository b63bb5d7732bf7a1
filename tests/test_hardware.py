"""What a machine computes with: precision for networks that answer or are fitted, and threads that wait."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
import torch

from restoration.engine.hardware import has_bf16, has_fast_bf16, precision, precision_name
from restoration.errors import BadOption
from restoration.runtime import Restoration

CPU = torch.device("cpu")


def test_auto_is_bf16_where_the_processor_has_it_and_another_name_is_taken_as_it_is() -> None:
    assert precision_name("auto", CPU) == ("bf16" if has_bf16(CPU) else "fp32")
    assert precision_name("auto", CPU, fits=True) == ("bf16" if has_fast_bf16(CPU) else "fp32")
    for name in ("fp32", "bf16", "fp16"):
        assert precision_name(name, CPU) == precision_name(name, CPU, fits=True) == name
    with pytest.raises(BadOption, match="precision must be auto, fp32, bf16, fp16, not 'fp8'"):
        precision_name("fp8", CPU)


def test_a_method_that_fits_networks_asks_for_what_is_fast_there() -> None:
    assert Restoration("dip", "denoise", device="cpu").precision == precision_name("auto", CPU, fits=True)
    assert Restoration("dip", "denoise", device="cpu", precision="bf16").precision == "bf16"
    assert Restoration("regression", "denoise", device="cpu").precision == precision_name("auto", CPU)


def test_bf16_for_gradients_is_not_taken_where_it_is_slower() -> None:
    if not has_bf16(CPU):
        assert not has_fast_bf16(CPU)
        return

    def seconds(name: str) -> float:
        """The shortest of a few steps of 3x3 convolutions."""
        layers = [torch.nn.Conv2d(64, 64, 3, padding=1) for _ in range(4)]
        network = torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)
        x, times = torch.rand(1, 64, 128, 128).contiguous(memory_format=torch.channels_last), []
        for _ in range(6):
            begin = time.perf_counter()
            with precision(name, CPU):
                network(x).float().square().mean().backward()
            times.append(time.perf_counter() - begin)
        return min(times)

    chosen, other = ("bf16", "fp32") if has_fast_bf16(CPU) else ("fp32", "bf16")
    assert seconds(chosen) < 1.3 * seconds(other), "the other precision is much faster on this processor"


@pytest.mark.parametrize(("policy", "spins"), [(None, "5000"), ("ACTIVE", "None"), ("PASSIVE", "None")])
def test_waiting_threads_spin_for_a_moment_unless_the_user_has_a_policy(policy, spins):
    own = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    environment = own | ({"OMP_WAIT_POLICY": policy} if policy else {})
    code = "import os, restoration; print(os.environ['OMP_WAIT_POLICY'], os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [policy or "PASSIVE", spins]
