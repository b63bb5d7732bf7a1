"""Evaluations of the network against quality, for every sampler (as figure 5 of MaRS and table 4 of IR-SDE compare).

    python examples/studies/evaluations.py
    python examples/studies/evaluations.py --task denoise --method denoising-ode --sigma 25 --data CBSD68/

Prints a table and writes `evaluations.svg`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from reverse_process import PAIRS, observation

import restoration
from restoration.console import prepare
from restoration.images.folders import pairs_in
from restoration.tasks import make_task
from restoration.training.plot import line_plot

SAMPLERS = ("dpmpp-2m", "dpmpp-2m-sde", "ddim", "posterior", "euler-ode", "euler-sde")
STEPS = (1, 2, 5, 10, 20, 50, 100)


def main() -> None:
    """Restore with every sampler and number of steps, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", default="ir-sde")
    parser.add_argument("--task", default="derain")
    parser.add_argument("--sigma", type=float, help="of the noise, for denoising, in levels of 255")
    parser.add_argument("--data", type=Path, default=PAIRS)
    parser.add_argument("--limit", type=int, default=2, help="pictures")
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS)
    parser.add_argument("--out", type=Path, default=Path("evaluations.svg"))
    chosen = parser.parse_args()
    prepare()
    options = {} if chosen.sigma is None else {"sigma": chosen.sigma}
    task = make_task(chosen.task, options)
    pairs = [observation(pair, task, place) for place, pair in enumerate(pairs_in(chosen.data)[: chosen.limit])]
    noise = "" if chosen.sigma is None else f" sigma {chosen.sigma:g}"
    print(f"PSNR (RGB, border 0) of {len(pairs)} pictures, {chosen.method}, {chosen.task}{noise}, seed 0")
    print(f"{'steps':14}" + "".join(f"{steps:8}" for steps in chosen.steps))
    lines = {}
    for sampler in SAMPLERS:
        lines[sampler] = []
        for steps in chosen.steps:
            made = restoration.Restoration(chosen.method, chosen.task, steps=steps, sampler=sampler)
            results = [made(observed).picture.pixels for _, observed in pairs]
            scores = [restoration.psnr(one, x) for one, (x, _) in zip(results, pairs, strict=True)]
            lines[sampler].append((steps, float(torch.tensor(scores).mean())))
        print(f"{sampler:14}" + "".join(f"{score:8.2f}" for _, score in lines[sampler]), flush=True)
    title = f"{chosen.method}, {chosen.task}"
    chosen.out.write_text(
        line_plot(lines, title=title, x_label="evaluations", y_label="PSNR, dB", log_x=True), encoding="utf-8"
    )
    print(chosen.out)


if __name__ == "__main__":
    main()
