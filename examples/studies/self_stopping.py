"""Does Deep Image Prior stop by itself where it should? Its rules on one and the same fit, for each picture and noise.

    python examples/studies/self_stopping.py
    python examples/studies/self_stopping.py --data Set14/ --limit 5 --size 256

Each picture gets Gaussian noise of two strengths, Poisson noise and impulses. The fit of `restore run -m dip` goes on
to its last step while the rule says when it would have stopped and which step it would have returned. Prints how far
the running average at that step is from the best one of the whole fit. `--rules` follows those that watch a variance
too, on a fit of their own, as `--stop` makes it.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from restoration_dip.fast.padding import crop_middle
from restoration_dip.fit.average import RunningAverage
from restoration_dip.fit.stopping import AveragedVariance, Moment, MovingVariance, Stopping
from restoration_dip.prior import DeepImagePrior
from reverse_process import PAIRS

import restoration
from restoration import NetworkCard, NetworkMaker
from restoration.engine.hardware import find_device, precision, prepare
from restoration.images.folders import pictures_in
from restoration.registry import registry
from restoration.tasks import make_task, observe
from restoration.training.plot import line_plot

NOISES: dict[str, dict[str, Any]] = {
    "gaussian 25": {"sigma": 25.0},
    "gaussian 50": {"sigma": 50.0},
    "poisson 30": {"kind": "poisson-gaussian", "gain": 1 / 30, "sigma": 0.0},
    "impulse 0.1": {"kind": "impulse", "impulse": 0.1},
}
Variance = Literal["moving-variance"]
"""The rule of the fit, where it is not that of the method itself."""
ENOUGH = 0.5
"""Decibels below the best step that are not seen."""


@dataclass
class Watched:
    """What a rule chose, as the fit went on."""

    rule: Stopping
    psnr: float = 0.0
    stopped: int = 0

    def see(self, moment: Moment, psnr: float) -> None:
        """Follow the fit until the rule is done."""
        if self.stopped:
            return
        if self.rule.update(moment):
            self.psnr = psnr
        if self.rule.done:
            self.stopped = moment.step


def follow(
    y: torch.Tensor, clean: torch.Tensor, stop: Variance | None, rules: list[Stopping], chosen: argparse.Namespace
) -> tuple[list[tuple[float, float]], list[Watched]]:
    """Fit to the last step; return the PSNR of the average at each step, and what each rule chose."""
    device, rng = find_device("auto"), torch.Generator().manual_seed(chosen.seed)
    y, clean = y.to(device), clean.to(device)
    network = NetworkMaker(registry().card(NetworkCard, "skip"), {})
    dip = DeepImagePrior(make_network=network, task="denoise", stop=stop)
    seen = restoration.Observation(y=y)
    plan = dip.plan(seen)
    problem, fit = dip.begin(seen, plan, rng)
    followed = [Watched(rule) for rule in rules or [dip.rule(problem, plan)]]
    average = RunningAverage()
    curve: list[tuple[float, float]] = []
    with precision("auto", device):
        for step in range(1, chosen.steps + 1):
            answer, _ = fit.step()
            mean = average.update(answer)
            psnr = restoration.psnr(mean.clamp(0, 1), clean)
            curve.append((step, psnr))
            moment = Moment(step=step, output=answer, average=mean, error=problem.held_out_error(mean))
            for watched in followed:
                watched.see(moment, psnr)
    return curve, followed


def main() -> None:
    """Fit each pair, print a line for it, and at the end how often each rule was good enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=PAIRS / "clean", help="a folder of clean pictures")
    parser.add_argument("--limit", type=int, default=5, help="pictures; 0 is all")
    parser.add_argument("--size", type=int, default=128, help="of what is cut out of the middle, at most")
    parser.add_argument("--noises", nargs="+", choices=NOISES, default=list(NOISES), metavar="NOISE", help="of these")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("self_stopping.svg"), help="curves of the first picture")
    parser.add_argument("--rules", action="store_true", help="also those that watch a variance")
    parser.add_argument("--threads", type=int)
    chosen = parser.parse_args()
    prepare(chosen.threads)
    print(f"PSNR (RGB, border 0) of the running average; {chosen.size} pixels a side, {chosen.steps} steps")
    gaps: dict[str, list[float]] = {}
    curves: dict[str, list[tuple[float, float]]] = {}
    for place, path in enumerate(pictures_in(chosen.data)[: chosen.limit or None]):
        x = restoration.read(path).pixels
        x = crop_middle(x, *(min(side, chosen.size) for side in x.shape[-2:]))
        for name in chosen.noises:
            y = observe(make_task("denoise", NOISES[name]), x, torch.Generator().manual_seed(place)).y
            fits: list[tuple[Variance | None, list[Stopping]]] = [(None, [])]  # its own
            if chosen.rules:
                fits.append(("moving-variance", [MovingVariance(), AveragedVariance()]))
            for stop, rules in fits:
                curve, followed = follow(y, x, stop, rules, chosen)
                at, best = max(curve, key=lambda point: point[1])
                if place == 0 and stop is None:
                    curves[name] = curve[9::10]
                for watched in followed:
                    gaps.setdefault(watched.rule.name if rules else "its own", []).append(best - watched.psnr)
                    print(
                        f"{path.stem[:16]:16} {name:12} {restoration.psnr(y, x):6.2f} | {watched.rule.name:18} "
                        f"{watched.psnr:.2f} of step {watched.rule.best}, known at {watched.stopped or chosen.steps} | "
                        f"best {best:.2f} of step {at}",
                        flush=True,
                    )
    plot = line_plot(curves, title="Deep Image Prior", x_label="step", y_label="PSNR of the average, dB", log_x=True)
    chosen.out.write_text(plot, encoding="utf-8")
    print()
    for rule, found in gaps.items():
        near = sum(gap <= ENOUGH for gap in found)
        print(
            f"{rule:18} within {ENOUGH} dB of the best step: {near} of {len(found)} ({near / len(found):.0%}), "
            f"mean {statistics.fmean(found):.2f}, worst {max(found):.2f} dB below"
        )


if __name__ == "__main__":
    main()
