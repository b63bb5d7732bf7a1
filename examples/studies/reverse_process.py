"""PSNR along the reverse process: the state, and the clean image that the network sees in it (figure 9 of IR-SDE).

    python examples/studies/reverse_process.py
    python examples/studies/reverse_process.py --task denoise --data CBSD68/ --steps 100 --sampler posterior

Prints a table and writes `reverse_process.svg`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import restoration
from restoration.engine.hardware import precision, prepare
from restoration.images.folders import pairs_in
from restoration.sampling import drawing, first_state
from restoration.tasks import describe, make_task, observe
from restoration.training.plot import line_plot

PAIRS = Path(__file__).parents[1] / "derain"


def observation(pair, task, seed):
    """Return what is observed of a pair: its degraded picture, or what the task makes of the clean one."""
    clean = restoration.read(pair.clean).pixels
    if pair.degraded is not None:
        return clean, describe(task, restoration.read(pair.degraded))
    return clean, observe(task, clean, torch.Generator().manual_seed(seed))


def trajectory(restorer, y, times, seed):
    """Yield the state and the clean estimate after each step."""
    noise = drawing(y, torch.Generator().manual_seed(seed))

    def clean(x_t, t):
        return restorer.objective.clean(restorer.network, restorer.schedule, x_t, y, t)

    start = first_state(restorer.schedule, y, noise)
    yield start, y
    yield from restorer.sampler(clean, restorer.schedule, start, y, times, noise)


def main() -> None:
    """Sample, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="derain")
    parser.add_argument("--data", type=Path, default=PAIRS)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--sampler", default="posterior")
    parser.add_argument("--limit", type=int, default=5, help="pictures")
    parser.add_argument("--out", type=Path, default=Path("reverse_process.svg"))
    chosen = parser.parse_args()
    prepare()
    made = restoration.Restoration("ir-sde", chosen.task, sampler=chosen.sampler)
    restorer, task = made.restorer, make_task(chosen.task)
    times = restorer.schedule.steps(chosen.steps)
    sums = torch.zeros(chosen.steps + 1, 2)
    pairs = pairs_in(chosen.data)[: chosen.limit]
    for place, pair in enumerate(pairs):
        x, observed = observation(pair, task, place)
        with torch.inference_mode(), precision("auto", made.device):
            for step, both in enumerate(trajectory(restorer, observed.y.to(made.device), times, seed=0)):
                sums[step] += torch.tensor([restoration.psnr(one.float().cpu().clamp(0, 1), x) for one in both])
    means = (sums / len(pairs)).tolist()
    print(f"PSNR (RGB, border 0) of {len(pairs)} pictures, {chosen.task}, sampler {chosen.sampler}, seed 0")
    print("   t    state   clean estimate")
    for step in sorted({round(chosen.steps * part / 10) for part in range(11)}):
        print(f"{float(times[step]):5.2f} {means[step][0]:7.2f} {means[step][1]:10.2f}")
    lines = {
        name: [(step, row[i]) for step, row in enumerate(means)] for i, name in enumerate(("state", "clean estimate"))
    }
    chosen.out.write_text(
        line_plot(lines, title=f"{chosen.task}, {chosen.sampler}", x_label="step", y_label="PSNR, dB"), encoding="utf-8"
    )
    print(chosen.out)


if __name__ == "__main__":
    main()
