"""How fast is it, side by side with the published network, in one run on one machine.

    python benchmarks/speed.py            # a few minutes
    python benchmarks/speed.py --full     # all 100 steps of the published network: about twenty minutes more

Whole processes are timed, from start to the file on disk, and the fastest of several runs is shown. The published
network is the conditional U-Net of IR-SDE (137 million parameters; random weights, which cost the same) in float32.
Without --full two of its 100 steps are timed and multiplied by 50; the table says so. Last are the ways to compute a
convolution of Deep Image Prior and its gradients, the fastest of seven rounds, and which of them a fit takes here.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

RESTORE = [sys.executable, "-m", "restoration"]
TASK = ["--task", "derain", "--offline", "--overwrite"]
PICTURE = """
import sys, torch
from restoration import Picture, write
width, height = int(sys.argv[2]), int(sys.argv[3])
coarse = torch.rand(1, 3, height // 16, width // 16, generator=torch.Generator().manual_seed(0))
write(Picture(pixels=torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")), sys.argv[1])
"""
PUBLISHED = """
import sys, time, torch
from restoration_networks.conditional_unet import ConditionalUNet
network = ConditionalUNet(width=64, depth=4).eval()
x = torch.rand(1, 3, 512, 512)
with torch.no_grad():
    network(x[..., :64, :64], x[..., :64, :64], torch.ones(1))
    begin = time.perf_counter()
    for step in range(int(sys.argv[1])):
        x = network(x, x, torch.ones(1) * (1 - step / 100))
    print(time.perf_counter() - begin)
"""
CONVOLUTIONS = """
import time, torch
from restoration.engine.hardware import precision, precision_name, prepare
from restoration_dip.fast.winograd import Conv, winograd
from torch.nn.functional import conv2d
prepare()
cpu, layer = torch.device("cpu"), Conv(128, 128, 3).to(memory_format=torch.channels_last)
x = torch.rand(1, 128, 258, 258).contiguous(memory_format=torch.channels_last).requires_grad_()
ways = {"direct": (conv2d, "fp32"), "Winograd's": (winograd, "fp32"), "direct, bf16": (conv2d, "bf16")}
seconds = dict.fromkeys(ways, float("inf"))
for _ in range(7):
    for name, (convolve, how) in ways.items():
        begin = time.perf_counter()
        with precision(how, cpu):
            convolve(x, layer.weight, layer.bias).float().square().mean().backward()
        seconds[name] = min(seconds[name], time.perf_counter() - begin)
fp32 = "Winograd's" if "Winograd" in type(layer(x).grad_fn).__name__ else "direct"
taken = "direct, bf16" if precision_name("auto", cpu, fits=True) == "bf16" else fp32
for name, least in seconds.items():
    notes = [note for note, way in (("taken", taken), ("taken with --precision fp32", fp32)) if way == name]
    print(f"{'3x3 convolution, ' + name:36} {least:9.2f} s {notes[0] if notes else ''}")
"""


def timed(command: list[str], runs: int) -> tuple[float, float]:
    """Return the least seconds of several runs of a command, and its largest memory in MB."""
    seconds, memory = [], []
    for _ in range(runs):
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.perf_counter() - begin)
        memory.append(usage.ru_maxrss * 1024 / 1e6)
        if os.waitstatus_to_exitcode(status):
            raise SystemExit(f"failed: {' '.join(command)}")
    return min(seconds), max(memory)


def machine() -> str:
    """Return the processor, its cores and the versions that matter."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, torch {version('torch')}"


def pictures(folder: Path) -> list[Path]:
    """Write a picture of 512x512 and one of 12 megapixels, in a process of its own: this one must stay small."""
    paths = [folder / "512x512.png", folder / "4000x3000.png"]
    for path in paths:
        subprocess.run([sys.executable, "-c", PICTURE, str(path), *path.stem.split("x")], check=True)
    return paths


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="all 100 steps of the published network")
    full = parser.parse_args().full
    print(machine())
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        small, large = pictures(Path(temporary))
        for name, runs, arguments in (
            ("restore --help", 9, ["--help"]),
            ("restore methods", 9, ["methods"]),
            ("ir-sde, 512x512, 10 evaluations", 3, ["run", str(small), "--method", "ir-sde", *TASK]),
            ("ir-sde, 512x512, fp32", 3, ["run", str(small), "--method", "ir-sde", "--precision", "fp32", *TASK]),
            ("regression, 512x512", 3, ["run", str(small), "--method", "regression", *TASK]),
            ("ir-sde, 4000x3000, 10 evaluations", 1, ["run", str(large), "--method", "ir-sde", *TASK]),
        ):
            seconds, memory = timed([*RESTORE, *arguments], runs)
            rows.append((name, seconds))
            print(f"{name:36} {seconds:9.2f} s {memory:8.0f} MB")
    steps = 100 if full else 2
    published = subprocess.run(
        [sys.executable, "-c", PUBLISHED, str(steps)], capture_output=True, text=True, check=True
    )
    seconds = float(published.stdout) * 100 / steps
    how = "" if full else f" ({steps} of them timed)"
    print(f"{'published U-Net, 512x512, 100 steps':36} {seconds:9.2f} s{how}")
    print(
        f"{'ratio to ir-sde, 10 evaluations':36} {seconds / rows[2][1]:9.0f} x, smaller network, a tenth of the steps"
    )
    subprocess.run([sys.executable, "-c", CONVOLUTIONS], check=True)


if __name__ == "__main__":
    main()
