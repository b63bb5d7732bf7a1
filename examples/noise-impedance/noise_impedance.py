"""An untrained network learns pictures sooner than noise (figure 2 of Deep Image Prior, Ulyanov et al. 2018).

    python examples/noise-impedance/noise_impedance.py
    python examples/noise-impedance/noise_impedance.py --picture photo.png --steps 400

Fits the same network to a picture, to the picture with noise, to its pixels in another order and to noise alone. Prints
the mean squared error as a share of each target's variance, and writes `noise_impedance.svg`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from restoration_dip.fit.fitting import Fitting
from restoration_dip.fit.inputs import draw_noise
from restoration_dip.networks.skip import SkipNet
from torch import Generator, Tensor

from restoration import read
from restoration.engine.adapter import Adapted
from restoration.engine.hardware import find_device, prepare
from restoration.training.plot import line_plot

PICTURE = Path(__file__).parents[1] / "derain" / "clean" / "hopper.png"
CHANNELS = (8, 16, 32, 64, 128)
SKIPS = (0, 0, 0, 4, 4)
REFERENCE = {"picture": 0.11, "picture + noise": 0.18, "shuffled pixels": 0.80, "white noise": 1.00}
"""After 100 iterations of the network of the published code, on its picture `snail` of 384x256."""


def targets(x: Tensor, sigma: float, rng: Generator) -> dict[str, Tensor]:
    """Return the four targets, `1 3 h w`, for a picture; `sigma` of the noise in levels of 255."""
    order = torch.randperm(x[0, 0].numel(), generator=rng)
    return {
        "picture": x,
        "picture + noise": (x + sigma / 255 * torch.randn(x.shape, generator=rng)).clamp(0, 1),
        "shuffled pixels": x.flatten(2)[..., order].reshape(x.shape),
        "white noise": torch.rand(x.shape, generator=rng),
    }


def curve(target: Tensor, steps: int, device: torch.device, seed: int = 0) -> list[float]:
    """Fit a new network to a target; return the mean squared error at each iteration, over the target's variance."""
    rng, target = Generator().manual_seed(seed), target.to(device)
    height, width = target.shape[-2:]
    z = draw_noise(3, height, width, rng).to(device)
    torch.manual_seed(seed)
    network = Adapted(SkipNet(in_channels=3, down=CHANNELS, up=CHANNELS, skip=SKIPS), (), path=False).to(device)
    fit = Fitting(network, lambda: z, lambda answer: (answer - target).square().mean(), lr=0.01)
    variance = float(target.var(correction=0))
    return [fit.step()[1] / variance for _ in range(steps)]


def shown(steps: int) -> list[int]:
    """Return the iterations of the table: 25, twice that and so on, and the last."""
    return sorted({25 * 2**power for power in range(12) if 25 * 2**power < steps} | {steps})


def main() -> None:
    """Fit, measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=Path, default=PICTURE)
    parser.add_argument("--side", type=int, default=384, help="the longer one, to which the picture is made smaller")
    parser.add_argument("--sigma", type=float, default=25.0, help="of the noise, in levels of 255")
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("noise_impedance.svg"))
    chosen = parser.parse_args()
    prepare()
    device = find_device(chosen.device)
    x = read(chosen.picture).pixels.expand(-1, 3, -1, -1)
    scale = min(1.0, chosen.side / max(x.shape[-2:]))
    size = [round(side * scale) for side in x.shape[-2:]]
    x = torch.nn.functional.interpolate(x, size, mode="area")
    table = shown(chosen.steps)
    print(f"MSE / variance, {chosen.picture.name} {size[1]}x{size[0]}, lr 0.01, no jitter, seed 0")
    print(f"{'iteration':17}" + "".join(f"{step:7}" for step in table) + "   reference at 100", flush=True)
    lines = {}
    for name, target in targets(x, chosen.sigma, Generator().manual_seed(0)).items():
        errors = curve(target, chosen.steps, device)
        lines[name] = list(enumerate(errors, start=1))
        print(
            f"{name:17}" + "".join(f"{errors[step - 1]:7.3f}" for step in table) + f"{REFERENCE[name]:19.2f}",
            flush=True,
        )
    title = f"Noise impedance, {chosen.picture.name} {size[1]}x{size[0]}"
    plot = line_plot(lines, title=title, x_label="iteration", y_label="MSE / variance", log_x=True)
    chosen.out.write_text(plot, encoding="utf-8")
    print(chosen.out)


if __name__ == "__main__":
    main()
