"""How fast is Deep Image Prior, side by side with its published code, in one run on one machine.

    python benchmarks/dip.py F16_GT.png --size 256            # half an hour to an hour on two cores
    python benchmarks/dip.py F16_GT.png --size 512 --ways "+ masked input" balanced fast    # three hours
    python benchmarks/dip.py F16_GT.png --size 256 --rates    # steps a second and memory only: minutes

With --keep DIR, each way that is done is kept there, and not run again when the same command is given again.

The picture is cut from its middle and made noisy as the published experiment has it: sigma 25, seed 0 of NumPy's
RandomState, clipped. Each way is a process of its own, and has one thing more than the way before it. Its steps a
second are the most of three rounds of a few steps, one way after the other in each, and its seconds are steps over
that: a machine that is not ours alone slows down for minutes at a time. PSNR is on RGB, border 0, of results not
rounded. "Best" of the published code is the better of its answer and of its running average at any step; ours is what
it would return at that step. Memory is the largest of the process until its last step.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Line = dict[str, float]
ROUNDS, FEW = 3, 12
OFFICIAL, AVERAGE = "published code", "+ our average"
SAME, NARROW, MUON, MASKED = "+ our arithmetic", "+ narrow network", "+ Muon", "+ masked input"
PLAIN = {"stop": "none", "start": "noise", "network.skip": [4, 4, 4, 4, 4]}
OURS = {
    SAME: {"quality": "paper", "stop": "none"},
    NARROW: {**PLAIN, "jitter": 1 / 30, "optimiser": "adam", "steps": 3000},
    MUON: {**PLAIN, "jitter": 0.02, "steps": 800},
    MASKED: {"stop": "none"},
    "balanced": {"quality": "balanced"},
    "fast": {"quality": "fast"},
}
"""Settings of `dip`; the last two stop by themselves."""


def peak_memory() -> int:
    """Return the most bytes that this process has held; what the process that started it held is not in it."""
    if Path("/proc/self/status").exists():
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def noisy(path: Path, size: int) -> tuple[Tensor, Tensor]:
    """Return the clean and the noisy picture, `1 3 size size`."""
    import numpy as np
    import torch
    from restoration_dip.fast.padding import crop_middle

    import restoration

    x = restoration.read(path).pixels
    noise = torch.from_numpy(np.random.RandomState(0).normal(scale=25 / 255, size=x.shape[1:]))
    y = (x + noise).clamp(0, 1).float()
    return crop_middle(x, size, size).contiguous(), crop_middle(y, size, size).contiguous()


def official(path: Path, size: int, steps: int) -> Iterator[Line]:
    """Run the published loop, and our running average beside its own."""
    from official_dip import denoise
    from restoration_dip.fit.average import RunningAverage

    x, y = noisy(path, size)
    average = RunningAverage()
    for step, seconds, clean, smooth, answer in denoise(x, y, steps):
        averaged = float(-10 * (average.update(answer) - x).square().mean().log10())
        yield {"step": step, "seconds": seconds, "psnr": max(clean, smooth), "averaged": averaged}


def ours(path: Path, size: int, steps: int, name: str) -> Iterator[Line]:
    """Run ours as `restore run` does."""
    import restoration
    from restoration.console import prepare

    prepare()
    x, y = noisy(path, size)
    lines: list[Line] = []
    limit = {"steps": steps} if name == SAME or steps == FEW else {}
    made = restoration.Restoration("dip", "denoise", options=OURS[name] | limit, device="cpu")
    begin = time.perf_counter()

    def see(guess: Tensor) -> None:
        lines.append(
            {"step": len(lines) + 1, "seconds": time.perf_counter() - begin, "psnr": restoration.psnr(guess, x)}
        )

    result = made(restoration.Observation(y=y), observe=see)
    yield from lines
    print(result.told, file=sys.stderr)


def run(name: str, chosen: argparse.Namespace, steps: int, keep: Path | None = None) -> tuple[list[Line], float]:
    """Run one way in a process of its own; return its steps, and its largest memory in MB."""
    kept = keep and keep / f"{chosen.picture.stem}.{chosen.size}.{steps}.{name.strip('+ ')}.json"
    if kept and kept.exists():
        lines, memory = json.loads(kept.read_text())
        return lines, memory
    command = [sys.executable, __file__, str(chosen.picture), "--size", str(chosen.size), "--steps", str(steps)]
    done = subprocess.run([*command, "--only", name], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"failed: {name}")
    *lines, memory = (json.loads(line) for line in done.stdout.splitlines())
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps([lines, memory]))
    return lines, memory


def rates(names: Iterable[str], chosen: argparse.Namespace) -> tuple[dict[str, float], dict[str, float]]:
    """Return the steps a second of each way, and its largest memory in MB, in rounds of a few steps."""
    speeds, memories = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for _ in range(ROUNDS):
        for name in speeds:
            lines, memory = run(name, chosen, FEW)
            half = len(lines) // 2
            speed = (len(lines) - half) / (lines[-1]["seconds"] - lines[half - 1]["seconds"])
            speeds[name], memories[name] = max(speeds[name], speed), max(memories[name], memory)
    return speeds, memories


def main() -> None:
    """Run all ways, one after another, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=1800, help="of the published code")
    parser.add_argument("--rates", action="store_true", help="the same network only: iterations a second, memory")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="a folder for what is done")
    parser.add_argument("--ways", nargs="+", choices=OURS, default=list(OURS), help="only these of ours")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.only:
        way = official if chosen.only == OFFICIAL else ours
        extra = () if chosen.only == OFFICIAL else (chosen.only,)
        for line in way(chosen.picture, chosen.size, chosen.steps, *extra):  # type: ignore[operator]
            print(json.dumps(line), flush=True)
        print(peak_memory() / 1e6)  # torch takes 130 MB more to end
        return
    print(f"{chosen.picture.name}, {chosen.size}x{chosen.size}")
    speeds, memories = rates((OFFICIAL, *([SAME] if chosen.rates else chosen.ways)), chosen)
    for name, speed in speeds.items():
        times = f"{speed / speeds[OFFICIAL]:.2f} x the published code's"
        print(f"{name:18}{speed:7.2f} steps/s{memories[name]:8.0f} MB   {times}", flush=True)
    if chosen.rates:
        return
    print(f"\n{'':18}{'memory':>8}{'best PSNR':>14}{'after':>7}{'as good as the published best':>33}", flush=True)
    lines, memory = run(OFFICIAL, chosen, chosen.steps, chosen.keep)
    best = max(lines, key=lambda line: line["psnr"])
    limit = best["step"] / speeds[OFFICIAL]
    show(OFFICIAL, lines, "psnr", speeds[OFFICIAL], memory, best["psnr"], limit)
    show(AVERAGE, lines, "averaged", speeds[OFFICIAL], memory, best["psnr"], limit)
    for name in chosen.ways:
        lines, memory = run(name, chosen, chosen.steps, chosen.keep)
        show(name, lines, "psnr", speeds[name], memory, best["psnr"], limit)


def show(name: str, lines: list[Line], key: str, speed: float, memory: float, best: float, limit: float) -> None:
    """Print the line of a way: how good, and when it was as good as the published code at its best."""
    top = max(lines, key=lambda line: line[key])
    reached = next((line["step"] / speed for line in lines if line[key] >= best), None)
    when = "never" if reached is None else f"after {reached:.0f} s, {limit / reached:.1f} x sooner"
    print(f"{name:18}{memory:5.0f} MB{top[key]:11.2f} dB{top['step'] / speed:5.0f} s{when:>33}", flush=True)


if __name__ == "__main__":
    main()
