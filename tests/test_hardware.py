"""What a machine computes with: precision for networks that answer or are fitted, and threads that wait."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import restoration.engine.hardware
from restoration.engine.hardware import has_bf16, has_fast_bf16, precision_name
from restoration.errors import BadOption
from restoration.processor import INTEL, description, is_intel
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


PROCESSORS = {
    "an Intel with tiles": ((True, True, True), (True, True)),
    "an Intel without them": ((True, False, True), (True, False)),
    "an AMD with bf16": ((True, False, False), (True, True)),
    "an Intel without bf16": ((False, False, True), (False, False)),
    "an AMD without it": ((False, False, False), (False, False)),
}


@pytest.mark.parametrize("processor", PROCESSORS)
def test_bf16_is_taken_where_the_processor_is_faster_with_it(processor, monkeypatch) -> None:
    (bf16, tiles, intel), (answers, fits) = PROCESSORS[processor]
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(restoration.engine.hardware, "is_intel", lambda: intel)
    assert (has_bf16(CPU), has_fast_bf16(CPU)) == (answers, fits)
    assert precision_name("auto", CPU, fits=True) == ("bf16" if fits else "fp32")


def test_the_system_says_who_made_the_processor(tmp_path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nvendor_id\t: GenuineIntel\n")
    assert INTEL in description(tmp_path / "cpuinfo")
    assert description(tmp_path / "nowhere") == platform.processor()
    assert is_intel() is (INTEL in description(Path("/proc/cpuinfo")))


@pytest.mark.parametrize(("policy", "spins"), [(None, "5000"), ("ACTIVE", "None"), ("PASSIVE", "None")])
def test_waiting_threads_spin_for_a_moment_unless_the_user_has_a_policy(policy, spins):
    own = {name: value for name, value in os.environ.items() if name not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    environment = own | ({"OMP_WAIT_POLICY": policy} if policy else {})
    code = "import os, restoration; print(os.environ['OMP_WAIT_POLICY'], os.environ.get('GOMP_SPINCOUNT'))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [policy or "PASSIVE", spins]
